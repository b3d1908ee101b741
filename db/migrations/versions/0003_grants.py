"""Run sql/0003_grants.sql."""

from db.migrations import run

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the file."""
    run("0003_grants")
