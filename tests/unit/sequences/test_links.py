"""A link's target comes back as a browser reads it in the mail, byte for byte."""

from contextlib import nullcontext
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from activity.errors import ActivityError
from activity.settings import settings
from producers.sequences.html import attribute_value, rewrite_links
from producers.sequences.tracking import check_reachable

NAMES = [
    "region",
    "copy",
    "param",
    "section",
    "currency",
    "times",
    "not",
    "deg",
    "para",
    "amp",
    "lt",
    "order",
]
PIECES = st.sampled_from(
    [
        "&",
        "=",
        ";",
        "&amp;",
        "&#38;",
        "&#x26;",
        "&#0;",
        "&#xD800;",
        "?",
        "/",
        "a",
        "7",
        " ",
        *NAMES,
        "é",
        "&AMP",
    ]
)


def as_a_browser_reads(source: str) -> str:
    """What lexbor, an HTML5 parser, reads in an attribute."""
    (link,) = LexborHTMLParser(f'<a href="{source}">x</a>').css("a")
    return link.attributes["href"] or ""


@given(st.lists(PIECES, max_size=12).map("".join))
def test_an_attribute_is_read_as_by_an_html_parser(source: str) -> None:
    assert attribute_value(source) == as_a_browser_reads(source)


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_that_begins_like_an_entity_stays(name: str) -> None:
    targets: list[str] = []
    source = f'<a href="https://v.example/b?x=1&{name}=eu&copy=2&{name}x=3">x</a>'
    rewrite_links(source, targets.append)
    assert targets == [f"https://v.example/b?x=1&{name}=eu&copy=2&{name}x=3"]


@given(st.text(alphabet="ab&;=#?{}|^`\\é<>'\"", max_size=30))
def test_whatever_is_escaped_comes_back(target: str) -> None:
    assert attribute_value(escape(target)) == target


@pytest.mark.parametrize(
    ("public", "server", "reachable"),
    [
        ("http://127.0.0.1:8000", "smtp.vendor.example", False),
        ("http://localhost:8000", "smtp.vendor.example", False),
        ("http://api.localhost", "smtp.vendor.example", False),
        ("http://[::1]:8000", "smtp.vendor.example", False),
        ("http://0.0.0.0:8000", "10.1.2.3", False),
        ("https://crm.example.com", "smtp.vendor.example", True),
        ("http://127.0.0.1:8000", "127.0.0.1", True),
        ("http://127.0.0.1:8000", "localhost", True),
        ("http://127.0.0.1:8000", "mailpit", True),
        ("http://127.vendor.example", "smtp.vendor.example", True),
    ],
)
def test_no_mail_leaves_with_links_that_its_reader_cannot_follow(
    monkeypatch: pytest.MonkeyPatch, public: str, server: str, reachable: bool
) -> None:
    monkeypatch.setenv("ACTIVITY_PUBLIC_URL", public)
    settings.cache_clear()
    with nullcontext() if reachable else pytest.raises(ActivityError, match="ACTIVITY_PUBLIC_URL is "):
        check_reachable(server)
    settings.cache_clear()
