"""Run sql/0001_roles.sql."""

from db.migrations import run

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the file."""
    run("0001_roles")
