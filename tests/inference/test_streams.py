"""Streams of a scripted model: text in pieces, cancelling, errors of one request, shortening."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.settings import SamplingConfig
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.stream import GenerationStream

from .scripted import Freed, Scripted, drive, request, run


def test_text_comes_in_pieces_as_it_is_written() -> None:
    _, (stream,) = drive(Scripted({"p": "a가b".encode()}), request("p"))
    pieces = iter(stream)
    assert next(pieces) == "a"
    assert not stream.ended
    assert [*pieces] == ["가", "b"]
    assert stream.result() == stream.result() == GenerationResult("p", "a가b", "stop", 1, 5)
    assert [*stream] == []


def test_what_may_begin_a_stop_string_is_held_back() -> None:
    model = Scripted({"p": b"one\n\ttwo\n\nthree"})
    _, (stream,) = drive(model, request("p", stop=("\n\n",)))
    pieces = [*stream]
    assert "".join(pieces) == stream.result().text == "one\n\ttwo"
    assert "\n\t" in pieces  # given out together, once it was certain
    _, (cut,) = drive(model, request("p", stop=("\n\n",), tokens=4))
    assert [*cut][-1] == "\n"  # nothing can follow, so it was no stop string


@example(b"", ["b", "aba"], "aba", 3)
@given(
    st.binary(max_size=12),
    st.lists(st.text(alphabet="ab가", max_size=3), max_size=3),
    st.text(alphabet="ab가c", max_size=12),
    st.integers(1, 20),
)
def test_pieces_join_to_the_answer_whatever_the_stops(
    rubbish: bytes, stops: list[str], text: str, tokens: int
) -> None:
    written = text.encode() + rubbish
    _, (stream,) = drive(Scripted({"p": written}), request("p", stop=tuple(stops), tokens=tokens))
    pieces = [*stream]
    assert all(pieces)
    assert "".join(pieces) == stream.result().text
    whole = written[:tokens]
    stopped = [stop.encode() for stop in stops if stop and stop.encode() in whole]
    # The stop that is whole first ends the answer: nothing is written behind it.
    ends = [(whole.find(stop) + len(stop), whole.find(stop)) for stop in stopped]
    _, end = min(ends, default=(0, len(whole)))
    assert "".join(pieces) == codecs.getincrementaldecoder("utf-8")("replace").decode(whole[:end])


def test_a_cancelled_answer_frees_its_slot_at_the_next_step() -> None:
    model = Scripted({"p": b"x" * 19, "q": b"y" * 3, "r": b"z"}, slots=1)
    scheduler, (first, second, third) = drive(model, request("p"), request("q"), request("r"))
    assert next(iter(first)) == "x"
    first.cancel()
    third.cancel()
    assert second.result().text == "yyy"
    assert first.result() == GenerationResult("p", "x", "cancelled", 1, 1)
    assert third.result() == GenerationResult("r", "", "cancelled", 1, 0)
    assert first.ended
    second.cancel()  # too late, and no harm
    assert second.result().finish == "stop"
    assert not scheduler.busy
    assert model.samplers == 0


def test_closing_ends_everything() -> None:
    model = Scripted({"p": b"x" * 19, "q": b"y"}, slots=1)
    scheduler, streams = drive(model, request("p"), *[request("q", name=str(n)) for n in range(200)])
    scheduler.step()
    scheduler.close()
    assert {stream.result().finish for stream in streams} == {"cancelled"}
    assert model.samplers == 0
    scheduler.close("error", "broken")
    assert streams[0].result().finish == "cancelled"


def test_what_the_template_or_the_sampler_refuses_is_that_request_s_error_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Choosy(Scripted):
        def sample(self, sampler: Freed, row: int) -> int:
            token = super().sample(sampler, row)
            if token == 1 + ord("!"):
                raise UserError("no such token", hint="none")
            return token

    model = Choosy({"p": b"fine", "q": b"so far!", "r": b""})
    prompt = model.vocabulary.prompt

    def refusing(messages: tuple[tuple[str, str], ...], prefill: str = "") -> list[int]:
        if messages[-1][1] == "r":
            raise UserError("no such role", hint="another")
        return prompt(messages, prefill)

    monkeypatch.setattr(model.vocabulary, "prompt", refusing)
    answers = {answer.id: answer for answer in run(model, [request("p"), request("q"), request("r")])}
    assert answers["p"].text == "fine"
    assert answers["q"] == GenerationResult("q", "", "error", 1, 6, "no such token: none")
    assert answers["r"] == GenerationResult("r", "", "error", 0, 0, "no such role: another")


def test_company_that_comes_late_shares_its_prefix_too() -> None:
    prompts = {f"{'s' * 30}|{n}": b"x" * 3 for n in range(5)}
    model = Scripted(prompts, slots=1)
    scheduler, streams = drive(model, request(next(iter(prompts))))
    scheduler.step()
    late = [GenerationStream(request(prompt), scheduler.cancel, scheduler.step) for prompt in [*prompts][1:]]
    for stream in late:
        scheduler.submit(stream)
    assert [stream.result().text for stream in (*streams, *late)] == ["xxx"] * 5
    assert model.evaluated == (32 + 3) + 31 + 4 * (1 + 3)
    assert scheduler.saved == 3 * 31


@pytest.mark.parametrize("mixes", [False, True])
def test_new_prompts_do_not_silence_what_is_being_written(
    mixes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = {"p": b"x" * 19} | {f"{n}{'q' * 60}": b"" for n in range(2)}
    scheduler, (chat, *others) = drive(Scripted(prompts, mixes=mixes), *map(request, prompts))
    written: list[str] = []
    monkeypatch.setattr(chat, "write", written.append)
    while not all(stream.ended for stream in others):
        scheduler.step()
    # 123 letters of prompt take four batches of 32; the first ends the chat's own prompt.
    assert len(written) >= 4


@given(
    st.lists(st.text(alphabet="ab가;", min_size=1, max_size=9), max_size=12),
    st.integers(0, 30),
    st.integers(1, 60),
    st.sampled_from(["; ", ";", ", and "]),
)
def test_of_a_history_as_few_of_the_oldest_as_must_be_are_left_out(
    history: list[str], around: int, tokens: int, separator: str
) -> None:
    whole = separator.join(history)
    frame = "f" * around
    messages = (("system", frame), ("user", f"I liked {whole}."))
    model = Scripted({"": b"x"}, limit=100)
    asked = GenerationRequest(
        "r", messages, SamplingConfig(max_tokens=tokens), 0, history=tuple(history), separator=separator
    )
    (answer,) = run(model, [asked])
    lengths = [
        len(f"{frame}I liked {separator.join(history[count:])}.".encode()) for count in range(len(history))
    ] or [around + len("I liked .")]
    fitting = [count for count, length in enumerate(lengths) if length + tokens <= model.limit]
    if fitting:
        assert (answer.left_out, answer.prompt_tokens) == (fitting[0], lengths[fitting[0]])
        assert answer.finish != "error"
    else:
        assert answer.finish == "error"
        assert answer.prompt_tokens == lengths[-1]


def test_a_history_that_stands_in_no_message_leaves_nothing_out() -> None:
    asked = GenerationRequest(
        "r", (("user", "p" * 90),), SamplingConfig(max_tokens=20), 0, history=("a", "b")
    )
    (answer,) = run(Scripted({"p": b""}), [asked])
    assert (answer.finish, answer.left_out, answer.prompt_tokens) == ("error", 0, 90)
