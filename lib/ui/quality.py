"""Why figures are what they are: of a session, of an agent, and of everything."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from lib import quality
from lib.cards import money
from lib.frame import SAMPLE_MACHINE
from lib.model import SUBSCRIPTION
from lib.model_analysis import Analysis
from lib.pricing import SOURCE
from lib.quality import Account, Comparison
from lib.readers import LABELS
from lib.readers.drift import MORE
from lib.store import FileRow
from lib.ui.machines import PATH_WIDTH


def why(account: Account, compared: Sequence[Comparison], command: str) -> None:
    """The panel *Why this number* below some figures: what they were made of."""
    figures = {
        "Records read": account.records,
        "Model calls": account.requests,
        "Copies not counted": account.repeated + account.copied,
        "Unpriced calls": sum(account.unpriced.values()),
        "Records skipped": sum(account.skipped.values()) + len(account.errors),
    }
    for column, (name, value) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.metric(name, f"{value:,}")
    rows = [
        ("Copy", quality.COPIES["repeated_record"], account.repeated),
        ("Copy", quality.COPIES["copied_call"], account.copied),
        *(("Skipped", reason, count) for reason, count in account.skipped.items()),
        *(("File skipped", f"{error}: {path}", 1) for path, error in account.errors.items()),
        *(("Unpriced", model, count) for model, count in account.unpriced.items()),
        ("Mismatch", "calls whose parts are not the provider's own total", account.mismatched),
        *(("New to the reader", name, count) for name, count in account.unknown.items()),
    ]
    _table([row for row in rows if row[2]], ["What", "Which", "Number"])
    for name in account.flags:
        agent, flag = name.split(":", 1)
        icon = ":material/credit_card:" if flag == SUBSCRIPTION else ":material/flag:"
        st.caption(f"{icon} **{LABELS.get(agent, agent)}**")
        st.text(quality.sentence(agent, flag))
    for one in compared:
        st.text(comparison_words(one))
    if account.shared_files:
        st.text("Its file holds other sessions too; the records are those of the whole file.")
    st.caption(f"List prices of each call's own day, from {SOURCE}. The same figures as JSON:")
    st.code(command, language="bash")


def session_panel(
    key: str, files: Sequence[FileRow], usage: pd.DataFrame, sessions: pd.DataFrame
) -> None:
    """*Why this number* of one session with its subagents; the frames are of a whole store."""
    account = quality.session_account(key, files, usage, sessions)
    chosen = quality.with_subagents(key, sessions)
    compared = [one for row in chosen.to_dict("records") if (one := quality.comparison(row))]
    why(account, compared, f"python -m lib.report why --json --session {shlex.quote(key)}")


def comparison_words(one: Comparison) -> str:
    """What the agent says beside what we say, and whether they differ."""
    said = f"The agent itself says {money(one.reported_usd)}"
    if one.ours_usd is None or one.share is None:
        return f"{said}; for some of these calls no price is known here."
    if not one.is_off:
        return f"{said}, as here ({money(one.ours_usd)})."
    return f"{said}; here it is {money(one.ours_usd)}, {one.share:+.1%}. It is not added to ours."


def agents(files: Sequence[FileRow], usage: pd.DataFrame, sessions: pd.DataFrame) -> None:
    """One row an agent: what was read and what was left out."""
    st.subheader("By agent")
    labels = _labels(sessions)
    rows: list[tuple[object, ...]] = []
    for agent in sorted(set(sessions["agent"]) | {file.agent for file in files}):
        account = quality.account(
            [file for file in files if file.agent == agent],
            usage[usage["agent"] == agent],
            sessions[sessions["agent"] == agent],
        )
        rows.append(
            (
                labels.get(agent, agent),
                account.files,
                account.gone,
                account.records,
                account.requests,
                account.repeated + account.copied,
                sum(account.unpriced.values()),
                account.mismatched,
                sum(account.skipped.values()),
                sum(account.unknown.values()),
            )
        )
    names = ["Tool", "Files", "Deleted since", "Records", "Calls", "Copies", "Unpriced"]
    _table(rows, [*names, "Mismatches", "Skipped", "New"])


def _labels(sessions: pd.DataFrame) -> dict[str, str]:
    """What agents are called; those of servers have names that only their sessions know."""
    return {**LABELS, **dict(zip(sessions["agent"], sessions["agent_label"], strict=True))}


def flags(sessions: pd.DataFrame) -> None:
    """What files are known to leave out, with the number of sessions that it is true of."""
    st.subheader("What the files leave out")
    labels = _labels(sessions)
    counts = Counter(
        (str(agent), str(flag))
        for agent, found in zip(sessions["agent"], sessions["flags"], strict=True)
        for flag in found
    )
    rows = [
        (labels.get(agent, agent), quality.sentence(agent, flag), count)
        for (agent, flag), count in counts.most_common()
    ]
    _table(rows, ["Tool", "What", "Sessions"])


def differences(sessions: pd.DataFrame) -> None:
    """Sessions whose agent reports another cost than ours."""
    st.subheader("Cost that agents report themselves")
    found = [(row, quality.comparison(row)) for row in sessions.to_dict("records")]
    compared = [(row, one) for row, one in found if one is not None]
    off = [(row, one) for row, one in compared if one.is_off]
    st.text(
        f"Sessions that say what they have cost: {len(compared):,}. "
        f"Further than {quality.TOLERANCE:.0%} from ours: {len(off):,}."
    )
    off.sort(key=lambda pair: -abs(pair[1].difference_usd or 0))
    _table([_difference(row, one) for row, one in off[:200]], _DIFFERENCE)


_DIFFERENCE = ["Session", "Tool", "Agent says", "Here", "Difference", "Perhaps because"]


def _difference(row: Mapping[Any, Any], one: Comparison) -> tuple[object, ...]:
    share = "–" if one.share is None else f"{one.share:+.1%}"
    ours = "unpriced" if one.ours_usd is None else money(one.ours_usd)
    reason = " ".join(quality.sentence(str(row["agent"]), flag) for flag in row["flags"])
    if isinstance(row["forked_from"], str):
        reason = "The agent counts in what the session was forked from. " + reason
    title = row["title"] if isinstance(row["title"], str) else row["short_id"]
    return title, row["agent_label"], money(one.reported_usd), ours, share, reason


def unknown(files: Sequence[FileRow]) -> None:
    """What readers met and do not know, with an example of each."""
    st.subheader("New to the readers")
    found: dict[tuple[str, str], tuple[int, FileRow]] = {}
    for file in files:
        for name, count in file.unknown.items():
            known = found.get((file.agent, name), (0, file))
            found[file.agent, name] = (known[0] + count, known[1])
    if not found:
        st.success("Every record is of a kind that its reader knows.")
        return
    rows = [
        (
            LABELS.get(agent, agent),
            "more" if name == MORE else name,
            count,
            file.path,
            next((f"{skip.line:,}" for skip in file.skips if skip.reason == name), ""),
        )
        for (agent, name), (count, file) in sorted(found.items())
    ]
    _table(rows, ["Tool", "Name", "Times", "For example in", "Line"])
    st.caption("Everything that is known in these files still counts.")


def transcripts(problems: Sequence[Analysis], sessions: pd.DataFrame) -> None:
    """Sessions whose transcript could not be read for their tool calls."""
    st.subheader("Tool calls")
    places = sessions.set_index("key")["source_path"].to_dict()
    rows = [
        (one.session_key, one.problem, places.get(one.session_key, "")) for one in problems[:200]
    ]
    if not rows:
        st.success("Every transcript that was looked at for tool calls could be read.")
        return
    st.text(f"Transcripts that could not be read for tool calls: {len(problems):,}.")
    _table(rows, ["Session", "Why", "File"])


def by_file(files: Sequence[FileRow]) -> None:
    """The files, those with something to tell first."""
    st.subheader("By file")
    real = [file for file in files if file.machine != SAMPLE_MACHINE]
    real.sort(key=lambda file: (-sum(file.skipped.values()), not file.error, -file.records))
    rows = [
        (
            file.path,
            LABELS.get(file.agent, file.agent),
            file.records,
            file.usage_records,
            file.repeated_records,
            sum(file.skipped.values()),
            sum(file.unknown.values()),
            file.error or ("deleted since" if file.gone else ""),
        )
        for file in real[:1_000]
    ]
    _table(rows, ["File", "Tool", "Records", "With usage", "Repeats", "Skipped", "New", "State"])
    if len(real) > len(rows):
        st.caption(f"The first {len(rows):,} of {len(real):,} files.")


def _table(rows: Sequence[tuple[object, ...]], names: Sequence[str]) -> None:
    if rows:
        table = pd.DataFrame(rows, columns=list(names))
        path = st.column_config.TextColumn(width=PATH_WIDTH)
        number = st.column_config.NumberColumn(format="localized")
        config: dict[str, Any] = {str(name): number for name in table.select_dtypes("number")}
        config |= dict.fromkeys(("File", "For example in"), path)
        st.dataframe(table, hide_index=True, width="stretch", column_config=config)
