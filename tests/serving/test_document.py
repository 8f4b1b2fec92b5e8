"""The API does what its OpenAPI document says, whatever is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rectune.recommender.recommender import Recommender
from tests.serving.world import Author, world

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 25  # of each operation


def tried(operation: Any) -> set[int]:
    """Send examples of an operation and check the answers; gives their statuses."""
    found: set[int] = set()

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        found.add(case.call_and_validate(checks=CHECKS).status_code)

    check()
    return found


@pytest.mark.slow
def test_whatever_is_sent_answers_are_those_of_the_document(wordy: Recommender, tmp_path: Path):
    with world(wordy, tmp_path, Author(), allowed_hosts=("testserver",)) as server:
        schema = schemathesis.openapi.from_asgi("/openapi.json", server.client.app)
        operations = [found.ok() for found in schema.get_all_operations()]
        assert len(operations) >= 19
        statuses: dict[str, set[int]] = {}
        for operation in operations:
            statuses[operation.label] = tried(operation)
        assert all(any(status < 500 for status in some) for some in statuses.values())
        assert sum(200 in some or 201 in some for some in statuses.values()) >= 8, statuses
