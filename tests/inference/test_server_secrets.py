"""The key goes to the server's address, in one header, and nowhere else."""

from __future__ import annotations

import logging

import pytest

from rectune.core.errors import UserError
from rectune.core.settings import RemoteConfig
from rectune.inference.server import ServerBackend

from .openai_stand_in import MODEL, Say, StandIn, refusal
from .server_helpers import PLAIN, QUICK, answers, ask, failure, hurry, listed


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    for name in ("RECTUNE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


SECRET = "sk-Very/Secret+0123456789"


@pytest.mark.parametrize(
    ("names", "sent"), [(("OPENAI",), "OPENAI"), (("RECTUNE", "OPENAI"), "RECTUNE"), ((), "")]
)
def test_the_key_comes_from_the_environment(
    names: tuple[str, ...], sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in names:
        monkeypatch.setenv(f"{name}_API_KEY", f"key-of-{name}\n")
    with StandIn() as server:
        answers(server, [ask("hi")])
        keys = {seen.headers.get("Authorization") for seen in server.seen}
        assert keys == {f"Bearer key-of-{sent}" if sent else None}


def test_the_key_is_in_the_header_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("RECTUNE_API_KEY", SECRET)
    props = Say(content={"build_info": f"b1 {SECRET}"})
    pages = listed(owned_by="llamacpp", meta={"ftype": f"Q4 {SECRET}"}) | {"/props": props}
    told: list[str] = []
    with StandIn(lambda seen: refusal(int(seen.text), f"{'x' * 180} bad key {SECRET}"), pages) as server:
        backend = ServerBackend(server.address, MODEL, RemoteConfig(retries=1))
        backend.generate([ask("400"), ask("500")], lambda answer: told.append(repr(answer)))
        for status in ("401", "403", "404", "308"):
            told.append(failure(server.address, [ask(status)]))
        told += [
            repr(backend),
            repr(vars(ServerBackend(server.address, MODEL, QUICK))),
            backend.identity(),
            repr(backend.provenance(PLAIN, 1)),
        ]
        assert all(seen.headers["Authorization"] == f"Bearer {SECRET}" for seen in server.seen)
        assert not any(SECRET in f"{seen.path}{seen.body}" for seen in server.seen)
    written = capsys.readouterr()
    said = "".join((*told, caplog.text, written.out, written.err))
    assert "bad key" in said
    assert SECRET[:8] not in said


def test_nobody_but_the_address_gets_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECTUNE_API_KEY", SECRET)
    with StandIn() as other:
        moved = refusal(307, "moved", Location=f"{other.address}/chat/completions")
        with StandIn(lambda seen: moved) as server:
            failure(server.address, [ask("hi")])
        with StandIn(pages={"/v1/models": moved}) as server:
            failure(server.address, [ask("hi")])
        assert other.seen == []


def test_what_the_environment_holds_for_others_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("ORG_ID", "PROJECT_ID", "ADMIN_KEY", "WEBHOOK_SECRET", "BASE_URL")
    for name in names:
        monkeypatch.setenv(f"OPENAI_{name}", "http://hunter2.test")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer hunter2\nX-Mine: hunter2")
    with StandIn() as server:
        answers(server, [ask("hi")])
        assert "hunter2" not in "".join(f"{seen.path}{seen.headers}{seen.body}" for seen in server.seen)


def test_a_key_that_is_none_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abc\ndef")
    with pytest.raises(UserError) as caught:
        ServerBackend("http://localhost/v1", MODEL, QUICK)
    assert "OPENAI_API_KEY" in str(caught.value)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["", "localhost:8080/v1", "ftp://host/v1", "http://", "http://[::1", "models/x.gguf"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UserError, match="no http or https address"):
        ServerBackend(address, MODEL, QUICK)


@pytest.mark.parametrize(
    "address", ["http://me:hunter2@host/v1", "http://host/v1?key=hunter2", "http://host/v1#hunter2"]
)
def test_secrets_in_the_address_are_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(UserError, match="RECTUNE_API_KEY") as caught:
        ServerBackend(address, MODEL, QUICK)
    assert "hunter2" not in str(caught.value)
