"""First tables."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from rectune.serving.store import columns

revision = "0001"
down_revision = None

TEXT, JSON = columns.PlainText(), columns.Json()
INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLES = (
    "users",
    "sessions",
    "personal_codes",
    "catalogue_versions",
    "items",
    "recommendations",
    "recommended_items",
    "feedback",
    "api_keys",
    "jobs",
    "personas",
    "chats",
    "messages",
    "memory_facts",
)


def column(name: str, kind: Any, **options: Any) -> sa.Column[Any]:
    """A column that always holds something."""
    return sa.Column(name, kind, nullable=False, **options)


def maybe(name: str, kind: Any) -> sa.Column[Any]:
    """A column that may be empty."""
    return sa.Column(name, kind, nullable=True)


def upgrade() -> None:
    """To this revision."""
    make_users()
    make_catalogue()
    make_recommendations()
    make_work()
    make_conversations()


def downgrade() -> None:
    """Back to no tables."""
    for table in reversed(TABLES):
        op.drop_table(table)


def make_users() -> None:
    """Users, and how they are known again."""
    op.create_table(
        "users",
        column("id", INTEGER),
        column("external_id", TEXT),
        column("created", INTEGER),
        column("updated", INTEGER),
        column("locale", TEXT),
        maybe("age_band", TEXT),
        maybe("sex", TEXT),
        maybe("occupation", TEXT),
        column("tastes", JSON),
        maybe("consented", INTEGER),
        column("without_profile", sa.Boolean()),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("external_id", name="uq_users_external_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sessions",
        column("id", INTEGER),
        column("user_id", INTEGER),
        column("token_sha256", TEXT),
        column("created", INTEGER),
        column("last_seen", INTEGER),
        column("expires", INTEGER),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("token_sha256", name="uq_sessions_token_sha256"),
    )
    op.create_index("ix_sessions_expires", "sessions", ["expires"])
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "personal_codes",
        column("user_id", INTEGER),
        column("code_sha256", TEXT),
        column("created", INTEGER),
        maybe("used", INTEGER),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_personal_codes_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name="pk_personal_codes"),
        sa.UniqueConstraint("code_sha256", name="uq_personal_codes_code_sha256"),
    )


def make_catalogue() -> None:
    """Items."""
    op.create_table(
        "catalogue_versions",
        column("version", INTEGER),
        column("created", INTEGER),
        column("upserted", INTEGER),
        column("deleted", JSON),
        sa.PrimaryKeyConstraint("version", name="pk_catalogue_versions"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "items",
        column("item_id", TEXT),
        column("title", TEXT),
        column("search_title", TEXT),
        column("categories", JSON),
        column("description", TEXT),
        maybe("year", INTEGER),
        column("facts", JSON),
        column("image", TEXT),
        column("hidden", sa.Boolean()),
        column("version", INTEGER),
        column("updated", INTEGER),
        sa.ForeignKeyConstraint(["version"], ["catalogue_versions.version"], name="fk_items_version"),
        sa.PrimaryKeyConstraint("item_id", name="pk_items"),
    )
    op.create_index("ix_items_search_title", "items", ["search_title"])
    op.create_index("ix_items_version", "items", ["version"])


def make_recommendations() -> None:
    """What was shown, and what was said to it."""
    op.create_table(
        "recommendations",
        column("id", TEXT),
        maybe("user_id", INTEGER),
        maybe("previous", TEXT),
        column("request", JSON),
        column("strategy", TEXT),
        column("created", INTEGER),
        column("took_ms", INTEGER),
        sa.ForeignKeyConstraint(
            ["previous"], ["recommendations.id"], name="fk_recommendations_previous", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_recommendations_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_recommendations"),
    )
    op.create_index("ix_recommendations_created", "recommendations", ["created"])
    op.create_index("ix_recommendations_previous", "recommendations", ["previous"])
    op.create_index("ix_recommendations_user_id", "recommendations", ["user_id"])
    op.create_table(
        "recommended_items",
        column("recommendation_id", TEXT),
        column("place", INTEGER, autoincrement=False),
        column("item_id", TEXT),
        maybe("score", sa.Double()),
        column("reason", TEXT),
        column("reason_by", TEXT),
        column("evidence", JSON),
        sa.ForeignKeyConstraint(
            ["recommendation_id"],
            ["recommendations.id"],
            name="fk_recommended_items_recommendation_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("recommendation_id", "place", name="pk_recommended_items"),
    )
    op.create_table(
        "feedback",
        column("id", INTEGER),
        column("user_id", INTEGER),
        column("item_id", TEXT),
        column("type", TEXT),
        maybe("value", sa.Double()),
        column("time", INTEGER),
        maybe("recommendation_id", TEXT),
        sa.CheckConstraint(
            "type IN ('seen', 'like', 'dislike', 'click', 'hide')", name=op.f("ck_feedback_type")
        ),
        sa.ForeignKeyConstraint(
            ["recommendation_id"],
            ["recommendations.id"],
            name="fk_feedback_recommendation_id",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_feedback_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.UniqueConstraint("user_id", "item_id", "type", name="uq_feedback_user_id_item_id_type"),
    )
    op.create_index("ix_feedback_recommendation_id", "feedback", ["recommendation_id"])
    op.create_index("ix_feedback_time", "feedback", ["time"])
    op.create_index("ix_feedback_user_id_type_time", "feedback", ["user_id", "type", "time"])


def make_work() -> None:
    """Keys of the API, and work in the background."""
    op.create_table(
        "api_keys",
        column("id", TEXT),
        column("name", TEXT),
        column("secret_sha256", TEXT),
        column("scopes", JSON),
        column("created", INTEGER),
        maybe("revoked", INTEGER),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("name", name="uq_api_keys_name"),
    )
    op.create_table(
        "jobs",
        column("id", INTEGER),
        maybe("user_id", INTEGER),
        column("kind", TEXT),
        column("state", TEXT),
        column("attempts", INTEGER),
        column("progress", INTEGER),
        maybe("total", INTEGER),
        column("error", TEXT),
        column("payload", JSON),
        column("created", INTEGER),
        maybe("started", INTEGER),
        maybe("finished", INTEGER),
        maybe("heartbeat", INTEGER),
        sa.CheckConstraint("state IN ('queued', 'running', 'done', 'failed')", name=op.f("ck_jobs_state")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_jobs_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_state_id", "jobs", ["state", "id"])
    op.create_index("ix_jobs_user_id", "jobs", ["user_id"])


def make_conversations() -> None:
    """What is known of users by conversations."""
    op.create_table(
        "personas",
        column("user_id", INTEGER),
        column("claims", JSON),
        column("created", INTEGER),
        column("updated", INTEGER),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_personas_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name="pk_personas"),
    )
    op.create_table(
        "chats",
        column("id", TEXT),
        column("user_id", INTEGER),
        column("created", INTEGER),
        column("updated", INTEGER),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_chats_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_chats"),
    )
    op.create_index("ix_chats_updated", "chats", ["updated"])
    op.create_index("ix_chats_user_id", "chats", ["user_id"])
    op.create_table(
        "messages",
        column("id", INTEGER),
        column("chat_id", TEXT),
        column("role", TEXT),
        column("text", TEXT),
        column("items", JSON),
        column("created", INTEGER),
        sa.CheckConstraint("role IN ('user', 'assistant')", name=op.f("ck_messages_role")),
        sa.ForeignKeyConstraint(["chat_id"], ["chats.id"], name="fk_messages_chat_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_messages_chat_id", "messages", ["chat_id"])
    op.create_table(
        "memory_facts",
        column("id", INTEGER),
        column("user_id", INTEGER),
        column("message_id", INTEGER),
        column("quote", TEXT),
        column("text", TEXT),
        column("created", INTEGER),
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
