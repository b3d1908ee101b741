"""Numbered revisions, each one readable .sql file: up only, and never edited once released."""

from pathlib import Path

from alembic import op


def run(name: str) -> None:
    """Run sql/<name>.sql as the role that migrates; a file that makes objects says SET ROLE activity_owner itself."""
    # The driver's own cursor: in SQLAlchemy's text() a ':' in the file would be a parameter.
    cursor = op.get_bind().connection.cursor()
    cursor.execute((Path(__file__).parent / "sql" / f"{name}.sql").read_text())
    cursor.execute("reset role")
