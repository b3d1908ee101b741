"""`python -m bench.mail_samples`.

Real webhook requests, mails and user agents of other projects against ours, as tables.

The samples are not part of this project: $ACTIVITY_SHARED_DATA names their folder, else ../shared/data beside
the project.
"""

import asyncio
import csv
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from activity.settings import settings
from bench.samples.webhooks import Sample, check_webhooks, pin_certificates, plain
from bench.servers import servers
from producers.mail.inbound.bounces import Failure
from producers.mail.inbound.classify import Inbound, read_mail
from producers.mail.inbound.receive import split_mbox
from producers.mail.machine import classify


def folder() -> Path | None:
    """Return where the samples are, or None."""
    named = os.environ.get("ACTIVITY_SHARED_DATA")
    found = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    return found if (found / "webhooks" / "INDEX.json").is_file() else None


# --- mails ---

_CLASSES = {
    "hard_bounce": {"hard"},
    "soft_bounce": {"soft", "delayed"},
    "mixed_bounce": {"mixed"},
    "bounce": {"hard", "soft", "mixed"},
    "bounce_nonstandard": {"hard", "soft", "mixed"},
    "complaint": {"complaint"},
    "auto_reply": {"auto_reply"},
    "reply": {"reply"},
    "not_a_reply": {"other"},
    "read_receipt": {"receipt"},
    "delivery_success": {"delivered"},
}
# Sisimai, which part of the manifest is from, makes up such codes where a mail names none; we say nothing
# then.
_MADE_UP_STATUS = re.compile(r"5\.0\.9\d\d")


def check_mails(data: Path) -> dict[str, Counter[str]]:
    """Read every mail of the manifest; return by class how many are what it says. Problems are printed."""
    table: dict[str, Counter[str]] = {}
    for one in json.loads((data / "eml" / "manifest.json").read_text("utf-8")):
        counts = table.setdefault(one["class"], Counter())
        mails = [read_mail(raw) for raw in split_mbox((data / "eml" / one["file"]).read_bytes())]
        problems = list(_mail_differences(one["expected"], mails))
        counts["mails"] += 1
        counts["wrong"] += bool(problems)
        counts["made up status"] += sum(
            bool(_MADE_UP_STATUS.fullmatch(to.get("status") or ""))
            for to in one["expected"].get("recipients", [])
        )
        for problem in problems:
            print(f"WRONG {one['file']}: {problem}")  # a report for people
    return table


def _mail_differences(expected: Sample, mails: list[Inbound]) -> Iterator[str]:
    first, class_ = mails[0], expected["class"]
    found = _class_of(first)
    if class_ in _CLASSES and found not in _CLASSES[class_]:
        yield f"{found} in place of {class_}"
    if expected.get("action") == "delayed" and found != "delayed":
        yield "a delay is no bounce"
    if "in_reply_to" in expected and (list(first.in_reply_to), list(first.references)) != (
        expected["in_reply_to"],
        expected["references"],
    ):
        yield f"answers {first.in_reply_to}, refers to {first.references}"
    if "reply_text" in expected and plain(first.text) != plain(expected["reply_text"]):
        yield f"text {first.text!r} in place of {expected['reply_text']!r}"
    if expected.get("reason") and expected["reason"] not in {failure.reason for failure in first.failures}:
        yield f"reason {[failure.reason for failure in first.failures]} in place of {expected['reason']}"
    if found in ("hard", "soft", "mixed", "delayed", "delivered"):
        yield from _recipient_differences(
            expected.get("recipients", []), [failure for mail_ in mails for failure in mail_.failures]
        )
    for one in expected.get("recipients", []):
        if one.get("feedback_type") and one["feedback_type"] != first.feedback_type:
            yield f"feedback {first.feedback_type}"


def _class_of(found: Inbound) -> str:
    if found.class_ != "bounce":
        return found.class_
    hard = {failure.hard for failure in found.failures if failure.action == "failed"}
    return "mixed" if len(hard) > 1 else "hard" if True in hard else "soft"


def _recipient_differences(expected: list[Sample], found: list[Failure]) -> Iterator[str]:
    if expected and len(expected) != len(found):
        yield f"{len(found)} recipients in place of {len(expected)}"
    for one in expected:
        named = one.get("recipient") or one.get("final_recipient_header")
        about = [
            failure
            for failure in found
            if not named
            or {failure.recipient, failure.final} & {named, named.rpartition(":")[2]}
            or named.startswith("@")
        ]
        status = None if _MADE_UP_STATUS.fullmatch(one.get("status") or "") else one.get("status")
        hard = one.get("hard_bounce")
        if not any(failure.status == status and hard in (None, failure.hard) for failure in about):
            said = [(failure.recipient, failure.status, failure.hard) for failure in about]
            yield f"{said} in place of {named} {status} {hard}"


# --- user agents ---


def check_agents(data: Path) -> dict[str, float]:
    """Judge the labelled user agents and the labelled stream of opens and clicks; return how well."""
    told = {
        name: json.loads((data / "bots" / f"{name}.json").read_text("utf-8"))
        for name in ("email_machine_user_agents", "human_user_agents")
    }
    crawlers = [
        agent
        for one in json.loads((data / "bots" / "crawler-user-agents.json").read_text("utf-8"))
        for agent in one["instances"]
    ]
    machines = [one["user_agent"] for one in told["email_machine_user_agents"] if one["machine"]]
    people = [one["user_agent"] for one in told["human_user_agents"]]
    people += [one["user_agent"] for one in told["email_machine_user_agents"] if not one["machine"]]
    return {
        "machine_agents": len(machines),
        "machine_recall": _share(machines),
        "crawler_agents": len(crawlers),
        "crawler_recall": _share(crawlers),
        "human_agents": len(people),
        "human_false_positives": _share(people),
        **_check_stream(data),
    }


def _share(agents: list[str]) -> float:
    return sum(classify(agent).machine is True for agent in agents) / len(agents)


def _check_stream(data: Path) -> dict[str, float]:
    """Judge a stream of opens and clicks that is labelled by address and IP, with each mail's age."""
    labels = json.loads((data / "bots" / "gophish_campaign_labels.json").read_text("utf-8"))["labels"]
    is_machine = {(one["email"], ip["ip"]): ip["is_bot"] for one in labels for ip in one["ips"]}
    sent: dict[str, datetime] = {}
    judged: Counter[tuple[bool, bool | None]] = Counter()
    with (data / "bots" / "gophish_campaign_simulated.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            at, browser = (
                datetime.fromisoformat(row["time"]),
                json.loads(row["details"] or "{}").get("browser"),
            )
            if row["message"] == "Email Sent":
                sent[row["email"]] = at
            elif browser and (row["email"], browser["address"]) in is_machine:
                since = (at - sent[row["email"]]).total_seconds()
                judged[
                    is_machine[row["email"], browser["address"]],
                    classify(browser["user-agent"], seconds_since_delivery=since).machine,
                ] += 1
    machines, people = (
        sum(number for (label, _), number in judged.items() if label is of) for of in (True, False)
    )
    return {
        "stream_recall": judged[True, True] / machines,
        "stream_false_positives": judged[False, True] / people,
    }


# --- all of it ---


def run() -> None:
    """Print the three tables, on embedded servers of their own."""
    data = folder()
    if data is None:
        raise SystemExit("the samples are not here: set ACTIVITY_SHARED_DATA")
    for name, counts in sorted(check_mails(data).items()):
        print(
            f"mail     {name:20} {counts['mails']:4} mails {counts['wrong']:4} wrong "
            f"{counts['made up status']:4} made-up status"
        )
    for name, figure in check_agents(data).items():
        print(f"agents   {name:24} {figure:9.4g}")
    with tempfile.TemporaryDirectory() as certificates, servers(0) as admin:
        from api.http.app import create_app  # it reads the settings, which the servers have made

        os.environ["ACTIVITY_SNS_CERTIFICATES"] = certificates
        settings.cache_clear()
        pin_certificates(data, Path(certificates))
        for name, counts in sorted(asyncio.run(check_webhooks(create_app(), data, admin)).items()):
            print(
                f"webhooks {name:18} {counts['samples']:4} samples {counts['rejected']:3} to refuse "
                f"{counts['wrong']:3} wrong"
            )


if __name__ == "__main__":
    run()
