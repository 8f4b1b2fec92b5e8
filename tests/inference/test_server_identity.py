"""What stands for a server's model in the generation cache and in provenance."""

from __future__ import annotations

import pytest

from rectune.core.errors import UserError
from rectune.core.settings import SamplingConfig
from rectune.inference.server import ServerBackend

from .openai_stand_in import MODEL, Say, StandIn, refusal
from .server_helpers import QUICK, ask, listed


def identity(server: StandIn, address: str = "", model: str = MODEL) -> str:
    return ServerBackend(address or server.address, model, QUICK).identity()


def test_identity_is_address_name_and_what_the_server_tells_of_the_model() -> None:
    meta = {"n_params": 7, "size": 9, "n_ctx": 4096}
    with StandIn(pages=listed(created=1, root="a", permission=[{"id": "x1"}], meta=meta)) as server:
        found = identity(server)
        assert identity(server, f"{server.address}/".replace("http", "HTTP")) == found
        assert identity(server, model="another") != found
        again = listed(created=2, root="a", permission=[{"id": "x2"}], meta=meta | {"n_ctx": 8192})
        server.pages |= again
        assert identity(server) == found
        for changed in ({"root": "b"}, {"meta": meta | {"size": 10}}):
            server.pages |= listed(**({"root": "a", "meta": meta} | changed))
            assert identity(server) != found
        with StandIn(pages=again) as other:
            assert identity(other) != found


@pytest.mark.parametrize(
    "page", [Say(content=b"<html>"), Say(content=[]), Say(content={"data": [1, {"id": 2}]})]
)
def test_a_list_of_models_that_is_rubbish_tells_nothing(page: Say) -> None:
    with (
        StandIn(pages={"/v1/models": page}) as server,
        StandIn(pages={"/v1/models": refusal(403, "no")}) as mute,
    ):
        mute_identity = identity(mute, f"http://127.0.0.1:{mute.port}/v1")
        assert identity(server) == identity(server)
        assert identity(server) != mute_identity


def test_a_model_that_changes_behind_its_name_is_noticed() -> None:
    with StandIn(pages=listed(root="a")) as server, ServerBackend(server.address, MODEL, QUICK) as backend:
        backend.identity()
        server.pages |= listed(root="b")
        with pytest.raises(UserError, match="another model"):
            backend.generate([ask("hi")], lambda answer: pytest.fail(f"got {answer}"))
        assert server.asked == []


@pytest.mark.parametrize(
    ("pages", "engine", "quantisation"),
    [
        (listed(), "openai-compatible", "unknown"),
        (
            listed(owned_by="llamacpp", meta={"ftype": "Q4_K - Medium"})
            | {"/props": Say(content={"build_info": "b42-ab"})},
            "llama-server b42-ab",
            "Q4_K - Medium",
        ),
        (
            listed(owned_by="vllm") | {"/version": Say(content={"version": "0.11.0"})},
            "vLLM 0.11.0",
            "unknown",
        ),
        (listed(owned_by="vllm") | {"/version": Say(content=b"?")}, "vLLM", "unknown"),
        (listed(owned_by="llamacpp") | {"/props": refusal(500, "busy")}, "llama-server", "unknown"),
    ],
)
def test_provenance_names_model_server_and_software(
    pages: dict[str, Say], engine: str, quantisation: str
) -> None:
    with StandIn(pages=pages) as server:
        found = ServerBackend(server.address, MODEL, QUICK).provenance(SamplingConfig(), 3)
        assert found.model == f"{MODEL}@127.0.0.1:{server.port}/v1"
        assert (found.engine, found.quantisation, found.seed) == (engine, quantisation, 3)
        assert '"top_k":40' in found.sampling


def test_the_only_model_of_a_server_answers_to_any_name() -> None:
    def page(*roots: str) -> dict[str, Say]:
        return {
            "/v1/models": Say(content={"data": [{"id": f"model of {root}", "root": root} for root in roots]})
        }

    with StandIn(pages=page("a")) as server:
        found = identity(server)
        server.pages |= page("b")
        assert identity(server) != found
        server.pages |= page("a", "b")
        unnamed = identity(server)
        server.pages |= page("a", "c")
        assert identity(server) == unnamed
