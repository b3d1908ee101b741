"""The programs of saved playbooks, each compiled once in a process: a version never changes."""

import atexit
from functools import lru_cache

from sqlalchemy.orm import Session

from db.playbooks import playbooks
from producers.playbooks.definition.program import Program, build
from producers.playbooks.matching import Index, Play

_programs: dict[tuple[object, int, int], Program] = {}
_MOST = 5_000


def program(session: Session, id: int, version: int) -> Program:
    """Return the program of a version, read from the session where this process has not compiled it yet."""
    key = (session.get_bind().engine.url.database, id, version)
    found = _programs.get(key)
    if found is None:
        if len(_programs) >= _MOST:
            _programs.clear()
        found = _programs[key] = build(playbooks.source_of(session, id, version))
    return found


def index(session: Session, tenant: int) -> Index:
    """Return the workspace's enabled playbooks by the events that start them."""
    enabled = playbooks.list_enabled(session, tenant)
    return _index(tuple(Play(one, program(session, one.id, one.version)) for one in enabled))


@lru_cache(maxsize=1_000)
def _index(plays: tuple[Play, ...]) -> Index:
    return Index(plays)


@atexit.register
def forget() -> None:
    """Drop the programs.

    Compiled CEL that outlives its module, as the interpreter ends, crashes one process in five.
    """
    _programs.clear()
    _index.cache_clear()
