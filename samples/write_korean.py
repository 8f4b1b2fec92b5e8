"""Korean films and their ratings, as files of one's own: columns that readers guess by their Korean names."""

from datetime import UTC, datetime
from pathlib import Path
from random import Random

from samples.shared import write_csv
from samples.taste import Act, World

FACTS = ("제목", "감독", "연도", "장르", "출연", "배경", "소재", "설명")


def korean(world: World, folder: Path, random: Random) -> None:
    """films.csv and ratings.csv; ratings stand in the order of time, as a log does."""
    films = ((item.id, *(item.facts[name] for name in FACTS)) for item in world.items)
    write_csv(folder / "films.csv", ("번호", *FACTS), films)
    acts = sorted(world.acts, key=lambda act: (act.time, act.user))
    write_csv(
        folder / "ratings.csv", ("회원번호", "번호", "평점", "시각"), (_rating(world, act) for act in acts)
    )


def _rating(world: World, act: Act) -> tuple[object, ...]:
    moment = datetime.fromtimestamp(act.time, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return world.users[act.user].id, world.items[act.item].id, act.value, moment
