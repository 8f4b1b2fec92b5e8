"""The table of what differs between the datasets: sources of facets and traits, ids, value scales."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from samples.taste import Item, Taste, World, simulate, zipf

FACTS = Path(__file__).parent / "facts"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Domain:
    """One dataset's row in the table below."""

    title: str  # the facts column that holds the title
    facets: Callable[[Row], list[str]]
    traits: Callable[[Row], list[str]]
    item_id: Callable[[int, Random], str]
    user_id: Callable[[int, Random], str]
    value: Callable[[float, Random], float]
    liked: float  # a value of at least this much counts as liked
    taste: Taste


def code(alphabet: str, length: int, random: Random) -> str:
    """A random id."""
    return "".join(random.choice(alphabet) for _ in range(length))


def _split(column: str, mark: str = "|", drop: tuple[str, ...] = ()) -> Callable[[Row], list[str]]:
    return lambda row: [part for part in row[column].split(mark) if part not in drop]


def _era(year: int, ends: tuple[int, ...]) -> str:
    """The first bound above the year; each domain has its own, so that every era has enough items."""
    return "era:" + next((f"<{end}" for end in ends if year < end), "latest")


def _columns(*names: str) -> Callable[[Row], list[str]]:
    return lambda row: [f"{name}:{row[name]}" for name in names]


def _era_and(column: str, ends: tuple[int, ...], date: str = "year") -> Callable[[Row], list[str]]:
    return lambda row: [_era(int(row[date][:4]), ends), f"{column}:{row[column]}"]


def _band(row: Row) -> list[str]:
    price = float(row["price"])
    band = next((name for end, name in ((45, "low"), (130, "middle")) if price < end), "high")
    return [f"store:{row['store']}", f"price:{band}"]


def isbn(number: int, random: Random) -> str:
    """An ISBN-10 that belongs to no book: five zeros, a number, and the true check digit (which may be X)."""
    digits = f"00000{1000 + 97 * number % 9000:04d}"
    check = sum((10 - place) * int(digit) for place, digit in enumerate(digits)) * 10 % 11
    return digits + ("X" if check == 10 else str(check))


def _clamp(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))


def stars(fit: float, random: Random) -> float:
    """Whole stars 1 to 5, most of them high as in the published files."""
    return _clamp(round(4.35 + 0.75 * fit + random.gauss(0, 0.4)), 1, 5)


def half_stars(fit: float, random: Random) -> float:
    """0.5 to 5 in halves."""
    return _clamp(round(2 * (4.1 + 0.55 * fit + random.gauss(0, 0.3))) / 2, 0.5, 5)


def anime_rating(fit: float, random: Random) -> float:
    """1 to 10, or -1 = watched and not rated."""
    return -1 if random.random() < 0.1 else _clamp(round(8.5 + 0.9 * fit + random.gauss(0, 0.5)), 1, 10)


def book_rating(fit: float, random: Random) -> float:
    """1 to 10, or 0 = no rating given: a third here, three quarters in the published file."""
    return 0 if random.random() < 0.33 else _clamp(round(8.2 + 1.3 * fit + random.gauss(0, 0.6)), 1, 10)


def minutes(fit: float, random: Random) -> float:
    """Minutes played; one game in fourteen was never started."""
    return 0 if random.random() < 0.07 else round(2.718281828 ** (6.2 + 1.3 * fit + random.gauss(0, 0.9)))


def click(fit: float, random: Random) -> float:
    """Always 1: a click."""
    return 1


DOMAINS: dict[str, Domain] = {
    "mind": Domain(
        title="title",
        facets=lambda row: [row["category"], row["subcategory"]],
        traits=_columns("region"),
        item_id=lambda number, random: f"N{10000 + 613 * number}",
        user_id=lambda number, random: f"U{20000 + 457 * number}",
        value=click,
        liked=1,
        taste=Taste(least=13, most=18),
    ),
    "amazon_music": Domain(
        title="title",
        facets=_split("genres"),
        traits=_era_and("country", (1970, 1980, 1990, 2005)),
        item_id=lambda number, random: f"B0MUSIC{number + 1:03d}",
        user_id=lambda number, random: "A" + code(LETTERS, 13, random),
        value=stars,
        liked=4,
        taste=Taste(users=90, least=12, most=16),
    ),
    "yelp": Domain(
        title="name",
        facets=_split("categories", ", ", ("Restaurants", "Food")),
        traits=_columns("city"),
        item_id=lambda number, random: code(URL_SAFE, 22, random),
        user_id=lambda number, random: code(URL_SAFE, 22, random),
        value=stars,
        liked=4,
        taste=Taste(users=90, least=12, most=16),
    ),
    "anime": Domain(
        title="name",
        facets=_split("genre", ", "),
        traits=_era_and("tone", (1990, 2000, 2008, 2014)),
        item_id=lambda number, random: str(100001 + 37 * number),
        user_id=lambda number, random: str(number + 1),
        value=anime_rating,
        liked=8,
        taste=Taste(users=120, least=15, most=24, a=16.0, h=0.2),
    ),
    "books": Domain(
        title="title",
        facets=_split("genres"),
        traits=_era_and("country", (1920, 1965, 1990)),
        item_id=isbn,
        user_id=lambda number, random: str(900001 + 11 * number),
        value=book_rating,
        liked=7,
        taste=Taste(users=120, least=18, most=25),
    ),
    "movielens": Domain(
        title="title",
        facets=_split("genres"),
        traits=_era_and("country", (1965, 1985, 2000)),
        item_id=lambda number, random: str(300001 + 29 * number),
        user_id=lambda number, random: str(number + 1),
        value=half_stars,
        liked=4,
        taste=Taste(users=120, least=15, most=24),
    ),
    "movies_dataset": Domain(
        title="title",
        facets=_split("genres"),
        traits=_era_and("country", (1965, 1990, 2008)),
        item_id=lambda number, random: str(950001 + 41 * number),
        user_id=lambda number, random: str(number + 1),
        value=half_stars,
        liked=4,
        taste=Taste(users=110, least=15, most=22),
    ),
    "steam": Domain(
        title="title",
        facets=lambda row: _split("genres")(row) + _split("tags")(row),
        traits=_era_and("country", (2012, 2015, 2018), "release"),
        item_id=lambda number, random: str(9000010 + 70 * number),
        user_id=lambda number, random: str(76561190000000000 + 7919 * number),
        value=minutes,
        liked=120,
        taste=Taste(least=14, most=19, a=16.0, h=0.18),
    ),
    "amazon": Domain(
        title="title",
        facets=_split("categories"),
        traits=_band,
        item_id=lambda number, random: f"B0SAMPLE{number + 1:02d}",
        user_id=lambda number, random: "AE" + code(LETTERS, 26, random),
        value=stars,
        liked=4,
        taste=Taste(users=90, least=12, most=16),
    ),
    "korean": Domain(
        title="제목",
        facets=_split("장르"),
        traits=_era_and("감독", (2003, 2010, 2016), "연도"),
        item_id=lambda number, random: f"F{number + 1:03d}",
        user_id=lambda number, random: f"회원{number + 1:03d}",
        value=half_stars,
        liked=4,
        taste=Taste(users=60, least=15, most=22),
    ),
}


def read_facts(dataset: str) -> list[Row]:
    """The hand-written rows of one domain. Quotes in them are data."""
    with (FACTS / f"{dataset}.tsv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def build(dataset: str) -> World:
    """Reads the facts of one domain and simulates its users. The same on every machine."""
    domain = DOMAINS[dataset]
    random = Random(f"rectune samples {dataset}")
    rows = read_facts(dataset)
    shares = zipf(len(rows), random)
    items = [
        Item(
            domain.item_id(number, random),
            row[domain.title],
            tuple(domain.facets(row)),
            tuple(domain.traits(row)),
            row,
            shares[number],
        )
        for number, row in enumerate(rows)
    ]
    user_ids = [domain.user_id(number, random) for number in range(domain.taste.users)]
    return simulate(items, user_ids, domain.taste, domain.value, random)
