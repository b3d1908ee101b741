"""Tell a machine's open or click from a person's.

Nothing is dropped for it: the verdict is in the event, and can be judged anew.
"""

import re
from typing import NamedTuple

import crawleruseragents

RULE_VERSION = 2
"""Goes up whenever a rule changes; verdicts of `activity classify` carry it."""

TOO_FAST_S = 10.0
"""Seconds after delivery within which nobody has read a mail."""
SOON_S = 60.0
"""Seconds after delivery within which scanners are still at work and a person may be."""


class Verdict(NamedTuple):
    """Whether a machine did it (null: it cannot be told), and the rule that said so."""

    machine: bool | None
    rule: str


# What mail security products, link previews and HTTP libraries call themselves beside the crawlers that the
# library knows.
_MACHINE = re.compile(
    r"(?<!cu)bot\b|(?<!cu)bot[/_-]|crawl|spider|scann|preview|pre-?fetch|link.?(expand|check|resolv)"
    r"|url.?(defen[cs]e|protect|scan|inspect)"
    r"|safe.?links|safe.?browsing|security|threat|phish|antivirus|sandbox|monitor|validator|headless"
    r"|phantomjs|selenium|puppeteer|playwright"
    r"|barracuda|mimecast|proofpoint|fireeye|trellix|kaspersky|symantec|messagelabs|ironport|trend ?micro"
    r"|forcepoint|sophos|bitdefender"
    r"|cloudflare"
    r"|virustotal|zscaler|checkpoint|avanan|cofense|(?<!from: )https?://|[\w.]+@[\w-]+\.[a-z]|\bGoogle-[A-Z]"
    r"|scrap(er|y)|checker|verifier|analy[sz]er|parser|detector|lookup|thumbnail|page ?speed|transcoder|radar"
    r"|subscribers|\brss\b|user-?agent|[a-z]proxy/"
    r"|^(curl|wget|python|java|go-http|libwww|axios|node|got|okhttp|apache-http|http|ruby|perl|php|guzzle"
    r"|postman|insomnia|scrapy|aiohttp|httpx)\b",
    re.IGNORECASE,
)
_IMAGE_PROXY = re.compile(
    r"GoogleImageProxy|ggpht\.com|YahooMailProxy|YahooCacheSystem|OutlookImageProxy|DuckDuckGo Email"
    r"|SeznamEmailProxy|mail\.ukr\.net|RamblerMail",
    re.IGNORECASE,
)
# Browsers say "Mozilla/5.0 (a platform) an engine": who says less, or adds "compatible", is none. So is what
# says its own name alone, and neither a mail program's nor a device's.
_PLATFORM = (
    r"(?:MSIE|Konqueror|iCab|U;|Windows|Linux|Mac|X11|OS/2|Amiga|BeOS|SunOS|Symbian|Android|NetPositive)"
)
_NO_BROWSER = re.compile(
    r"^Mozilla/[\d.]+(?![\d.]| *\(|.*(?:Gecko|KHTML|X11))|^Mozilla/[\d.]+ \([\w.-]+(?:/[\d.]+)?\)$"
    rf"|^Mozilla/[\d.]+ \(compatible(?:\)|; (?![^)]*{_PLATFORM}))"
    r"|(?:Gecko|KHTML|Safari|Chrome)\S* ?[;(] ?compatible"
    r"|^(?!Mozilla/|Opera/)[^\s/()]+(?:/v?\d\S*)?(?: \([^()]*\))?$"
)
_SCANNING_REFERRER = re.compile(
    r"^https?://[\w.-]*(safelinks\.protection\.outlook\.com|urldefense\.(com|proofpoint\.com)"
    r"|mimecast(protect)?\.com|linkprotect\.cudasvc\.com)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"^(Mozilla/\d|Opera/|Dalvik/|Mail/|Safari/?\d|Microsoft Office|Outlook|Thunderbird)|CFNetwork/"
    r"|\b(Outlook|Thunderbird|Airmail|Apple ?Mail|eM ?Client|Windows[ -]?Mail"
    r"|MailMate|Mailspring|Mail(Bar|bird)"
    r"|Postbox|Barca|Canary|Evolution|The Bat|Lotus-Notes|Foxmail|Eudora|Claws|KMail|Gmail|K-9|FairEmail"
    r"|Spark|Superhuman)\b"
    r"|\b(iOS|Android|iPhone|iPad|Windows NT|win(10|32|64)|Mac OS|Macintosh|BlackBerry|Symbian)"
    r"|\b(UP\.(Browser|Link)|MIDP|CLDC|NetFront|WAP[ -]?Browser|DoCoMo|MAUI|Obigo|Teleca\w*|\w+ browser/)",
    re.IGNORECASE,
)
_OF_A_BROWSER = re.compile(r"^Mozilla/\d", re.IGNORECASE)
_PRIVACY_PROXY = (
    "Mozilla/5.0"  # all that Apple's Mail Privacy Protection says; it fetches every mail, read or not
)


def classify(
    user_agent: str | None,
    *,
    provider_flag: bool | None = None,
    seconds_since_delivery: float | None = None,
    method: str = "GET",
    referrer: str | None = None,
    links_at_once: int = 1,
) -> Verdict:
    """Judge one open or click; the first rule that applies decides.

    `user_agent` is None where it is not known and "" where the request had none. `provider_flag` is what the
    e-mail provider said, `seconds_since_delivery` counts from delivery (from the send, where no delivery was
    reported), and `links_at_once` is how many different links of the same mail were followed within ten
    seconds.
    """
    for verdict in (
        _by_provider(provider_flag, method),
        _by_agent(user_agent),
        _by_time(seconds_since_delivery, links_at_once),
        _by_route(user_agent, referrer),
    ):
        if verdict is not None:
            return verdict
    return _otherwise(user_agent, provider_flag, seconds_since_delivery)


def _by_provider(provider_flag: bool | None, method: str) -> Verdict | None:
    if provider_flag:
        return Verdict(True, "the provider says so")
    if method.upper() in {"HEAD", "OPTIONS"}:
        return Verdict(True, f"a {method.upper()} request")
    return None


def _by_agent(user_agent: str | None) -> Verdict | None:
    if user_agent is None or _IMAGE_PROXY.search(user_agent):
        return None
    if not user_agent.strip():
        return Verdict(True, "no user agent")
    if user_agent.strip() == _PRIVACY_PROXY:
        return Verdict(True, "mail privacy proxy")
    if _MACHINE.search(user_agent):
        return Verdict(True, "user agent of a machine")
    if _NO_BROWSER.search(user_agent) and (_OF_A_BROWSER.match(user_agent) or not _PERSON.search(user_agent)):
        return Verdict(True, "user agent of no browser")
    if crawleruseragents.is_crawler(user_agent):
        return Verdict(True, "user agent of a crawler")
    return None


def _by_time(seconds: float | None, links_at_once: int) -> Verdict | None:
    if seconds is not None and seconds < TOO_FAST_S:
        return Verdict(True, f"within {TOO_FAST_S:.0f} s of delivery")
    if links_at_once > 2:
        return Verdict(True, "many links at once")
    return None


def _by_route(user_agent: str | None, referrer: str | None) -> Verdict | None:
    if user_agent and _IMAGE_PROXY.search(user_agent):
        return Verdict(None, "image proxy")  # these fetch when a person opens, and some of them before
    if referrer and _SCANNING_REFERRER.search(referrer):
        return Verdict(None, "came through a link scanner")  # by itself, or a person behind it
    return None


def _otherwise(user_agent: str | None, provider_flag: bool | None, seconds: float | None) -> Verdict:
    if seconds is not None and seconds < SOON_S:
        return Verdict(None, f"within {SOON_S:.0f} s of delivery")
    if provider_flag is False:
        return Verdict(False, "the provider says so")
    if user_agent is None:
        return Verdict(None, "no user agent known")
    if _PERSON.search(user_agent):
        return Verdict(False, "none matched")
    return Verdict(None, "unknown user agent")
