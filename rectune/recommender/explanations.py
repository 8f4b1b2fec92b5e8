"""The reasons of a final answer: generated for the real item, from that item's own facts.

Reasons about another item cannot be corrected by replacing the title. So the model is prompted a second time,
with the item's title, categories and the chunk that was found, and only that text is used. A text that names
another item, or quotes or names what is not in the facts, is rejected and generated again; after that a
template sentence made of the facts is used, and marked as such. The closing line is from a template in either
case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rectune.core.settings import SamplingConfig
from rectune.core.types import Item, Locale, content_id
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.prompts.answers import closing, reasons
from rectune.prompts.list_parsing import labels_of
from rectune.prompts.locale_words import load_words, one_line
from rectune.prompts.teacher_prompts import brief, facts, rationale_messages, rationale_opening
from rectune.prompts.titles import fold, plain_title, split_words
from rectune.retrieval.grounding import Grounding

By = Literal["model", "template"]

_LIKED = 5  # items of a history that the model is told of, the latest
_LEAST = 20  # characters behind the opening that say something
_EVIDENCE = 200  # characters of an item's own text in a plain sentence
_NONE_OF_OURS = re.compile(r"(?!)()")  # the closing words themselves are cut off before
_END = re.compile(r"[.!?。…][\"'”’」』)\]]*(?=\s|$)")
# Two or more capitalised words within a sentence: a name, of a person or of another work.
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][\w’'-]+(?: [A-Z][\w’'-]+)+")
_QUOTED = re.compile(
    r"[\"“«「『《](?P<name>[^\"”»」』》\n]{2,300})[\"”»」』》]|\*{1,2}(?P<bold>[^*\n]{2,300})\*{1,2}"
)


@dataclass(frozen=True, slots=True)
class ExplanationRequest:
    """The input of an explanation: an item, and the history or the query that it should fit.

    `evidence` is the chunk of the item that was found; the prompt has it instead of the whole description.
    """

    item: Item
    liked: tuple[Item, ...]
    query: str
    locale: Locale
    evidence: str = ""

    @property
    def shown(self) -> Item:
        """The item as shown to the model."""
        return replace(self.item, description=self.evidence) if self.evidence else self.item


@dataclass(frozen=True, slots=True)
class Explanation:
    """Reasons with a closing line; `by` is who wrote the reasons, `tries` the number of attempts."""

    text: str
    by: By
    tries: int


def write_explanations(
    wanted: Sequence[ExplanationRequest],
    grounding: Grounding,
    sampling: SamplingConfig,
    attempts: int,
    ask: Callable[[Sequence[GenerationRequest]], list[GenerationResult]],
) -> list[Explanation]:
    """Reasons for each request, in order; rejected ones are generated again, all together."""
    done: dict[int, Explanation] = {}
    for attempt in range(attempts):
        left = [number for number in range(len(wanted)) if number not in done]
        if not left:
            break
        answers = ask([_request(wanted[number], sampling, attempt) for number in left])
        for number, answer in zip(left, answers, strict=True):
            explanation_request = wanted[number]
            body = _body(explanation_request, answer)
            if not fault(body, explanation_request, grounding):
                done[number] = Explanation(_closed(body, explanation_request), "model", attempt + 1)
    return [
        done.get(number)
        or Explanation(
            _closed(plain_sentence(explanation_request), explanation_request), "template", attempts
        )
        for number, explanation_request in enumerate(wanted)
    ]


def fault(body: str, explanation_request: ExplanationRequest, grounding: Grounding) -> str:
    """Why these reasons are rejected; empty if they are not."""
    if len(body) - len(_opening(explanation_request)) < _LEAST:
        return "says nothing"
    if labels_of(body, _NONE_OF_OURS, {}):
        return "announces something else"
    told = " ".join(
        [
            *map(_told, (explanation_request.shown, explanation_request.item, *explanation_request.liked)),
            explanation_request.query,
        ]
    )
    own = {
        plain_title(title)
        for title in (explanation_request.item.title, *(item.title for item in explanation_request.liked))
    }
    for domain in sorted(
        {explanation_request.item.domain, *(item.domain for item in explanation_request.liked)}
    ):
        own |= set(map(plain_title, grounding.mentioned(told, domain)))
        if any(plain_title(title) not in own for title in grounding.mentioned(body, domain)):
            return "names another item"
    names = (match["name"] or match["bold"] for match in _QUOTED.finditer(body))
    folded = fold(told)
    if any(fold(name.strip(" .,!?;:'")) not in folded for name in names):
        return "quotes what stands nowhere"
    known = {word.text for word in split_words(told)}
    if any(word.text not in known for name in _NAME.findall(body) for word in split_words(name)):
        return "names what stands nowhere"
    return ""


def plain_sentence(explanation_request: ExplanationRequest) -> str:
    """Reasons from a template: the request, and the catalogue's facts about the item."""
    kinds = load_words(explanation_request.locale)["kinds"]
    one = kinds.get(explanation_request.item.domain, kinds["other"])["one"]
    about = [
        *map(one_line, explanation_request.item.categories[:4]),
        *([str(explanation_request.item.year)] if explanation_request.item.year else []),
    ]
    text = one_line(explanation_request.evidence or explanation_request.item.description)
    if text.startswith(
        explanation_request.item.title
    ):  # a short item's only piece of text holds its title and categories too
        text = one_line(explanation_request.item.description)
    text = text if len(text) <= _EVIDENCE else text[:_EVIDENCE].rsplit(" ", 1)[0] + " …"
    liked = [one_line(item.title) for item in explanation_request.liked[-2:]]
    if explanation_request.locale == "ko":
        return _korean(explanation_request, one, ", ".join(about), text, liked)
    asked = (
        f'You asked for "{one_line(explanation_request.query)}".'
        if explanation_request.query
        else f"You liked {' and '.join(liked)}."
    )
    facts = f"{one_line(explanation_request.item.title)} is {one}" + (
        f": {', '.join(about)}." if about else " of this catalogue."
    )
    return " ".join(filter(None, [asked, facts, f"The catalogue says of it: {text}" if text else ""]))


def _korean(
    explanation_request: ExplanationRequest, one: str, about: str, text: str, liked: Sequence[str]
) -> str:
    asked = (
        f'찾으신 것: "{one_line(explanation_request.query)}".'
        if explanation_request.query
        else f"좋아하신 것: {', '.join(liked)}."
    )
    facts = f"{one_line(explanation_request.item.title)}: {one}" + (f" ({about})." if about else ".")
    return " ".join(filter(None, [asked, facts, f"목록의 설명: {text}" if text else ""]))


def _request(
    explanation_request: ExplanationRequest, sampling: SamplingConfig, attempt: int
) -> GenerationRequest:
    liked = explanation_request.liked[-_LIKED:]
    messages = rationale_messages(
        explanation_request.shown, liked, explanation_request.query, explanation_request.locale
    )
    seed = int(content_id("reasons", messages, sampling.seed, attempt)[:8], 16)
    return GenerationRequest(
        content_id("reasons", messages, attempt),
        messages,
        sampling,
        seed,
        prefill=_opening(explanation_request),
        history=tuple(map(brief, liked)),
        facts=facts(explanation_request.shown),
    )


def _opening(explanation_request: ExplanationRequest) -> str:
    return rationale_opening(
        [one_line(item.title) for item in explanation_request.liked],
        explanation_request.query,
        explanation_request.locale,
        0,
    )


def _body(explanation_request: ExplanationRequest, answer: GenerationResult) -> str:
    """The paragraph that the model wrote, without closing words and without an incomplete last sentence."""
    if answer.finish == "error" or not answer.text.strip():
        return ""
    text = one_line(_opening(explanation_request) + answer.text)
    body = reasons(text)
    if answer.finish == "length" or body != text:
        ends = [match.end() for match in _END.finditer(body)]
        body = body[: ends[-1]] if ends else ""
    return body.strip()


def _closed(body: str, explanation_request: ExplanationRequest) -> str:
    return f"{body}\n{closing(explanation_request.locale, explanation_request.item.title)}".strip()


def _told(item: Item) -> str:
    return " ".join([item.title, *item.categories, item.description, str(item.year or "")])
