"""The engine with the embedded model: equal to llama-cpp-python's own loop, whatever is batched or shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest

from rectune.core.errors import UserError
from rectune.core.settings import EngineConfig
from rectune.inference.gguf_model import describe
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationRequest, GenerationResult

from .conftest import Ask

FILMS = ["Alien", "Heat", "Up", "Brazil", "Ran", "Jaws"]


def answers(engine: LlamaEngine, requests: Sequence[GenerationRequest]) -> dict[str, GenerationResult]:
    made: list[GenerationResult] = []
    engine.generate(requests, made.append)
    assert len({answer.id for answer in made}) == len(made) == len(requests)
    return {answer.id: answer for answer in made}


@pytest.fixture(scope="module")
def plain(model: Path) -> Any:
    """llama-cpp-python's own one-at-a-time loop."""
    import llama_cpp

    # The engine leaves flash attention to llama.cpp, which takes it wherever it can. Without it this model's
    # log-probabilities differ by up to 0.5, and by up to 0.4 between one token at a time and all at once.
    one = {"n_threads": 1, "n_threads_batch": 1, "verbose": False}
    return llama_cpp.Llama(str(model), n_ctx=96, logits_all=True, flash_attn=True, **one)


def test_greedy_answers_are_those_of_llama_cpp_python(single: LlamaEngine, plain: Any, ask: Ask) -> None:
    requests = [ask(f"Tell me about the film {film}.") for film in FILMS[:2]]
    ours = answers(single, requests)
    for request in requests:
        prompt = single._context.vocabulary.prompt(request.messages)
        reference = plain.create_completion(prompt, max_tokens=8, temperature=0.0)
        assert ours[request.id].text == reference["choices"][0]["text"]
        assert ours[request.id].prompt_tokens == reference["usage"]["prompt_tokens"]


def test_many_at_once_are_each_answered_once(several: LlamaEngine, ask: Ask) -> None:
    requests = [ask(f"{film} {number}", max_tokens=1 + number) for number, film in enumerate(FILMS * 2)]
    made = answers(several, requests)
    assert set(made) == {request.id for request in requests}
    assert all(0 < made[request.id].tokens <= request.sampling.max_tokens for request in requests)
    assert all(made[request.id].text for request in requests)


def test_sharing_a_prefix_changes_no_greedy_answer(several: LlamaEngine, ask: Ask) -> None:
    system = "You recommend films. You answer in one short sentence and name one film only, no lists."
    requests = [ask(f"I liked {film}.", system=system) for film in FILMS]
    together = answers(several, requests)
    for request in requests[:2]:
        assert answers(several, [request])[request.id] == together[request.id]


def test_with_one_slot_an_answer_depends_on_nothing_but_its_request(single: LlamaEngine, ask: Ask) -> None:
    shots = "You recommend films. " + "After Alien comes Aliens, after Ran comes Kagemusha. " * 4
    requests = [ask(f"I liked {film}.", system=shots, temperature=1.0, top_k=0) for film in FILMS[:3]]
    together = answers(single, requests)
    last = requests[-1].id
    assert answers(single, requests[-1:]) == {last: together[last]}
    assert answers(single, requests[::-1]) == together


def test_another_seed_writes_something_else(several: LlamaEngine, ask: Ask) -> None:
    requests = [
        ask("Go on.", seed=seed, temperature=1.5, top_k=0, min_p=0.0) for seed in (1, 2, 2**40, 0xFFFFFFFF)
    ]
    texts = []
    for request in requests:
        texts.append(answers(several, [request])["Go on."].text)
        assert answers(several, [request])["Go on."].text == texts[-1]
    assert len(set(texts)) == len(texts)


def test_sampling_settings_reach_the_sampler(several: LlamaEngine, ask: Ask) -> None:
    greedy = answers(several, [ask("Name a film.", max_tokens=16)])["Name a film."].text
    for narrow in ({"top_k": 1}, {"top_p": 0.0}, {"min_p": 1.0}):
        request = ask("Name a film.", temperature=2.0, max_tokens=16, **narrow)
        assert answers(several, [request])["Name a film."].text == greedy
    punished = answers(several, [ask("Say ha ha ha ha.", repeat_penalty=1.8, max_tokens=16)])
    assert punished != answers(several, [ask("Say ha ha ha ha.", max_tokens=16)])


def test_prefill_begins_the_answer_and_is_not_returned(several: LlamaEngine, ask: Ask) -> None:
    question = "What is the capital of France?"
    begun = answers(several, [ask(question, prefill="The capital of France is")])[question]
    assert begun.text.startswith(" Paris")
    free = answers(several, [ask(question)])[question]
    assert begun.prompt_tokens > free.prompt_tokens


def test_stop_strings_cut_the_answer(several: LlamaEngine, ask: Ask) -> None:
    whole = answers(several, [ask("Name a film.")])["Name a film."].text
    middle = whole[3:7]
    cut = answers(several, [ask("Name a film.", stop=(middle,))])["Name a film."]
    assert cut.text == whole[: whole.index(middle)]
    assert cut.finish == "stop"


def test_a_prompt_longer_than_a_sequence_is_an_error_with_counts(several: LlamaEngine, ask: Ask) -> None:
    made = answers(several, [ask("film " * 400), ask("Short.")])
    long = made["film " * 400]
    assert (long.finish, long.text, long.tokens) == ("error", "", 0)
    assert str(long.prompt_tokens) in long.error
    assert "320" in long.error
    assert made["Short."].finish != "error"


def test_loglikelihood_is_that_of_one_full_prompt_at_a_time(several: LlamaEngine, plain: Any) -> None:
    messages = (("system", "You recommend films."), ("user", "I liked Alien. What next?"))
    continuations = [" Aliens", " Blade Runner, a slow film", " 기생충", "", " A", " <|im_end|>"]
    found = several.loglikelihood(messages, continuations, prefill="I recommend")
    vocabulary = several._context.vocabulary
    prompt = vocabulary.prompt(messages, "I recommend")
    for text, ours in zip(continuations, found, strict=True):
        tokens = vocabulary.plain(text)
        assert len(ours) == len(tokens)
        plain.reset()
        plain.eval(prompt + tokens)
        for place, token in enumerate(tokens, len(prompt) - 1):
            logits = plain.scores[place].astype(np.float64)
            wanted = logits[token] - logits.max() - np.log(np.exp(logits - logits.max()).sum())
            assert ours[place - len(prompt) + 1] == pytest.approx(wanted, abs=1e-3)


def test_loglikelihood_does_not_depend_on_company_or_on_earlier_calls(
    several: LlamaEngine, single: LlamaEngine
) -> None:
    messages = (("system", "You recommend films. " * 20), ("user", "I liked Alien. What next?"))
    continuations = [f"{film}, a film" for film in FILMS[:5]]  # more than there are slots
    together = several.loglikelihood(messages, continuations)
    several.loglikelihood((messages[0], ("user", "I liked Heat. What next?")), ["Ran"])
    assert several.loglikelihood(messages, continuations) == together
    for text, ours in zip(continuations, together, strict=True):
        assert several.loglikelihood(messages, [text])[0] == pytest.approx(ours, abs=1e-3)
        assert single.loglikelihood(messages, [text])[0] == pytest.approx(ours, abs=1e-3)


def test_loglikelihood_refuses_what_does_not_fit(several: LlamaEngine) -> None:
    with pytest.raises(UserError, match="320"):
        several.loglikelihood((("user", "Hello."),), [" film" * 400])


def test_an_interrupted_generation_leaves_a_usable_engine(several: LlamaEngine, ask: Ask) -> None:
    def stop(answer: GenerationResult) -> None:
        raise KeyboardInterrupt

    requests = [ask(film) for film in FILMS]
    wanted = answers(several, requests[:1])
    with pytest.raises(KeyboardInterrupt):
        several.generate(requests, stop)
    assert answers(several, requests[:1]) == wanted


def test_slots_are_chosen_from_memory_and_a_small_cache_still_answers_all(
    model: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rectune.inference.context_size.cells_in_memory", lambda *_: 700)
    with LlamaEngine(model, EngineConfig(context=300, max_num_seqs=0, threads=1)) as engine:
        assert engine.slots == 2
        assert len(answers(engine, [ask(film, max_tokens=2) for film in FILMS])) == len(FILMS)


@pytest.mark.slow
def test_many_sequences_share_one_context(model: Path, ask: Ask) -> None:
    requests = [ask(f"{film} {number}", max_tokens=2) for number in range(18) for film in FILMS]
    with LlamaEngine(model, EngineConfig(context=128, max_num_seqs=64, threads=1, weights="file")) as engine:
        assert len(answers(engine, requests)) == len(requests) > 64


def test_a_grammar_leaves_only_its_words(several: LlamaEngine, ask: Ask, capfd: Any) -> None:
    words = 'root ::= "yes" | "no"'
    asked = [
        ask(f"Number {n}?", grammar=words, temperature=5.0, seed=n, top_k=0, min_p=0.0) for n in range(12)
    ]
    texts = {answer.text for answer in answers(several, asked).values()}
    assert texts == {"yes", "no"}
    greedy = answers(several, [ask("Hi", grammar=words), ask("Hello")])
    assert greedy["Hi"].finish == "stop"
    assert greedy["Hello"] == answers(several, [ask("Hello")])["Hello"]  # a neighbour is not touched
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("grammar", "found"),
    [
        ("root := x", "expecting ::="),
        ("root ::= nobody", "nobody"),
        ('word ::= "a"', "root"),
        ('root ::= root "a"', "begins with itself"),
        ("root ::= " + "(" * 50_000, "50009 bytes"),
        ("root ::= \0", "null"),
        (r"root ::= [^\x00-\U0010FFFF]", "allows nothing"),
    ],
)
def test_a_bad_grammar_is_an_error_of_its_request(
    several: LlamaEngine, ask: Ask, capfd: Any, grammar: str, found: str
) -> None:
    made = answers(several, [ask("Bad", grammar=grammar), ask("Good")])
    assert (made["Bad"].finish, made["Bad"].text) == ("error", "")
    assert found in made["Bad"].error
    assert made["Good"].text
    assert capfd.readouterr() == ("", "")


def test_a_json_schema_is_an_error_of_its_request(several: LlamaEngine, ask: Ask) -> None:
    made = answers(several, [ask("Bad", json_schema='{"type": "integer"}'), ask("Good")])
    assert made["Bad"].finish == "error" and "no JSON schema" in made["Bad"].error
    assert made["Good"].text


def test_streams_give_text_as_it_is_written_and_are_written_together(several: LlamaEngine, ask: Ask) -> None:
    requests = [ask(f"I liked {film}.") for film in FILMS]
    wanted = answers(several, requests)[requests[0].id]
    streams = [several.submit(request) for request in requests]
    pieces = iter(streams[0])
    first = next(pieces)
    assert several.active > 1
    assert wanted.text.startswith(first)
    assert len(first) < len(wanted.text)
    assert first + "".join(pieces) == wanted.text
    streams[1].cancel()
    assert streams[1].result().finish in ("cancelled", "length", "stop")
    assert len(several.loglikelihood((("user", "Hello."),), [" film"])[0]) == 1  # ends what is open first
    assert all(stream.ended for stream in streams)
    assert not several.busy


def test_a_cancelled_stream_leaves_the_others_as_they_were(single: LlamaEngine, ask: Ask) -> None:
    requests = [ask(f"I liked {film}.", temperature=1.0) for film in FILMS[:3]]
    wanted = answers(single, requests)
    streams = [single.submit(request) for request in requests]
    next(iter(streams[0]))
    streams[0].cancel()
    assert [stream.result().text for stream in streams[1:]] == [
        wanted[request.id].text for request in requests[1:]
    ]
    assert wanted[requests[0].id].text.startswith(streams[0].result().text)
    assert streams[0].result().finish == "cancelled"


def test_the_oldest_history_is_left_out_where_the_prompt_is_too_long(several: LlamaEngine, ask: Ask) -> None:
    history = tuple(f"A film with a long name, part {number}" for number in range(60))
    asked = replace(ask(f"I liked {'; '.join(history)}. What next?"), id="long", history=history)
    (answer,) = answers(several, [asked]).values()
    assert 0 < answer.left_out < 59
    assert answer.prompt_tokens <= 320 - 8
    shown = ask(f"I liked {'; '.join(history[answer.left_out :])}. What next?")
    assert replace(answers(several, [shown])[shown.id], id="long", left_out=answer.left_out) == answer
    fuller = several.tokens(ask(f"I liked {'; '.join(history[answer.left_out - 1 :])}. What next?"))
    assert len(fuller) > 320 - 8


def test_an_error_of_llama_cpp_ends_every_stream(
    model: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LlamaEngine(model, EngineConfig(context=128, max_num_seqs=2, threads=1)) as engine:
        streams = [engine.submit(ask(film)) for film in FILMS]
        with monkeypatch.context() as patch:
            patch.setattr(llama_cpp, "llama_decode", lambda *_: -3)
            with pytest.raises(UserError, match=r"could not evaluate a batch \(code -3"):
                streams[-1].result()
        ended = [stream.result() for stream in streams]
        assert all(one.finish == "error" and "code -3" in one.error for one in ended)
        assert answers(engine, [ask("Hi")])["Hi"].text
        last = engine.submit(ask("Bye"))
    assert last.result().finish == "cancelled"


def test_the_model_is_named() -> None:
    from rectune.models.reference import gguf_file

    assert describe(gguf_file("embedded")) == ("SmolLM2-135M-Instruct.Q4_1", "Q4_1")


def test_a_file_that_is_no_gguf_is_a_clear_error(tmp_path: Path) -> None:
    wrong, cut = tmp_path / "wrong.gguf", tmp_path / "cut.gguf"
    wrong.write_text("no model")
    cut.write_bytes(b"GGUF\x03\0\0\0")
    for path, found in ((wrong, "no GGUF"), (cut, "cannot load"), (tmp_path / "none.gguf", "No such file")):
        with pytest.raises(UserError, match=found) as caught:
            LlamaEngine(path, EngineConfig())
        assert str(path) in str(caught.value)
        assert caught.value.hint


def test_nothing_is_written_to_the_terminal(model: Path, capfd: pytest.CaptureFixture[str], ask: Ask) -> None:
    with LlamaEngine(model, EngineConfig(context=64, max_num_seqs=1, threads=1)) as engine:
        answers(engine, [ask("Hi", max_tokens=1)])
    assert capfd.readouterr() == ("", "")
