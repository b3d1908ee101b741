"""A bad day of our own: blocked, over quota, a certificate that ended. It costs time, and nothing else."""

import ipaddress
import os
import signal
import ssl
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from activity.settings import settings
from bench.servers import wait_until
from tests.mailserver import Sink, running
from tests.sequences import Workspace, mail

ROOT = Path(__file__).parents[2]
PEOPLE = [f"c{number}" for number in range(8)]
WORKER = ("worker", "--queues=sequences,append", "--pool=solo", "--without-gossip", "--without-mingle")


class Tls:
    """The mail server's certificate, which can end while it runs."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self.good, self.ended = self._made(days=1), self._made(days=-1)
        self.trusted = folder / "trusted.pem"
        self.trusted.write_bytes(self.good + self.ended)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.present(self.good)

    def present(self, certificate: bytes) -> None:
        """Serve a certificate from now on."""
        key = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self._folder / "served.pem").write_bytes(certificate + key)
        self.context.load_cert_chain(self._folder / "served.pem")

    def _made(self, days: int) -> bytes:
        now, name = datetime.now(UTC), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"mail {days}")])
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        start, end, number = now - timedelta(days=9), now + timedelta(days=days), x509.random_serial_number()
        made = (
            x509.CertificateBuilder(name, name, self._key.public_key(), number, start, end)
            .add_extension(address, critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return made.public_bytes(Encoding.PEM)


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return Tls(tmp_path)


@pytest.fixture
def space(
    admin: psycopg.Connection[Any], tenant: int, free_port: int, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> Workspace:
    for name, value in {
        "ACTIVITY_TRACKING_KEYS": "k1:a-secret-of-the-tests",
        "ACTIVITY_SMTP_RETRY_S": "0.2",
        "SSL_CERT_FILE": str(tls.trusted),
    }.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    space = Workspace(admin, tenant, free_port)
    space.admin.execute("update crm.mailbox set security = 'tls'")
    return space


@pytest.mark.timeout(120)
def test_a_day_of_trouble_costs_nothing_but_time(space: Workspace, tls: Tls, free_port: int) -> None:
    space.enroll(space.sequence(mail("One"), mail()), *PEOPLE)

    def held(*words: str) -> bool:
        reason = str(space.one("select paused_reason from crm.mailbox where paused"))
        return any(word in reason for word in words)

    sink = Sink()
    with running(sink, free_port, ssl_context=tls.context):
        sink.at_mail = lambda _: "550 5.7.1 Service unavailable: your IP has a poor reputation"
        sink.at_rcpt = lambda _: "550 5.7.1 Client host [192.0.2.7] blocked using spamhaus.example"
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "worker", *WORKER], cwd=ROOT, start_new_session=True
        )
        try:
            wait_until(lambda: held("poor reputation"), 40)
            sink.at_mail = lambda _: None
            wait_until(lambda: held("blocked using"), 40)
            sink.at_rcpt = lambda _: None
            sink.at_data = lambda _: "550 5.4.5 Daily user sending limit exceeded"
            wait_until(lambda: held("sending limit"), 40)
            tls.present(tls.ended)
            wait_until(lambda: held("certificate has expired"), 40)
            sink.at_data = lambda _: None
            tls.present(tls.good)
            wait_until(lambda: all(row[1] == "finished" for row in space.enrolments()), 60)
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
    assert [row[1:] for row in space.enrolments()] == [("finished", "completed", 3, 2)] * len(PEOPLE)
    assert Counter(row[2] for row in space.messages()) == {"sent": 2 * len(PEOPLE)}
    assert len({sent["Message-ID"] for sent in sink.mails()}) == len(sink.taken) == 2 * len(PEOPLE)
    assert space.one("select count(*) from crm.suppression") == 0
    assert space.one("select count(*) from crm.soft_bounce") == 0
    assert space.events("email.bounced", "sequence.step_skipped") == []
    reasons = " ".join(row[3] for row in space.events("mailbox.paused"))
    assert all(word in reasons for word in ("blocked using", "sending limit", "certificate has expired"))
