"""Run sql/0014_access.sql."""

from db.migrations import run

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run the file."""
    run("0014_access")
