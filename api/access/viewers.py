"""As whom a caller reads e-mails: as themselves, and as the manager of others."""

from threading import Lock

from cachetools import TTLCache, cached

from activity.address import canonical
from activity.reading.visibility import EVERYTHING, Viewer
from api.access.callers import Caller
from api.http.problems import Problem
from db.engine import begin
from db.records import visibility

_CACHED_S = 5.0  # who stopped managing somebody reads their mails for at most so long


def viewer_of(caller: Caller) -> Viewer:
    """Return as whom a caller reads e-mails.

    A program without an actor reads none that are for their participants, unless it has the scope contents.
    """
    if "contents" in caller.scopes:
        return EVERYTHING
    return Viewer(frozenset()) if caller.actor == "system" else _led_by(caller.tenant, caller.actor)


@cached(TTLCache(10_000, _CACHED_S), lock=Lock())
def _led_by(tenant: int, actor: str) -> Viewer:
    with begin("reader", tenant) as session:
        return Viewer(frozenset(canonical(email) for email in visibility.led_by(session, tenant, actor)))


def held_back() -> Problem:
    """Return the problem of who asks for more of an e-mail than the fact of it."""
    return Problem(
        "forbidden",
        "the contents of this e-mail are for its participants and their managers; a program needs the scope "
        "'contents'",
    )
