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
from functools import partial
from typing import Literal

from rectune.core.settings import SamplingConfig
from rectune.core.types import Locale, content_id
from rectune.inference.generate import OnAnswer
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.prompts.answers import closing, reasons
from rectune.prompts.locale_words import one_line
from rectune.prompts.query_words import query_words
from rectune.prompts.teacher_prompts import brief, facts, rationale_messages
from rectune.prompts.template_reasons import template_reason
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.reason_checks import KnownTitles, fault

By = Literal["model", "template"]
# Answers requests; the second argument hears of each answer as it ends.
AskEach = Callable[[Sequence[GenerationRequest], OnAnswer], object]
# Writes one attempt at the reasons for each request; the second argument is the number of the attempt.
WriteEach = Callable[[Sequence[ExplanationRequest], int, OnAnswer], object]

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


OnReason = Callable[[int, Explanation], None]  # its place among those wanted


@dataclass(frozen=True, slots=True)
class CheckedReason:
    """What a model wrote, and why it is rejected; empty if it is not."""

    text: str
    fault: str


def write_explanations(
    wanted: Sequence[ExplanationRequest],
    grounding: KnownTitles,
    attempts: int,
    write: WriteEach,
    untrusted: Collection[Locale] = (),
    on_reason: OnReason | None = None,
) -> list[Explanation]:
    """Reasons for each request, in order; rejected ones are generated again, all together.

    In `untrusted` languages plain sentences stand, and the model is not asked. `on_reason` hears of every
    explanation that is returned, by its place, as soon as it is sure: when the checks have passed it.
    """
    done: dict[int, Explanation] = {}

    def settle(number: int, body: str, by: By, tries: int) -> None:
        done[number] = explained(body, wanted[number], by, tries)
        if on_reason:
            on_reason(number, done[number])

    def take(numbers: Sequence[int], tries: int, at: int, reason: CheckedReason) -> None:
        if not reason.fault:
            settle(numbers[at], reason.text, "model", tries)

    for number, request in enumerate(wanted):
        if not attempts or request.locale in untrusted:
            settle(number, plain_sentence(request), "template", attempts)
    for attempt in range(attempts):
        if left := [number for number in range(len(wanted)) if number not in done]:
            some = [wanted[number] for number in left]
            checked_reasons(some, grounding, write, attempt, partial(take, left, attempt + 1))
    for number, request in enumerate(wanted):
        if number not in done:
            settle(number, plain_sentence(request), "template", attempts)
    return [done[number] for number in range(len(wanted))]


def checked_reasons(
    wanted: Sequence[ExplanationRequest],
    grounding: KnownTitles,
    write: WriteEach,
    attempt: int = 0,
    on_checked: Callable[[int, CheckedReason], None] | None = None,
) -> list[CheckedReason]:
    """One attempt at the reasons for each request, in order, with what is wrong with them.

    `on_checked` hears of each as soon as it is checked.
    """
    found: dict[int, CheckedReason] = {}

    def check(at: int, answer: GenerationResult) -> None:
        body = _body(wanted[at], answer)
        found[at] = CheckedReason(body, fault(body, wanted[at], grounding))
        if on_checked:
            on_checked(at, found[at])

    write(wanted, attempt, check)
    return [found[at] for at in range(len(wanted))]


def written_by_chat(ask: AskEach, sampling: SamplingConfig) -> WriteEach:
    """The writer that is a chat model: what answers requests, and how it decodes."""

    def write(wanted: Sequence[ExplanationRequest], attempt: int, on_answer: OnAnswer) -> None:
        ask([_request(one, sampling, attempt) for one in wanted], on_answer)

    return write


def all_at_the_end(ask: Callable[[Sequence[GenerationRequest]], Sequence[GenerationResult]]) -> AskEach:
    """A function that gives all answers together, as one that tells of each."""

    def each(requests: Sequence[GenerationRequest], on_answer: OnAnswer) -> None:
        for at, answer in enumerate(ask(requests)):
            on_answer(at, answer)

    return each


def explained(body: str, request: ExplanationRequest, by: By, tries: int) -> Explanation:
    """Reasons with the line that names the item, in the language of the request."""
    ending = closing(request.locale, request.item.title)
    return Explanation(body, ending, by, tries)


def plain_sentence(request: ExplanationRequest) -> str:
    """Reasons from a template: what item and request have in common, and the catalogue's facts."""
    words = query_words(request.item, request.query)
    given = (request.item, request.liked, request.query, request.locale)
    return template_reason(*given, words=words, told=request.evidence, people=request.people)


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
    if answer.finish in ("length", "cancelled") or body != text:
        ends = [match.end() for match in _END.finditer(body)]
        body = body[: ends[-1]] if ends else ""
    return body.strip()
