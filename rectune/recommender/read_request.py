"""What was typed, looked up in the catalogue that is recommended from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rectune.core.errors import UserError
from rectune.core.text.plain import cut_line, locale_of
from rectune.core.types import Item, Locale
from rectune.prompts.title_index import TitleIndexes
from rectune.recommender.ranking import RankRequest
from rectune.recommender.requests import (
    LONGEST_QUERY,
    LONGEST_TITLE,
    UserRequest,
    latest,
    words_of_history,
)


@dataclass(frozen=True)
class ReadRequest:
    """A request, and what of it the catalogue has.

    `liked` are the items of the history, those that the catalogue lacks without an id; `known` the ids of all
    that bear their titles.
    """

    request: UserRequest
    liked: tuple[Item, ...]
    query: str
    known: frozenset[str]
    not_found: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """What of the history the catalogue has, oldest first."""
        return tuple(item.item_id for item in self.liked if item.item_id)

    @property
    def titles(self) -> tuple[str, ...]:
        """The titles of the history."""
        return tuple(item.title for item in self.liked)

    @property
    def words(self) -> str:
        """What to look for in words: the query; else the history, where the catalogue has none of it."""
        return self.query or ("" if self.ids else words_of_history(self.liked))

    @property
    def texts(self) -> list[str]:
        """The same as separate texts."""
        return [self.query] if self.query else latest(self.liked)

    @property
    def locale(self) -> Locale:
        """The language of the request."""
        return locale_of(self.query or " ".join(item.title for item in self.liked))

    def crosses(self, domain: str) -> bool:
        """Whether only items of other domains are given: taste carries over then, subjects do not."""
        return not self.query and any(item.domain != domain for item in self.liked)

    def ranked_for(self, exclude: Collection[str]) -> RankRequest:
        """What the ranker is asked."""
        return RankRequest(self.ids, self.words, self.known | frozenset(exclude))


def read_request(
    request: UserRequest, domain: str, items: Mapping[str, Item], titles: TitleIndexes
) -> ReadRequest:
    """Look up a history: ids first, then titles.

    Args:
        request: as it was typed.
        domain: of the catalogue.
        items: the catalogue, by id.
        titles: its titles.

    Raises:
        UserError: there is neither history nor query.
    """
    own = not request.history_domain or request.history_domain == domain
    liked, known, strange = list[Item](), set[str](), list[str]()
    for text in request.history:
        name = str(text)  # a number is an id as well
        words = cut_line(name, LONGEST_TITLE)
        found = [items[name]] if own and name in items else []
        found = found or (titles[domain].called(words) if own and words else [])
        known |= {item.item_id for item in found}
        if not found and words:
            strange.append(words)
        if found or words:
            liked.append(found[0] if found else Item(request.history_domain or domain, "", words))
    query = cut_line(request.query, LONGEST_QUERY)
    if not liked and not query:
        raise UserError("nothing to go by", hint="give a history, a user, a query, or several of them")
    return ReadRequest(request, tuple(liked), query, frozenset(known), tuple(strange) if own else ())
