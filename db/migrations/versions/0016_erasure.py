"""Run sql/0016_erasure.sql."""

from db.migrations import run

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Run the file."""
    run("0016_erasure")
