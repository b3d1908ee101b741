"""What tracking adds to a mail's HTML: rewritten links and a pixel.

The rest of the text stays as it was written, byte for byte.
"""

import re
from collections.abc import Callable
from html import escape, unescape
from html.entities import html5

# A comment, or the start tag of a link. Possessive (*+): a tag that is never closed is given up in one go,
# not from each of its characters.
_COMMENT_OR_LINK = re.compile(r"""<!--(?s:.*?-->|.*)|<a(?=\s)(?:[^<>"']|"[^"]*"|'[^']*')*+>""", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""\s([^\s=<>"'/]++)\s*=\s*("[^"]*"|'[^']*'|[^\s>"']++)""")
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|([A-Za-z][A-Za-z0-9]*;?)(=?))")


def attribute_value(source: str) -> str:
    """Return what a browser reads in an attribute's value.

    Unlike in text, a name without a semicolon before `=` or another letter is no reference there (HTML
    standard, 13.2.5.73): `?a=1&region=eu` is a query, not `?a=1®ion=eu`.
    """

    def read(found: re.Match[str]) -> str:
        name, equals = found[1], found[2]
        if name is None:
            return unescape(found[0])
        if name not in html5 or (equals and not name.endswith(";")):
            return found[0]
        return html5[name] + equals

    return _REFERENCE.sub(read, source)


def rewrite_links(source: str, tracked: Callable[[str], str | None]) -> str:
    """Return the HTML with each link's target replaced by what `tracked` makes of it; None leaves it."""

    def rewritten(tag: re.Match[str]) -> str:
        if tag[0].startswith("<!--"):
            return tag[0]
        href = next((found for found in _ATTRIBUTE.finditer(tag[0]) if found[1].lower() == "href"), None)
        if href is None or not (link := tracked(attribute_value(_unquoted(href[2])).strip())):
            return tag[0]
        return f'{tag[0][: href.start(2)]}"{escape(link)}"{tag[0][href.end(2) :]}'

    return _COMMENT_OR_LINK.sub(rewritten, source)


def _unquoted(value: str) -> str:
    return value[1:-1] if value[0] in "\"'" else value


def add_pixel(source: str, link: str) -> str:
    """Return the HTML with an invisible image at its end."""
    pixel = f'<img src="{escape(link)}" width="1" height="1" alt="" style="display:none">'
    end = max((match.start() for match in _BODY_END.finditer(source)), default=len(source))
    return source[:end] + pixel + source[end:]
