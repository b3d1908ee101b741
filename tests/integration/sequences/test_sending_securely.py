"""What sending promises where the mail server wants TLS and a login."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from activity.settings import settings
from producers.sequences.sending import smtp
from tests.mailserver import Sink, running
from tests.sequences import Workspace, mail

# aiosmtpd knows of no TLS around all of a connection, and so thinks that the login has none.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")

PASSWORD = "a-secret-of-the-mailbox"


class Certificate(NamedTuple):
    """A certificate of 127.0.0.1 that signs itself, and what a server makes of it."""

    path: Path
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder, key, now = (
        tmp_path_factory.mktemp("tls"),
        ec.generate_private_key(ec.SECP256R1()),
        datetime.now(UTC),
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(
            name,
            name,
            key.public_key(),
            x509.random_serial_number(),
            now - timedelta(days=1),
            now + timedelta(days=1),
        )
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return Certificate(folder / "certificate.pem", server)


def login(server: Any, session: Any, envelope: Any, mechanism: str, said: LoginPassword) -> AuthResult:
    return AuthResult(success=(said.login, said.password) == (b"ana", PASSWORD.encode()), handled=False)


@pytest.fixture
def space(
    admin: psycopg.Connection[Any],
    tenant: int,
    free_port: int,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> Workspace:
    """A workspace with a contact enrolled; its mailbox logs in as ana, and the certificate is trusted."""
    monkeypatch.setenv("ACTIVITY_TRACKING_KEYS", "k1:a-secret-of-the-tests")
    monkeypatch.setenv("ACTIVITY_SMTP_PASSWORDS", f'{{"ana": "{PASSWORD}"}}')
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    settings.cache_clear()
    smtp.tls.cache_clear()
    made = Workspace(admin, tenant, free_port)
    made.enroll(made.sequence(mail("One")), "jo")
    return made


def secured(space: Workspace, security: str, port: int, user: str | None = "ana") -> None:
    space.admin.execute(
        "update crm.mailbox set security = %s, port = %s, username = %s", (security, port, user)
    )


def options(certificate: Certificate, security: str) -> dict[str, Any]:
    """Return what a server is made with that takes mail after a login over TLS alone."""
    auth = {"authenticator": login, "auth_required": True}
    if security == "tls":
        return {"ssl_context": certificate.server, "auth_require_tls": False, **auth}
    return {"tls_context": certificate.server, "require_starttls": True, **auth}


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_mail_goes_over_tls_after_a_login(
    space: Workspace, certificate: Certificate, free_port: int, security: str
) -> None:
    secured(space, security, free_port)
    with running(Sink(), free_port, **options(certificate, security)) as sink:
        assert space.send() == {"sent": 1}
    assert [to for to, _ in sink.taken] == ["jo@acme.example"]


@pytest.mark.parametrize(
    ("security", "wrong", "reason"),
    [
        ("tls", "certificate", "certificate verify failed"),
        ("starttls", "certificate", "certificate verify failed"),
        ("starttls", "password", "login failed: 535"),
        ("starttls", "no password", "ACTIVITY_SMTP_PASSWORDS has no password of ana"),
        ("starttls", "no starttls", "STARTTLS extension not supported by server"),
    ],
)
def test_a_mailbox_that_cannot_send_safely_is_paused_with_its_reason_and_nothing_is_lost(
    space: Workspace,
    certificate: Certificate,
    free_port: int,
    security: str,
    wrong: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secured(space, security, free_port)
    how = options(certificate, security)
    with monkeypatch.context() as broken:
        if wrong == "certificate":
            broken.delenv("SSL_CERT_FILE")
        elif wrong == "no starttls":
            how = {}
        else:
            broken.setenv("ACTIVITY_SMTP_PASSWORDS", '{"ana": "wrong"}' if wrong == "password" else "{}")
            settings.cache_clear()
        with running(Sink(), free_port, **how) as sink:
            assert space.send() == {"given back": 1}
        assert sink.taken == []
    [(paused, why)] = space.admin.execute("select paused, paused_reason from crm.mailbox").fetchall()
    assert paused
    assert reason in why
    assert PASSWORD not in why
    assert space.events("mailbox.paused")[0][3] == why
    settings.cache_clear()
    smtp.tls.cache_clear()
    space.admin.execute("update crm.mailbox set paused = false, paused_until = null")
    space.admin.execute("update crm.enrolment set due_at = now() where state = 'active'")
    with running(Sink(), free_port, **options(certificate, security)) as sink:
        assert space.send()["sent"] == 1
    assert [to for to, _ in sink.taken] == ["jo@acme.example"]
