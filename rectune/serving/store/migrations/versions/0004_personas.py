"""What a persona holds besides its claims, and what it was before.

The table is made anew: nothing refers to it, and no earlier version of the program wrote a row.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from rectune.serving.store import columns

revision = "0004"
down_revision = "0003"

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """To this revision."""
    op.drop_table("personas")
    portrait = [("portrait", columns.Json()), ("worded_by", columns.PlainText())]
    more = [*portrait, ("version", INTEGER), ("basis", columns.PlainText())]
    make_personas(*more)
    op.create_table(
        "persona_versions",
        sa.Column("user_id", INTEGER, nullable=False),
        sa.Column("version", INTEGER, autoincrement=False, nullable=False),
        sa.Column("claims", columns.Json(), nullable=False),
        *(sa.Column(name, kind, nullable=False) for name, kind in portrait),
        sa.Column("created", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_persona_versions_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "version", name="pk_persona_versions"),
    )


def downgrade() -> None:
    """Back to the one before."""
    op.drop_table("persona_versions")
    op.drop_table("personas")
    make_personas()


def make_personas(*more: tuple[str, sa.types.TypeEngine[Any]]) -> None:
    """The table, with these columns besides."""
    op.create_table(
        "personas",
        sa.Column("user_id", INTEGER, nullable=False),
        sa.Column("claims", columns.Json(), nullable=False),
        *(sa.Column(name, kind, nullable=False) for name, kind in more),
        sa.Column("created", INTEGER, nullable=False),
        sa.Column("updated", INTEGER, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_personas_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name="pk_personas"),
    )
