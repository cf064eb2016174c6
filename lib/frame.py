"""Store rows as pandas frames: one row a session, with its status, its figures and its money.

`load_sessions` and `load_usage` keep what they loaded by store version, so that a second call,
or a second viewer, costs only what changed. The frames they return are shared: don't write
into them, take a copy.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
import pandas as pd

from lib import heard, pricing, status
from lib.asked import SHOWN_MS, asked, control
from lib.doing import doing, due_at
from lib.figures import (
    QUARTER_HOUR_MS,
    Figures,
    PricedUsage,
    figures,
    total,
)
from lib.health import add_concerns
from lib.model import DELETED, Action, Evidence, ServerRow, Session
from lib.model_analysis import Analysis
from lib.parents import Family
from lib.request_frame import load_requests
from lib.served import columns, differing, with_local
from lib.session_row import (
    SAMPLE_MACHINE,
    UNPRICED,
    identity,
    numbers,
    session_frame,
    updated_frame,
)
from lib.store import SessionRow, Store
from lib.twins import Twins, joined

__all__ = [
    "SAMPLE_MACHINE",
    "UNPRICED",
    "load_requests",
    "load_sessions",
    "load_usage",
    "relatives",
    "session_facts",
    "today_totals",
]

MOST_DAYS = 40
"""Of which sums are kept: one for each time zone of the viewers."""
SILENT_SOURCE = "a daemon that no longer looks"


@dataclass
class Known:
    """What was loaded of a store, and the rows made of it."""

    store: Store
    version: int = 0
    sessions: dict[str, SessionRow] = field(default_factory=dict)
    evidence: dict[str, dict[tuple[str, str], Evidence]] = field(default_factory=dict)
    """Session key to source and machine to what is claimed there."""
    usage: dict[str, list[PricedUsage]] = field(default_factory=dict)
    family: Family = field(default_factory=Family)
    actions: dict[str, list[Action]] = field(default_factory=dict)
    """Those under way or changed lately, by the session that they are about."""
    analyses: dict[str, Analysis] = field(default_factory=dict)
    """What transcripts come to, by session."""
    twins: Twins = field(default_factory=Twins)
    servers: dict[tuple[str, str], ServerRow] = field(default_factory=dict)
    """LeanSpec servers by machine and URL."""
    statuses: dict[str, status.Status] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    """Machines at which no daemon looks."""
    due: dict[str, int] = field(default_factory=dict)
    """When a row changes by itself: a rate limit ends, a recent session becomes an older one."""
    frame: pd.DataFrame | None = None
    frame_minute: int = -1
    moved: set[str] = field(default_factory=set)
    """Sessions whose rows changed since `frame` was made."""
    days: dict[tuple[int, int], dict[str, Figures]] = field(default_factory=dict)
    """What sessions came to in a day, by its first and last quarter hour."""
    usage_frame: pd.DataFrame | None = None
    usage_moved: set[str] = field(default_factory=set)
    """Sessions whose usage changed since `usage_frame` was made."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self, now: int) -> None:
        """Load what changed in the store since the last call, and remake the rows it touches."""
        version = self.store.version()
        if version != self.version:
            if self.store.removed_since(self.version):
                # What is gone can't be told by what changed.
                self._forget()
            changed = self._load(self.version)
            self._load_actions(now)
            self.analyses |= {
                one.session_key: one for one in self.store.analyses.since(self.version)
            }
            self.usage_moved |= changed
            for key in changed:
                self._remake(key, now)
                for day in self.days.values():
                    day.pop(key, None)
        self._listen(now)
        minute = now // 60_000
        if version != self.version or self.moved or minute != self.frame_minute:
            self._remake_due(now)
            if self.frame is None or len(self.moved) > len(self.rows) // 10:
                self.frame = session_frame(self.rows.values())
            else:
                self.frame = updated_frame(self.frame, self.rows, self.moved)
            add_concerns(self.frame, self.analyses, self.twins.local_of, now)
            self.moved.clear()
            self.version, self.frame_minute = version, minute

    def _forget(self) -> None:
        for known in (
            self.sessions,
            self.evidence,
            self.usage,
            self.family,
            self.analyses,
            self.twins,
            self.statuses,
            self.rows,
            self.due,
            self.days,
        ):
            known.clear()
        self.version = 0
        self.frame = self.usage_frame = None

    def _load(self, since: int) -> set[str]:
        changed: set[str] = set()
        for claim in self.store.evidence(since):
            by_place = self.evidence.setdefault(claim.session_key, {})
            by_place[claim.source, claim.machine] = claim
            changed.add(claim.session_key)
        moved = self.store.sessions(since)
        for row in moved:
            self.sessions[row.key] = row
            # Also those that it leaves, should its parent be another now.
            changed |= {row.key} | self.family.relatives(row.key)
            self.family.note(row.key, row.parent_key)
        # All of a session's, also of one that moved after the sessions were read.
        used: dict[str, list[PricedUsage]] = {row.key: [] for row in moved}
        for usage in self.store.usage(since, pricing.thresholds()):
            if usage.session_key in self.sessions:
                agent = self.sessions[usage.session_key].agent
                priced = PricedUsage(
                    usage.model, usage.quarter_hour, usage.attribution, figures(usage, agent)
                )
                used.setdefault(usage.session_key, []).append(priced)
        self.usage |= used
        for key in used.keys() - changed:
            changed |= {key} | self.family.relatives(key)
        return self._with_relatives(changed | self.twins.note(moved))

    def _load_actions(self, now: int) -> None:
        self.actions = {}
        for action in self.store.actions.recent(now - SHOWN_MS):
            if action.session_key is not None:
                self.actions.setdefault(action.session_key, []).append(action)

    def _with_relatives(self, changed: set[str]) -> set[str]:
        related = set(changed)
        for key in changed:
            related |= self.family.relatives(key)
        related |= {self.twins.server_of[key] for key in related & self.twins.server_of.keys()}
        return related & self.sessions.keys()

    def _listen(self, now: int) -> None:
        """Note which daemons fell silent or spoke again, and remake the rows of their machines."""
        daemons = heard.daemons(self.store, now)
        silent = frozenset(row.machine for row in daemons if now - row.beat_at > heard.SILENT_MS)
        moved = silent ^ self.silent
        self.silent = silent
        known = self.servers
        self.servers = {(row.machine, row.url): row for row in self.store.servers()}
        places = differing(known, self.servers)
        if not moved and not places:
            return
        for key in [
            key
            for key, row in self.sessions.items()
            if row.machine in moved or (places and (row.machine, row.server) in places)
        ]:
            self._remake(key, now)

    def _believed(self, claim: Evidence) -> Evidence:
        if claim.machine not in self.silent or claim.process == "dead":
            return claim
        return msgspec.structs.replace(claim, process="unknown", source=SILENT_SOURCE)

    def _remake_due(self, now: int) -> None:
        for key in [key for key, moment in self.due.items() if moment <= now]:
            self._remake(key, now)

    def _claims(self, session: Session) -> list[Evidence]:
        told = status.evidence_for(session, self.sessions, self.evidence)
        return [self._believed(claim) for claim in told]

    def _remake(self, key: str, now: int) -> None:
        session = self.sessions[key]
        evidence = self._claims(session)
        state = status.derive(session, evidence, now)
        same = [key]
        twin = self.twins.local_of.get(key)
        if twin is not None:
            local = self.sessions[twin]
            session = joined(session, local)
            state = with_local(state, status.derive(local, self._claims(local), now))
            same.append(twin)
        self.statuses[key] = state
        usage = [group for one in same for group in self.usage.get(one, ())]
        below = [
            total(group.figures for group in self.usage.get(subagent, []))
            for one in same
            for subagent in self.family.below(one)
        ]
        models = {
            group.model
            for one in same
            for member in (one, *self.family.below(one))
            for group in self.usage.get(member, ())
        }
        turn_limit = max((claim.turn_limit or 0 for claim in evidence), default=0)
        lately = asked(self.actions.get(key, []), now)
        row = {
            **identity(session, session.dismissed_at),
            **doing(session, state, turn_limit or None, now),
            **numbers(session, usage, below),
            **control(session, state, lately, session.machine in self.silent),
        }
        last = session.last_activity_at
        stays = status.stays_dismissed(session.dismissed_at, state, row["section"], last)
        if not stays and DELETED not in session.flags:
            row["dismissed_at"] = None
        row["all_models"] = sorted(model for model in models if model is not None)
        row |= columns(session, state, self.servers, twin, row["requests"])
        row["parent_key"] = self.twins.server_of.get(key, session.parent_key)
        self.rows[key] = row
        self.moved.add(key)
        self.due.pop(key, None)
        for moment in (due_at(session, state, self.rows[key]["section"]), lately.due):
            if moment is not None:
                self.due[key] = min(moment, self.due.get(key, moment))


_known: WeakKeyDictionary[Store, Known] = WeakKeyDictionary()
_known_lock = threading.Lock()


def _refreshed(store: Store, now: int | None) -> Known:
    moment = time.time_ns() // 1_000_000 if now is None else now
    with _known_lock:
        known = _known.setdefault(store, Known(store))
    with known.lock:
        known.refresh(moment)
    return known


def load_sessions(store: Store, now: int | None = None) -> pd.DataFrame:
    """Every session and subagent in the store, one row each, as things stand at `now`.

    `now` in milliseconds; None: this moment. Samples are in it, see the column `sample`.

    Identity: `key`, `agent`, `agent_label`, `session_id`, `short_id`, `parent_key`,
    `forked_from`, `machine`, `source_path`, `project_path`, `project` (short name), `branch`,
    `specs` (a list), `spec` (the first of them), `title`, `first_prompt`, `last_message`,
    `model` (of the newest call), `models`, `all_models` (its
    subagents' too), `server` (URL of the LeanSpec server that runs it),
    `sample`, `flags`.
    State: `status`, `section`, `process`, `turn`, `activity`, `reason`, `error_class`,
    `error_message`, `error_signature` and `error_text` of failed ones (see `lib.failures`), and
    UTC times: `started_at`, `ended_at`, `last_activity_at`, `since`, `resets_at`,
    `dismissed_at`, `last_seen_at`; `duration_ms` of ended sessions; `turns`, `turn_requests`,
    `turn_limit`, `todo_done`, `todo_total`, `progress` (0 to 1, NaN without a plan),
    `context_tokens`, `context_window`, `context_share`.
    Control: `permitted` (kinds of actions that may be asked for), `under_way` (kinds that were),
    `note` (why something did not come to pass), `retry_of` (a key).
    Of a LeanSpec server: `server` (its URL), and what `lib.served` tells of its sessions.
    Figures, of the session's own calls: those of `Figures`, `total_tokens`, `cost_usd` (NaN when
    there were calls and none could be priced); of all subagents below it: `subagents` (how many),
    `subagent_tokens`, `subagent_cost_usd`. `reported_cost_usd` is what the agent itself says of
    the session, and `compared_cost_usd` our price of the same calls (NaN where unknown).
    """
    frame = _refreshed(store, now).frame
    return frame if frame is not None else session_frame([])


def load_usage(store: Store, now: int | None = None) -> pd.DataFrame:
    """Calls grouped by session, model and quarter hour: `session_key`, `agent`, `model`, `at`
    (UTC, NaT where the file told no time), `attribution` (see `lib.model.Request`), and the
    columns of `Figures`.
    """
    known = _refreshed(store, now)
    with known.lock:
        if known.usage_frame is None:
            known.usage_frame = _usage_rows(known, known.usage)
        elif known.usage_moved:
            stays = ~known.usage_frame["session_key"].isin(known.usage_moved)
            parts = [known.usage_frame[stays], _usage_rows(known, known.usage_moved)]
            known.usage_frame = pd.concat([part for part in parts if len(part)] or parts[:1])
        known.usage_moved.clear()
        return known.usage_frame


def _usage_rows(known: Known, keys: Iterable[str]) -> pd.DataFrame:
    rows = [
        (key, known.sessions[key].agent, *group[:-1], *group.figures)
        for key in keys
        for group in known.usage.get(key, ())
    ]
    columns = ["session_key", "agent", "model", "at", "attribution", *Figures._fields]
    frame = pd.DataFrame(rows, columns=columns)
    quarters = frame["at"].astype("Float64") * QUARTER_HOUR_MS
    frame["at"] = pd.to_datetime(quarters, unit="ms", utc=True)
    return frame


def session_facts(store: Store, key: str, now: int) -> SessionRow | None:
    """What the store knows of one session; None where it knows none of that key."""
    return _refreshed(store, now).sessions.get(key)


def relatives(store: Store, key: str, now: int) -> dict[str, list[str]]:
    """Keys of the sessions that belong to one, by how they do; what there is none of is left out.

    `Part of`: the session that started a subagent; `Forked from`, `Forks`, `Subagents`.
    """
    found = _refreshed(store, now)
    with found.lock:
        sessions = dict(found.sessions)
    own = sessions.get(key)
    if own is None:
        return {}
    known = {
        "Part of": [own.parent_key],
        "Forked from": [own.forked_from],
        "Forks": [row.key for row in sessions.values() if row.forked_from == key],
        "Subagents": [row.key for row in sessions.values() if row.parent_key == key],
    }
    present = {
        name: [one for one in keys if one is not None and one in sessions]
        for name, keys in known.items()
    }
    return {name: sorted(keys) for name, keys in present.items() if keys}


def today_totals(store: Store, timezone: tzinfo, now: int) -> Figures:
    """Figures of all calls of the present day in `timezone`; samples left out."""
    known = _refreshed(store, now)
    today = datetime.fromtimestamp(now / 1000, timezone).date()
    first, end = (
        int(datetime.combine(day, datetime.min.time(), timezone).timestamp() * 1000)
        // QUARTER_HOUR_MS
        for day in (today, today + timedelta(days=1))
    )
    with known.lock:
        if (first, end) not in known.days and len(known.days) == MOST_DAYS:
            known.days.clear()
        day = known.days.setdefault((first, end), {})
        for key in known.usage.keys() - day.keys():
            day[key] = total(
                group.figures
                for group in known.usage[key]
                if group.quarter_hour is not None and first <= group.quarter_hour < end
            )
        # Adding up what is not 0, in one order, so that a sum does not differ in its last digit.
        return total(
            day[key]
            for key, row in known.sessions.items()
            if row.machine != SAMPLE_MACHINE and day[key].requests
        )
