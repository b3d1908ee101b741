"""Run sql/0012_enrichment.sql."""

from db.migrations import run

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run the file."""
    run("0012_enrichment")
