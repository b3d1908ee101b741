"""Run sql/0013_playbooks.sql."""

from db.migrations import run

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run the file."""
    run("0013_playbooks")
