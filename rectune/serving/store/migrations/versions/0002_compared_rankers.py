"""Which of two compared rankers made an answer."""

import sqlalchemy as sa
from alembic import op

from rectune.serving.store import columns

revision = "0002"
down_revision = "0001"

COLUMNS = ("experiment", "arm")


def upgrade() -> None:
    """To this revision."""
    for name in COLUMNS:  # SQLite adds one at a time; a new table would take the answers' items with it
        op.add_column("recommendations", sa.Column(name, columns.PlainText(), nullable=True))


def downgrade() -> None:
    """Back to the one before."""
    for name in reversed(COLUMNS):
        op.drop_column("recommendations", name)
