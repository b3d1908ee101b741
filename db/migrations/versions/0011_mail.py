"""Run sql/0011_mail.sql."""

from db.migrations import run

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run the file."""
    run("0011_mail")
