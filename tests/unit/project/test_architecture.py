"""What the map and the manual point at is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
_ANSWER = re.compile(r"^\| [^|]+ \| \[[^]]+\]\(([^)]+)\) `([\w.]+)` \|$", re.MULTILINE)


def links(page: Path) -> Iterator[str]:
    """Yield what a page points at within the project."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    yield from _LINK.findall(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_points_at_exists(page: Path) -> None:
    assert [link for link in links(page) if not (page.parent / link).exists()] == []


def test_each_of_the_ten_questions_is_answered_by_a_name_that_its_file_defines() -> None:
    answers = _ANSWER.findall((ROOT / "ARCHITECTURE.md").read_text())
    assert len(answers) == 10
    for path, name in answers:
        defined = rf"(def|class|create function|create policy) {re.escape(name)}\b"
        assert re.search(defined, (ROOT / path).read_text()), f"{path} does not define {name}"
