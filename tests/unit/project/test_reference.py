"""The references are what the code says now."""

from pathlib import Path

import pytest

from cli.reference import REFERENCES, ROOT


@pytest.mark.parametrize("path", REFERENCES)
def test_a_reference_made_from_code_is_not_stale(path: str) -> None:
    assert (Path(ROOT) / path).read_text() == REFERENCES[path](), "run `make reference`"
