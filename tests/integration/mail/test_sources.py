"""What `activity source` promises."""

import json

import pytest
from typer.testing import CliRunner

from cli.main import app


def source(*arguments: str, said: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["source", *arguments], input=said)
    return done.exit_code, done.stdout


def test_a_source_that_is_added_is_listed_with_its_address_and_without_its_secret(tenant: int) -> None:
    code, made = source("add", "mailgun", "--secret", "hush-hush", "--json")
    assert code == 0
    address = json.loads(made)
    assert address["path"] == f"/v1/webhooks/mailgun/{address['id']}"
    code, listed = source("list", "--json")
    assert [(one["id"], one["path"], one["proof"]) for one in json.loads(listed)] == [
        (address["id"], address["path"], "1 secrets")
    ]
    assert "hush" not in made + listed + source("list")[1]


def test_a_secret_is_read_from_standard_input(tenant: int) -> None:
    assert source("add", "postmark", "--id", "pm1", "--secret", "-", said="basic:ana:pass\n")[0] == 0
    assert source("rotate", "pm1", "--secret", "basic:ana:new", "--overlap", "1")[0] == 0
    assert json.loads(source("list", "--json")[1])[0]["proof"] == "2 secrets"


def test_a_removed_source_is_gone(tenant: int) -> None:
    source("add", "resend", "--id", "mine", "--secret", "whsec_c2VjcmV0")
    assert source("remove", "mine")[0] == 0
    assert json.loads(source("list", "--json")[1]) == []
    assert source("remove", "mine")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["nobody", "--unsigned"],
        ["mailgun"],
        ["mailgun", "--secret", "x", "--unsigned"],
        ["postmark", "--secret", "it-signs-nothing"],
        ["mailgun", "--secret", "x", "--id", "a/b"],
        ["imap", "--secret", "x", "--url", "imaps://ana:password@mail.example"],
    ],
)
def test_what_could_never_work_is_refused(tenant: int, arguments: list[str]) -> None:
    assert source("add", *arguments)[0] == 2
