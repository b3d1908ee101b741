"""The index of what events say: documents in slices of time, and the words of a workspace.

A transaction names its tenant. The index is behind the log by what its follower has not read.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.orm import Session

SLICE = 16_384  # documents after which a new slice begins
_SPLIT = 4 * SLICE  # what came late can make a slice so large before it is cut in two


class SearchDocument(NamedTuple):
    """What an event is found by: `tsv` has its words with their places, and lexemes for filters."""

    seq: int
    occurred_at: datetime
    words: Collection[str]
    tsv: str


class Hit(NamedTuple):
    """The place of an event that was found; without a seq, the moment down to which was looked."""

    occurred_at: datetime
    seq: int | None


_OPEN = text("""
insert into crm.search_slice (tenant_id, lo)
select :tenant, coalesce((select max(d.occurred_at) + interval '1 microsecond' from crm.search_document d
                           where d.slice = newest.slice), '-infinity')
  from (select 1) one left join lateral (
    select slice, documents from crm.search_slice
     where tenant_id = :tenant order by lo desc limit 1) newest on true
 where coalesce(newest.documents, :full) >= :full""")
_ADD = text("""
with new as (
  insert into crm.search_document as d (tenant_id, seq, slice, occurred_at, tsv)
  select :tenant, n.seq, s.slice, n.occurred_at, cast(n.tsv as tsvector)
    from unnest(cast(:seqs as bigint[]), cast(:moments as timestamptz[]), cast(:tsvs as text[]))
         n (seq, occurred_at, tsv)
    cross join lateral (select slice from crm.search_slice
                         where tenant_id = :tenant and lo <= n.occurred_at order by lo desc limit 1) s
  on conflict (tenant_id, seq) do update set tsv = excluded.tsv
  returning slice, xmax = 0 as added)
update crm.search_slice s set documents = s.documents + n.added
  from (select slice, count(*) filter (where added) as added from new group by slice) n
 where s.slice = n.slice
returning s.slice, s.documents""")
_WORDS = text("""
insert into crm.search_word (tenant_id, word)
select :tenant, w from unnest(cast(:words as text[])) w order by w
on conflict do nothing""")


def add(session: Session, tenant: int, documents: Sequence[SearchDocument]) -> None:
    """Index documents; one that is there already is replaced."""
    if not documents:
        return
    session.execute(_OPEN, {"tenant": tenant, "full": SLICE})
    values = {
        "tenant": tenant,
        "seqs": [one.seq for one in documents],
        "moments": [one.occurred_at for one in documents],
        "tsvs": [one.tsv for one in documents],
    }
    for slice_, number in session.execute(_ADD, values).all():
        if number > _SPLIT:
            _split(session, tenant, slice_)
    session.execute(_WORDS, {"tenant": tenant, "words": sorted({w for one in documents for w in one.words})})


_CUT = text("""
with cut as (
  select percentile_disc(0.5) within group (order by occurred_at) as lo from crm.search_document
   where slice = :slice),
new as (
  insert into crm.search_slice (tenant_id, lo)
  select :tenant, cut.lo from cut where cut.lo > (select min(occurred_at) from crm.search_document
                                                   where slice = :slice)
  returning slice, lo)
update crm.search_document d set slice = new.slice from new
 where d.slice = :slice and d.occurred_at >= new.lo""")
_COUNT = text("""
update crm.search_slice s set documents = (select count(*) from crm.search_document d where d.slice = s.slice)
 where s.tenant_id = :tenant and (s.slice = :slice or s.documents = 0)""")


def _split(session: Session, tenant: int, slice_: int) -> None:
    session.execute(_CUT, {"tenant": tenant, "slice": slice_})
    session.execute(_COUNT, {"tenant": tenant, "slice": slice_})


_REMOVE = text("""
with gone as (delete from crm.search_document where tenant_id = :tenant and seq = any(:seqs) returning tsv)
select distinct lexeme from gone, unnest(gone.tsv)""")
_INDEXED = text("""
select seq from unnest(cast(:firsts as bigint[]), cast(:lasts as bigint[])) r (first, last)
 cross join lateral (
  select seq from crm.search_document where tenant_id = :tenant and seq between r.first and r.last) d""")
_FORGET = text("delete from crm.search_word where tenant_id = :tenant and word = any(:words)")


def indexed(session: Session, tenant: int, ranges: Iterable[tuple[int, int]]) -> list[int]:
    """Return the numbers, within ranges, of events that are in the index."""
    pairs = list(ranges)
    values = {"tenant": tenant, "firsts": [one[0] for one in pairs], "lasts": [one[1] for one in pairs]}
    return list(session.scalars(_INDEXED, values))


def remove(session: Session, tenant: int, seqs: Sequence[int]) -> None:
    """Take events out of the index, and the words that no other event of the workspace has."""
    lexemes = list(session.scalars(_REMOVE, {"tenant": tenant, "seqs": list(seqs)}))
    alone = [word for word in lexemes if "=" not in word and not find(session, quoted(word), most=1)]
    session.execute(_FORGET, {"tenant": tenant, "words": alone})


_FIND = text("""
select occurred_at, seq from crm.search(:query, :before, :before_seq, :since, :most, :budget_ms)""")
_BEGINNING = text("select crm.search_words(:prefix, :most)")
_NEAR = text("select crm.search_near(:word, :most)")


def find(
    session: Session,
    query: str,
    *,
    before: Hit | None = None,
    since: datetime | None = None,
    most: int = 50,
    budget_ms: int = 10_000,
) -> list[Hit]:
    """Return at most `most` events that a tsquery finds, the newest first, within a time.

    A hit without a seq at the end says how far was looked where the time did not reach.
    """
    values = {
        "query": query,
        "before": "infinity" if before is None else before.occurred_at.isoformat(),
        "before_seq": 2**63 - 1 if before is None else before.seq,
        "since": "-infinity" if since is None else since.isoformat(),
        "most": most,
        "budget_ms": budget_ms,
    }
    return [Hit(*row) for row in session.execute(_FIND, values)]


def beginning(session: Session, prefix: str, most: int = 40) -> list[str]:
    """Return the shortest words of the workspace that begin so."""
    return list(session.scalars(_BEGINNING, {"prefix": prefix, "most": most}))


def near(session: Session, word: str, most: int = 5) -> list[str]:
    """Return the words of the workspace that a misspelt one can mean, the nearest first."""
    return list(session.scalars(_NEAR, {"word": word, "most": most}))


def quoted(lexeme: str) -> str:
    """Return a lexeme as tsvector and tsquery are written."""
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
