"""Files with exactly the table that a page shows."""

from typing import Any, cast

import pandas as pd
import streamlit as st

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def exports(found: pd.DataFrame, name: str) -> None:
    """Files with exactly the table that is shown; see `as_csv`."""
    place = st.container(horizontal=True)
    made = {
        "CSV": ("text/csv", lambda: as_csv(found)),
        "Parquet": ("application/vnd.apache.parquet", lambda: found.to_parquet(index=False)),
        "JSON": ("application/json", lambda: found.to_json(orient="records", date_format="iso")),
    }
    for label, (kind, make) in made.items():
        place.download_button(
            label,
            data=cast("Any", make),
            file_name=f"{name}.{label.lower()}",
            mime=kind,
            key=f"{name}-{label}",
            on_click="ignore",
            icon=":material/download:",
        )


def as_csv(found: pd.DataFrame) -> str:
    """The table with an apostrophe before each text that a spreadsheet would run as a formula."""
    return found.map(_inert).rename(columns=_inert).to_csv(index=False)


def _inert(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
