"""Lengths counted in bulk are those that training sees, whatever stands in the prompts."""

from hypothesis import given
from hypothesis import strategies as st

from rectune.core.types import Prompt
from rectune.models.chat_tokenization import prompt_ids
from rectune.models.prompt_lengths import prompt_lengths
from tests.models.tiny import tiny_tokenizer


def make(system: str, instruction: str) -> Prompt:
    about = ("movies", "passive", "direct", "en", "train", "u")
    return Prompt("", *about, system, instruction, ("a",), (), "t", "", "t", "movies")  # type: ignore[arg-type]


@given(
    st.lists(
        st.sampled_from(["Alien", "기생충", "<|im_end|>", "<|im_start|>user\n", "  ", "½", "."]), max_size=8
    ),
    st.sampled_from(["", "You recommend films.", "<|endoftext|>"]),
)
def test_a_prompt_is_as_long_as_training_makes_it(words: list[str], system: str) -> None:
    prompts = [make(system, f"Seen: {'; '.join(words)}"), make("", "Short.")]
    assert prompt_lengths(tiny_tokenizer(), prompts) == [
        len(prompt_ids(tiny_tokenizer(), prompt)) for prompt in prompts
    ]


def test_batches_change_nothing() -> None:
    prompts = [make("You recommend.", "word " * number) for number in range(7)]
    whole = prompt_lengths(tiny_tokenizer(), prompts)
    assert prompt_lengths(tiny_tokenizer(), prompts, at_once=3) == whole == sorted(whole)
    assert prompt_lengths(tiny_tokenizer(), []) == []
