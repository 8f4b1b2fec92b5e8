"""Alembic's environment (`env.py`) and the revisions of the tables, one file each."""
