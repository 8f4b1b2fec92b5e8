"""What else an answer said: what ranked, whether it fits, notes.

The column is added in place: to make the table anew would, in SQLite, delete the rows that hang on it.
"""

import sqlalchemy as sa
from alembic import op

from rectune.serving.store import columns

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """To this revision."""
    op.add_column("recommendations", sa.Column("told", columns.Json(), nullable=True))


def downgrade() -> None:
    """Back to the one before."""
    op.drop_column("recommendations", "told")
