"""Budgets, what was noted of them, and plans, in the store.

Like daemons and servers they don't move the store's version: no session's row depends on them.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Engine, delete, func, insert, select

from lib.model_notes import Budget, BudgetEvent, Plan
from lib.store_engine import next_version, objects, reading, writing
from lib.store_kept import Kept
from lib.store_merge import insert_into
from lib.store_schema import budget, budget_event, plan, request


class Budgets:
    """All budgets of one store. Threads may share it. Every method may raise StoreError."""

    def __init__(self, engine: Engine, kept: Kept):
        self._engine = engine
        self._kept = kept

    def save(self, wanted: Budget, anew_from: int | None = None) -> None:
        """Keep a budget in place of the one of its id.

        `anew_from`: events of periods that begin at this moment (ms) or later are forgotten, for
        they told of another amount or of something else.
        """
        with writing(self._engine) as connection:
            next_version(connection)
            connection.execute(delete(budget).where(budget.c.id == wanted.id))
            connection.execute(insert(budget), [msgspec.structs.asdict(wanted)])
            if anew_from is not None:
                told = (budget_event.c.budget_id == wanted.id,)
                since = budget_event.c.period_start >= anew_from
                connection.execute(delete(budget_event).where(*told, since))

    def remove(self, budget_id: str) -> None:
        """Forget a budget and its events. Removing it again changes nothing."""
        with writing(self._engine) as connection:
            next_version(connection)
            connection.execute(delete(budget_event).where(budget_event.c.budget_id == budget_id))
            connection.execute(delete(budget).where(budget.c.id == budget_id))

    def listed(self) -> list[Budget]:
        """Every budget, by name."""
        return self._kept.get("budgets", self._listed)

    def _listed(self) -> list[Budget]:
        with reading(self._engine) as connection:
            rows = connection.execute(select(budget).order_by(budget.c.name, budget.c.id))
            return objects(Budget, rows)

    def note(self, events: Sequence[BudgetEvent]) -> list[BudgetEvent]:
        """Keep the events that are new, of budgets that still stand as they were; return them.

        Whoever else notes the same at the same time: one of a kind in a period is kept.
        """
        events = self._new(events)
        if not events:
            return []
        kept: list[BudgetEvent] = []
        with writing(self._engine) as connection:
            # Others that write wait from here: no budget is changed in between.
            next_version(connection)
            amounts = connection.execute(select(budget.c.id, budget.c.amount_usd))
            stands = {(row.id, row.amount_usd) for row in amounts}
            adding = insert_into(budget_event, self._engine.dialect).on_conflict_do_nothing()
            for event in events:
                if (event.budget_id, event.amount_usd) not in stands:
                    continue
                values = msgspec.structs.asdict(event)
                del values["id"]
                added = adding.values(values).returning(budget_event.c.id)
                number = connection.execute(added).scalar()
                if number is not None:
                    kept.append(msgspec.structs.replace(event, id=number))
        return kept

    def _new(self, events: Sequence[BudgetEvent]) -> list[BudgetEvent]:
        """Those that nobody noted yet. Looked at first: reading keeps no writer waiting."""
        first = min((one.period_start for one in events), default=0)
        columns = (budget_event.c.budget_id, budget_event.c.period_start, budget_event.c.kind)
        noted = select(*columns).where(budget_event.c.period_start >= first)
        with reading(self._engine) as connection:
            known = {tuple(row) for row in connection.execute(noted)}
        return [one for one in events if (one.budget_id, one.period_start, one.kind) not in known]

    def events(self, since_id: int = 0, limit: int = 50) -> list[BudgetEvent]:
        """The newest events after one, newest first."""
        after = select(budget_event).where(budget_event.c.id > since_id)
        newest = after.order_by(budget_event.c.id.desc()).limit(limit)
        with reading(self._engine) as connection:
            return objects(BudgetEvent, connection.execute(newest))

    def last_event(self) -> int:
        """The id of the newest event; 0 without any."""
        return self._kept.get("last budget event", self._last_event)

    def _last_event(self) -> int:
        with reading(self._engine) as connection:
            return connection.execute(select(func.max(budget_event.c.id))).scalar() or 0

    def last_usage(self) -> int:
        """The store's version in which a model call last changed; 0 without any."""
        with reading(self._engine) as connection:
            return connection.execute(select(func.max(request.c.version))).scalar() or 0


class Plans:
    """All plans of one store. Threads may share it. Every method may raise StoreError."""

    def __init__(self, engine: Engine):
        self._engine = engine

    def save(self, wanted: Plan) -> None:
        """Keep a plan in place of the one of its id."""
        with writing(self._engine) as connection:
            connection.execute(delete(plan).where(plan.c.id == wanted.id))
            connection.execute(insert(plan), [msgspec.structs.asdict(wanted)])

    def remove(self, plan_id: str) -> None:
        """Forget a plan. Removing it again changes nothing."""
        with writing(self._engine) as connection:
            connection.execute(delete(plan).where(plan.c.id == plan_id))

    def listed(self) -> list[Plan]:
        """Every plan, by agent and the month it began in."""
        order = (plan.c.agent, plan.c.since, plan.c.name, plan.c.id)
        with reading(self._engine) as connection:
            rows = connection.execute(select(plan).order_by(*order))
            return objects(Plan, rows)
