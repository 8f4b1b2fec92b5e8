"""Requests to the recommender, from a rendered prompt or from typed text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from rectune.core.catalogue import Catalogue
from rectune.core.errors import UserError
from rectune.core.text.plain import cut_line, locale_of
from rectune.core.types import Item, Locale, Prompt
from rectune.prompts.render import ask
from rectune.recommender.arguments import check_is, refuse
from rectune.recommender.user_attributes import checked_attributes
from rectune.retrieval.chunks import head_of
from rectune.retrieval.grounding import Grounding

_HISTORY = 10  # titles of a free request that the model is shown, the latest
_WISHED = 5  # items of a history that say what is wanted, the latest
LONGEST_TITLE = 200  # characters of a title, and
LONGEST_QUERY = 1000  # of a query, that the model is shown


@dataclass(frozen=True)
class UserRequest:
    """Titles already liked, oldest first, and a query, as a user typed them; one of the two may be empty.

    `history_domain` is the titles' domain, if it is not the one that is recommended from. `locale` is the
    language of the sentences of the answer, if it is not that of the request. `attributes` is what the user
    states, by the names of the training data: texts and numbers; only rankers that learnt from such use it.
    """

    history: Sequence[str] = ()
    query: str = ""
    history_domain: str = ""
    locale: Locale | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.history, str):
            raise UserError("the history is one text", hint="give a list of titles or ids")
        if not isinstance(self.history, Iterable) or isinstance(self.history, Mapping):
            raise refuse("the history", self.history, "a list of titles or ids")
        if isinstance(self.history, Set):
            raise UserError("the history is a set, which has no order", hint="give a list, oldest first")
        if not isinstance(self.history, Sequence):  # an array, or what can be gone through once
            object.__setattr__(self, "history", list(self.history))
        if any(one is None or one != one for one in self.history):  # no number is not equal to itself
            raise UserError("the history has a place without title or id", hint="leave out what is missing")
        if not isinstance(self.query, str):
            raise UserError(f"the query is {self.query!r}", hint="give a text")
        check_is("history_domain", self.history_domain, str, "a text, as movies or books")
        object.__setattr__(self, "attributes", checked_attributes(self.attributes))


class HistoryAndQuery:
    """What a request says, whoever answers it: a history, of which an item that no catalogue has has no id, a
    query, and the domain that is recommended from.
    """

    domain: str
    liked: tuple[Item, ...]
    query: str

    @property
    def titles(self) -> tuple[str, ...]:
        """The titles of the history."""
        return tuple(item.title for item in self.liked)

    @property
    def own_history(self) -> tuple[str, ...]:
        """The ids of the history's items that the catalogue has, oldest first."""
        return tuple(item.item_id for item in self.liked if item.item_id and item.domain == self.domain)

    @property
    def user_requests(self) -> list[str]:
        """The texts to search for: the query, else the latest items of the history."""
        return [self.query] if self.query else [head_of(item) for item in self.liked[-_WISHED:]]

    @property
    def words(self) -> str:
        """What to look for in words: the query; else the history, where the catalogue has none of it."""
        return "" if self.own_history and not self.query else "; ".join(self.user_requests)

    @property
    def crosses(self) -> bool:
        """Whether only items of other domains are given: taste carries over then, subjects do not."""
        return not self.query and any(item.domain != self.domain for item in self.liked)

    @property
    def told(self) -> tuple[tuple[Item, ...], str]:
        """The history and the query that reasons speak of: nobody is told that they liked what the catalogue
        does not have. Where it has none of a history, the titles are a query, which is how they are looked
        for.
        """
        if self.crosses:
            return self.liked, self.query
        known = tuple(item for item in self.liked if item.item_id)
        return known, self.query or ("" if known else "; ".join(self.titles))


@dataclass(frozen=True)
class RecommendationRequest(HistoryAndQuery):
    """A request: the rendered messages, and what they were made of.

    `liked` holds the items of the history, empty if only a query was given; an item that no catalogue has has
    no id. `known` are the ids of the domain's items that are never recommended. `shown` are the
    titles that stand in the instruction, joined by "; ", and of which the oldest may be left out where there
    is no room for all; none where the instruction was shortened before.
    """

    domain: str
    locale: Locale
    system: str
    instruction: str
    liked: tuple[Item, ...] = ()
    query: str = ""
    known: frozenset[str] = frozenset()
    shown: tuple[str, ...] = ()

    @property
    def messages(self) -> tuple[tuple[str, str], ...]:
        """The conversation that the model answers."""
        return ("system", self.system), ("user", self.instruction)


def from_prompt(prompt: Prompt, catalogue: Catalogue) -> RecommendationRequest:
    """The request of a rendered prompt."""
    return RecommendationRequest(
        prompt.domain,
        prompt.locale,
        prompt.system,
        prompt.instruction,
        tuple(catalogue.get(prompt.history_domain, item) for item in prompt.history),
        prompt.query,
        frozenset(prompt.history if prompt.history_domain == prompt.domain else ()),
    )


def from_words(
    items: Sequence[Item], user_request: UserRequest, grounding: Grounding
) -> RecommendationRequest:
    """A free request against a catalogue of one domain.

    A title that the catalogue has is spelt as there and not recommended again; any other is kept as typed.

    Raises:
        UserError: neither history nor query.
    """
    titles = [title for text in user_request.history if (title := cut_line(text, LONGEST_TITLE))]
    query = cut_line(user_request.query, LONGEST_QUERY)
    if not titles and not query:
        raise UserError("nothing to go by", hint='give --history "A; B; C", or --query "…", or both')
    domain = items[0].domain
    known_domain = user_request.history_domain or domain
    bearers = [grounding.titles[domain].called(title) if known_domain == domain else [] for title in titles]
    known = frozenset(item.item_id for found in bearers for item in found)
    liked = tuple(
        found[0] if found else Item(known_domain, "", title)
        for title, found in zip(titles, bearers, strict=True)
    )[-_HISTORY:]
    locale = user_request.locale or locale_of(query or " ".join(titles))
    recent = tuple(cut_line(item.title, LONGEST_TITLE) for item in liked)
    system, instruction = ask(
        domain, locale, recent, query, ordered=True, history_domain=user_request.history_domain
    )
    return RecommendationRequest(domain, locale, system, instruction, liked, query, known, recent)
