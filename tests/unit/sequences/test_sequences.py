"""What sequences promise without any service.

Definitions, templates, windows, limits, the gate, tokens, links.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.mail.suppression import Reason, Standing
from db.sequences.due import Earlier
from producers.sequences import tracking
from producers.sequences.definition import (
    EmailStep,
    InvalidSequence,
    SequenceDefinition,
    TaskStep,
    Variant,
    WaitStep,
    read,
)
from producers.sequences.html import add_pixel, rewrite_links
from producers.sequences.sending.gate import End, GateInput, Hold, Send, judge
from producers.sequences.sending.quota import Quota
from producers.sequences.sending.window import Window, zone_of
from producers.sequences.templates import InvalidTemplate, check
from producers.sequences.tracking import Target
from tests.sequences import box, due

NOON = datetime(2026, 6, 3, 12, tzinfo=UTC)  # a Wednesday

TOML = """
name = "Renewals"
mailbox = "ana@v.example"
window = { days = ["mon"], start = "08:00", end = "24:00" }
[[steps]]
kind = "email"
[[steps.variants]]
subject = "Terms for {{ contact.name }}"
text = "Hello"
[[steps]]
kind = "wait"
days = 2
[[steps]]
kind = "task"
title = "Call {{ contact.name }}"
"""


def test_a_definition_survives_being_kept() -> None:
    found = read(TOML, "toml")
    assert read(found.json) == found
    assert found.step(2) == WaitStep(days=2)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "{{ contact.name }}",
            "{{ contact.nmae }}",
            "step 1, variant A, subject: unknown name 'contact.nmae'",
        ),
        ("{{ contact.name }}", "{{ oops", "step 1, variant A, subject: "),
        ('subject = "Terms for {{ contact.name }}"', "", "the first mail needs a subject"),
        ("days = 2", "dayz = 2", "dayz"),
        ("24:00", "07:00", "a window ends after it starts"),
        ('kind = "task"', 'kind = "fax"', "fax"),
        ('text = "Hello"', 'text = "Hello"\n[[steps.variants]]\ntext = "Hi"', "two variants have one name"),
        ('text = "Hello"', 'text = "Hello"\nweight = 0', "every variant weighs 0"),
    ],
)
def test_a_definition_that_cannot_work_is_refused_with_the_place(old: str, new: str, says: str) -> None:
    with pytest.raises(InvalidSequence, match=says.replace("(", r"\(")):
        read(TOML.replace(old, new, 1), "toml")


@pytest.mark.parametrize(
    "source",
    [
        "{{ contact.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ 'a' * 10**9 }}",
        "{{ contact.name.ljust(1000000000) }}",
        "{% for a in contact.fields.x %}{% for b in contact.fields.x %}{{ b }}{% endfor %}{% endfor %}",
        "{% set x = 1 %}{{ x }}",
        "{% if contact.name == 'nobody' %}{{ contact.secret }}{% endif %}",
        "{{ contact.name|center(1000000000) }}",
        "{{ range(10) }}",
        "{% include 'x' %}",
        "{{ '%1000000000d' % 1 }}",
    ],
)
def test_a_template_can_neither_reach_out_nor_grow(source: str) -> None:
    with pytest.raises(InvalidTemplate):
        check(source, html=False)


def test_a_window_opens_by_the_contacts_clock() -> None:
    window = Window()
    tokyo, berlin = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
    assert window.opens(NOON, berlin) == NOON
    assert window.opens(NOON, tokyo) == datetime(2026, 6, 4, 0, tzinfo=UTC)
    friday_evening = datetime(2026, 6, 5, 16, tzinfo=UTC)
    assert window.opens(friday_evening, berlin) == datetime(2026, 6, 8, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        (
            "2026-03-27T17:00+00:00",
            "2026-03-30T07:00+00:00",
        ),  # Friday evening in winter time to Monday 9:00 in summer time
        ("2026-10-23T16:00+00:00", "2026-10-26T08:00+00:00"),  # and back
    ],
)
def test_a_window_opens_at_nine_on_the_other_side_of_a_change_of_clocks(now: str, opens: str) -> None:
    assert Window().opens(datetime.fromisoformat(now), ZoneInfo("Europe/Berlin")) == datetime.fromisoformat(
        opens
    )


def test_a_window_that_begins_in_the_hour_that_is_skipped_opens_after_it() -> None:
    night = Window(days=("sun",), start="02:30", end="04:00")
    opens = night.opens(datetime(2026, 3, 29, 0, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    assert opens.astimezone(ZoneInfo("Europe/Berlin")).strftime("%H:%M") == "03:30"


@given(
    st.integers(1_577_836_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"]
    ),
)
def test_a_window_is_open_when_it_says_it_opens_and_never_before(now: datetime, name: str) -> None:
    window, zone = Window(days=("mon", "sat"), start="01:30", end="03:15"), ZoneInfo(name)
    opens = window.opens(now, zone)
    local = opens.astimezone(zone)
    assert opens >= now
    assert local.strftime("%a") in ("Mon", "Sat")
    assert "01:30" <= local.strftime("%H:%M") < "03:15"
    assert window.opens(opens, zone) == opens


def test_an_unknown_zone_is_passed_over() -> None:
    assert zone_of(("Mars/Olympus", None, "../../etc/passwd", "Asia/Tokyo")).key == "Asia/Tokyo"
    assert zone_of(()).key == "UTC"


@given(st.lists(st.floats(0, 40), max_size=80), st.integers(1, 5))
def test_no_minute_has_more_mails_than_the_limit_wherever_it_begins(gaps: list[float], limit: int) -> None:
    quota, now, sent = Quota(limit, None, [], None, 0), NOON, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        if quota.refusal(now) is None:
            quota.count(now)
            sent.append(now)
    for start in sent:
        assert sum(start <= moment < start + timedelta(minutes=1) for moment in sent) <= limit


def test_a_day_ends_at_the_mailboxes_midnight() -> None:
    quota = Quota(None, 1, [], None, 0, zone=ZoneInfo("America/New_York"))
    quota.count(NOON)
    refused = quota.refusal(NOON)
    assert refused == (datetime(2026, 6, 4, 4, tzinfo=UTC), "mailbox: limit of 1 a day")
    assert quota.refusal(refused[0]) is None


def test_those_that_wait_for_a_limit_come_back_one_by_one() -> None:
    quota = Quota(None, None, [], None, 0, spacing=timedelta(seconds=60))
    quota.count(NOON)
    turns = [refused[0] for refused in (quota.refusal(NOON) for _ in range(3)) if refused]
    assert turns == [NOON + timedelta(seconds=60 * n) for n in (1, 2, 3)]


FIRST, SECOND = (
    EmailStep(variants=(Variant(subject="Hi", text="t"),)),
    EmailStep(variants=(Variant(text="t"),)),
)
DEFINITION = SequenceDefinition(
    name="S", mailbox="a@b.example", steps=(FIRST, WaitStep(days=1), TaskStep(title="Call"), SECOND)
)


def standing(**people: tuple[Reason, ...]) -> dict[tuple[int, str], Standing]:
    return {(1, f"{name}@acme.example"): Standing(reasons) for name, reasons in people.items()}


def test_the_gate_passes_over_steps_that_are_done_and_hands_out_tasks() -> None:
    world = GateInput(NOON, box(), (), standing(jo=()))
    assert judge(due(), DEFINITION, world).verdict == Send(1, FIRST)
    done = (Earlier(1, "sent", "m", "Hi"),)
    assert judge(due(earlier=done), DEFINITION, world).verdict == Hold(3, NOON + timedelta(days=1), None)
    later = judge(due(step=3, earlier=done), DEFINITION, world)
    assert later.verdict == Send(4, SECOND)
    assert later.tasks == ((3, TaskStep(title="Call")),)
    assert judge(due(step=5), DEFINITION, world).verdict == End(5, "completed", refused=False)


def test_a_mail_whose_fate_is_open_is_not_tried_again() -> None:
    verdict = judge(
        due(earlier=(Earlier(1, "sending", "m", "Hi"),)),
        DEFINITION,
        GateInput(NOON, box(), (), standing(jo=())),
    ).verdict
    assert isinstance(verdict, Hold)


def test_what_ends_an_enrolment_comes_before_what_delays_it() -> None:
    world = GateInput(
        NOON, box(paused=True, paused_reason="by hand"), (), standing(jo=("complaint",), kim=())
    )
    assert judge(due(), DEFINITION, world).verdict == End(1, "suppressed: complaint")
    assert judge(due(email="kim@acme.example"), DEFINITION, world).verdict == Hold(
        1, None, "mailbox paused: by hand"
    )


def test_variants_are_given_by_weight_and_stay() -> None:
    step = EmailStep(
        variants=(
            Variant(name="A", text="t", weight=1),
            Variant(name="B", text="t", weight=3),
            Variant(name="C", text="t", weight=0),
        )
    )
    given_ = [step.variant(7, 1, f"c{n}").name for n in range(2000)]
    assert given_ == [step.variant(7, 1, f"c{n}").name for n in range(2000)]
    assert 0.2 < given_.count("A") / 2000 < 0.3
    assert "C" not in given_


@pytest.mark.usefixtures("keys")
def test_a_token_says_what_was_signed_and_for_nothing_else() -> None:
    token = tracking.sign("c", Target(3, 2**40, "https://v.example/ü?a=1"))
    assert tracking.verify("c", token) == Target(3, 2**40, "https://v.example/ü?a=1")
    with pytest.raises(tracking.InvalidTrackingToken):
        tracking.verify("u", token)


@pytest.mark.usefixtures("keys")
@given(st.text(max_size=60) | st.text("kK1.-_Aa9=", max_size=60))
def test_no_text_is_taken_for_a_token(text: str) -> None:
    with pytest.raises(tracking.InvalidTrackingToken):
        tracking.verify("o", text)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "mailto:a@b.example",
        "//evil.example",
        "https://",
        "http://a b",
        "https://" + "a" * 3000,
        "#top",
    ],
)
def test_only_web_addresses_are_tracked(url: str) -> None:
    assert not tracking.trackable(url)


def test_links_are_rewritten_and_nothing_else_is() -> None:
    html = (
        "<P>a &amp; b<br/><A class=x HREF='https://a.example/?x=1&amp;y=2'>go</A>"
        "<!-- <a href='//no.example'> --><a name=t>\n<a href=#x>y</a>"
    )
    seen: list[str] = []

    def tracked(url: str) -> str | None:
        seen.append(url)
        return "https://t.example/1" if url.startswith("https") else None

    assert rewrite_links(html, tracked) == html.replace(
        "'https://a.example/?x=1&amp;y=2'", '"https://t.example/1"'
    )
    assert seen == ["https://a.example/?x=1&y=2", "#x"]


def test_the_pixel_goes_before_the_end_of_the_body() -> None:
    assert add_pixel("<body>x</BODY></html>", "http://p").startswith('<body>x<img src="http://p"')
    assert add_pixel("x", "http://p").startswith('x<img src="http://p"')
