"""Constrained grounding: the model names a title itself, and only titles of the catalogue are possible.

Its text before the closing words stays; after them it decodes through a token trie of the titles
(`rectune.inference.token_trie`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rectune.core.digests import DigestCache
from rectune.core.progress import progress
from rectune.core.settings import RetrievalConfig, SamplingConfig
from rectune.core.types import Locale, content_id
from rectune.inference.engine_cache import cached_engine
from rectune.inference.generation_cache import GenerationCache, request_key
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.token_trie import TokenTrie
from rectune.prompts.answers import CLOSINGS, behind_closing, reasons

_NONE = SamplingConfig()  # nothing is sampled


@dataclass(frozen=True, slots=True)
class TitleRequest:
    """A conversation, its draft answer, and which titles are excluded."""

    messages: tuple[tuple[str, str], ...]
    draft: str
    locale: Locale
    domain: str
    without: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RankedTitle:
    """A title by its place in the list of titles, and its mean log-likelihood per token, in nats."""

    title: int
    mean: float


def name_titles(
    model: Path,
    asked: Sequence[TitleRequest],
    titles: Mapping[str, Sequence[str]],
    config: RetrievalConfig,
    generation_cache: Path,
) -> list[list[RankedTitle]]:
    """The likeliest titles for each conversation, best first; cached results are not computed again.

    Args:
        model: a GGUF file.
        asked: the requests.
        titles: the titles of each domain, each once.
        config: `beam`, and how llama.cpp runs.
        generation_cache: the SQLite file of finished answers.

    Raises:
        UserError: a prompt that does not fit, or no usable model.
    """
    digests = {domain: content_id("titles", list(some)) for domain, some in titles.items()}
    with GenerationCache(generation_cache) as book:
        requests = [_request(one, digests[one.domain], config.beam) for one in asked]
        digest = DigestCache(generation_cache.parent).digest(model)
        keys = [request_key(digest, request) for request in requests]
        answers = book.get_many(keys)
        left = {key: number for number, key in enumerate(keys) if key not in answers}
        if left:
            # Two slots a hypothesis, whatever the recipe's slots, which must not change a result.
            roomy = config.model_copy(update={"max_num_seqs": 2 * config.beam})
            with (
                cached_engine(model, roomy) as engine,
                progress("constrained", len(left), "answers") as advance,
            ):
                tries: dict[str, TokenTrie] = {}
                for key, number in left.items():
                    one = asked[number]
                    if one.domain not in tries:
                        behind = behind_closing(one.locale, titles[one.domain])[1]
                        tries[one.domain] = engine.title_trie(behind)
                    answers[key] = _decoded(engine, tries[one.domain], one, config.beam)
                    book.put(key, answers[key])
                    advance(1)
    return [[RankedTitle(*pair) for pair in json.loads(answers[key].text)] for key in keys]


def _decoded(engine: LlamaEngine, trie: TokenTrie, one: TitleRequest, beam: int) -> GenerationResult:
    found = engine.best_titles(one.messages, trie, beam, _prefill(one), one.without)
    text = json.dumps([[title.title, round(title.mean, 6)] for title in found])
    return GenerationResult("", text, "stop", 0, sum(title.tokens for title in found))


def _request(one: TitleRequest, titles: str, beam: int) -> GenerationRequest:
    """The request for the generation cache's key: its grammar is a comment that names titles and beam."""
    allowed = content_id("without", list(one.without))
    grammar = f"# the titles {titles} without {allowed}, beam {beam}"
    return GenerationRequest("", one.messages, _NONE, 0, prefill=_prefill(one), grammar=grammar)


def _prefill(one: TitleRequest) -> str:
    """The draft's reasons and the closing words, after which the title follows."""
    body, words = reasons(one.draft).strip(), CLOSINGS[one.locale]
    return f"{body}\n{words}" if body else words
