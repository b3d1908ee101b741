"""A company's own web site: its title, description, language, social profiles and technologies."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated
from urllib.parse import urljoin, urlsplit

from pydantic import BaseModel, ConfigDict, Field
from selectolax.lexbor import LexborHTMLParser

from producers.enrichment.provider import FoundValue, ProviderAnswer, ProviderFailed, Question, Surroundings
from producers.http import Answer as HttpAnswer
from producers.http import AnswerUnusable, OutboundFailed, OutboundRefused
from producers.untrusted_html import too_deep

_MAX_BYTES = 1_500_000
_SOCIAL = re.compile(
    r"https?://(?:www\.|[a-z]{2}\.)?(linkedin\.com/company|x\.com|twitter\.com|facebook\.com|instagram\.com"
    r"|youtube\.com|github\.com)/[\w@.%/-]+",
    re.IGNORECASE,
)
_NO_PROFILE = re.compile(r"/(share|sharer|intent|sharer\.php|dialog|watch|embed|login|home)\b", re.IGNORECASE)
_DOMAIN = re.compile(
    r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]", re.IGNORECASE
)

# What a page loads or contains, by the technology that it shows.
_TECHNOLOGIES = {
    "wp-content": "WordPress",
    "cdn.shopify.com": "Shopify",
    "js.hs-scripts.com": "HubSpot",
    "js.hsforms.net": "HubSpot",
    "googletagmanager.com": "Google Tag Manager",
    "google-analytics.com": "Google Analytics",
    "cdn.segment.com": "Segment",
    "widget.intercom.io": "Intercom",
    "js.stripe.com": "Stripe",
    "munchkin.marketo": "Marketo",
    "pi.pardot.com": "Salesforce Pardot",
    "static.zdassets.com": "Zendesk",
    "static.hotjar.com": "Hotjar",
    "/_next/": "Next.js",
    "/_nuxt/": "Nuxt",
    "static.wixstatic.com": "Wix",
    "squarespace.com": "Squarespace",
    "assets.website-files.com": "Webflow",
    "js.driftt.com": "Drift",
    "plausible.io": "Plausible",
}
_SERVERS = {
    "cloudflare": "Cloudflare",
    "nginx": "nginx",
    "apache": "Apache",
    "vercel": "Vercel",
    "netlify": "Netlify",
}


class WebsiteOptions(BaseModel):
    """The options in the configuration."""

    model_config = ConfigDict(extra="forbid")

    url: str = "https://{domain}/"
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.7


class Website:
    """Finds `website`, `website_title`, `website_description`, `language`, `socials` and `technologies`."""

    batch_size = 1

    def __init__(self, options: Mapping[str, object], surroundings: Surroundings) -> None:
        self._options, self._surroundings = WebsiteOptions.model_validate(options), surroundings

    def key(self, question: Question) -> str | None:
        """Return the domain."""
        domain = question.values.get("domain")
        return domain.lower() if isinstance(domain, str) and _DOMAIN.fullmatch(domain) else None

    async def ask(self, questions: Sequence[Question]) -> Sequence[ProviderAnswer]:
        """Fetch the home page and read it."""
        return [await self._ask_one(self.key(question) or "") for question in questions]

    async def _ask_one(self, domain: str) -> ProviderAnswer:
        try:
            answer = await self._surroundings.outbound.request(
                "GET",
                self._options.url.replace("{domain}", domain),
                headers={"accept": "text/html"},
                timeout_s=self._surroundings.timeout_s,
                max_bytes=_MAX_BYTES,
            )
        except (OutboundRefused, AnswerUnusable) as error:
            raise ProviderFailed(str(error)) from None
        except OutboundFailed as error:
            raise ProviderFailed(str(error), transient=True) from None
        return self._read(answer)

    def _read(self, answer: HttpAnswer) -> ProviderAnswer:
        if answer.status in (404, 410):
            return {}
        if answer.status != 200:
            raise ProviderFailed(f"the site answered {answer.status}", transient=answer.status >= 500)
        if "html" not in answer.headers.get("content-type", "text/html").lower():
            raise ProviderFailed("the site's home page is not HTML")
        if too_deep(answer.body):
            raise ProviderFailed("the page's elements are nested too deep to be read")
        page = LexborHTMLParser(answer.body)
        title = page.css_first("title")
        found = {
            "website": answer.url,
            "website_title": _clean(title.text() if title else None, 200),
            "website_description": _clean(_meta(page, "description") or _meta(page, "og:description"), 500),
            "language": _language(page),
            "socials": _socials(answer.url, page),
            "technologies": _technologies(answer, page),
        }
        return {name: FoundValue(value, self._options.confidence) for name, value in found.items() if value}


def _meta(page: LexborHTMLParser, name: str) -> str | None:
    found = page.css_first(f'meta[name="{name}"], meta[property="{name}"]')
    return found.attributes.get("content") if found else None


def _clean(text: str | None, limit: int) -> str | None:
    """Return text on one line without control characters, cut to its limit."""
    words = re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\s]+", " ", text or "").strip()
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"


def _language(page: LexborHTMLParser) -> str | None:
    html = page.css_first("html")
    language = (html.attributes.get("lang") or "") if html else ""
    return (
        language.split("-")[0].split("_")[0].lower()
        if re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*", language)
        else None
    )


def _socials(url: str, page: LexborHTMLParser) -> list[str]:
    links = {
        (anchor.attributes.get("href") or "").split("?")[0].rstrip("/")
        for anchor in page.css("a[href]")[:2000]
    }
    profiles = (
        link
        for link in links
        if len(link) <= 100 and _SOCIAL.fullmatch(link) and not _NO_PROFILE.search(link)
    )
    return sorted(profiles)[:20]


def _technologies(answer: HttpAnswer, page: LexborHTMLParser) -> list[str]:
    found = {
        name for loaded in _loaded(answer.url, page) for sign, name in _TECHNOLOGIES.items() if sign in loaded
    }
    server = answer.headers.get("server", "").lower()
    found |= {name for sign, name in _SERVERS.items() if sign in server}
    generator = _clean(_meta(page, "generator"), 60)
    return sorted(found | ({generator.split(" ")[0]} if generator else set()))[:50]


def _loaded(url: str, page: LexborHTMLParser) -> Iterable[str]:
    """Yield the addresses of what the page loads, with host and path."""
    for node in page.css("script[src], link[href], img[src]")[:2000]:
        try:
            parts = urlsplit(urljoin(url, node.attributes.get("src") or node.attributes.get("href") or ""))
        except ValueError:
            continue
        yield f"{parts.netloc}{parts.path}".lower()
