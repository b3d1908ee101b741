"""Numbered revisions, each one readable .sql file: up only, and never edited once released.

Alembic keeps the order and the version: a revision is `sql/NNNN_name.sql`, and follows the one before it.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType

from alembic import op
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionMap

HERE = Path(__file__).parent


def directory(config: Config) -> ScriptDirectory:
    """Return Alembic's view of the .sql files."""
    scripts = ScriptDirectory.from_config(config)
    scripts.revision_map = RevisionMap(_revisions)
    return scripts


def _revisions() -> Iterator[Script]:
    files: list[Path | None] = [None, *sorted((HERE / "sql").glob("[0-9][0-9][0-9][0-9]_*.sql"))]
    for before, file in pairwise(files):
        assert file is not None
        module = ModuleType(file.stem)
        module.__dict__.update(
            __doc__=f"Run sql/{file.name}.",
            revision=_number(file),
            down_revision=before and _number(before),
            upgrade=_upgrade_by(file),
        )
        yield Script(module, _number(file), str(file))


def _number(file: Path) -> str:
    return file.name[:4]


def _upgrade_by(file: Path) -> Callable[[], None]:
    """Return what runs a file as the role that migrates.

    One that makes objects names activity_owner itself.
    """

    def upgrade() -> None:
        # The driver's own cursor: in SQLAlchemy's text() a ':' in the file would be a parameter.
        cursor = op.get_bind().connection.cursor()
        cursor.execute(file.read_text())
        cursor.execute("reset role")

    return upgrade
