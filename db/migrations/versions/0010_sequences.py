"""Run sql/0010_sequences.sql."""

from db.migrations import run

revision = "0010"
down_revision = "0004"


def upgrade() -> None:
    """Run the file."""
    run("0010_sequences")
