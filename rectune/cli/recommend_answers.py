"""Answers of `rectune recommend` to what is typed, once or again and again."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from rectune.core.errors import UserError
from rectune.core.progress import detail, say
from rectune.core.std_streams import json_line
from rectune.recommender.formatting import as_json, as_text
from rectune.recommender.model_check import LOCALES
from rectune.recommender.ranked_formatting import around, ranked_json, ranked_text
from rectune.recommender.typed_history import Typed

if TYPE_CHECKING:
    from rectune.recommender.options import RecommendOptions
    from rectune.recommender.recommender import Recommender
    from rectune.recommender.requests import UserRequest
    from rectune.recommender.results import Recommendations

_QUESTION = re.compile(r"(?:^|\s)\?\s*")


def _asks(recommender: Recommender) -> bool:
    """Whether a language model is asked for reasons, in some language."""
    if recommender.asks_ranker:
        return True
    return recommender.generative is not None and recommender.generative.untrusted < frozenset(LOCALES)


class Answering:
    """Answers what is typed, from one catalogue, which is read and indexed once.

    Args:
        recommender: answers.
        options: of all answers; a language model gives reasons for the first item alone, which takes long.
        json: whether answers are lines of JSON.
        user: whose known likes come before what is typed; empty for nobody's.
        note: on the model, said beside the first answer; empty for none.
    """

    def __init__(
        self, recommender: Recommender, options: RecommendOptions, json: bool, user: str = "", note: str = ""
    ) -> None:
        self._recommender, self._json = recommender, json
        self._options = replace(options, explain=1 if _asks(recommender) else options.k)
        self._user, self._note = user or None, note
        self._liked = len(recommender.history_of(user)) if user else None
        if others := recommender.titles[recommender.domain].others.describe():
            detail(others)

    def __call__(self, typed: Typed) -> str:
        """The answer to what was typed, for a terminal or as a line of JSON."""
        asked = typed.user_request(self._recommender.domain, self._recommender.titles)
        asked = self._recommender.known(self._user, asked)
        (found,) = self._recommender.recommend_all([asked], self._options)
        self._say_notes(asked, found)
        if found.details is not None:
            return json_line(as_json(found.details)) if self._json else as_text(found.details)
        if self._json:
            return json_line(ranked_json(asked, found))
        by_model = self._recommender.asks_ranker or self._recommender.generative is not None
        return ranked_text(found, self._options, self._liked, by_model)

    def _say_notes(self, asked: UserRequest, found: Recommendations) -> None:
        """One line on what the answer rests on: titles that the catalogue lacks, and the model."""
        missing = ""
        if found.not_found and not asked.history_domain:
            others = bool(asked.query) or len(found.not_found) < len(asked.history)
            missing = self._missing(found, others)
        if notes := [note for note in (missing, self._note) if note]:
            say("; ".join(notes))
        self._note = ""

    def _missing(self, found: Recommendations, others: bool) -> str:
        """What becomes of titles that the catalogue lacks."""
        counts = self._recommender.ranker is None or not others
        part = "missing_words" if counts else "missing_ignored"
        return around(found.locale, part, titles=", ".join(found.not_found))


def converse(answer: Callable[[Typed], str], history_domain: str) -> None:
    """Read one request per line until an empty one: titles, or a question mark and a query, or both."""
    typer.echo(
        'Titles you liked, as "A; B; C"; or "? what you look for"; or both. An empty line ends.', err=True
    )
    while True:
        typer.echo("> ", nl=False, err=True)
        line = sys.stdin.readline().strip()
        if not line:
            return
        history, *query = _QUESTION.split(line, maxsplit=1)
        try:
            typer.echo(answer(Typed(history, query[0] if query else "", history_domain)) + "\n")
        except UserError as error:
            typer.echo(f"rectune: {error}", err=True)
