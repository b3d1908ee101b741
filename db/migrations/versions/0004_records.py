"""Run sql/0004_records.sql."""

from db.migrations import run

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the file."""
    run("0004_records")
