"""What was typed, looked up in the catalogue that is recommended from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from rectune.core.errors import UserError
from rectune.core.text.plain import cut_line, locale_of
from rectune.core.types import Item, Locale
from rectune.prompts.title_index import TitleIndex, TitleIndexes
from rectune.recommender.ranking import RankRequest
from rectune.recommender.requests import LONGEST_QUERY, LONGEST_TITLE, HistoryAndQuery, UserRequest
from rectune.recommender.tables import id_text
from rectune.recommender.user_attributes import known_attributes
from rectune.retrieval.chunks import head_of

# A query that only names something to be like.
_LIKENED = re.compile(
    r"(?P<korean>.+?)\s*(?:같은|비슷한|처럼|과 비슷한|와 비슷한)(?:\s\S+){0,3}"
    r"|(?:\S+\s){0,2}(?:like|similar to)\s(?P<english>.+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ReadRequest(HistoryAndQuery):
    """A request, and what of it the catalogue has.

    `liked` are the items of the history, those that the catalogue lacks without an id; `known` the ids of all
    that bear their titles; `said` what the history says in words, and for an id what the catalogue does;
    `unknown_attributes` what is stated and not known to what ranks, which `request` does not have any more.
    """

    request: UserRequest
    domain: str
    liked: tuple[Item, ...]
    query: str
    known: frozenset[str]
    not_found: tuple[str, ...]
    said: tuple[str, ...]
    unknown_attributes: tuple[str, ...] = ()

    @property
    def locale(self) -> Locale:
        """The language of the sentences."""
        return self.request.locale or locale_of(self.query or " ".join(self.said))

    def with_known_attributes(self, known: Collection[str]) -> ReadRequest:
        """The request with what is stated as far as that is known to what ranks.

        Args:
            known: see `Ranker.attributes_known`.

        Raises:
            UserError: nothing of it is, and nothing else is given.
        """
        kept, unknown = known_attributes(self.request.attributes, known)
        if unknown and not (kept or self.liked or self.query):
            raise UserError(
                f"nothing to go by: what ranks knows nothing of {', '.join(unknown)}",
                hint="give a history, a user, a query, or several of them",
            )
        return replace(self, request=replace(self.request, attributes=kept), unknown_attributes=unknown)

    def ranked_for(self, exclude: Collection[str]) -> RankRequest:
        """What the ranker is asked."""
        absent = self.known | frozenset(exclude)
        return RankRequest(self.own_history, self.words, absent, attributes=self.request.attributes)


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
        UserError: there is neither history nor query, nor anything that the user states.
    """
    own = not request.history_domain or request.history_domain == domain
    request = _with_likened(request, titles[domain])
    liked, known, strange, said = list[Item](), set[str](), list[str](), list[str]()
    for text in request.history:
        name = text if isinstance(text, str) else id_text(text)  # a number is an id as well
        words = cut_line(name, LONGEST_TITLE)
        found = [items[name]] if own and name in items else []
        found = found or (titles[domain].called(words) if own and words else [])
        known |= {item.item_id for item in found}
        if not found and words:
            strange.append(words)
        said.append(head_of(found[0]) if found and found[0].item_id == name else words)
        if found or words:
            liked.append(found[0] if found else Item(request.history_domain or domain, "", words))
    query = cut_line(request.query, LONGEST_QUERY)
    if not liked and not query and not request.attributes:
        raise UserError("nothing to go by", hint="give a history, a user, a query, or several of them")
    lacking = tuple(strange) if own else ()
    return ReadRequest(request, domain, tuple(liked), query, frozenset(known), lacking, tuple(said))


def _with_likened(request: UserRequest, titles: TitleIndex) -> UserRequest:
    """The request with the title that a query likens something to ("films like Alien") as its history."""
    found = _LIKENED.fullmatch(cut_line(request.query, LONGEST_TITLE).strip())
    title = (found["korean"] or found["english"]) if found else ""
    if not title or request.history or not titles.called(cut_line(title, LONGEST_TITLE)):
        return request
    return replace(request, history=[title], query="")
