"""Why a figure is what it is: what was read, what was left out of it and for which reason.

An `Account` can be given of any sessions: of all, of an agent's, of one with its subagents. It
is made of the same rows as the figures themselves, so that it explains them and no others.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from lib.collector import FUTURE
from lib.frame import UNPRICED
from lib.model import SUBSCRIPTION
from lib.readers import READERS
from lib.store import FileRow

TOLERANCE = 0.01
"""A difference to the agent's own price above this share of it is shown."""
UNKNOWN_MODEL = "unknown model"

COPIES = {
    "repeated_record": "the same call again, next in its file",
    "copied_call": "the same call in another place, counted there",
}
"""Why a usage record was not counted, for people."""
_GENERAL = {
    FUTURE: "Some records are dated in the future; the session has the times of its file.",
    SUBSCRIPTION: "The calls count against the limits of a subscription. The cost is "
    "API-equivalent: what they would have cost at the API's list prices.",
    UNPRICED: "Some calls have no price that is known for certain; their cost is not in the sum.",
}
_SENTENCES = {reader.AGENT: reader.CANNOT_KNOW for reader in READERS}


def sentence(agent: str, flag: str) -> str:
    """What a flag of a session means, for people."""
    known = _SENTENCES.get(agent, {}).get(flag) or _GENERAL.get(flag)
    return known or flag.replace("_", " ").capitalize() + "."


class Comparison(NamedTuple):
    """What an agent says that calls have cost, and our price of the same calls, in US dollars."""

    reported_usd: float
    ours_usd: float | None
    """None where some of them have no known price."""

    @property
    def difference_usd(self) -> float | None:
        """Ours less the agent's."""
        return None if self.ours_usd is None else self.ours_usd - self.reported_usd

    @property
    def share(self) -> float | None:
        """The difference as a share of what the agent says."""
        difference = self.difference_usd
        return None if difference is None else difference / self.reported_usd

    @property
    def is_off(self) -> bool:
        """Whether the two differ by more than `TOLERANCE`, or ours is not known."""
        return self.share is None or abs(self.share) > TOLERANCE


def comparison(session: Mapping[Any, Any]) -> Comparison | None:
    """Of one row of the sessions frame; None where the agent says nothing."""
    reported, ours = session["reported_cost_usd"], session["compared_cost_usd"]
    if pd.isna(reported):
        return None
    return Comparison(float(reported), None if pd.isna(ours) else float(ours))


class Account(NamedTuple):
    """What became of the records behind some figures."""

    files: int
    gone: int
    """Of these, files that the agent has deleted since; what they told stays."""
    records: int
    """Records read."""
    usage_records: int
    """Of these, records that carry a call's token counts, copies included."""
    repeated: int
    """Usage records that repeat the call of the one before them in the same file."""
    copied: int
    """Usage records of a call that stands in another place too, and is counted there."""
    requests: int
    """Model calls, each once."""
    mismatched: int
    """Of these, calls whose parts are not the provider's own total beside them."""
    skipped: dict[str, int]
    """Records that could not be read, by reason."""
    errors: dict[str, str]
    """Files that could not be read as a whole, by path."""
    unknown: dict[str, int]
    """What the reader does not know, by name."""
    unpriced: dict[str, int]
    """Calls without a known price, by model."""
    flags: dict[str, int]
    """Sessions by what their files are known to leave out, as `agent:flag`."""
    shared_files: int
    """Files that also hold other sessions: their records are counted whole."""


def account(
    files: Sequence[FileRow], usage: pd.DataFrame, sessions: pd.DataFrame, shared_files: int = 0
) -> Account:
    """The account of `sessions` with their `usage`, which were read from `files`."""
    repeated = sum(file.repeated_records for file in files)
    usage_records = sum(file.usage_records for file in files)
    requests = int(usage["requests"].sum())
    flags = Counter(
        f"{agent}:{flag}"
        for agent, found in zip(sessions["agent"], sessions["flags"], strict=True)
        for flag in found
    )
    return Account(
        files=len(files),
        gone=sum(file.gone for file in files),
        records=sum(file.records for file in files),
        usage_records=usage_records,
        repeated=repeated,
        copied=max(0, usage_records - repeated - requests),
        requests=requests,
        mismatched=int(usage["mismatched_requests"].sum()),
        skipped=_summed(file.skipped for file in files),
        errors={file.path: file.error for file in files if file.error},
        unknown=_summed(file.unknown for file in files),
        unpriced=unpriced(usage),
        flags=dict(flags.most_common()),
        shared_files=shared_files,
    )


def session_account(
    key: str, files: Sequence[FileRow], usage: pd.DataFrame, sessions: pd.DataFrame
) -> Account:
    """The account of one session and its subagents; all arguments are of a whole store."""
    chosen = with_subagents(key, sessions)
    keys, paths = set(chosen["key"]), _places(chosen)
    own = [file for file in files if file.session_key in keys or (file.machine, file.path) in paths]
    others = sessions[~sessions["key"].isin(keys)]
    elsewhere = _places(others)
    shared = sum((file.machine, file.path) in elsewhere for file in own)
    return account(own, usage[usage["session_key"].isin(keys)], chosen, shared)


def with_subagents(key: str, sessions: pd.DataFrame) -> pd.DataFrame:
    """The rows of a session and of all below it."""
    keys: set[str] = set()
    found = {key}
    while found - keys:
        keys |= found
        found = set(sessions.loc[sessions["parent_key"].isin(keys), "key"])
    return sessions[sessions["key"].isin(keys)]


def _places(sessions: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(sessions["machine"], sessions["source_path"], strict=True))


def unpriced(usage: pd.DataFrame) -> dict[str, int]:
    """Calls without a known price, by model, the most first."""
    rows = usage[usage["unpriced_requests"] > 0]
    counts = rows.groupby(rows["model"].fillna(UNKNOWN_MODEL))["unpriced_requests"].sum()
    return {str(model): int(count) for model, count in counts.sort_values(ascending=False).items()}


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total.most_common())
