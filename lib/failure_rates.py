"""How often sessions fail, when and by what, and how those that failed differ from the others.

All take what `lib.failure_groups.ended` gives.
"""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Literal, NamedTuple

import pandas as pd

from lib.costs import leading
from lib.ledger import NONE, Bucket, Dimension, buckets

Step = Bucket | Literal["hour-of-day"]

DIMENSIONS: dict[Dimension, str] = {
    "tool": "agent_label",
    "model": "model",
    "project": "project",
    "branch": "branch",
}
"""What sessions can be told apart by, and the frame's column of it; the model is the newest."""
QUANTILES = {"median": 0.5, "p90": 0.9, "p99": 0.99}
_MINUTE_MS = 60_000


class Counts(NamedTuple):
    """How many sessions ended and how many of them failed, by time (rows) and name (columns)."""

    ended: pd.DataFrame
    failed: pd.DataFrame

    @property
    def share(self) -> pd.DataFrame:
        """0 to 1; NaN where none ended."""
        return self.failed / self.ended.where(self.ended > 0)


def names(over: pd.DataFrame, by: Dimension | None) -> "pd.Series[str]":
    """What each session counts for: one name for all where `by` is None."""
    if by is None:
        return pd.Series("All", index=over.index, dtype="object")
    return over[DIMENSIONS[by]].astype("object").fillna(NONE).replace("", NONE)


def rates(over: pd.DataFrame, by: Dimension | None) -> pd.DataFrame:
    """`name`, `ended`, `failed` and `share` (0 to 1), the most failures first."""
    is_failed = over["status"] == "failed"
    found = is_failed.groupby(names(over, by)).agg(["size", "sum"])
    found = found.set_axis(["ended", "failed"], axis=1).rename_axis("name").reset_index()
    found["share"] = found["failed"] / found["ended"]
    order = ["failed", "ended"]
    return found.sort_values(order, ascending=False, kind="stable").reset_index(drop=True)


def over_time(
    over: pd.DataFrame, by: Dimension | None, step: Step, zone: tzinfo, most: int | None = None
) -> Counts:
    """The counts by time on the clocks of `zone`; the name with the most sessions comes first, and
    of more than `most` the smaller ones are one, the last.

    The index is the start of each bucket, without gaps, or for `hour-of-day` 0 to 23. Sessions
    without a time are left out.
    """
    known = over[over["at"].notna()]
    at = _times(known, step, zone)
    name, order = leading(names(known, by), pd.Series(1, index=known.index), most)
    ended = pd.crosstab(at, name)
    whole = _whole(ended.index, step)
    lost = known["status"] == "failed"
    failed = pd.crosstab(at[lost], name[lost])
    ended, failed = (
        table.reindex(index=whole, columns=order, fill_value=0) for table in (ended, failed)
    )
    return Counts(ended, failed)


def _times(known: pd.DataFrame, step: Step, zone: tzinfo) -> "pd.Series[pd.Timestamp]":
    if step == "hour-of-day":
        return known["at"].dt.tz_convert(zone).dt.hour
    return buckets(known["at"], step, zone)


def _whole(index: pd.Index, step: Step) -> pd.Index:
    if step == "hour-of-day":
        return pd.RangeIndex(24)
    if index.empty:
        return pd.DatetimeIndex([])
    steps = {"hour": "h", "day": "D", "week": "W-MON", "month": "MS"}
    return pd.date_range(index.min(), index.max(), freq=steps[step])


def spread(over: pd.DataFrame, waited: Mapping[str, int]) -> pd.DataFrame:
    """Completed against failed sessions: `figure`, `status`, `sessions`, median, p90 and p99.

    The figures are minutes from start to end, minutes of waiting for the user, and turns.
    `sessions`: of how many the figure is known. `waited`: milliseconds by key, of the sessions
    of which it is known. Quantiles lie between two sessions where no session is at them.
    """
    figures = {
        "Minutes from start to end": over["duration_ms"] / _MINUTE_MS,
        "Minutes of waiting for you": over["key"].map(dict(waited)).astype("float64") / _MINUTE_MS,
        "Turns": over["turns"].astype("float64"),
    }
    rows: list[dict[str, object]] = []
    for name, values in figures.items():
        for status in ("completed", "failed"):
            known = values[over["status"] == status].dropna()
            marks = {mark: known.quantile(at) for mark, at in QUANTILES.items()}
            rows.append({"figure": name, "status": status, "sessions": len(known), **marks})
    return pd.DataFrame(rows)
