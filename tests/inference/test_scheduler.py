"""Continuous batching against a scripted model, whose every token is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference import scheduler as scheduling
from inference.context import Batch
from inference.requests import Answer, Request
from inference.scheduler import Scheduler
from rectune.settings import Sampling

END = 0


class Letters:
    """A vocabulary of single bytes; the prompt of a conversation is its letters."""

    size = 257
    ends = frozenset({END})

    def prompt(self, messages: tuple[tuple[str, str], ...], prefill: str = "") -> list[int]:
        return [1 + byte for _, text in messages for byte in text.encode()]

    def piece(self, token: int) -> bytes:
        return bytes([token - 1])


@dataclass
class Scripted:
    """Writes for each prompt the bytes that `script` has for it, then ends; checks what it is given."""

    script: dict[str, bytes]
    slots: int = 3
    cells: int = 400
    limit: int = 100
    stride: int = 1
    held: list[int] = field(default_factory=list)
    peak: int = 0
    evaluated: int = 0

    def __post_init__(self) -> None:
        self.vocabulary = Letters()
        self.batch = Batch(32)
        self.tokens: dict[int, list[int]] = {slot: [] for slot in range(self.slots + 1)}
        self.shared: dict[int, int] = dict.fromkeys(range(self.slots), 0)

    def hold(self, tokens: list[int], *, output: bool = False) -> None:
        self.held = list(tokens)
        self.tokens[self.slots] = list(tokens)
        self.evaluated += len(tokens)

    def share(self, sequence: int) -> None:
        assert not self.tokens[sequence]
        self.tokens[sequence], self.shared[sequence] = list(self.held), len(self.held)

    def drop(self, sequence: int, start: int = -1) -> bool:
        self.tokens[sequence], self.shared[sequence] = [], 0
        return True

    def clear(self) -> None:
        self.tokens = {slot: [] for slot in self.tokens}

    def evaluate(self) -> None:
        batch: Any = self.batch
        assert 0 < batch.length <= batch.size
        for row in range(batch.length):
            sequence = self.tokens[int(batch._sequences[row])]
            assert int(batch._places[row]) == len(sequence)  # no position is skipped or written twice
            sequence.append(int(batch._tokens[row]))
        self.evaluated += batch.length
        own = sum(len(tokens) - self.shared.get(slot, 0) for slot, tokens in self.tokens.items())
        self.peak = max(self.peak, own)
        assert own <= self.cells

    def sample(self, chain: Any, row: int) -> int:
        batch: Any = self.batch
        assert batch._outputs[row] == 1
        letters = bytes(token - 1 for token in self.tokens[int(batch._sequences[row])])
        prompt = next(known for known in self.script if letters.startswith(known.encode()))
        rest = self.script[prompt][len(letters) - len(prompt.encode()) :]
        return 1 + rest[0] if rest else END


@pytest.fixture(autouse=True)
def no_samplers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "_chain", lambda *_: object())
    monkeypatch.setattr(scheduling, "_free_chain", lambda *_: None)


def request(prompt: str, *, tokens: int = 20, stop: tuple[str, ...] = (), name: str = "") -> Request:
    head, _, rest = prompt.partition("|")
    messages = (("system", head + "|"), ("user", rest)) if rest else (("user", prompt),)
    return Request(name or prompt, messages, Sampling(max_tokens=tokens), 0, stop)


def run(model: Any, requests: list[Request]) -> list[Answer]:
    scheduler, answers = Scheduler(model), []
    scheduler.submit(requests)
    while scheduler.busy:
        answers += scheduler.step()
    return answers


def write(text: bytes, **how: Any) -> Answer:
    (answer,) = run(Scripted({"p": text}), [request("p", **how)])
    return answer


def test_an_answer_ends_where_the_model_ends_it() -> None:
    assert write(b"good film") == Answer("p", "good film", "stop", 1, 9)


def test_an_answer_ends_at_its_limit() -> None:
    assert write(b"good film", tokens=4) == Answer("p", "good", "length", 1, 4)


def test_a_stop_string_is_cut_off_even_when_it_came_in_pieces() -> None:
    assert write(b"one\n\ntwo", stop=("two", "\n\n")).text == "one"
    assert write(b"one\n\ntwo", stop=("\n\n",)).finish == "stop"
    assert write("가나다".encode(), stop=("나",)).text == "가"
    assert write(b"aab", stop=("ab",)).text == "a"
    assert write(b"abc", stop=("",)).text == "abc"


def test_characters_of_several_tokens_are_joined_and_none_is_cut_in_half() -> None:
    assert write("가🎬".encode()).text == "가🎬"
    assert write("가🎬".encode(), tokens=5).text == "가"
    assert write(b"a\xffb").text == "a\ufffdb"


def test_a_prompt_that_does_not_fit_is_refused_with_its_counts() -> None:
    model = Scripted({"p" * 81: b"x", "q": b"y"})
    long, short = run(model, [request("p" * 81), request("q")])
    assert (long.finish, long.text, long.prompt_tokens) == ("error", "", 81)
    for count in ("81", "20", "101", "100"):
        assert count in long.error
    assert short.text == "y"


def test_the_common_prefix_is_evaluated_once() -> None:
    prompts = {f"{'s' * 30}|{n:02d}": b"" for n in range(8)}
    model = Scripted(prompts)
    answers = run(model, [request(prompt) for prompt in prompts])
    assert {answer.text for answer in answers} == {""}
    # 31 letters of system message and the first digit are shared; the last digit of each is not.
    assert model.evaluated == 32 + 8 * 1


def test_a_new_head_takes_the_place_of_the_old() -> None:
    prompts = {f"{head * 30}|{n}": head.encode() for head in "st" for n in range(4)}
    model = Scripted(prompts)
    answers = run(model, [request(prompt) for prompt in prompts])
    assert [answer.text for answer in answers] == ["s"] * 4 + ["t"] * 4
    assert model.evaluated == 2 * 31 + 8 * (1 + 1)


def test_sequences_wait_when_the_cells_run_out() -> None:
    prompts = {f"{n}{'p' * 60}": b"x" * 19 for n in range(6)}
    model = Scripted(prompts, slots=6, cells=170)
    assert len(run(model, [request(prompt) for prompt in prompts])) == 6
    assert 81 < model.peak <= 170


@given(
    st.lists(
        st.tuples(st.sampled_from("st"), st.integers(0, 40), st.integers(1, 30), st.binary(max_size=30)),
        min_size=1,
        max_size=12,
    ),
    st.integers(1, 5),
    st.integers(100, 300),
    st.sampled_from([1, 8]),
)
def test_every_request_is_answered_once_and_rightly(
    rows: list[tuple[str, int, int, bytes]], slots: int, cells: int, stride: int
) -> None:
    prompts = {f"{head * 25}|{n:02d}{'x' * length}.": text for n, (head, length, _, text) in enumerate(rows)}
    model = Scripted(prompts, slots=slots, cells=cells, stride=stride)
    asked = [request(prompt, tokens=row[2]) for prompt, row in zip(prompts, rows, strict=True)]
    answers = {answer.id: answer for answer in run(model, asked)}
    assert sorted(answers) == sorted(prompts)
    for prompt, (_, _, tokens, text) in zip(prompts, rows, strict=True):
        if len(prompt) + tokens > model.limit:
            assert answers[prompt].finish == "error"
        else:
            assert answers[prompt].tokens == min(tokens, len(text))
            assert answers[prompt].finish == ("length" if len(text) >= tokens else "stop")
