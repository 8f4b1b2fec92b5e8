"""Whether the reasons that a model wrote may go out: what is wrong with them, in words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Protocol

from rectune.core.extras import is_installed
from rectune.core.progress import say
from rectune.core.settings import FilterConfig
from rectune.core.types import Item
from rectune.filters.rules.base import CountRule, LocaleShareRule
from rectune.filters.rules.repetition import NgramRepetition
from rectune.filters.rules.stop_words import StopWords
from rectune.filters.rules.text_quality import BrokenText, LeftoverMarkers, WrongLanguage
from rectune.filters.rules.unsupported import facts_of, support_of
from rectune.filters.title_masking import mask, segments
from rectune.prompts.answers import find_items
from rectune.prompts.list_parsing import advice_in, labels_of
from rectune.prompts.titles import fold, plain_title, split_words, without_year
from rectune.recommender.explanation_request import ExplanationRequest

_CONFIG = FilterConfig()  # the rules and their limits are the filter's
_BY_COUNT: tuple[CountRule, ...] = (BrokenText(_CONFIG), LeftoverMarkers(_CONFIG))
_BY_SHARE: tuple[LocaleShareRule, ...] = (WrongLanguage(_CONFIG), StopWords(_CONFIG))
_REPETITION = NgramRepetition(_CONFIG)

_LEAST = 20  # characters behind the opening that say something
_NONE_OF_OURS = re.compile(r"(?!)()")  # the closing words themselves are cut off before
# Two or more capitalised words within a sentence: a name, of a person or of another work.
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][\w’'-]+(?: [A-Z][\w’'-]+)+")
_POSSESSIVE = re.compile(r"['’]s\b")
_QUOTED = re.compile(
    r"[\"“«「『《](?P<name>[^\"”»」』》\n]{2,300})[\"”»」』》]|\*{1,2}(?P<bold>[^*\n]{2,300})\*{1,2}"
)
# What a line of facts has before a colon, as a sentence does not: "(Crime): ", ", drama: ".
_LABEL = re.compile(r"[,;(]\s*(?P<label>[^,;():]{2,60})\)?: ")
_SENTENCE_END = re.compile(r"(?<=[.!?。…])\s+")
# Before the title of what somebody should take up.
_TAKE_UP = re.compile(
    r"\b(?:should|must|can|could|may|might|will|want to|try to)\b[^.!?]{0,20}"
    r"\b(?:watch|see|read|play|hear|listen to|buy|get|try|visit|choose|go for)(?: the \w+)? $",
    re.IGNORECASE,
)
# What somebody has done or felt; of a person nothing is known but the history and the query.
_ABOUT_YOU = re.compile(
    r"\byou(?:['’]ve|['’]d|(?: may| might| must| could| would)? have| had)?(?: been| already| just| always)*"
    r" (?P<past>\w*[^\We]ed|chose|chosen|felt|found|made|took|taken|went|gone|got|became|thought|knew|known"
    r"|grew|grown|spent|built|told|came|began|met|lost|won)\b",
    re.IGNORECASE,
)
_SEARCHED = frozenset("asked searched looked".split())
_KNOWN_OF_YOU = frozenset("liked enjoyed loved watched played listened visited".split()) | _SEARCHED
# Words that point to what is recommended: "this film", "이 영화".
_THIS = re.compile(
    r"\b(?:this|these|here|another)\b|^It\b|(?<![가-힣])(?:이|이번|또|다른|더)(?![가-힣])|이것|이곳|이번"
)


class KnownTitles(Protocol):
    """What knows the titles of a catalogue, as `rectune.retrieval.grounding.Grounding` does."""

    def mentioned(self, text: str, domain: str) -> list[str]:
        """The titles of the domain that a text names with certainty."""


def fault(body: str, request: ExplanationRequest, grounding: KnownTitles) -> str:
    """Why these reasons are rejected; empty if they are not."""
    if len(body) - len(request.opening) < _LEAST:
        return "says nothing"
    if labels_of(body, _NONE_OF_OURS, {}):
        return "announces something else"
    if _copies(body, request.shown):
        return "copies the prompt"
    return (
        _wrong_names(body, request, grounding)
        or _wrong_item(body.removeprefix(request.opening), request)
        or _wrong_person(body, request)
        or _wrong_prose(body, request)
        or _without_source(body, request)
    )


def _copies(body: str, item: Item) -> bool:
    """Whether the line of facts that the model was shown stands in its text as it was shown, or a category
    as the label of something.
    """
    categories = ["(" + ", ".join(item.categories[:2])] if len(item.categories) > 1 else []
    named = [fact for fact in item.stated if ": " in fact]
    folded = fold(body)
    labels = {fold(match["label"]) for match in _LABEL.finditer(folded)}
    return bool(labels & set(map(fold, item.categories))) or any(
        fold(part) in folded for part in (*categories, *named)
    )


def _wrong_names(body: str, request: ExplanationRequest, grounding: KnownTitles) -> str:
    """Names of items, and what looks like names, that are not among what is known."""
    told = " ".join([*map(_told, (request.shown, request.item, *request.liked)), request.query])
    own = set(map(plain_title, _titles(request)))
    for domain in sorted({request.item.domain, *(item.domain for item in request.liked)}):
        own |= set(map(plain_title, grounding.mentioned(told, domain)))
        if any(plain_title(title) not in own for title in grounding.mentioned(body, domain)):
            return "names another item"
    names = (match["name"] or match["bold"] for match in _QUOTED.finditer(body))
    folded = fold(told)
    if any(fold(name.strip(" .,!?;:'")) not in folded for name in names):
        return "quotes what stands nowhere"
    known = {word.text for word in split_words(told)}
    found = " ".join(_POSSESSIVE.sub("", name) for name in _NAME.findall(body))
    if any(word.text not in known for word in split_words(found)):
        return "names what stands nowhere"
    return ""


def _wrong_item(said: str, request: ExplanationRequest) -> str:
    """Whether a sentence recommends an item of the history, and says nothing of the item itself.

    Args:
        said: the reasons without the opening, which names the history.
    """
    titles = [request.item.title, *(item.title for item in request.liked)]
    for sentence in _SENTENCE_END.split(said):
        found = find_items(sentence, titles)
        if any(mention.index and _TAKE_UP.search(sentence[: mention.start]) for mention in found):
            return "recommends an item of the history"
        named = {mention.index for mention in found}
        if advice_in(sentence) is not None and named and 0 not in named and not _THIS.search(sentence):
            return "recommends an item of the history"
    return ""


def _wrong_person(body: str, request: ExplanationRequest) -> str:
    """Whether a person is told what they did, other than to like or to look for something (English)."""
    past = (match["past"].lower() for match in _ABOUT_YOU.finditer(body))
    known = _KNOWN_OF_YOU if request.query else _KNOWN_OF_YOU - _SEARCHED
    return "" if all(verb in known for verb in past) else "says of the person what stands nowhere"


def _wrong_prose(body: str, request: ExplanationRequest) -> str:
    """The rules of the filter that make sense for one short text."""
    masked = mask(body, [*_titles(request), request.query])
    for counts in _BY_COUNT:
        if counts.hits(masked):
            return counts.reason
    for shares in _BY_SHARE:
        limits = getattr(_CONFIG.rules, shares.name)
        if shares.share(masked, request.locale) < getattr(limits, request.locale):
            return shares.reason
    if _REPETITION.share(segments(masked)) >= _CONFIG.rules.ngram_repetition.share:
        return _REPETITION.reason
    return ""


def _without_source(body: str, request: ExplanationRequest) -> str:
    """Whether too much of it stands nowhere, or it cannot be told whether it does."""
    if request.locale == "ko" and not is_installed("kiwipiepy"):
        _say_unchecked()
        return "cannot be checked without kiwipiepy"
    facts = "\n".join([facts_of(request.item), request.shown.description])
    known = [request.item.title, *(f"{item.title}\n{facts_of(item)}" for item in request.liked)]
    found = support_of(body, _titles(request), request.query, facts, known)
    if found.share <= getattr(_CONFIG.rules.unsupported, request.locale):
        return ""
    return "says what stands nowhere" if found.share == found.share else "cannot be compared with the facts"


def _titles(request: ExplanationRequest) -> list[str]:
    """The titles that may be named, also without their years."""
    titles = [request.item.title, *(item.title for item in request.liked)]
    return [*titles, *filter(None, map(without_year, titles))]


def _told(item: Item) -> str:
    return " ".join([item.title, *item.categories, item.description, str(item.year or ""), *item.facts])


@lru_cache(maxsize=1)
def _say_unchecked() -> None:
    """Once in a process."""
    say(
        "  Korean reasons of a model cannot be checked, so plain sentences stand for them; "
        "with: pip install 'rectune[llm]'"
    )
