"""MIND: news and what readers clicked."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from samples.taste import Act, Item, World

UNKNOWN_NEWS = "N99999"  # stands in behaviors.tsv, not in news.tsv
FIRST_SECOND = 1734652800  # 2024-12-20 00:00 UTC, after the newest headline
WEEK = 6 * 86400


def _entities(text: str, known: str) -> str:
    """The entities (`name:type:wikidata id`) that occur in a text, as MIND writes them."""
    found = []
    for name, kind, wikidata in (entry.split(":") for entry in known.split("|") if entry):
        if (offset := text.find(name)) >= 0:
            found.append(
                {
                    "Label": name,
                    "Type": kind,
                    "WikidataId": wikidata,
                    "Confidence": 1.0,
                    "OccurrenceOffsets": [offset],
                    "SurfaceForms": [name],
                }
            )
    return json.dumps(found)


def _news(item: Item) -> str:
    facts = item.facts
    entities = [_entities(text, facts["entities"]) for text in (item.title, facts["abstract"])]
    url = f"https://news.example.org/{item.id}.html"
    start = [item.id, facts["category"], facts["subcategory"], item.title, facts["abstract"], url]
    return "\t".join(start + entities)


def _stamp(second: int) -> str:
    """`11/12/2019 2:14:46 PM`: no zero before the hour. By hand, since %-I is not on every machine."""
    at = datetime.fromtimestamp(second, UTC)
    return f"{at:%m/%d/%Y} {at.hour % 12 or 12}:{at:%M:%S} {'AM' if at.hour < 12 else 'PM'}"


def _impressions(world: World, clicked: Sequence[int], seen: set[int], random: Random) -> str:
    unseen = [index for index in range(len(world.items)) if index not in seen]
    shown = [(index, 0) for index in random.sample(unseen, random.randint(5, 9))]
    shown += [(index, 1) for index in clicked]
    random.shuffle(shown)
    return " ".join(f"{world.items[index].id}-{label}" for index, label in shown)


def _sessions(acts: Sequence[Act], random: Random) -> list[list[int]]:
    """The last few clicks of a user, in one to three impressions; every fifth impression has two clicks."""
    sizes = [2 if random.random() < 0.2 else 1 for _ in range(random.randint(1, 3))]
    tail = [act.item for act in acts[-sum(sizes) :]]
    return [[tail.pop(0) for _ in range(size)] for size in sizes]


def _user_rows(world: World, user: int, random: Random) -> list[list[str]]:
    """A user's rows without their number. All carry one history, as in MIND: the clicks before the week."""
    acts = world.of_user(user)
    sessions = _sessions(acts, random)
    before = acts[: -sum(map(len, sessions))]
    history = " ".join(world.items[act.item].id for act in before)
    seconds = sorted(random.sample(range(FIRST_SECOND, FIRST_SECOND + WEEK), len(sessions)))
    seen = {act.item for act in acts}
    return [
        [world.users[user].id, _stamp(second), history, _impressions(world, clicked, seen, random)]
        for second, clicked in zip(seconds, sessions, strict=True)
    ]


def _newcomer(world: World, number: int, random: Random) -> list[str]:
    """A row of somebody with no history."""
    choice = random.randrange(len(world.items))
    shown = _impressions(world, [choice], {choice}, random)
    return [f"U{90000 + number}", _stamp(FIRST_SECOND + random.randrange(WEEK)), "", shown]


def mind(world: World, folder: Path, random: Random) -> None:
    """news.tsv and behaviors.tsv: no header, no quoting, so that raw quotes are data."""
    news = "".join(_news(item) + "\n" for item in world.items)
    (folder / "news.tsv").write_text(news, encoding="utf-8", newline="\n")
    rows = [row for user in range(len(world.users)) for row in _user_rows(world, user, random)]
    rows[4][2] += f" {UNKNOWN_NEWS}"
    rows[9][3] += f" {UNKNOWN_NEWS}-0"
    rows += [_newcomer(world, number, random) for number in range(6)]
    random.shuffle(rows)
    lines = "".join("\t".join([str(number), *row]) + "\n" for number, row in enumerate(rows, start=1))
    (folder / "behaviors.tsv").write_text(lines, encoding="utf-8", newline="\n")
