"""The facts of all machines in one database: a SQLite file, or PostgreSQL by URL.

Readers keep up by the store's version: read `version()` first, then everything `since` the
version that was read last time. What changes in between is read again next time, never lost:
writers take turns, and a row carries the version of the transaction that changed it.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    cast,
    delete,
    func,
    insert,
    select,
    update,
)

from lib.model import DaemonRow, Event, Evidence, FileState, ServerRow, SourceRow
from lib.sqlite_file import identity
from lib.store_actions import Actions, retried
from lib.store_budgets import Budgets, Plans
from lib.store_engine import (
    StoreError,
    StoreTooNew,
    bring_up_to_date,
    connect,
    next_version,
    objects,
    plain_errors,
    reading,
    set_version,
    writing,
)
from lib.store_failures import FailureNotes
from lib.store_kept import Kept
from lib.store_merge import statements
from lib.store_requests import Requests, band
from lib.store_rows import QUARTER_HOUR, Batch, Counts, FileRow, SessionRow, Usage
from lib.store_schema import (
    daemon,
    dismissal,
    event,
    evidence,
    file,
    request,
    server,
    session,
    source,
    store_state,
)
from lib.store_statements import Send, replace_rows, write_batch
from lib.store_tools import Analyses, ToolCalls, forget
from lib.store_waits import waited

__all__ = [
    "QUARTER_HOUR",
    "Batch",
    "Counts",
    "FileRow",
    "SessionRow",
    "Store",
    "StoreError",
    "StoreTooNew",
    "Usage",
]


class Store:
    """One open store. Threads may share it. Every method raises StoreError when the store fails.

    After a failure nothing of the failed call is stored, and the store can be used further.
    """

    def __init__(self, engine: Engine):
        self._engine = engine
        self._kept = Kept(engine)
        self.actions = Actions(engine, self._kept)
        self.budgets = Budgets(engine, self._kept)
        self.plans = Plans(engine)
        self.failure_notes = FailureNotes(engine)
        self.requests = Requests(engine)
        self.tool_calls = ToolCalls(engine)
        self.analyses = Analyses(engine)
        self._statements = statements(engine.dialect)
        file = engine.url.database if engine.dialect.name == "sqlite" else None
        self._path = Path(file).absolute() if file else None
        self._identity = identity(self._path) if self._path else None
        self._newest = 0
        self._is_set_back = False

    @classmethod
    def open(cls, url: str) -> Self:
        """The store at a SQLAlchemy URL, made or brought up to date where needed.

        Raises StoreTooNew when a later version of this software has written it.
        """
        with plain_errors("opened"):
            engine = connect(url)
        try:
            bring_up_to_date(engine)
        except StoreError:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        """Close all connections."""
        self._kept.close()
        self._engine.dispose()

    def is_replaced(self) -> bool:
        """Whether the store is not the one that was opened, so that what is known of it is wrong.

        Its file was removed or replaced, or an older state of it was brought back.
        """
        moved = self._path is not None and identity(self._path) != self._identity
        return moved or self._is_set_back

    def version(self) -> int:
        """Moves with every visible change. Files, daemons, sources and servers don't move it."""
        return self._kept.get("version", self._version)

    def _version(self) -> int:
        newest = self._newest
        with reading(self._engine) as connection:
            version: int = connection.execute(select(store_state.c.version)).scalar_one()
        self._is_set_back |= version < newest
        self._newest = max(self._newest, version)
        return version

    def removed_since(self, since: int) -> bool:
        """Whether rows were removed after that version, so that a reader must start from 0."""
        with reading(self._engine) as connection:
            return connection.execute(select(store_state.c.removed_version)).scalar_one() > since

    def write(self, batch: Batch) -> bool:
        """Write all of `batch` in one transaction; return whether anything was new."""
        newest = self._newest
        with writing(self._engine) as connection:
            version = next_version(connection)
            self._is_set_back |= version <= newest
            return write_batch(_sending(connection), self._statements, batch, version)

    def file_states(self, machine: str) -> dict[str, FileState]:
        """How far each file of one machine was read, by path."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(file).where(file.c.machine == machine))
            return {state.path: state for state in objects(FileState, rows)}

    def files(self) -> list[FileRow]:
        """How the reading of every file of every machine went."""
        columns = [file.c[name] for name in FileRow._fields]
        with reading(self._engine) as connection:
            rows = connection.execute(select(*columns).order_by(file.c.machine, file.c.path))
            return [FileRow._make(row) for row in rows]

    def sessions(self, since: int = 0) -> list[SessionRow]:
        """Sessions that changed after a version, or whose requests, evidence, dismissal or actions
        did. What a retry made is known from the retry, for its source can't tell.
        """
        return self._session_rows(session.c.version > since)

    def session(self, key: str) -> SessionRow | None:
        """One session; None when there is none of that key."""
        return next(iter(self._session_rows(session.c.key == key)), None)

    def _session_rows(self, wanted: ColumnElement[bool]) -> list[SessionRow]:
        retries = retried()
        columns = [column for column in session.c if column.name != "retry_of"]
        retry_of = func.coalesce(retries.c.retry_of, session.c.retry_of).label("retry_of")
        statement = (
            select(*columns, retry_of, dismissal.c.at.label("dismissed_at"))
            .join_from(session, dismissal, dismissal.c.session_key == session.c.key, isouter=True)
            .join(retries, retries.c.key == session.c.key, isouter=True)
            .where(wanted)
        )
        with reading(self._engine) as connection:
            return objects(SessionRow, connection.execute(statement))

    def machines_of(self, keys: Sequence[str]) -> dict[str, str]:
        """Which machine wrote each of these sessions, of those that are there."""
        found: dict[str, str] = {}
        with reading(self._engine) as connection:
            # Databases take so many values in one statement, and not many more.
            for start in range(0, len(keys), 500):
                some = session.c.key.in_(keys[start : start + 500])
                rows = connection.execute(select(session.c.key, session.c.machine).where(some))
                found.update((row.key, row.machine) for row in rows)
        return found

    def evidence(self, since: int = 0) -> list[Evidence]:
        """Every source's newest claim on a session, of those that changed after a version."""
        columns = [evidence.c[name] for name in Evidence.__struct_fields__]
        statement = select(*columns).where(evidence.c.version > since)
        with reading(self._engine) as connection:
            return objects(Evidence, connection.execute(statement))

    def usage(self, since: int = 0, thresholds: Sequence[int] = ()) -> list[Usage]:
        """All usage of the sessions that `sessions(since)` returns, summed as far as prices allow.

        `thresholds` are prompt sizes in tokens above which a call may have another price. With
        `since` 0 also the usage of sessions that have no row yet.
        """
        changed = select(session.c.key).where(session.c.version > since)
        which = [request.c.session_key.in_(changed)] if since > 0 else []
        with reading(self._engine) as connection:
            rows = connection.execute(_usage_query(thresholds, which))
            return list(map(Usage._make, rows))

    def usage_after(self, at: int, thresholds: Sequence[int] = ()) -> list[Usage]:
        """The usage of the calls at a moment (ms) or later, summed as `usage` does."""
        active = select(session.c.key).where(session.c.last_activity_at >= at)
        which = [request.c.session_key.in_(active), request.c.at >= at]
        with reading(self._engine) as connection:
            rows = connection.execute(_usage_query(thresholds, which))
            return list(map(Usage._make, rows))

    def counts(self, without: str | None = None) -> Counts:
        """What became of the records of all files, but for those of the machine `without`."""
        column = file.c
        chosen = column.machine.is_distinct_from(without)
        sums = select(
            _sum(column.records), _sum(column.usage_records), _sum(column.repeated_records)
        ).where(chosen)
        calls = select(func.count()).select_from(request)
        others = select(session.c.key).where(session.c.machine == without)
        with reading(self._engine) as connection:
            records, usage, repeated = connection.execute(sums).one()
            requests = connection.execute(calls).scalar_one()
            # Few are left out, and the index finds them: a join would look at every call.
            requests -= connection.execute(
                calls.where(request.c.session_key.in_(others))
            ).scalar_one()
            skipped: Counter[str] = Counter()
            for reasons in connection.execute(select(column.skipped).where(chosen)).scalars():
                skipped.update(reasons)
        return Counts(records, usage, repeated, requests, dict(skipped))

    def events(self, since_id: int = 0, limit: int = 500) -> list[Event]:
        """The first `limit` events after one, oldest first."""
        statement = select(event).where(event.c.id > since_id).order_by(event.c.id).limit(limit)
        with reading(self._engine) as connection:
            return objects(Event, connection.execute(statement))

    def waited(self) -> dict[str, int]:
        """Milliseconds that each session waited for the user; see `lib.store_waits`."""
        return waited(self._engine)

    def dismiss(self, key: str, at: int) -> None:
        """Hide a session for good, for everyone who reads this store."""
        self._set_dismissal(key, at)

    def undismiss(self, key: str) -> None:
        """Show a dismissed session again."""
        self._set_dismissal(key, None)

    def _set_dismissal(self, key: str, at: int | None) -> None:
        with writing(self._engine) as connection:
            version = next_version(connection)
            connection.execute(delete(dismissal).where(dismissal.c.session_key == key))
            if at is not None:
                connection.execute(insert(dismissal).values(session_key=key, at=at))
            connection.execute(update(session).where(session.c.key == key).values(version=version))
            set_version(connection, version)

    def save_daemon(self, row: DaemonRow) -> None:
        """Replace what the machine's daemon says of itself."""
        with writing(self._engine) as connection:
            replace_rows(_sending(connection), self._statements.daemon, [row])

    def daemons(self) -> list[DaemonRow]:
        """Every machine's daemon, alive or not."""
        return self._kept.get("daemons", self._daemons)

    def _daemons(self) -> list[DaemonRow]:
        with reading(self._engine) as connection:
            rows = connection.execute(select(daemon).order_by(daemon.c.machine))
            return objects(DaemonRow, rows)

    def save_sources(self, rows: Sequence[SourceRow]) -> None:
        """Replace the sources of the machines that `rows` name; `rows` are all of theirs."""
        with writing(self._engine) as connection:
            replace_rows(_sending(connection), self._statements.source, rows)

    def sources(self) -> list[SourceRow]:
        """Every machine's sources."""
        return self._kept.get("sources", self._sources)

    def _sources(self) -> list[SourceRow]:
        order = (source.c.machine, source.c.agent, source.c.root)
        with reading(self._engine) as connection:
            rows = connection.execute(select(source).order_by(*order))
            return objects(SourceRow, rows)

    def save_servers(self, machine: str, rows: Sequence[ServerRow]) -> None:
        """Replace what one machine's daemon knows of its LeanSpec servers; `rows` are all of them.

        Like daemons and sources they don't move the version.
        """
        with writing(self._engine) as connection:
            connection.execute(delete(server).where(server.c.machine == machine))
            if rows:
                connection.execute(insert(server), [msgspec.structs.asdict(row) for row in rows])

    def servers(self) -> list[ServerRow]:
        """Every machine's LeanSpec servers."""
        return self._kept.get("servers", self._servers)

    def _servers(self) -> list[ServerRow]:
        order = (server.c.machine, server.c.name, server.c.url)
        with reading(self._engine) as connection:
            rows = connection.execute(select(server).order_by(*order))
            return objects(ServerRow, rows)

    def remove_machine(self, machine: str) -> None:
        """Delete everything that one machine wrote, with the calls that its sessions own."""
        keys = select(session.c.key).where(session.c.machine == machine)
        with writing(self._engine) as connection:
            version = next_version(connection)
            forget(connection, keys)
            for table in (request, event, dismissal):
                connection.execute(delete(table).where(table.c.session_key.in_(keys)))
            for table in (file, session, evidence, daemon, source, server):
                connection.execute(delete(table).where(table.c.machine == machine))
            connection.execute(update(store_state).values(removed_version=version))
            set_version(connection, version)


def _sending(connection: Connection) -> Send:
    return lambda sql, rows: connection.exec_driver_sql(sql, list(rows)).rowcount


def _usage_query(thresholds: Sequence[int], which: Sequence[Any]) -> Any:
    call = request.c
    first, last = (Usage._fields.index(name) for name in ("input_tokens", "mismatched_requests"))
    names = Usage._fields[first:last]
    calls = select(
        call.session_key,
        call.model,
        (call.at // QUARTER_HOUR).label("quarter_hour"),
        band(thresholds).label("band"),
        call.service_tier,
        call.speed,
        call.region,
        call.reported_cost_usd.is_not(None).label("is_reported"),
        (call.web_search_requests > 0).label("has_searches"),
        call.attribution,
        *(call[name] for name in names),
        call.provider_total,
        call.reported_cost_usd,
    ).where(*which)
    inner = calls.subquery()
    groups = [inner.c[name] for name in Usage._fields[: Usage._fields.index("requests")]]
    sums = [_sum(inner.c[name]) for name in names]
    sums.append(func.count(inner.c.provider_total))
    sums.append(func.coalesce(func.sum(inner.c.reported_cost_usd), 0.0))
    return select(*groups, func.count(), *sums).group_by(*groups)


def _sum(column: Any) -> Any:
    # PostgreSQL's sums are numerics, and null over no rows.
    return cast(func.coalesce(func.sum(column), 0), BigInteger)
