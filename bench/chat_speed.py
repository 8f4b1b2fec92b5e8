"""`python -m bench.chat_speed`: how long a turn takes in the service with the embedded model, by turn number.

One simulated person talks with the service in this process: its store, its engine's queue, its checks. The
model is taken as trusted, whatever `rectune doctor --model` says of it, so that it writes; what does not pass
the checks does not go out. Counted are seconds until the first event, the first sentence and the end of a
turn, and the tokens of prompts, by blocks of turns: they should not grow. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.dialogue.chat_turn import ChatTurn
from rectune.dialogue.simulation import SimulatedUser
from rectune.readers.catalogue import CatalogueOptions
from rectune.recommender.recommender import Recommender
from rectune.recommender.tables import items_of
from rectune.serving.chat_answers import Said
from rectune.serving.chats import ChatService
from rectune.serving.loading import load_engine
from rectune.serving.recommending import RecommendService
from rectune.serving.store import chats, users
from rectune.serving.store.database import open_database

_FILMS = Path(__file__).parents[1] / "samples/movielens/movies.csv"
_USER = "bench"


@dataclass(frozen=True)
class Turn:
    """What was measured of a turn: seconds, tokens of the prompts, and who worded it."""

    first: float
    sentence: float
    end: float
    prompt_tokens: int
    by: str


def main() -> None:
    """Talk, print what was measured."""
    given = _arguments()
    with tempfile.TemporaryDirectory() as place:
        turns = _talk(Path(place), given.turns, given.ranker, given.model)
    print(f"{len(turns)} turns, of which the model worded {sum(one.by == 'model' for one in turns)}")
    print(
        "turns          | first event | first sentence | end, median | slowest | prompt tokens, mean | most"
    )
    for start in range(0, len(turns), 10):
        print(_row(start, turns[start : start + 10]))


def _row(start: int, some: Sequence[Turn]) -> str:
    asked = [one.prompt_tokens for one in some if one.prompt_tokens] or [0]
    seconds = [
        median(one.first for one in some), median(one.sentence for one in some),
        median(one.end for one in some), max(one.end for one in some),
    ]  # fmt: skip
    figures = " | ".join(f"{one:.2f}" for one in seconds)
    return f"{start + 1:>3} to {start + len(some):<8} | {figures} | {mean(asked):.0f} | {max(asked)}"


def _talk(folder: Path, last: int, ranker: str, model: str) -> list[Turn]:
    items = items_of(_FILMS, CatalogueOptions("movies"))
    recommender = Recommender.from_catalogue(
        items, model=None if model == "none" else model, ranker=ranker, folder=folder / "index"
    )
    if recommender.generative:
        recommender.generative = replace(recommender.generative, untrusted=frozenset())
    engine = load_engine(recommender, 1)
    with open_database(folder / "store.sqlite") as database:
        try:
            return _turns(ChatService(RecommendService(recommender, database, engine)), last)
        finally:
            if engine:
                engine.close()


def _turns(talks: ChatService, last: int) -> list[Turn]:
    service, found, before = talks.service, list[Turn](), list[ChatTurn]()
    titles = service.recommender.titles[service.recommender.domain]
    person = SimulatedUser(ChatCatalogue(service.recommender.items, titles, {}), "en", 0)
    with service.database.writing() as session:
        chat = chats.begin(session, users.create(session, _USER).id).id
    for number in range(1, last + 1):
        start, heard = time.monotonic(), dict[str, float]()

        def hear(name: str, told: Mapping[str, Any], start: float = start, heard: Any = heard) -> None:
            heard.setdefault(name, time.monotonic() - start)

        answer = talks.say(Said(_USER, person.says(number, last, before), chat), emit=hear)
        end = time.monotonic() - start
        tokens = answer.usage["prompt_tokens"]
        found.append(Turn(heard["status"], heard.get("sentence", end), end, tokens, answer.by))
        with service.database.reading() as session:
            (row,) = chats.messages(session, chat, limit=1).rows
        before.append(chats.turn_of(row))
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--ranker", default="bm25")
    parser.add_argument("--model", default="embedded", help="a GGUF file, or none")
    return parser.parse_args()


if __name__ == "__main__":
    main()
