"""A small world whose right answers are known: every user likes only one half of the items, or the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from rectune.core.rows import write_rows
from rectune.core.tables import interaction_schema, item_schema, user_schema
from rectune.core.types import Case, Item, Prompt, Split, with_id

SPACE = (
    "Journey to Mars",
    "Moon Landing",
    "Galaxy War",
    "Rocket Pilots",
    "The Space Station",
    "Alien Planet",
)
KITCHEN = (
    "The French Chef",
    "Baking Bread",
    "Pasta Kitchen",
    "Chocolate Cake",
    "Sushi Master",
    "Street Food",
)
DOMAINS = ("books", "movies")
LIKED, DISLIKED = 4.0, 2.0


def items(domain: str = "movies") -> list[Item]:
    """Twelve items: the first six of one taste, the last six of the other."""
    rows = [(title, "science fiction") for title in SPACE] + [(title, "cooking") for title in KITCHEN]
    return [Item(domain, f"{domain[0]}{n}", title, (genre,)) for n, (title, genre) in enumerate(rows)]


def case(domain: str, user: str, split: Split, taste: int) -> Case:
    """Four of the user's taste as history, the fifth as target; the other taste as the other candidates."""
    ids = [item.item_id for item in items(domain)]
    own, other = (ids[:6], ids[6:]) if taste == 0 else (ids[6:], ids[:6])
    candidates = (*other[:2], own[4], *other[2:4])
    return with_id(Case("", domain, user, split, tuple(own[:4]), own[4], candidates, True, domain))


def prompt(of: Case, scenario: str = "passive") -> Prompt:
    """The prompt that words a case."""
    titles = {item.item_id: item.title for item in items(of.domain)}
    history = of.history if scenario == "passive" else ()
    user_request = "; ".join(titles[item] for item in of.history) if history else "something to watch"
    words = ("direct", "en", of.split, of.user, "Recommend one.", user_request)
    row = Prompt(
        "",
        of.domain,
        scenario,
        *words,
        history,
        (),
        of.target,
        "" if history else user_request,
        "t",
        of.domain,
    )  # type: ignore[arg-type]
    return with_id(row)


def write_world(root: Path) -> dict[str, Path]:
    """The folders `data` and `queries`: by domain a test user of each taste and three train users."""
    inputs = {name: root / name for name in ("data", "queries")}
    for folder in inputs.values():
        folder.mkdir(parents=True)
    tests = [case(d, f"test{taste}", "test", taste) for d in DOMAINS for taste in (0, 1)]
    trains = [case(d, "train0", "train", 0) for d in DOMAINS]
    write_rows(inputs["data"] / "cases.parquet", [*tests, *trains], Case)
    prompts = [prompt(c, scenario) for c in tests for scenario in ("passive", "active")]
    write_rows(inputs["queries"] / "prompts.parquet", [*prompts, *map(prompt, trains)], Prompt)
    _write_tables(inputs["data"], [*tests, *trains])
    return inputs


def _write_tables(data: Path, cases: Sequence[Case]) -> None:
    """Everybody likes history and target; two train users without a case like item 7, one dislikes item 8."""
    users = ("test0", "test1", "train0", "train1", "train2")
    item_rows, user_rows, events = [], [], []
    for domain in DOMAINS:
        codes = {item.item_id: code for code, item in enumerate(items(domain))}
        for item in items(domain):
            item_rows.append(
                (
                    domain,
                    codes[item.item_id],
                    item.item_id,
                    item.title,
                    list(item.categories),
                    "",
                    None,
                    "{}",
                    "",
                    [],
                )
            )
        user_rows += [(domain, code, user, "{}") for code, user in enumerate(users)]
        for c in cases:
            if c.domain == domain:
                events += [(domain, users.index(c.user), codes[i], LIKED) for i in (*c.history, c.target)]
        events += [
            (domain, 3, 7, LIKED),
            (domain, 4, 7, LIKED),
            (domain, 4, 8, DISLIKED),
            (domain, 3, 8, None),
        ]
    pl.DataFrame(item_rows, item_schema(), orient="row").write_parquet(data / "items.parquet")
    pl.DataFrame(user_rows, user_schema(), orient="row").write_parquet(data / "users.parquet")
    rows = [(d, u, i, v, "rating", None, n) for n, (d, u, i, v) in enumerate(events)]
    events_table = pl.DataFrame(rows, interaction_schema(), orient="row")
    liked = (pl.col("value") >= LIKED).fill_null(False).alias("liked")
    events_table.with_columns(liked).write_parquet(data / "interactions.parquet")
