"""Shortening: within the budget, the newest kept, no more left out than needed, independent of the batch."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rectune.core.types import Locale, Prompt
from rectune.prompts.truncation import TruncatedPrompt, fit

# A prompt is the lengths of its items and a frame that cannot be shortened.
Made = tuple[int, list[int]]
PROMPTS = st.lists(st.tuples(st.integers(1, 20), st.lists(st.integers(1, 9), max_size=12)), max_size=8)


def make(frame: int, items: list[int], left_out: int) -> Prompt:
    shown = tuple(map(str, items[left_out:]))
    about = ("movies", "passive", "direct", "en", "train", "u", "s")
    return Prompt("", *about, "x" * frame, shown, (), "t", "", "t", "movies", left_out=left_out)  # type: ignore[arg-type]


def length(prompt: Prompt) -> int:
    return len(prompt.instruction) + sum(map(int, prompt.history))


def fitted(made: Sequence[Made], budget: int) -> TruncatedPrompt:
    def lengths(prompts: Sequence[Prompt]) -> list[int]:
        return [length(prompt) for prompt in prompts]

    return fit(len(made), lambda place, left_out: make(*made[place], left_out), lengths, {"en": budget})


def by_hand(made: Made, budget: int) -> Prompt | None:
    """The longest version that fits, tried one after another."""
    frame, items = made
    tries = (make(frame, items, left_out) for left_out in range(max(1, len(items))))
    return next((prompt for prompt in tries if length(prompt) <= budget), None)


@given(PROMPTS, st.integers(1, 60))
def test_the_fewest_oldest_items_are_left_out_and_what_cannot_fit_is_counted(
    made: list[Made], budget: int
) -> None:
    found = fitted(made, budget)
    wanted = [by_hand(one, budget) for one in made]
    assert found.prompts == [prompt for prompt in wanted if prompt]
    assert found.too_long == wanted.count(None)
    shortest = [frame + sum(items[-1:]) for frame, items in made]
    lost = [length for length, prompt in zip(shortest, wanted, strict=True) if prompt is None]
    assert found.lost == [("en", length) for length in lost]
    assert found.longest_lost == ({"en": max(lost)} if lost else {})
    assert all(length(prompt) <= budget for prompt in found.prompts)
    cut = [prompt.left_out for prompt in found.prompts if prompt.left_out]
    assert (found.shortened, found.left_out) == (len(cut), sum(cut))


def test_many_prompts_are_measured_together_in_few_rounds() -> None:
    calls: list[int] = []

    def lengths(prompts: Sequence[Prompt]) -> list[int]:
        calls.append(len(prompts))
        return [length(prompt) for prompt in prompts]

    made = [(5, [1] * 20)] * 1000 + [(5, [1] * 3)] * 1000
    found = fit(len(made), lambda place, left_out: make(*made[place], left_out), lengths, {"en": 12})
    assert calls[0] == 2000 and all(count <= 1000 for count in calls[1:])  # what fits is not rendered again
    assert len(calls) <= 6
    assert [prompt.left_out for prompt in found.prompts] == [13] * 1000 + [0] * 1000


@given(st.lists(st.tuples(st.sampled_from(["en", "ko"]), st.integers(1, 30)), max_size=8))
def test_every_language_has_a_limit_of_its_own(made: list[tuple[Locale, int]]) -> None:
    def render(place: int, left_out: int) -> Prompt:
        locale, frame = made[place]
        return replace(make(frame, [], left_out), locale=locale)

    limits: dict[Locale, int] = {"en": 10, "ko": 20}
    found = fit(len(made), render, lambda prompts: [length(prompt) for prompt in prompts], limits)
    assert [(prompt.locale, length(prompt)) for prompt in found.prompts] == [
        one for one in made if one[1] <= limits[one[0]]
    ]
    assert found.lost == [one for one in made if one[1] > limits[one[0]]]
