"""A message is a whole turn, and a fact what `rectune.dialogue` knows of it.

Nothing wrote these tables before, so they are made anew; the way back loses conversations.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

from rectune.serving.store import columns

revision = "0005"
down_revision = "0004"

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT, JSON = columns.PlainText(), columns.Json()
KINDS = ("like", "avoid", "want", "not_now", "seen", "mood", "occasion", "company", "time")


def upgrade() -> None:
    """To this revision."""
    _drop()
    texts = ("focus", "ask", "query", "question", "locale", "worded_by")
    _make_messages(
        sa.Column("text", TEXT, nullable=False),
        sa.Column("answer", JSON, nullable=False),
        sa.Column("items", JSON, nullable=False),
        *(sa.Column(name, TEXT, nullable=False) for name in texts),
        sa.Column("created", INTEGER, nullable=False),
    )
    allowed = ", ".join(repr(kind) for kind in KINDS)
    _make_facts(
        *(sa.Column(name, TEXT, nullable=False) for name in ("kind", "value", "quote", "item_id")),
        sa.Column("created", INTEGER, nullable=False),
        sa.Column("ends", INTEGER, nullable=True),
        sa.CheckConstraint(f"kind IN ({allowed})", name=op.f("ck_memory_facts_kind")),
    )
    op.create_index("ix_memory_facts_ends", "memory_facts", ["ends"])


def downgrade() -> None:
    """Back to the one before."""
    _drop()
    _make_messages(
        sa.Column("role", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("items", JSON, nullable=False),
        sa.Column("created", INTEGER, nullable=False),
        sa.CheckConstraint("role IN ('user', 'assistant')", name=op.f("ck_messages_role")),
    )
    _make_facts(
        sa.Column("quote", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("created", INTEGER, nullable=False),
    )


def _drop() -> None:
    op.drop_table("memory_facts")
    op.drop_table("messages")


def _make_messages(*own: SchemaItem) -> None:
    op.create_table(
        "messages",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("chat_id", TEXT, nullable=False),
        *own,
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name="fk_messages_chat_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_messages_chat_id", "messages", ["chat_id"])


def _make_facts(*own: SchemaItem) -> None:
    op.create_table(
        "memory_facts",
        sa.Column("id", INTEGER, nullable=False),
        sa.Column("user_id", INTEGER, nullable=False),
        sa.Column("message_id", INTEGER, nullable=False),
        *own,
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_memory_facts_message_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_memory_facts_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_memory_facts"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_memory_facts_message_id", "memory_facts", ["message_id"])
    op.create_index("ix_memory_facts_user_id", "memory_facts", ["user_id"])
