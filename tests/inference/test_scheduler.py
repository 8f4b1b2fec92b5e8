"""Continuous batching with a scripted model: right answers, shared prefixes, no more cells than there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rectune.inference.requests import GenerationResult

from .scripted import Scripted, request, run, write


def test_an_answer_ends_where_the_model_ends_it() -> None:
    assert write(b"good film") == GenerationResult("p", "good film", "stop", 1, 9)


def test_an_answer_ends_at_its_limit() -> None:
    assert write(b"good film", tokens=4) == GenerationResult("p", "good", "length", 1, 4)


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
