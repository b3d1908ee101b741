"""Run sql/0002_log.sql."""

from db.migrations import run

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the file."""
    run("0002_log")
