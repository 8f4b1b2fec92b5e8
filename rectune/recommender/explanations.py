"""The reasons of a final answer: generated for the real item, from that item's own facts.

Reasons about another item cannot be corrected by replacing the title. So the model is prompted a second time,
with the item's title, categories and the chunk that was found, and only that text is used. A text in which
`rectune.recommender.reason_checks` finds a fault is rejected and generated again; after that a template
sentence made of the facts is used, and marked as such. The closing line is from a template in either case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from rectune.core.settings import SamplingConfig
from rectune.core.types import Locale, content_id
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.prompts.answers import closing, reasons
from rectune.prompts.locale_words import one_line
from rectune.prompts.query_words import query_words
from rectune.prompts.teacher_prompts import brief, facts, rationale_messages
from rectune.prompts.template_reasons import template_reason
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.reason_checks import KnownTitles, fault

By = Literal["model", "template"]

_LIKED = 5  # items of a history that the model is told of, the latest
_END = re.compile(r"[.!?。…][\"'”’」』)\]]*(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Explanation:
    """Reasons for an item, and the line that names it.

    Attributes:
        reason: the reasons alone, one paragraph.
        ending: the closing line.
        by: who wrote the reasons.
        tries: the number of attempts.
    """

    reason: str
    ending: str
    by: By
    tries: int

    @property
    def text(self) -> str:
        """Both, as an answer that goes out."""
        return f"{self.reason}\n{self.ending}".strip()


@dataclass(frozen=True, slots=True)
class CheckedReason:
    """What a model wrote, and why it is rejected; empty if it is not."""

    text: str
    fault: str


def write_explanations(
    wanted: Sequence[ExplanationRequest],
    grounding: KnownTitles,
    sampling: SamplingConfig,
    attempts: int,
    ask: Callable[[Sequence[GenerationRequest]], list[GenerationResult]],
    untrusted: Collection[Locale] = (),
) -> list[Explanation]:
    """Reasons for each request, in order; rejected ones are generated again, all together.

    In `untrusted` languages plain sentences stand, and the model is not asked.
    """
    done: dict[int, Explanation] = {}
    for attempt in range(attempts):
        left = [at for at, one in enumerate(wanted) if at not in done and one.locale not in untrusted]
        if not left:
            break
        found = checked_reasons([wanted[number] for number in left], grounding, sampling, ask, attempt)
        for number, reason in zip(left, found, strict=True):
            if not reason.fault:
                done[number] = explained(reason.text, wanted[number], "model", attempt + 1)
    return [
        done.get(number) or explained(plain_sentence(request), request, "template", attempts)
        for number, request in enumerate(wanted)
    ]


def checked_reasons(
    wanted: Sequence[ExplanationRequest],
    grounding: KnownTitles,
    sampling: SamplingConfig,
    ask: Callable[[Sequence[GenerationRequest]], list[GenerationResult]],
    attempt: int = 0,
) -> list[CheckedReason]:
    """One attempt at the reasons for each request, in order, with what is wrong with them."""
    bodies = map(_body, wanted, ask([_request(one, sampling, attempt) for one in wanted]))
    return [
        CheckedReason(body, fault(body, one, grounding)) for body, one in zip(bodies, wanted, strict=True)
    ]


def explained(body: str, request: ExplanationRequest, by: By, tries: int) -> Explanation:
    """Reasons with the line that names the item, in the language of the request."""
    ending = closing(request.locale, request.item.title)
    return Explanation(body, ending, by, tries)


def plain_sentence(request: ExplanationRequest) -> str:
    """Reasons from a template: what item and request have in common, and the catalogue's facts."""
    words = query_words(request.item, request.query)
    given = (request.item, request.liked, request.query, request.locale)
    return template_reason(*given, words=words, told=request.evidence)


def _request(request: ExplanationRequest, sampling: SamplingConfig, attempt: int) -> GenerationRequest:
    liked = request.liked[-_LIKED:]
    messages = rationale_messages(request.shown, liked, request.query, request.locale)
    seed = int(content_id("reasons", messages, sampling.seed, attempt)[:8], 16)
    return GenerationRequest(
        content_id("reasons", messages, attempt),
        messages,
        sampling,
        seed,
        prefill=request.opening,
        history=tuple(map(brief, liked)),
        facts=facts(request.shown, request.locale),
    )


def _body(request: ExplanationRequest, answer: GenerationResult) -> str:
    """The paragraph that the model wrote, without closing words and without an incomplete last sentence."""
    if answer.finish == "error" or not answer.text.strip():
        return ""
    text = one_line(request.opening + answer.text)
    body = reasons(text)
    if answer.finish == "length" or body != text:
        ends = [match.end() for match in _END.finditer(body)]
        body = body[: ends[-1]] if ends else ""
    return body.strip()
