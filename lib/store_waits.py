"""How long sessions waited for the user, from the feed of events."""

from sqlalchemy import BigInteger, Engine, and_, case, cast, func, select

from lib.store_engine import reading
from lib.store_schema import event


def waited(engine: Engine) -> dict[str, int]:
    """Milliseconds that each session waited, by key: from `waiting` to its next event.

    0 for one that was watched and never waited. A session without events was not watched, and
    one whose wait has no end was not watched to its end: both are left out.
    """
    following_at = func.lead(event.c.at).over(partition_by=event.c.session_key, order_by=event.c.id)
    following = select(
        event.c.session_key,
        (event.c.kind == "waiting").label("waits"),
        event.c.at,
        following_at.label("until"),
    ).subquery()
    waits, until = following.c.waits, following.c.until
    length = case((and_(waits, until > following.c.at), until - following.c.at), else_=0)
    is_open = case((and_(waits, until.is_(None)), 1), else_=0)
    # PostgreSQL's sums are numerics.
    found = select(following.c.session_key, cast(func.sum(length), BigInteger))
    closed = found.group_by(following.c.session_key).having(func.max(is_open) == 0)
    with reading(engine) as connection:
        return {row[0]: row[1] for row in connection.execute(closed)}
