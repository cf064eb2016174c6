"""Everything that draws: the only part of the library that imports Streamlit."""
