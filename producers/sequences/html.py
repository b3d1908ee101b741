"""What tracking adds to a mail's HTML: rewritten links and a pixel. The rest of the text stays as it was written, byte for byte."""

import re
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser

_HREF = re.compile(r"""\shref\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)""", re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


class _Links(HTMLParser):
    """Finds the start tags of links: where they are, their text and their target."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str, str]] = []
        self._lines = [0, *(match.end() for match in re.finditer("\n", source))]
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an <a href>."""
        target = dict(attrs).get("href") if tag == "a" else None
        if target:
            line, column = self.getpos()
            self.found.append((self._lines[line - 1] + column, self.get_starttag_text() or "", target))


def rewrite_links(source: str, tracked: Callable[[str], str | None]) -> str:
    """Return the HTML with each link's target replaced by what `tracked` makes of it; None leaves it."""
    parts, at = [], 0
    for start, tag, target in _Links(source).found:
        link, href = tracked(target.strip()), _HREF.search(tag)
        if link and href:
            parts += [source[at : start + href.start(1)], f'"{escape(link)}"']
            at = start + href.end(1)
    return "".join([*parts, source[at:]])


def add_pixel(source: str, link: str) -> str:
    """Return the HTML with an invisible image at its end."""
    pixel = f'<img src="{escape(link)}" width="1" height="1" alt="" style="display:none">'
    end = max((match.start() for match in _BODY_END.finditer(source)), default=len(source))
    return source[:end] + pixel + source[end:]
