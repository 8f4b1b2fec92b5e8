"""The case of a developer and ten films, in either language (`developer.en.yaml`, `developer.ko.yaml`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from rectune.core.types import Item, Locale
from rectune.dialogue.knowledge import Claim
from rectune.dialogue.reranking import RerankCandidate

WANTED = 5


@dataclass(frozen=True)
class PersonaCase:
    """A persona, and the films among which five are wanted, in the order of the ranking before."""

    locale: Locale
    profile: tuple[str, ...]
    claims: tuple[Claim, ...]
    candidates: tuple[RerankCandidate, ...]


def developer(locale: Locale) -> PersonaCase:
    """The case in a language."""
    path = Path(__file__).parent / f"developer.{locale}.yaml"
    told = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    claims = tuple(
        Claim(id=f"{one['stance']} {one['value']}", quote=one["text"], **one) for one in told["claims"]
    )
    films = [
        Item("movies", f"f{at}", film["title"], tuple(film["categories"]), film["description"], film["year"],
             tuple(film["facts"]))
        for at, film in enumerate(told["films"], 1)
    ]  # fmt: skip
    candidates = tuple(RerankCandidate(film, float(-at)) for at, film in enumerate(films))
    return PersonaCase(locale, tuple(told["profile"]), claims, candidates)
