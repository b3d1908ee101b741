"""Run sql/0015_backlog.sql."""

from db.migrations import run

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Run the file."""
    run("0015_backlog")
