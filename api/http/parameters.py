"""No query parameter is ignored: one that an operation does not know is refused, with the nearest name."""

import difflib
from collections.abc import Callable, Iterator
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.http.problems import Problem

_known: dict[Callable[..., Any], frozenset[str]] = {}  # of each operation, once it was asked


def only_known(request: Request) -> None:
    """Raise the problem bad-request where a query parameter is none of the operation's."""
    if not request.query_params:
        return
    route: APIRoute = request.scope["route"]
    known = _known.get(route.endpoint)
    if known is None:
        known = _known[route.endpoint] = frozenset(_names(route.dependant))
    for name in request.query_params:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1) or sorted(known) or ["none"]
            detail = f"there is no parameter {name!r:.80} here; did you mean {' or '.join(near)}?"
            raise Problem("bad-request", detail, [{"pointer": f"#/query/{name:.80}", "detail": detail}])


def _names(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):  # parameters that are declared together
            yield from kind.model_fields
        else:
            yield field.alias
    for beneath in dependant.dependencies:
        yield from _names(beneath)
