"""The one judge: a recipient is condemned only where that is sure, whoever tells of the refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.mail.judge import judge

# (code, status, words, after the content) -> (about whom, bounce)
ANSWERS = [
    (550, "5.1.1", "User unknown", False, "recipient", "hard"),
    (550, "5.1.1", "Recipient address rejected: User unknown in virtual table", True, "recipient", "hard"),
    (550, "5.1.10", "Recipient not found", False, "recipient", "hard"),
    (550, None, "No such user here", False, "recipient", "hard"),
    (553, "5.1.2", "host unknown", False, "recipient", "hard"),
    (550, "5.0.0", "unknown user", False, "recipient", "hard"),
    (550, None, "No such user here", True, "unknown", "unknown"),
    (550, None, "nope", False, "unknown", "unknown"),
    (550, "5.7.1", "Recipient address rejected: Access denied", False, "unknown", "unknown"),
    (550, "5.4.1", "Recipient address rejected: Access denied", False, "unknown", "unknown"),
    (552, "5.2.2", "mailbox full", True, "quota", "soft"),
    (550, "5.2.1", "The account that you tried to reach is disabled", False, "quota", "soft"),
    (452, "4.2.2", "over quota", False, "quota", "soft"),
    (550, "5.1.8", "Access denied, bad outbound sender", False, "sender", "unknown"),
    (550, "5.1.0", "Sender rejected", False, "sender", "unknown"),
    (550, "5.1.7", "invalid address", False, "sender", "unknown"),
    (550, "5.4.5", "Daily user sending limit exceeded", False, "sender", "unknown"),
    (550, "5.7.1", "Relaying denied", False, "sender", "unknown"),
    (554, "5.7.1", "Client host blocked using a blocklist", False, "sender", "unknown"),
    (550, None, "Access denied - your IP is on a blocklist", True, "sender", "unknown"),
    (550, None, "SPF check failed", True, "sender", "unknown"),
    (550, None, "Blocked - see https://ipcheck.example", False, "sender", "unknown"),
    (553, "5.1.3", "http://www.spamhaus.example/query/bl?ip=192.0.2.222", False, "sender", "unknown"),
    (550, "5.7.1", "an unusual rate of unsolicited mail from your IP address", True, "sender", "unknown"),
    (550, "5.1.1", "User unknown; please check with your server", False, "recipient", "hard"),
    (550, None, "cannot find your reverse DNS", False, "sender", "unknown"),
    (550, None, "HELO: host unknown", False, "sender", "unknown"),
    (550, None, "Sender verify failed", False, "sender", "unknown"),
    (550, "5.1.8", "Domain of sender address a@v.example does not resolve", False, "sender", "unknown"),
    (553, "5.1.7", "Sender address rejected", False, "sender", "unknown"),
    (550, None, "after MAIL FROM:<a@v.example>: 550 Unroutable address", False, "sender", "unknown"),
    (553, "5.1.0", "in reply to MAIL FROM: v.example does not exist", False, "sender", "unknown"),
    (550, "5.1.1", "Message rejected as spam", True, "message", "unknown"),
    (552, "5.1.1", "552 5.2.2 Over quota", False, "quota", "soft"),
    (550, "5.1.0", "Unknown address error 550-'5.7.1 Access denied'", False, "unknown", "unknown"),
    (550, "5.0.0", "said: 550 5.1.1 nope", False, "recipient", "hard"),
    (554, None, "This user doesn't have a y.example account", False, "recipient", "hard"),
    (450, "4.1.1", "User unknown in virtual table", False, "unknown", "unknown"),
    (550, "4.0.0", "host unknown", False, "unknown", "unknown"),
    (550, "5.7.26", "this mail is not welcome", True, "sender", "unknown"),
    (550, None, "Message rejected as spam", True, "message", "unknown"),
    (554, "5.0.0", "policy violation", True, "message", "unknown"),
    (552, "5.3.4", "message size exceeds limit", True, "message", "unknown"),
    (554, "5.4.6", "too many hops", True, "way", "unknown"),
]


@pytest.mark.parametrize(("code", "status", "words", "after_data", "subject", "bounce"), ANSWERS)
def test_an_answer_is_judged_by_whom_it_is_about(
    code: int, status: str | None, words: str, after_data: bool, subject: str, bounce: str
) -> None:
    verdict = judge(code=code, status=status, words=f"{code} {status or ''} {words}", after_data=after_data)
    assert (verdict.subject, verdict.bounce_type) == (subject, bounce)


@pytest.mark.parametrize(("code", "status", "words", "after_data", "subject", "bounce"), ANSWERS)
def test_a_report_and_a_provider_condemn_nobody_whom_an_answer_does_not(
    code: int, status: str | None, words: str, after_data: bool, subject: str, bounce: str
) -> None:
    for claimed in ("unknown", "soft"):
        verdict = judge(status=status, words=words, after_data=after_data, claimed=claimed)
        assert verdict.bounce_type != "hard" or bounce == "hard"
    if subject in ("sender", "message", "way", "quota"):
        assert judge(status=status, words=words, claimed="hard").bounce_type != "hard"


def test_a_provider_that_says_hard_is_believed_where_nothing_contradicts() -> None:
    assert judge(status=None, words="", claimed="hard").bounce_type == "hard"


@given(st.sampled_from(["blocked", "spamdetected", "norelaying", "authfailure", "sendinglimit", "expired"]))
def test_no_word_about_us_or_the_way_condemns_whatever_code_goes_with_it(reason: str) -> None:
    for code in (550, 551, 553, 554):
        assert judge(code=code, status=None, words="", reason=reason).bounce_type != "hard"
