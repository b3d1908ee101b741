"""What kill -9 does to mail: nothing is lost or sent twice, and what nobody can know is shown as such."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from activity.settings import settings
from bench.servers import wait_until
from tests.mailserver import Sink, running
from tests.sequences import Workspace, mail

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "ACTIVITY_TRACKING_KEYS": "k1:a-secret-of-the-tests",
    "ACTIVITY_SEND_LEASE_S": "4",
    "ACTIVITY_SMTP_TIMEOUT_S": "3",
}


@pytest.fixture
def space(
    admin: psycopg.Connection[Any], tenant: int, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> Workspace:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    return Workspace(admin, tenant, free_port)


@pytest.mark.parametrize(
    ("point", "state", "said"),
    [("after_claim", "sent", 2), ("before_mark", "sent", 2), ("after_answer", "unknown", 1)],
)
def test_a_killed_worker_costs_a_delay_but_in_the_one_moment(
    space: Workspace, free_port: int, tmp_path: Path, point: str, state: str, said: int
) -> None:
    space.enroll(space.sequence(mail("One"), mail()), "jo")
    died = tmp_path / "died"

    def worker() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.programs.dyingsender", point, str(died)], cwd=ROOT
        )

    with running(Sink(), free_port) as sink:
        with worker() as first:
            assert first.wait(30) == -signal.SIGKILL
        with worker() as second:
            try:
                wait_until(lambda: bool(space.enrolments()[0][1] == "finished"), 40)
            finally:
                second.kill()
        assert [row[:3] for row in space.messages()] == [("jo", 1, state), ("jo", 2, "sent")]
        assert len(sink.taken) == 2
        assert len({sent["Message-ID"] for sent in sink.mails()}) == 2
        assert len(space.events("email.sent")) == said


CONTACTS, STEPS = 2000, 3
MAILS_A_LIFE = 250  # that a worker sends until it is killed
WORKER = (
    "worker",
    "--queues=sequences,append",
    "--pool=prefork",
    "--concurrency=2",
    "--without-gossip",
    "--without-mingle",
    "-l",
    "ERROR",
)


@contextmanager
def process(*argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a group of its own, which ends with the block."""
    with subprocess.Popen(
        [sys.executable, *argv], cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL
    ) as child:
        try:
            yield child
        finally:
            os.killpg(child.pid, signal.SIGKILL)


@pytest.mark.soak
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("killed", [False, True], ids=["faults", "faults-and-kill-9"])
def test_every_contact_gets_each_mail_once_or_there_is_a_reason(
    space: Workspace,
    free_port: int,
    tmp_path: Path,
    killed: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {
        "ACTIVITY_SEND_LEASE_S": "20",
        "ACTIVITY_SMTP_TIMEOUT_S": "10",
        "ACTIVITY_SMTP_RETRY_S": "0.5",
    }.items():
        monkeypatch.setenv(name, value)
    taken, deaths = tmp_path / "taken", 0
    space.enroll(space.sequence(mail("One"), mail(), mail()), *(f"c{n}" for n in range(CONTACTS)))

    def count() -> int:
        return len(taken.read_bytes().splitlines()) if taken.exists() else 0

    def finished() -> bool:
        return bool(space.one("select count(*) from crm.enrolment where state = 'active'") == 0)

    with (
        process("-m", "tests.acceptance.programs.faultyserver", str(free_port), str(taken), "0.15"),
        process("-m", "celery", "-A", "worker", "beat"),
    ):
        while not finished():
            enough = count() + MAILS_A_LIFE if killed else CONTACTS * STEPS
            with process("-m", "celery", "-A", "worker", *WORKER):
                wait_until(lambda enough=enough: finished() or count() >= enough, 1200)  # type: ignore[misc]  # mypy infers no type for the default
            deaths += not finished()
    figures = reckoning(space, taken.read_text().split("\n")[:-1])
    with capsys.disabled():
        print({"worker groups killed": deaths, **figures})  # noqa: T201  # the proof shows its figures


def reckoning(space: Workspace, taken: list[str]) -> dict[str, int]:
    """Compare what the mail server took with the states and the events; return the counts."""
    assert len(set(taken)) == len(taken), "a mail was taken twice"
    at_server = {line.split("<")[1].rstrip(">") for line in taken}
    count: Callable[[str], int] = lambda type: len(space.events(type))  # noqa: E731  # a name for the type
    rows = space.admin.execute("select message_id, state, contact_id, step from crm.message").fetchall()
    states: dict[str, int] = {}
    for message_id, state, _, _ in rows:
        states[state] = states.get(state, 0) + 1
        if state in ("sent", "bounced"):
            assert (message_id in at_server) == (state == "sent"), message_id
    assert set(states) <= {"sent", "bounced", "unknown"}
    assert at_server <= {row[0] for row in rows}
    assert count("email.sent") == states["sent"]
    assert count("email.bounced") == states["bounced"]
    assert count("sequence.step_skipped") == states.get("unknown", 0)
    reasons = dict(space.admin.execute("select reason, count(*) from crm.enrolment group by 1").fetchall())
    assert set(reasons) == {"completed", "bounced"}
    never = space.one("select sum(%s - step) from crm.enrolment where reason = 'bounced'", STEPS)
    assert len(rows) + never == CONTACTS * STEPS
    unknown = {row[0] for row in rows if row[1] == "unknown"}
    more = {
        "mails at the server": len(taken),
        "email.sent": count("email.sent"),
        "email.deferred": count("email.deferred"),
    }
    return {
        **more,
        **states,
        "of the unknown at the server": len(unknown & at_server),
        "steps not begun after a bounce": never,
    }
