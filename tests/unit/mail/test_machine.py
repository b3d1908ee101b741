"""What the verdict on an open or a click promises."""

import pytest

from producers.mail.machine import Verdict, classify

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "  ",
        "Mozilla/5.0",
        "python-requests/2.32",
        "Barracuda Sentinel (EE)",
        "Mozilla/5.0 (compatible; SomethingNew/1.0; +https://something.example)",
        "AcmeMail Security Scanner/3",
        "Mozilla/5.0 (compatible; Googlebot/2.1)",
        "Mozilla/5.0 (compatible)",
        "Mozilla/5.0 (compatible; Somebody/1.0)",
        "Mozilla/5.0 Somebody",
        "Mozilla/5.0 (Somebody/1.0)",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko; Google-Something) Chrome/99",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko; compatible; some) Chrome/99",
        "Somebody",
        "somebody/1.0 (eu; 2)",
        "Somebody 1.0 (http://somebody.example)",
    ],
)
def test_what_calls_itself_a_machine_is_one(agent: str) -> None:
    assert classify(agent).machine is True


@pytest.mark.parametrize(
    "agent",
    [
        FIREFOX,
        "Mozilla/5.0 (Linux; Android 8.1; CUBOT Power) AppleWebKit/537.36 Chrome/84 Mobile Safari/537.36",
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 6.1; Trident/7.0; Microsoft Outlook 14.0.7113)",
        "Mozilla/5.0 (compatible; Konqueror/4.5; FreeBSD) KHTML/4.5.4 (like Gecko)",
        "MacOutlook/16.89.24090815 (Intelx64 Mac OS X Version 14.6.1)",
        "Outlook-iOS/723",
        "Gmail/2024.9 (Android 14)",
        "eM Client/9.2.1735",
        "Windows-Mail/16.0",
        "Airmail 5.6",
        "Thunderbird/128.0",
        "Spotify/8.7.70 iOS/16.0 (iPhone14,8)",
    ],
)
def test_a_browser_is_a_person_whatever_its_phone_is_called(agent: str) -> None:
    assert classify(agent) == Verdict(False, "none matched")


@pytest.mark.parametrize(
    "agent", ["Mozilla/5.0 SeznamEmailProxy/2.0", "X (via a.example - mail.ukr.net proxy)"]
)
def test_a_mail_providers_proxy_may_be_a_person(agent: str) -> None:
    assert classify(agent) == Verdict(None, "image proxy")


def test_gmails_proxy_may_be_a_person() -> None:
    assert classify(GMAIL) == Verdict(None, "image proxy")
    assert classify(GMAIL, seconds_since_delivery=2).machine is True


def test_nobody_reads_within_ten_seconds_and_up_to_a_minute_it_cannot_be_told() -> None:
    said = [
        classify(FIREFOX, seconds_since_delivery=seconds).machine
        for seconds in (-5, 0, 9.9, 10, 59, 60, 3600)
    ]
    assert said == [True, True, True, None, None, False, False]


def test_the_provider_is_believed_when_it_says_machine_and_not_alone_when_it_says_person() -> None:
    assert classify(FIREFOX, provider_flag=True, seconds_since_delivery=9000).machine is True
    assert classify("curl/8", provider_flag=False).machine is True
    assert classify(None, provider_flag=False).machine is False


def test_every_link_at_once_is_a_scanner() -> None:
    assert [classify(FIREFOX, links_at_once=number).machine for number in (1, 2, 3)] == [False, False, True]


def test_a_head_request_is_a_machine_and_a_scanners_referrer_is_not_known() -> None:
    assert classify(FIREFOX, method="HEAD").machine is True
    assert classify(FIREFOX, referrer="https://eur01.safelinks.protection.outlook.com/?url=x").machine is None


def test_nothing_known_is_nothing_said() -> None:
    assert classify(None) == Verdict(None, "no user agent known")
    assert classify("Wholly Unknown 1.0").machine is None
