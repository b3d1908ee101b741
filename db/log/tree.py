"""The stored Merkle tree of each log, and the checkpoints that were made of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

from activity.proof.merkle import WIDTH, WIDTH_BITS, ProofFailed, Tree, leaf, root_of

_TILES = 100  # read at a time

_LEAVES = text("""
select hash from activity.event where tenant_id = :tenant and seq > :first and seq <= :last order by seq
""")
_ENTRIES = text("""
select hash from activity.tree where tenant_id = :tenant and level = :level
   and n >= :first and n < :last order by n
""")
_GROW = text("""
insert into activity.tree (tenant_id, level, n, hash)
select :tenant, :level, :first + ordinality - 1, hash
  from unnest(cast(:hashes as bytea[])) with ordinality as h (hash)
on conflict do nothing
""")
_DUE = text("""
select h.tenant_id, h.epoch::text, h.seq, h.hash from activity.head h
 left join lateral (select size, made_at from activity.checkpoint c where c.tenant_id = h.tenant_id
                     order by size desc limit 1) last on true
 where h.seq > coalesce(last.size, 0) and coalesce(last.made_at <= :before, true)
 order by h.tenant_id limit :most
""")


class GrownLog(NamedTuple):
    """A log that has grown since its last checkpoint, and where it stands."""

    tenant_id: int
    epoch: str
    seq: int
    hash: bytes


def due(session: Session, before: datetime, most: int) -> list[GrownLog]:
    """Return logs that have grown and whose last checkpoint was made before then. For the role writer."""
    return [GrownLog(*row) for row in session.execute(_DUE, {"before": before, "most": most})]


def tree(session: Session, tenant_id: int) -> Tree:
    """Return a tenant's tree. For the roles writer and reader."""
    return Tree(lambda level, n: _entries(session, tenant_id, level, n * WIDTH, (n + 1) * WIDTH))


def grow(session: Session, tenant_id: int, size: int) -> None:
    """Store what the first `size` leaves complete of the tree. For the role writer. Raises ProofFailed."""
    level = 1
    while full := size >> WIDTH_BITS * level:
        at = _count(session, tenant_id, level)
        while at < full:
            until = min(full, at + _TILES)
            below = _entries(session, tenant_id, level - 1, at * WIDTH, until * WIDTH)
            if len(below) != (until - at) * WIDTH:
                raise ProofFailed(f"workspace {tenant_id}: events before seq {until * WIDTH} are missing")
            hashes = [root_of(below[n : n + WIDTH]) for n in range(0, len(below), WIDTH)]
            session.execute(_GROW, {"tenant": tenant_id, "level": level, "first": at, "hashes": hashes})
            at = until
        level += 1


def _count(session: Session, tenant_id: int, level: int) -> int:
    most = text("select max(n) from activity.tree where tenant_id = :tenant and level = :level")
    last = session.execute(most, {"tenant": tenant_id, "level": level}).scalar_one()
    return 0 if last is None else int(last) + 1


def _entries(session: Session, tenant_id: int, level: int, first: int, last: int) -> Sequence[bytes]:
    values = {"tenant": tenant_id, "level": level, "first": first, "last": last}
    if level == 0:
        return [leaf(hash_) for hash_ in session.scalars(_LEAVES, values)]
    return list(session.scalars(_ENTRIES, values))


def keep(session: Session, tenant_id: int, size: int, note: str) -> bool:
    """Keep a checkpoint; return whether it is new. For the role writer."""
    inserted = session.execute(
        text("""insert into activity.checkpoint (tenant_id, size, note) values (:tenant, :size, :note)
                on conflict do nothing returning size"""),
        {"tenant": tenant_id, "size": size, "note": note},
    )
    return inserted.first() is not None


def witnessed(session: Session, tenant_id: int, size: int, note: str) -> None:
    """Replace a checkpoint by the same with more signatures. For the role writer."""
    session.execute(
        text("update activity.checkpoint set note = :note where tenant_id = :tenant and size = :size"),
        {"tenant": tenant_id, "size": size, "note": note},
    )


def checkpoint_of(session: Session, tenant_id: int, size: int) -> str | None:
    """Return the checkpoint of a log at exactly this size, held until the transaction ends."""
    one = text("select note from activity.checkpoint where tenant_id = :tenant and size = :size for update")
    found = session.execute(one, {"tenant": tenant_id, "size": size}).scalar_one_or_none()
    return None if found is None else str(found)


def checkpoint(session: Session, tenant_id: int, at_least: int = 0) -> str | None:
    """Return the newest checkpoint of a log that holds its first `at_least` events, if there is one."""
    newest = text("""select note from activity.checkpoint where tenant_id = :tenant and size >= :size
                     order by size desc limit 1""")
    found = session.execute(newest, {"tenant": tenant_id, "size": at_least}).scalar_one_or_none()
    return None if found is None else str(found)
