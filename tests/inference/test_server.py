"""A model behind a server: what is sent, what is read, and what is left out where there is no room."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from rectune.core.settings import RemoteConfig, SamplingConfig
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.server import ServerBackend

from .openai_stand_in import MODEL, Say, Seen, StandIn, completion, echo, refusal
from .server_helpers import LIKED, PLAIN, QUICK, answers, ask, failure, first, hurry, listed


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    for name in ("RECTUNE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_every_request_is_answered_once_in_the_callers_thread_with_the_servers_counts() -> None:
    threads: set[int] = set()
    found: dict[str, GenerationResult] = {}

    def keep(answer: GenerationResult) -> None:
        threads.add(threading.get_ident())
        found[answer.id] = answer

    with StandIn() as server, ServerBackend(server.address, MODEL, QUICK) as backend:
        backend.generate([ask(film) for film in LIKED], keep)
        backend.generate([ask("more")], keep)
        backend.generate([], keep)
    assert threads == {threading.get_ident()}
    assert found == {text: GenerationResult(text, text.upper(), "stop", 7, 3) for text in (*LIKED, "more")}


def test_a_running_event_loop_is_no_hindrance() -> None:
    async def inside(server: StandIn) -> None:
        threads: set[int] = set()
        with ServerBackend(server.address, MODEL, QUICK) as backend:
            assert backend.identity()
            backend.generate([ask(film) for film in LIKED], lambda _: threads.add(threading.get_ident()))
            with pytest.raises(OSError, match="disk full"):
                backend.generate([ask("more")], full)
        assert threads == {threading.get_ident()}

    def full(answer: GenerationResult) -> None:
        raise OSError("disk full")

    with StandIn() as server:
        asyncio.run(inside(server))
        assert len(server.asked) == len(LIKED) + 1


def test_as_many_requests_are_in_flight_as_the_settings_say() -> None:
    with StandIn(lambda seen: replace(echo(seen), delay=0.05)) as server:
        answers(server, [ask(str(number)) for number in range(12)], RemoteConfig(concurrency=3))
        assert server.most == 3


def test_what_each_kind_of_server_is_sent() -> None:
    sampling = SamplingConfig(
        max_tokens=9, temperature=0.5, top_k=3, top_p=0.9, min_p=0.1, repeat_penalty=1.2
    )
    common = {
        "model": MODEL,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "stop": ["\n"],
        "seed": 5,
    } | {"max_tokens": 9, "temperature": 0.5, "top_k": 3, "top_p": 0.9, "min_p": 0.1}
    penalties = {
        "llamacpp": {"repeat_penalty": 1.2},
        "vllm": {"repetition_penalty": 1.2},
        "somebody": {"repeat_penalty": 1.2, "repetition_penalty": 1.2},
    }
    for owner, penalty in penalties.items():
        with StandIn(pages=listed(owned_by=owner)) as server:
            answers(server, [ask("hi", sampling, stop=("\n",))])
            assert server.asked[0].body == common | penalty


def test_no_repetition_penalty_is_sent_as_one() -> None:
    with StandIn(pages=listed(owned_by="llamacpp")) as server:
        answers(server, [ask("hi", SamplingConfig(repeat_penalty=0.0))])
        assert server.asked[0].body["repeat_penalty"] == 1.0


@pytest.mark.parametrize(
    ("told", "finish"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "error"), ("tool_calls", "error")],
)
def test_finish_reasons(told: str, finish: str) -> None:
    with StandIn(lambda seen: completion("well", told, tokens=96)) as server:
        answer = answers(server, [ask("hi")])["hi"]
        assert (answer.finish, answer.tokens, len(server.asked)) == (finish, 96, 1)
        assert (told in answer.error, answer.text) == ((True, "") if finish == "error" else (False, "well"))


@pytest.mark.parametrize(
    "usage", [None, [], {"completion_tokens": "3", "prompt_tokens": -1}, {"prompt_tokens": 1e99}]
)
def test_counts_that_are_none_are_zero(usage: Any) -> None:
    content = completion("well").content | {"usage": usage}
    with StandIn(lambda seen: Say(content=content)) as server:
        assert answers(server, [ask("hi")])["hi"] == GenerationResult("hi", "well", "stop", 0, 0)


def liking(entries: Sequence[str] = LIKED) -> GenerationRequest:
    return ask(f"Liked: {'; '.join(entries)}. Next?", history=tuple(entries))


def room_for(words: int, refuse: Say) -> Callable[[Seen], Say]:
    return lambda seen: refuse if len(seen.text.split()) > words else echo(seen)


TOO_LONG = [
    refusal(400, "request (9412 tokens) exceeds the available context size (8192 tokens), try increasing it"),
    refusal(400, "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"),
    Say(400, {"error": {"message": "Too much", "code": "context_length_exceeded"}}),
    Say(
        422,
        {
            "error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096",
            "error_type": "x",
        },
    ),
    Say(400, {"object": "error", "message": "The prompt is too long for max_model_len", "code": 400}),
    completion("Because", "length", prompt_tokens=90, tokens=6),  # of 96: the context was full
]


@pytest.mark.parametrize("refuse", TOO_LONG)
def test_the_oldest_entries_are_left_out_until_there_is_room(refuse: Say) -> None:
    with StandIn(room_for(4, refuse)) as server:
        answer = answers(server, [liking()])[liking().id]
        assert (answer.text, answer.left_out) == ("LIKED: BRAZIL; RAN. NEXT?", 3)
        assert [seen.text.count(";") for seen in server.asked] == [4, 3, 2, 1]


def test_the_last_entry_is_never_left_out() -> None:
    with StandIn(room_for(2, TOO_LONG[0])) as server:
        answer = answers(server, [liking()])[liking().id]
        assert (answer.finish, answer.text) == ("error", "")
        assert "no room" in answer.error
        assert server.asked[-1].text == "Liked: Ran. Next?"
        without = answers(server, [ask("a request without a history")])
        assert "no room" in without["a request without a history"].error
        assert server.asked[-1].number == 1


def test_a_refusal_for_now_is_no_reason_to_leave_anything_out() -> None:
    with StandIn(first(refusal(500, "Context size has been exceeded."))) as server:
        answer = answers(server, [liking()])[liking().id]
        assert (answer.left_out, answer.finish) == (0, "stop")


def test_a_refusal_for_another_reason_is_none_either() -> None:
    with StandIn(lambda seen: refusal(400, "not today")) as server:
        assert "not today" in answers(server, [liking()])[liking().id].error
        assert len(server.asked) == 1


def strict(*unknown: str) -> Callable[[Seen], Say]:
    """A server that refuses fields it does not know, one at a time."""

    def chat(seen: Seen) -> Say:
        found = [name for name in unknown if name in seen.body]
        return refusal(400, f"Unrecognized request argument supplied: {found[0]}") if found else echo(seen)

    return chat


def test_unknown_fields_that_ask_for_nothing_are_left_out() -> None:
    unknown = ("top_k", "min_p", "repeat_penalty", "repetition_penalty")
    with StandIn(strict(*unknown)) as server:
        found = answers(server, [ask(film) for film in LIKED], RemoteConfig(concurrency=1))
        assert {answer.text for answer in found.values()} == {film.upper() for film in LIKED}
        assert len(server.asked) == len(unknown) + len(LIKED)  # each is refused once


@pytest.mark.parametrize(
    "field", [{"top_k": 40}, {"min_p": 0.05}, {"repeat_penalty": 1.1}, {"temperature": 0.0}]
)
def test_unknown_fields_that_ask_for_something_are_an_error(field: dict[str, Any]) -> None:
    names = [*field, "repetition_penalty"] if "repeat_penalty" in field else [*field]
    with StandIn(strict(*names)) as server:
        complaint = failure(server.address, [ask("hi", PLAIN.model_copy(update=field))])
        assert f"does not know {names[0]}" in complaint
        assert f"set {names[0]} to" in complaint


def test_a_penalty_that_a_server_should_know_and_does_not_is_an_error() -> None:
    wanted = ask("hi", PLAIN.model_copy(update={"repeat_penalty": 1.1}))
    with StandIn(strict("repetition_penalty"), listed(owned_by="vllm")) as server:
        assert "set repeat_penalty to 1.0" in failure(server.address, [wanted])


def test_one_of_two_names_for_the_penalty_is_enough() -> None:
    with StandIn(strict("repeat_penalty")) as server:
        answers(server, [ask("hi", PLAIN.model_copy(update={"repeat_penalty": 1.1}))])
        assert server.asked[-1].body["repetition_penalty"] == 1.1


def test_a_server_without_seeds_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    with StandIn(strict("seed")) as server:
        answers(server, [ask(film) for film in LIKED])
    assert capsys.readouterr().err.count("knows no seeds") == 1


def test_a_newer_name_for_the_token_limit_is_taken_up() -> None:
    words = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead."
    )
    with StandIn(lambda seen: refusal(400, words) if "max_tokens" in seen.body else echo(seen)) as server:
        assert answers(server, [ask("hi")])["hi"].text == "HI"
        assert server.asked[-1].body["max_completion_tokens"] == PLAIN.max_tokens


def test_an_answer_that_was_begun_is_gone_on_with() -> None:
    opening = "Because you liked it, "
    replies = {"plain": "you will", "repeats": f"{opening}you will", "trims": f"{opening.strip()} you will"}
    with StandIn(lambda seen: completion(replies[seen.text])) as server:
        found = answers(server, [ask(kind, prefill=opening) for kind in replies])
        assert [found[kind].text.strip() for kind in replies] == ["you will"] * 3
        sent = server.asked[0].body
    assert sent["messages"][-1] == {"role": "assistant", "content": opening}
    assert (sent["continue_final_message"], sent["add_generation_prompt"]) == (True, False)


def test_a_server_that_cannot_go_on_with_an_answer_is_an_error() -> None:
    with StandIn(strict("continue_final_message")) as server:
        assert "begun" in failure(server.address, [ask("hi", prefill="Because")])
        assert answers(server, [ask("hi")])["hi"].text == "HI"


def test_stop_strings_hold_where_the_server_does_not_keep_to_them() -> None:
    with StandIn(lambda seen: completion("one\ntwo; three", "length", tokens=96)) as server:
        answer = answers(server, [ask("hi", stop=(";", "\n"))])["hi"]
        assert (answer.text, answer.finish) == ("one", "stop")


def test_grammars_are_for_llama_server_only() -> None:
    wanted = ask("hi", grammar='root ::= "yes"')
    with StandIn(pages={"/v1/models": Say(content={}, headers={"Server": "llama.cpp"})}) as server:
        answers(server, [wanted])
        assert server.asked[0].body["grammar"] == 'root ::= "yes"'
    with StandIn(pages=listed(owned_by="vllm")) as server:
        assert "grammars" in failure(server.address, [ask("without"), wanted])
        assert server.asked == []


SCHEMA = '{"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}'


def test_a_json_schema_is_sent_to_any_server_and_one_that_does_not_know_it_is_an_error() -> None:
    wanted = ask("hi", json_schema=SCHEMA)
    with StandIn(pages=listed(owned_by="vllm")) as server:
        answers(server, [wanted])
        form = server.asked[0].body["response_format"]
        assert form["type"] == "json_schema" and form["json_schema"]["schema"] == json.loads(SCHEMA)
    with StandIn(lambda seen: refusal(400, "unknown field: response_format")) as server:
        assert "response_format" in failure(server.address, [wanted])


def test_halves_of_characters_do_not_pass_in_either_direction() -> None:
    half = b'{"choices": [{"message": {"content": "a\\ud83d"}, "finish_reason": "stop"}]}'
    with StandIn(lambda seen: Say(content=half)) as server:
        assert answers(server, [ask("b\udc00")])["b\udc00"].text == "a?"
        assert server.asked[0].text == "b?"
