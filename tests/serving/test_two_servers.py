"""Two server processes of one PostgreSQL database: whatever is said to one holds at the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import two_servers
from tests.serving.store.postgres_server import running


@pytest.mark.slow
def test_two_processes_of_one_database_are_one_service(tmp_path: Path):
    with running() as postgres, two_servers.pair(postgres.make("two"), tmp_path) as both:
        one, two = both.clients
        two_servers.feedback_counts(one, two, "ann")
        two_servers.answers_go_on(one, two, "ann")
        two_servers.items_reach_both(two, one)
        two_servers.sessions_hold(one, two)
        two_servers.keys_are_revoked(both)
