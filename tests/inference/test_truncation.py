"""What is left out of a prompt that is too long: answered questions, then the oldest of the history, then
facts' ends.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rectune.core.settings import SamplingConfig
from rectune.inference.requests import GenerationRequest
from rectune.inference.truncation import Messages, can_leave_out, fit, without

SYSTEM = ("system", "rules")
SHOTS = (("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2"))
FACTS = "Heat (crime, 1995): a detective follows a robber through the city"


def request(history: tuple[str, ...] = (), facts: str = "", shots: Messages = SHOTS) -> GenerationRequest:
    asked = f"liked: {'; '.join(history)}. facts: {facts}. why?"
    return GenerationRequest(
        "r", (SYSTEM, *shots, ("user", asked)), SamplingConfig(), 1, history=history, facts=facts
    )


def letters(messages: Messages) -> list[int]:
    return list(range(sum(len(content) for _, content in messages)))


def test_parts_go_in_their_order_and_the_last_of_each_stays() -> None:
    asked = request(("A", "B"), FACTS)
    assert can_leave_out(asked) == 2 + 1 + 7
    assert without(asked, 0) == asked.messages
    assert without(asked, 1) == (SYSTEM, *SHOTS[2:], asked.messages[-1])
    assert without(asked, 2) == (SYSTEM, asked.messages[-1])
    assert without(asked, 3)[-1][1] == f"liked: B. facts: {FACTS}. why?"
    assert without(asked, 10)[-1][1] == "liked: B. facts: Heat …. why?"
    assert len(without(asked, 10)) == 2


def test_what_does_not_stand_in_the_messages_is_not_left_out() -> None:
    asked = request(("A", "B"), FACTS)
    other = GenerationRequest(
        "r", asked.messages, SamplingConfig(), 1, history=("X", "Y"), facts="elsewhere, and long enough"
    )
    assert can_leave_out(other) == 2
    turns = (("user", "a"), ("user", "b"))
    assert can_leave_out(GenerationRequest("r", (SYSTEM, *turns), SamplingConfig(), 1)) == 0


@given(
    st.lists(st.text("abc", min_size=1, max_size=6), max_size=5),
    st.text("xyz ", max_size=60),
    st.integers(0, 2),
    st.integers(0, 200),
)
def test_the_fewest_parts_are_left_out_and_more_never_make_it_longer(
    history: list[str], facts: str, shots: int, room: int
) -> None:
    asked = request(tuple(history), facts, SHOTS[: 2 * shots])
    lengths = [len(letters(without(asked, count))) for count in range(can_leave_out(asked) + 1)]
    wanted = next((count for count, length in enumerate(lengths) if length <= room), len(lengths) - 1)
    prompt, left_out = fit(asked, letters, room)
    assert lengths == sorted(lengths, reverse=True)
    assert left_out == wanted
    assert len(prompt) == lengths[left_out]
