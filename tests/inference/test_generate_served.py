"""Stages and servers: answers through the generation cache, provenance, and the limit of failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.core.settings import EngineConfig
from rectune.inference.generate import ServedModel, generate, missing, provenance

from .openai_stand_in import MODEL, Say, Seen, StandIn, completion, echo, refusal
from .server_helpers import LIKED, PLAIN, QUICK, ask

ENGINE = EngineConfig(context=256, max_num_seqs=1, threads=1)


def test_what_a_server_answered_is_not_asked_twice(tmp_path: Path) -> None:
    requests = [ask(f"{film} {number}") for number, film in enumerate(LIKED)]
    with StandIn(echo) as server:
        model = ServedModel(server.address, MODEL, QUICK)
        first = generate(model, requests[:3], ENGINE, tmp_path / "generations.sqlite", "trial")
        assert [
            left.id for left in missing(model, requests, EngineConfig(), tmp_path / "generations.sqlite")
        ] == [request.id for request in requests[3:]]
        every = generate(model, requests, ENGINE, tmp_path / "generations.sqlite", "trial")
        other = ServedModel(server.address, "another-name", QUICK)
        assert len(missing(other, requests, EngineConfig(), tmp_path / "generations.sqlite")) == len(requests)
        source = provenance(model, PLAIN, 5)
    assert every[:3] == first and len({answer.text for answer in every}) == 5
    assert source.model.startswith(f"{MODEL}@127.0.0.1") and source.seed == 5


def test_more_failures_than_may_be_end_the_stage_and_keep_what_was_answered(tmp_path: Path) -> None:
    def picky(seen: Seen) -> Say:
        return refusal(400, "no such luck") if seen.text.startswith(("A", "H")) else completion("fine")

    requests = [ask(f"{film} once more") for film in LIKED]
    generation_cache = tmp_path / "generations.sqlite"
    with StandIn(picky) as server:
        model = ServedModel(server.address, MODEL, QUICK)
        answers = generate(model, requests, ENGINE, generation_cache, "trial", failures=0.4)
        assert [answer.finish for answer in answers] == ["error", "error", "stop", "stop", "stop"]
        with pytest.raises(UserError, match=r"2 of 5 requests failed, the first because: .*no such luck"):
            generate(model, requests, ENGINE, generation_cache, "trial", failures=0.39)
        assert len(missing(model, requests, EngineConfig(), generation_cache)) == 2
