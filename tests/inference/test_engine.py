"""The engine of notebooks: prompts of every form, texts whole and in pieces."""

from collections.abc import Iterator

import pytest

from rectune.core.errors import RectuneError, UserError
from rectune.inference.engine import Engine

GREEDY = {"max_tokens": 8, "temperature": 0.0}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine("embedded", context=256, max_num_seqs=4, threads=1, weights="file") as engine:
        yield engine


def test_forms_of_one_prompt_get_one_answer(engine: Engine):
    forms = ["Name a film.", [{"role": "user", "content": "Name a film."}], [("user", "Name a film.")]]
    answers = engine.generate(forms, **GREEDY)
    assert len({answer.text for answer in answers}) == 1 and answers[0].text
    assert all(0 < answer.tokens <= 8 for answer in answers)


def test_pieces_join_to_the_whole(engine: Engine):
    (whole,) = engine.generate(["Name a film."], **GREEDY)
    stream = engine.stream("Name a film.", **GREEDY)
    assert "".join(stream) == whole.text == stream.result().text


def test_what_cannot_be_answered_is_an_error(engine: Engine):
    with pytest.raises(RectuneError, match="1 of 2 prompts failed"):
        engine.generate(["hello", "word " * 500], **GREEDY)
    with pytest.raises(UserError, match="one text"):
        engine.generate("hello")
    for broken in ([("user",)], [{"content": "hello"}], []):
        with pytest.raises(UserError, match="no conversation"):
            engine.generate([broken])
    for wrong in ({"max_token": 3}, {"temperature": -1.0}):
        with pytest.raises(UserError, match=next(iter(wrong))) as refused:
            engine.generate(["hello"], **wrong)
        assert "max_tokens" in refused.value.hint
    with pytest.raises(UserError, match="contxt"):
        Engine("embedded", contxt=1)
