"""Who is trained on, who is asked for preferences, who is tested: users are disjoint, and no history passes its target."""

from __future__ import annotations

import random
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rectune.types import Case, Split, content_id, with_id

if typing.TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Rules:
    """How cases are cut: history lengths in items, `candidates` with the target, what counts as `liked`."""

    liked: float
    min_history: int
    max_history: int
    candidates: int
    ordered: bool
    seed: int


@dataclass(frozen=True, slots=True)
class Person:
    """One user: `liked` item codes, oldest first (seeded order without times), their times, and all items ever touched."""

    user_id: str
    liked: tuple[int, ...]
    times: tuple[int | None, ...]
    touched: frozenset[int]


def eligible_users(interactions: pl.DataFrame, users: pl.DataFrame, rules: Rules) -> list[tuple[int, str]]:
    """Users with a target and the shortest allowed history, as (code, published id), in a seeded order.

    The order hashes the published id, so that it does not depend on the order of the files.
    """
    import polars as pl

    counts = _liked(interactions, rules).group_by("user").agg(pl.col("item").n_unique().alias("n"))
    enough = counts.filter(pl.col("n") > rules.min_history).join(users.select("user", "user_id"), on="user")
    rows = typing.cast("list[tuple[int, str]]", enough.select("user", "user_id").rows())
    return sorted(rows, key=lambda row: content_id("user", rules.seed, row[1]))


def assign(
    users: Sequence[tuple[int, str]], test: int, preference: int
) -> dict[Split, list[tuple[int, str]]]:
    """Disjoint users a split: the first for tests, the next for preferences, all others for training."""
    return {
        "test": list(users[:test]),
        "preference": list(users[test : test + preference]),
        "train": list(users[test + preference :]),
    }


def people(interactions: pl.DataFrame, users: Sequence[tuple[int, str]], rules: Rules) -> list[Person]:
    """The histories of these users, in their order."""
    import polars as pl

    wanted = interactions.filter(pl.col("user").is_in([code for code, _ in users]))
    touched = dict(wanted.group_by("user").agg(pl.col("item").unique()).rows())
    first = (
        _liked(wanted, rules)
        .sort("user", "timestamp", "order", nulls_last=False)
        .unique(["user", "item"], keep="first", maintain_order=True)
    )
    grouped = first.group_by("user", maintain_order=True).agg("item", "timestamp")
    liked = {user: (items, times) for user, items, times in grouped.rows()}
    return [_person(user_id, *liked[code], touched[code], rules) for code, user_id in users]


def cut_cases(
    domain: str, split: Split, persons: Sequence[Person], wanted: int, catalogue: Sequence[str], rules: Rules
) -> list[Case]:
    """At most `wanted` cases: every user's latest first, then, in training, earlier ones.

    Args:
        catalogue: item ids of the domain by item code; negatives are drawn from it, uniformly.
    """
    found: list[Case] = []
    for person, place in _places(persons, rules.min_history, deep=split == "train"):
        if len(found) == wanted:
            break
        found.append(_case(domain, split, person, place, catalogue, rules))
    return found


def _places(persons: Sequence[Person], shortest: int, *, deep: bool) -> Iterator[tuple[Person, int]]:
    """Targets as (person, place in the liked items), the last of each person before anybody's last but one."""
    longest = max((len(person.liked) for person in persons), default=0)
    for back in range(1, longest + 1 if deep else 2):
        for person in persons:
            if len(person.liked) - back >= shortest:
                yield person, len(person.liked) - back


def _case(
    domain: str, split: Split, person: Person, place: int, catalogue: Sequence[str], rules: Rules
) -> Case:
    target = person.liked[place]
    rng = random.Random(content_id("case", rules.seed, domain, person.user_id, place))
    shown = [*_negatives(len(catalogue), person.touched, rules.candidates - 1, rng), target]
    rng.shuffle(shown)
    history = person.liked[max(0, place - rules.max_history) : place]
    return with_id(
        Case(
            id="",
            domain=domain,
            user=person.user_id,
            split=split,
            history=tuple(catalogue[item] for item in history),
            target=catalogue[target],
            candidates=tuple(catalogue[item] for item in shown),
            ordered=rules.ordered,
            cutoff=person.times[place],
        )
    )


def _negatives(items: int, touched: frozenset[int], wanted: int, rng: random.Random) -> list[int]:
    """Distinct items that the user never touched, drawn uniformly; fewer when the catalogue holds no more."""
    free = items - len(touched)
    if free < 4 * wanted:  # drawing with rejection would be slow
        return rng.sample([item for item in range(items) if item not in touched], min(wanted, free))
    found: dict[int, None] = {}
    while len(found) < wanted:
        item = rng.randrange(items)
        if item not in touched:
            found[item] = None
    return list(found)


def _liked(interactions: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    import polars as pl

    return interactions.filter(pl.col("value") >= rules.liked)


def _person(
    user_id: str, items: list[int], times: list[int | None], touched: list[int], rules: Rules
) -> Person:
    pairs = list(zip(items, times, strict=True))
    if not rules.ordered:
        # Without times the file's order means nothing; a seeded one cannot leak it.
        pairs.sort(key=lambda pair: pair[0])
        random.Random(content_id("order", rules.seed, user_id)).shuffle(pairs)
    return Person(user_id, tuple(i for i, _ in pairs), tuple(t for _, t in pairs), frozenset(touched))
