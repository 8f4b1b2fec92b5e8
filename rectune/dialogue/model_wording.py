"""Claims and portrait in a model's words, as far as they say what was found and nothing else.

The finding and its evidence are all that the model is told. What it writes goes through the checks of all
reasons that go out (`rectune.recommender.reason_checks`). No word of it may stand nowhere; it names what the
claim speaks of, keeps to whether that is liked or avoided, and states no number that the finding does not
have. Else the template's sentence stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rectune.core.item_values import categories_of, makers_of
from rectune.core.settings import SamplingConfig
from rectune.core.text.plain import cut_line
from rectune.core.types import Item, Locale, content_id
from rectune.dialogue.claim_sentences import FILE, template_portrait
from rectune.dialogue.findings import Evidence
from rectune.dialogue.knowledge import Claim, Persona, UserKnowledge
from rectune.dialogue.traits import CatalogueTraits
from rectune.filters.rules.unsupported import facts_of, support_of
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.prompts.locale_words import fill, load_words, one_line
from rectune.prompts.teacher_prompts import brief
from rectune.prompts.titles import fold
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.reason_checks import KnownTitles, fault

if TYPE_CHECKING:
    from rectune.recommender.generative import GenerativeRecommender

_SHOWN = 5  # items of the evidence that the model is shown, the latest
_TOKENS = 80  # of a sentence at most; of a portrait three times as many
_SENTENCES = 3
_END = re.compile(r"(?<=[.!?。…])\s+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_AGAINST = re.compile(
    r"\b(?:not|no|never|avoid(?:s|ed)?|dislike[sd]?|hate[sd]?|without|little|less|except|rather than)\b"
    r"|n['’]t\b|않|안 |못|싫|피하|피해|없|말고|빼고|별로",
    re.IGNORECASE,
)
_FOR = re.compile(
    r"\b(?:like[sd]?|love[sd]?|enjoy(?:s|ed)?|prefer(?:s|red)?|favou?r\w*|fond)\b|좋아|즐기|즐겨|선호",
    re.IGNORECASE,
)

_DENIED = re.compile(r"(?:\bnot|\bnever|n['’]t)(?: really)? \w+|좋아하지 ?(?:않|못)\S*", re.IGNORECASE)

AskModel = Callable[[Sequence[GenerationRequest]], Sequence[GenerationResult]]


@dataclass(frozen=True)
class Writer:
    """A language model that words claims.

    Attributes:
        ask: answers requests by the model's own chat template, in order.
        titles: the catalogue's: a sentence that names an item which is no evidence is refused.
        sampling: of its answers; their length is limited here.
        untrusted: languages in which `rectune doctor --model` found it unsound: it writes nothing in them.
    """

    ask: AskModel
    titles: KnownTitles
    sampling: SamplingConfig
    untrusted: Collection[Locale] = ()

    @classmethod
    def of(cls, generative: GenerativeRecommender) -> Writer:
        """The model of a recommender, or of one request of a service (`rectune.recommender.served`)."""
        sampling = generative.retrieval.sampling
        return cls(generative.ask, generative.grounding, sampling, generative.untrusted)


def worded_by_model(
    persona: Persona, knowledge: UserKnowledge, catalogue: CatalogueTraits, writer: Writer, locale: Locale
) -> Persona:
    """The persona with what the model may say of it; the same one where none of its sentences passes.

    Concluded claims are worded, and the portrait; what a person said or wrote stays in their words.

    Args:
        persona: the latest one.
        knowledge: `profile` is told to the model; nothing else of a person is but the claims.
        catalogue: the traits of its items.
        writer: the model.
        locale: the language of the persona.
    """
    if locale in writer.untrusted or not persona.active:
        return persona
    words = _Words(catalogue, locale, tuple(cut_line(one, 100) for one in knowledge.profile))
    open_claims = [
        one for one in persona.active if one.item_ids and not one.quote and one.worded_by == "template"
    ]
    evidence = Evidence.of(knowledge, catalogue)
    plain = template_portrait(persona.active, evidence, catalogue.domain, locale)
    requests = [words.request(one, writer.sampling) for one in open_claims]
    answers = list(writer.ask([*requests, words.portrait_request(persona, plain, writer.sampling)]))
    written = {
        one.id: text
        for one, request, answer in zip(open_claims, requests, answers[:-1], strict=True)
        if (text := words.sentence(one, request, answer, writer.titles))
    }
    claims = tuple(
        replace(one, text=written[one.id], worded_by="model") if one.id in written else one
        for one in persona.claims
    )
    portrait = words.portrait(persona, plain, answers[-1], writer.titles)
    if not written and not portrait:
        return persona
    new = replace(persona, claims=claims, version=persona.version + 1)
    return replace(new, portrait=portrait, worded_by="model") if portrait else new


@dataclass(frozen=True, slots=True)
class _About(ExplanationRequest):
    """What a sentence about a person is checked against: a finding in the place of an item, and its evidence.

    `begins` are the first words of the answer, which are given to the model.
    """

    begins: str = ""

    @property
    def opening(self) -> str:
        """See `ExplanationRequest.opening`."""
        return self.begins


def _unfounded(text: str, about: _About, titles: KnownTitles) -> bool:
    """Whether any check of reasons fails, or any word of it stands nowhere: a person knows their own taste,
    and takes for an invention what of an item would be a turn of phrase.
    """
    if fault(text, about, titles):
        return True
    named = [about.item.title, *(item.title for item in about.liked)]
    known = [about.item.title, *(f"{item.title}\n{facts_of(item)}" for item in about.liked)]
    return bool(support_of(text, named, about.query, facts_of(about.item), known).unsupported)


@dataclass(frozen=True)
class _Words:
    """Prompts and checks in one language."""

    catalogue: CatalogueTraits
    locale: Locale
    profile: tuple[str, ...]

    def request(self, claim: Claim, sampling: SamplingConfig) -> GenerationRequest:
        """Asks for a sentence on a claim."""
        values = {
            "sentence": claim.text,
            "evidence": [one_line(brief(one)) for one in self._evidence([claim])],
            "likes": claim.stance == "likes",
            "profile": self.profile,
        }
        opening = self._filled("opening", claim.stance, value=cut_line(claim.value, 100))
        return self._asked("claim", values, opening, sampling, _TOKENS)

    def portrait_request(
        self, persona: Persona, plain: Sequence[str], sampling: SamplingConfig
    ) -> GenerationRequest:
        """Asks for three sentences on all claims."""
        liked = [one for one in persona.active if one.stance == "likes"]
        first = self._filled("opening", "portrait", value=cut_line(liked[0].value, 100)) if liked else ""
        values = {"sentences": [*plain, *(one.text for one in persona.active[:8])], "profile": self.profile}
        return self._asked("portrait", values, first, sampling, _SENTENCES * _TOKENS)

    def sentence(
        self, claim: Claim, request: GenerationRequest, answer: GenerationResult, titles: KnownTitles
    ) -> str:
        """What may go out of an answer on a claim: its first sentence; empty if it may not."""
        text = next(iter(self._sentences(request.prefill, answer)), "")
        about = self._about([claim], claim.text, request.prefill)
        if not text or fold(claim.value) not in fold(text) or self._wrong(text, [claim], claim.text):
            return ""
        return "" if _unfounded(text, about, titles) else text

    def portrait(
        self, persona: Persona, plain: Sequence[str], answer: GenerationResult, titles: KnownTitles
    ) -> tuple[str, ...]:
        """The first three sentences of an answer on all claims; empty if one of them may not go out."""
        liked = [one for one in persona.active if one.stance == "likes"]
        begins = self._filled("opening", "portrait", value=cut_line(liked[0].value, 100)) if liked else ""
        found = self._sentences(begins, answer)[:_SENTENCES]
        told = " ".join([*plain, *(one.text for one in persona.active)])
        about = self._about(persona.active, told, begins)
        wrong = any(self._wrong(one, persona.active, told) for one in found)
        return () if wrong or not found or _unfounded(" ".join(found), about, titles) else tuple(found)

    def _asked(
        self, part: str, values: Mapping[str, Any], opening: str, sampling: SamplingConfig, tokens: int
    ) -> GenerationRequest:
        messages = (("system", self._filled("system")), ("user", self._filled(part, **values)))
        seed = int(content_id("persona", messages, sampling.seed)[:8], 16)
        short = sampling.model_copy(update={"max_tokens": tokens})
        return GenerationRequest(
            content_id("persona", messages, opening), messages, short, seed, prefill=opening
        )

    def _filled(self, part: str, way: str = "", **values: Any) -> str:
        template = load_words(self.locale, FILE)["ask"][part]
        return fill(
            template[way] if way else template, self.catalogue.domain, load_words(self.locale), values
        )

    def _evidence(self, claims: Iterable[Claim]) -> list[Item]:
        ids = dict.fromkeys(item for one in claims for item in one.item_ids[:_SHOWN])
        return [self.catalogue.items[item] for item in ids if item in self.catalogue.items]

    def _about(self, claims: Sequence[Claim], told: str, begins: str) -> _About:
        evidence = self._evidence(claims)
        title = evidence[0].title if evidence else claims[0].value
        values = tuple(one.value for one in claims)
        fact = Item(self.catalogue.domain, "", title, values, told)
        return _About(fact, tuple(evidence), "; ".join(self.profile), self.locale, begins=begins)

    def _sentences(self, prefill: str, answer: GenerationResult) -> list[str]:
        """The whole sentences of an answer, with the words that it was begun with."""
        if answer.finish not in ("stop", "length"):
            return []
        gap = "" if answer.text[:1].isspace() or not prefill else " "
        found = [one for one in _END.split(one_line(f"{prefill}{gap}{answer.text}")) if one]
        return [one for one in found if one[-1] in ".!?。…"]

    def _wrong(self, text: str, claims: Sequence[Claim], told: str) -> bool:
        """Whether it turns a stance round, names what no claim speaks of, or counts otherwise."""
        if any(number not in set(_NUMBER.findall(told)) for number in _NUMBER.findall(text)):
            return True
        folded = fold(text)
        named = [one for one in claims if fold(one.value) in folded]
        likes, avoids = ([one for one in named if one.stance == way] for way in ("likes", "avoids"))
        if likes and (avoids or _AGAINST.search(text)):
            return True
        if avoids and (not _AGAINST.search(text) or _FOR.search(_AGAINST.sub(" ", _DENIED.sub(" ", text)))):
            return True
        own = {fold(one.value) for one in claims}
        others = {
            value for item in self._evidence(claims) for value in (*categories_of(item), *makers_of(item))
        }
        titles = " ".join(fold(item.title) for item in self._evidence(claims))
        return any(fold(one) in folded and fold(one) not in titles for one in others - own if len(one) > 1)
