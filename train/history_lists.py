"""Histories of train users as training rows: a list of liked titles, a line each.

A list teaches every title after the first from those before it, so a row of twenty titles has twenty targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.rng import generator_of
from rectune.core.rows import read_rows
from rectune.core.text.plain import locale_of
from rectune.core.types import Case, Example, Prompt, Provenance, with_id
from rectune.prompts.title_list import list_messages, listed
from rectune.rankers.domain_data import TrainLikes, train_likes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LISTS = "history_lists.parquet"  # of the stage `sft`, where it trains on any
TITLES, FEWEST = 20, 6  # titles of a row, at most and at least
_PROVENANCE = Provenance("template", "", "{}", 0, "rectune")


def list_examples(data: Path, count: int, seed: int) -> list[Example]:
    """At most so many lists of users who are in no test and kept for no preferences, domains in turn.

    Datasets may share user ids, so whoever is held out in one domain gives no list in another; that leaves
    out other people who happen to have such an id, too.

    Args:
        data: the finished stage `data`.
        count: of the rows.
        seed: of the order of users, and of histories without times.
    """
    catalogue, cases = load_catalogue(data / "items.parquet"), read_rows(data / "cases.parquet", Case)
    held_out = {case.user for case in cases if case.split != "train"}
    streams = [_of_domain(data, catalogue, cases, domain, seed) for domain in sorted(catalogue.domains)]
    able = [(row for row in rows if row.prompt.user not in held_out) for rows in streams]
    in_turn = (row for rows in zip_longest(*able) for row in rows if row is not None)
    return list(islice(in_turn, count))


def windows(likes: TrainLikes, seed: int) -> Iterator[tuple[int, list[str]]]:
    """Histories in pieces of at most `TITLES` items, every user's latest before any user's second.

    In the order of time where one is known, else in a drawn one.

    Yields:
        the user's number, and item ids.
    """
    import numpy as np

    rng = generator_of("windows", seed)
    times = rng.random(len(likes.users)) if likes.times is None else likes.times
    order = np.lexsort((times, likes.users))
    cut = np.flatnonzero(np.diff(likes.users[order])) + 1
    pieces = zip(np.split(likes.users[order], cut), np.split(likes.items[order], cut), strict=True)
    people = [(int(users[0]), items) for users, items in pieces if len(items) >= FEWEST]
    people = [people[at] for at in rng.permutation(len(people))]
    rounds = -(-max((len(items) for _, items in people), default=0) // TITLES)
    return chain.from_iterable(_windows(people, likes.item_ids, TITLES * turn) for turn in range(rounds))


def _windows(
    people: Sequence[tuple[int, NDArray[np.int64]]], item_ids: Sequence[str], later: int
) -> Iterator[tuple[int, list[str]]]:
    """The piece of each user that has so many items behind it."""
    for user, items in people:
        end = len(items) - later
        if end >= FEWEST:
            yield user, [item_ids[at] for at in items[max(0, end - TITLES) : end]]


def _of_domain(
    data: Path, catalogue: Catalogue, cases: Sequence[Case], domain: str, seed: int
) -> Iterator[Example]:
    names = _user_ids(data, domain)
    for user, items in windows(train_likes(data, cases, domain), seed):
        yield _example(domain, names[user], items, catalogue.titles(domain, items))


def _example(domain: str, user: str, items: Sequence[str], titles: Sequence[str]) -> Example:
    locale = locale_of(" ".join(titles))
    system, instruction = list_messages(domain, locale)
    prompt = Prompt(
        id="", domain=domain, scenario="passive", form="direct", locale=locale, split="train", user=user,
        system=system, instruction=instruction, history=tuple(items[:-1]), candidates=(), target=items[-1],
        query="", template=f"{locale}/list", history_domain=domain,
    )  # fmt: skip
    return with_id(Example("", with_id(prompt), listed(titles), _PROVENANCE))


def _user_ids(data: Path, domain: str) -> dict[int, str]:
    import polars as pl

    users = pl.scan_parquet(data / "users.parquet").filter(pl.col("domain") == domain)
    return dict(users.select("user", "user_id").collect().iter_rows())
