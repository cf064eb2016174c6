"""Text of sessions in places that Streamlit reads as Markdown."""

import re

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: str) -> str:
    """`text` on one line, shown as it is: CommonMark takes any punctuation behind a backslash as
    itself, and so do the signs that Streamlit adds (colours, icons, formulas).
    """
    return _PUNCTUATION.sub(r"\\\1", " ".join(text.split()))
