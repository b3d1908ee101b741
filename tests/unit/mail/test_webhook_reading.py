"""What reading a provider's request promises, whatever it holds."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, get_args
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activity.validation import encode
from producers.mail import reading
from producers.mail.event import MailEvent, ReportKind
from producers.mail.matching import KnownMails, ReportMatch
from producers.mail.payload import event_of
from producers.mail.webhooks.fields import Fields, mail_event
from producers.mail.webhooks.registry import PROVIDERS, authenticate
from producers.mail.webhooks.request import Check, InvalidProof, InvalidReport, Request

_WORDS = (
    "event events email timestamp data type msys msg mail Message bounce payload message headers to "
    "signature event-data "
    "delivery-status "
    "RecordType recipient user-variables tags time ts url auth eventType delivered click open "
    "status notificationType bouncedRecipients emailAddress"
)
_names = st.sampled_from(_WORDS.split())
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20) | _names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize("name", PROVIDERS)
@settings(max_examples=25, deadline=None)
@given(body=_json)
def test_any_json_is_read_or_called_unreadable(name: str, body: Any) -> None:
    request = Request({}, msgspec.json.encode(body))
    try:
        for event in PROVIDERS[name].parse(request):
            assert isinstance(event.identity, str)
    except InvalidReport:
        pass
    for secret in ("key", "basic:a:b", "header:x:y"):
        with pytest.raises(InvalidProof):
            authenticate(PROVIDERS[name], request, [Check(secret=secret, now=0.0)], unsigned=False)


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"null", b"[]", b"a=b&a=c", b"--x\r\n\r\n--x--"])
@pytest.mark.parametrize(
    "kind", ["application/json", "multipart/form-data; boundary=x", "multipart/form-data", "\xff"]
)
def test_any_bytes_are_read_or_called_unreadable(name: str, body: bytes, kind: str) -> None:
    with suppress(InvalidReport):
        PROVIDERS[name].parse(Request({"content-type": kind}, body))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("1700000000", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        (1_700_000_000.5, datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC)),
        (1_700_000_000_250, datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)),
        ("2023-11-14T22:13:20.1234567Z", datetime(2023, 11, 14, 22, 13, 20, 123_456, tzinfo=UTC)),
        ("2023-11-14T17:13:20-05:00", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("2023-11-14 22:13:20", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("soon", None),
        (None, None),
        (True, None),
        (0, None),
        (1e300, None),
    ],
)
def test_a_time_is_read_in_every_form_that_providers_use(said: Any, meant: datetime | None) -> None:
    assert reading.moment(said) == meant


_any_text = (
    st.none()
    | st.text(max_size=10)
    | st.sampled_from(["\x00", "a\x00b" * 3000, "\U0001f600" * 9000, "jo@acme.example", "<m@x>", "\x85"])
)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from([kind for kind in get_args(ReportKind) if kind != "unknown"]),
    texts=st.lists(_any_text, min_size=8, max_size=8),
    tags=st.lists(st.text(max_size=400), max_size=100),
    metadata=st.dictionaries(st.text(max_size=200), _json, max_size=30),
    moment=st.none() | st.datetimes(timezones=st.just(UTC)),
)
def test_whatever_a_provider_says_fits_an_event(
    kind: ReportKind,
    texts: list[str | None],
    tags: list[str],
    metadata: dict[str, Any],
    moment: datetime | None,
) -> None:
    names = ("recipient", "message_id", "header_id", "event_id", "url", "user_agent", "reason", "subject")
    said: dict[str, Any] = dict(zip(names, texts, strict=True))
    event = MailEvent(
        kind=kind, name="x", identity="x", tags=tuple(tags), metadata=metadata, occurred_at=moment, **said
    )
    facts = KnownMails({}, {}, {}, {})
    made = event_of(1, "webhook:test", "test", uuid4(), event, ReportMatch(None, None, None), facts)
    assert len(encode(made).encode()) < 65_536


def test_a_table_reads_the_first_key_that_holds_something_and_what_is_given_comes_first() -> None:
    item = {"a": {"to": " jo@acme.example "}, "url": ["no text"], "link": "https://x", "at": 0, "then": 1e9}
    fields: Fields = {
        "recipient": "a/to",
        "url": ("url", "link"),
        "occurred_at": ("at", "then"),
        "subject": "a/b/c",
        "reason": "none",
    }
    assert mail_event({}, "x", item, fields, identity="x").url == "https://x"
    event = mail_event({"sent": "sent"}, "sent", item, fields, identity="x", url="given")
    assert (event.kind, event.recipient, event.url) == ("sent", "jo@acme.example", "given")
    assert event.occurred_at == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
    assert (event.subject, event.reason, event.status) == (None, None, None)
    refused = mail_event({}, "new", {"why": "550 5.1.1 unknown"}, {"reason": "why"}, identity="x")
    assert (refused.kind, refused.status, refused.name) == ("unknown", "5.1.1", "new")
