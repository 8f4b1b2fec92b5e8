"""The generative recommender: the tuned model answers, grounding says which real items that stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inference.generate import generate
from inference.requests import Request
from prompts.render import ask
from recommenders.claims import ground_in
from rectune.catalogue import Catalogue
from rectune.errors import UserError
from rectune.settings import Retrieval
from rectune.types import Item, Locale, Prompt, content_id
from retrieval.embedding import encodable
from retrieval.grounding import Grounded, Grounding

_HISTORY = 10  # titles of a free request that the model is shown, the latest
_TITLE = 200  # characters of a title, and
_QUERY = 1000  # of a query, that the model is shown
_SPACES = re.compile(r"\s+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Wish:
    """What somebody typed: titles already liked, oldest first, and a query; one of the two may be empty.

    `history_domain` is the kind of things the titles are, where it is another than what is wanted.
    """

    history: Sequence[str] = ()
    query: str = ""
    history_domain: str = ""


@dataclass(frozen=True)
class RecommendationRequest:
    """What somebody asks: the rendered messages, and what they were made of.

    `history` holds titles and is empty where only a query was given; `known` the ids of the history's items,
    which are never recommended.
    """

    domain: str
    locale: Locale
    system: str
    instruction: str
    history: tuple[str, ...] = ()
    query: str = ""
    known: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Recommendation:
    """An answer and the real items that it resolves to, the best first.

    `answer` is the model's own text. `named` is the item that it names itself; without one the text is only a
    draft, from which the items were found by what it says.
    """

    request: RecommendationRequest
    answer: str
    items: tuple[Grounded, ...]

    @property
    def named(self) -> Grounded | None:
        """The item that the answer itself names, or None."""
        return self.items[0] if self.items and self.items[0].how != "embedding" else None


@dataclass(frozen=True)
class GenerativeRecommender:
    """A GGUF model, the catalogue it is grounded in, how it samples; the ledger keeps finished answers."""

    model: Path
    grounding: Grounding
    retrieval: Retrieval
    ledger: Path

    def recommend(self, request: RecommendationRequest) -> Recommendation:
        """Answer one request; see `recommend_all`."""
        return self.recommend_all([request])[0]

    def recommend_all(self, requests: Sequence[RecommendationRequest]) -> list[Recommendation]:
        """Answer requests, in order; `retrieval.top` items each, fewer only if the catalogue has no more."""
        asked = [self._ask_model(request) for request in requests]
        written = generate(self.model, asked, self.retrieval, self.ledger, "recommend")
        return [self._ground(request, answer.text) for request, answer in zip(requests, written, strict=True)]

    def _ask_model(self, request: RecommendationRequest) -> Request:
        messages = (("system", request.system), ("user", request.instruction))
        sampling = self.retrieval.sampling
        return Request(content_id("recommend", messages), messages, sampling, sampling.seed)

    def _ground(self, request: RecommendationRequest, answer: str) -> Recommendation:
        domain, top, known = request.domain, self.retrieval.top, request.known
        if answer.strip():
            items = self.grounding.top(answer, domain, top, known)
        else:  # a model that wrote nothing leaves only the wish itself to search by
            items = self.grounding.nearest(request.query or "; ".join(request.history), domain, top, known)
        return Recommendation(request, answer.strip(), tuple(items))


def from_prompt(prompt: Prompt, catalogue: Catalogue) -> RecommendationRequest:
    """The request that a rendered prompt stands for."""
    return RecommendationRequest(
        prompt.domain,
        prompt.locale,
        prompt.system,
        prompt.instruction,
        tuple(catalogue.titles(prompt.history_domain, prompt.history)),
        prompt.query,
        frozenset(prompt.history),
    )


def from_words(items: Sequence[Item], wish: Wish, grounding: Grounding) -> RecommendationRequest:
    """A free request against a catalogue of one domain.

    A title that the catalogue has is written as there and not recommended again; any other is passed on as it
    is.

    Raises:
        UserError: neither history nor query.
    """
    titles = [title for text in wish.history if (title := _line(text, _TITLE))]
    query = _line(wish.query, _QUERY)
    if not titles and not query:
        raise UserError("nothing to go by", mend='give --history "A; B; C", or --query "…", or both')
    domain = items[0].domain
    bearers = [grounding.called(title, domain) for title in titles]
    known = frozenset(item.item_id for found in bearers for item in found)
    shown = [found[0].title if found else title for title, found in zip(titles, bearers, strict=True)]
    locale = _locale(query or " ".join(titles))
    recent = tuple(_line(title, _TITLE) for title in shown[-_HISTORY:])
    system, instruction = ask(domain, locale, recent, query, ordered=True, history_domain=wish.history_domain)
    return RecommendationRequest(domain, locale, system, instruction, recent, query, known)


def recommend_from(
    model: Path, items: list[Item], wish: Wish, config: Retrieval, folder: Path
) -> Recommendation:
    """Recommend from anybody's own catalogue: index it in `folder`, ask the model, ground its answer.

    Args:
        model: a GGUF file.
        items: the catalogue, all of one domain.
        wish: what somebody liked, or looks for.
        config: embedder, sampling, and how many items to return.
        folder: where the index and the ledger of answers are kept between calls.

    Raises:
        UserError: an empty catalogue, neither history nor query, or a model that cannot be read.
    """
    grounding = ground_in(items, folder / "index", config.embedder)
    request = from_words(items, wish, grounding)
    return GenerativeRecommender(model, grounding, config, folder / "ledger.sqlite").recommend(request)


def as_text(recommendation: Recommendation) -> str:
    """The recommendation for a terminal, plain text.

    An answer that names no real item is marked as the model's draft, so that nothing made up passes for a
    recommendation.
    """
    named, answer = recommendation.named, _printable(recommendation.answer) or "(the model wrote nothing)"
    if named:
        rest = recommendation.items[1:]
        lines = [
            answer,
            "",
            f"Recommended: {_line(named.title, _TITLE)}",
            *(["", "Near to it:"] if rest else []),
        ]
    else:
        rest = recommendation.items
        lines = ["The model's draft, which names no item that fits:", answer, "", "Real items near to it:"]
    lines += [f"  {_line(item.title, _TITLE)}  (similarity {item.similarity:.2f})" for item in rest]
    return "\n".join(lines)


def _line(text: str, longest: int) -> str:
    return _SPACES.sub(" ", _printable(text)).strip()[:longest]


def _printable(text: str) -> str:
    """Without control characters, which a catalogue or a model may hold and a terminal would obey."""
    return _CONTROL.sub(" ", encodable(text)).strip()


def _locale(text: str) -> Locale:
    """Korean if most letters are Hangul: who types it reads it."""
    letters = [letter for letter in text if letter.isalpha()]
    return "ko" if 2 * sum("가" <= letter <= "힣" for letter in letters) > len(letters) else "en"
