"""The service's database: its users, what they were shown and said, the catalogue, work to be done.

`database.open_database` opens SQLite or PostgreSQL and brings its tables up to date; the other files hold the
functions of one subject each. They take the session of `Database.reading()` or `Database.writing()`.
"""

from rectune.core.extras import require

require((module, "the service's database") for module in ("sqlalchemy", "alembic"))
