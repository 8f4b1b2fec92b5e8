"""Runs revisions on the connection that `migrate.py` gives, within its transaction.

Alembic's own command, which writes new revisions in a checkout, names the database by `-x url=…`.
"""

from alembic import context
from sqlalchemy import Connection

from rectune.serving.store.address import parse_address
from rectune.serving.store.engines import make_engine, writing_engine
from rectune.serving.store.migrate import VERSION_TABLE
from rectune.serving.store.tables import Base


def run(connection: Connection) -> None:
    """Everything in the transaction that is open: SQLite too undoes changes of tables."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        compare_server_default=True,
        user_module_prefix="columns.",
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    place = context.get_x_argument(as_dictionary=True)["url"]
    with writing_engine(make_engine(parse_address(place))).begin() as connection:
        run(connection)
