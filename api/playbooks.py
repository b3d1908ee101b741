"""Playbooks and their runs. The command saves definitions: they send mail and sign webhooks."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Response
from msgspec import Meta
from sqlalchemy.orm import Session

from api.access.callers import Caller, Reader
from api.access.limits import Writer
from api.access.viewers import viewer_of
from api.http.encoding import answers, body, json_response, takes
from api.http.problems import Problem
from db.engine import begin
from db.playbooks import playbooks, runs
from db.playbooks.playbooks import PlaybookNotFound
from db.playbooks.runs import RunNotFound
from db.records.values import RecordNotFound
from feed.reading import visible
from producers.playbooks import operate
from producers.playbooks.definition.document import Subject
from producers.playbooks.operate import InvalidRunState

router = APIRouter(prefix="/v1", tags=["playbooks"])

Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
State = Literal["running", "waiting", "held", "paused", "completed", "failed", "cancelled", "refused"]


class PlaybookOut(msgspec.Struct):
    """A playbook; `open` is how many of its runs are under way, `reason` why it is paused."""

    id: int
    name: str
    version: int
    state: str
    reason: str | None
    open: int


class Playbooks(msgspec.Struct):
    """The workspace's playbooks by name."""

    playbooks: list[PlaybookOut]


class VersionOut(msgspec.Struct):
    """A version, and who saved it."""

    version: int
    saved_by: str
    saved_at: datetime


class ActOut(msgspec.Struct):
    """What a person did to the playbook, or to the run of it that is named."""

    act: str
    actor: str
    reason: str | None
    run_id: int | None
    acted_at: datetime


class PlaybookDetails(msgspec.Struct):
    """A playbook's definition as it was saved, its versions, and what people did to it, the newest first."""

    id: int
    name: str
    version: int
    state: str
    definition: str
    versions: list[VersionOut]
    acts: list[ActOut]


class RunOut(msgspec.Struct):
    """A run: `trigger_id` is the event that started it.

    `started_id` is its playbook.started, the cause of all that it did.
    """

    id: int
    playbook: str
    version: int
    state: str
    done: int
    attempts: int
    account_id: str | None
    contact_id: str | None
    opportunity_id: str | None
    reason: str | None
    due_at: datetime | None
    started_at: datetime
    ended_at: datetime | None
    trigger_id: str
    started_id: str


class Runs(msgspec.Struct):
    """Runs, the newest first."""

    runs: list[RunOut]


class Why(msgspec.Struct, forbid_unknown_fields=True):
    """Why it is done; it is recorded with who did it."""

    reason: Annotated[str, Meta(max_length=1_000, pattern=r"^[^\x00-\x1f\x7f\ud800-\udfff]*$")] | None = None


class WhichRuns(Why):
    """Which runs of the playbook, and why: those in one state, or all."""

    state: State | None = None


class RunCount(msgspec.Struct):
    """How many runs it was done to."""

    runs: int


class ForRecord(msgspec.Struct, forbid_unknown_fields=True):
    """The record that a playbook is started for."""

    kind: Subject
    id: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f\ud800-\udfff]+$")]


class StateOut(msgspec.Struct):
    """The state after what was asked."""

    state: str


@router.get("/playbooks", responses=answers(Playbooks))
def list_playbooks(caller: Reader) -> Response:
    """List the playbooks: version, state, and why they are paused."""
    with begin("reader", caller.tenant) as session:
        rows = playbooks.list_all(session, caller.tenant)
    return json_response(Playbooks([_as(PlaybookOut, row) for row in rows]))


@router.get("/playbooks/{id}", responses=answers(PlaybookDetails, 200, "The playbook", 404))
def read_playbook(
    id: Number,
    caller: Reader,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Another than the current")] = None,
) -> Response:
    """Return a playbook's definition, its versions, and who did what to it: the last 100 of each."""
    with begin("reader", caller.tenant) as session:
        try:
            playbook = playbooks.find(session, caller.tenant, _name(session, caller, id))
        except PlaybookNotFound as error:
            raise Problem("not-found", str(error)) from None
        versions = playbooks.list_versions(session, caller.tenant, id)
        wanted = version or playbook.version
        if wanted > playbook.version:
            raise Problem("not-found", f"the newest version of this playbook is {playbook.version}")
        definition = playbooks.source_of(session, id, wanted)
        acts = playbooks.list_acts(session, caller.tenant, id)
    saved, done = [_as(VersionOut, one) for one in versions], [_as(ActOut, one) for one in acts]
    return json_response(PlaybookDetails(id, playbook.name, wanted, playbook.state, definition, saved, done))


@router.get("/playbook-runs", responses=answers(Runs))
def list_runs(
    caller: Reader,
    playbook: Annotated[
        int | None, Query(ge=1, le=2**63 - 1, description="Only those of this playbook")
    ] = None,
    state: Annotated[State | None, Query(description="Only those in this state")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """List runs, the newest first. The reason of one that an e-mail started is for who may read that."""
    viewer = viewer_of(caller)
    with begin("reader", caller.tenant) as session:
        rows = runs.list_runs(session, caller.tenant, playbook=playbook, state=state, limit=limit)
        hidden = visible.held_back(session, caller.tenant, [row.started_id for row in rows], viewer)
    shown = [row._replace(reason=None) if row.started_id in hidden else row for row in rows]
    return json_response(Runs([_as(RunOut, row) for row in shown]))


@router.post("/playbooks/{id}/enable", responses=answers(StateOut, 200, "Enabled", 404))
def enable(id: Number, caller: Writer) -> Response:
    """Let a playbook start at what is recorded from now on, and go on with what its pause held."""
    with begin("producer", caller.tenant) as session:
        try:
            operate.enable(session, caller.tenant, _name(session, caller, id), caller.actor)
        except PlaybookNotFound as error:
            raise Problem("not-found", str(error)) from None
    return json_response(StateOut("enabled"))


@router.post(
    "/playbooks/{id}/pause", responses=answers(StateOut, 200, "Paused", 404), openapi_extra=takes(Why)
)
def pause(id: Number, caller: Writer, why: Annotated[Why, Depends(body(Why))]) -> Response:
    """Let a playbook start nothing more, and hold what has not taken a step; the rest goes on."""
    with begin("producer", caller.tenant) as session:
        try:
            operate.pause(
                session,
                caller.tenant,
                _name(session, caller, id),
                caller.actor,
                why.reason or "paused by hand",
            )
        except PlaybookNotFound as error:
            raise Problem("not-found", str(error)) from None
    return json_response(StateOut("paused"))


@router.post(
    "/playbooks/{id}/start",
    responses=answers(StateOut, 200, "Started, or not, by its once_per rule", 404),
    openapi_extra=takes(ForRecord),
)
def start(id: Number, caller: Writer, record: Annotated[ForRecord, Depends(body(ForRecord))]) -> Response:
    """Start a playbook by hand for one record; its once_per rule holds."""
    with begin("producer", caller.tenant) as session:
        try:
            started = operate.start(
                session, caller.tenant, _name(session, caller, id), record.kind, record.id, caller.actor
            )
        except (PlaybookNotFound, RecordNotFound) as error:
            raise Problem("not-found", str(error)) from None
    return json_response(StateOut("started" if started else "not started: it ran for this record before"))


@router.post(
    "/playbooks/{id}/runs/{act}",
    responses=answers(RunCount, 200, "Done", 404),
    openapi_extra=takes(WhichRuns),
)
def act_on_all(
    id: Number, act: operate.Act, caller: Writer, which: Annotated[WhichRuns, Depends(body(WhichRuns))]
) -> Response:
    """Cancel, pause, retry or skip the runs of a playbook: all that can be, or those in one state."""
    try:
        with begin("reader", caller.tenant) as session:
            name = _name(session, caller, id)
        count = operate.act_on_all(caller.tenant, name, which.state, act, caller.actor, which.reason)
    except PlaybookNotFound as error:
        raise Problem("not-found", str(error)) from None
    return json_response(RunCount(count))


@router.post(
    "/playbook-runs/{run}/{act}", responses=answers(StateOut, 200, "Done", 404, 409), openapi_extra=takes(Why)
)
def act(run: Number, act: operate.Act, caller: Writer, why: Annotated[Why, Depends(body(Why))]) -> Response:
    """Cancel, pause, retry or skip; whoever works on the run at the moment loses it."""
    with begin("producer", caller.tenant) as session:
        try:
            return json_response(
                StateOut(operate.act(session, caller.tenant, run, act, caller.actor, why.reason))
            )
        except RunNotFound as error:
            raise Problem("not-found", str(error)) from None
        except InvalidRunState as error:
            raise Problem("conflict", str(error)) from None


def _name(session: Session, caller: Caller, id: int) -> str:
    return playbooks.name_of(session, caller.tenant, id)


def _as(kind: type[Any], row: Any) -> Any:
    """Return the columns that a type names."""
    values = {name: getattr(row, name) for name in kind.__struct_fields__}
    ids = {name: str(values[name]) for name in ("trigger_id", "started_id") if name in values}
    return kind(**values | ids)
