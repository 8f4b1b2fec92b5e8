"""When the server got feedback, which may be older itself; what is kept for some days counts from then."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """To this revision."""
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("feedback", sa.Column("received", kind, nullable=True))


def downgrade() -> None:
    """Back to the one before."""
    op.drop_column("feedback", "received")
