"""`python -m bench.answers [--runs runs] [--out answers.jsonl]`: fifty answers in each language, to be read.

Answers of the runs of the recipes demo and demo-ko (their test users), of the samples as catalogues without
any run (histories of two items, drawn with a seed), and to free requests. Each line of the output holds what
was asked, what the catalogue says of history and item, the reason that went out, and who wrote it. Runs that
are not there are left out and named. `bench/answers.json` holds such answers with the verdicts of two
readers.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.types import Item, Locale
from rectune.prompts.teacher_prompts import facts
from rectune.readers.catalogue import CatalogueOptions
from rectune.recommender.recommender import Recommender

SAMPLES = Path(__file__).parent.parent / "samples"
# Folder of samples -> domain, and the published format.
CATALOGUES = {
    "movielens": ("movies", "movielens"),
    "books": ("books", "books"),
    "anime": ("anime", "anime"),
    "steam": ("games", "steam"),
    "amazon_music": ("music", "amazon_music"),
    "amazon": ("goods", "amazon"),
    "yelp": ("places", "yelp"),
    "mind": ("news", "mind"),
    "movies_dataset": ("movies", "movies_dataset"),
}
KOREAN_FACTS = ("감독", "출연", "배경", "소재")
FREE: dict[Locale, tuple[tuple[str, str], ...]] = {
    "en": (
        ("movielens", "a funny film about friends"),
        ("movielens", "space science fiction"),
        ("movielens", "something romantic with music"),
        ("books", "a novel by Agatha Christie"),
        ("books", "George Orwell"),
        ("anime", "a quiet slice of life"),
        ("anime", "mecha and war"),
        ("steam", "a game to play with friends online"),
        ("steam", "a calm puzzle game"),
        ("amazon_music", "jazz from the fifties"),
        ("amazon_music", "loud rock"),
        ("amazon", "headphones for travelling"),
        ("amazon", "a lamp for the desk"),
        ("yelp", "coffee and cake in the afternoon"),
        ("mind", "news about football"),
        ("movies_dataset", "a mystery at the theatre"),
    ),
    "ko": (
        ("korean", "송강호 나오는 영화 추천해 줘"),
        ("korean", "봉준호 감독 영화"),
        ("korean", "조선 시대 배경"),
        ("korean", "웃긴 코미디"),
        ("korean", "무서운 공포 영화"),
        ("korean", "가족이 함께 볼 만한 영화"),
        ("korean", "범죄 스릴러"),
        ("korean", "남북 분단을 다룬 영화"),
        ("korean", "첫사랑 이야기"),
        ("korean", "좀비가 나오는 영화"),
        ("korean", "실화를 바탕으로 한 영화"),
        ("korean", "복수극"),
        ("anime", "잔잔한 애니메이션"),
        ("books", "한국 소설"),
        ("movielens", "기생충 같은 영화"),
        ("amazon_music", "조용한 음악"),
    ),
}


def demo_answers(locale: Locale, runs: Path, count: int) -> Iterator[dict[str, Any]]:
    """Answers to test users of the run of the language's demo, in turn of the domains."""
    recipe = {"en": "demo", "ko": "demo-ko"}[locale]
    domains = ["movies"] if locale == "ko" else sorted({domain for domain, _ in CATALOGUES.values()})
    for domain in domains:
        recommender = Recommender.from_run(recipe, domain, runs=runs)
        users = random.Random(domain).sample(sorted(recommender.users), -(-count // len(domains)))
        for user in users:
            history = list(recommender.history_of(user))
            yield _answer(recommender, locale, f"{recipe}, {domain}", history=history)


def sample_answers(locale: Locale, count: int) -> Iterator[dict[str, Any]]:
    """Answers to histories of two items, from catalogues without a run."""
    names = ["korean"] if locale == "ko" else list(CATALOGUES)
    drawn = random.Random(locale)
    for name in names:
        recommender = _recommender(name)
        for _ in range(-(-count // len(names))):
            history = drawn.sample(sorted(recommender.items), 2)
            yield _answer(recommender, locale, f"samples/{name}", history=history)


def free_answers(locale: Locale) -> Iterator[dict[str, Any]]:
    """Answers to requests in words."""
    for name, query in FREE[locale]:
        yield _answer(_recommender(name), locale, f"samples/{name}, in words", query=query)


def _recommender(name: str) -> Recommender:
    if name == "korean":
        options = CatalogueOptions("movies", facts=KOREAN_FACTS)
        return Recommender.from_catalogue(SAMPLES / "korean/films.csv", model=None, options=options)
    domain, published = CATALOGUES[name]
    options = CatalogueOptions(domain, published=published)
    return Recommender.from_catalogue(SAMPLES / name, model=None, options=options)


def _answer(
    recommender: Recommender, locale: Locale, source: str, history: Sequence[str] = (), query: str = ""
) -> dict[str, Any]:
    found = recommender.recommend(history, query, k=1, explain=1)
    liked = [_known(recommender.items[one], locale) for one in history]
    first = next(iter(found), None)
    return {
        "source": source,
        "liked": liked[-10:],
        "query": query,
        "fits": found.fits,
        "item": _known(recommender.items[first.item_id], locale) if first else "",
        "reason": first.reason if first else "",
        "by": first.reason_by if first else "",
    }


def _known(item: Item, locale: Locale) -> str:
    """What the catalogue says of an item, in a line."""
    told = f"{facts(item, locale)} {item.description}"
    return " ".join(told.split())


def main() -> None:
    """Write the answers of both languages, a line of JSON each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("answers.jsonl"))
    arguments = parser.parse_args()
    found: list[dict[str, Any]] = []
    for locale in ("en", "ko"):
        try:
            found += [{"locale": locale, **one} for one in demo_answers(locale, arguments.runs, 16)]
        except UserError as absent:
            print(f"left out: {absent}")
        found += [{"locale": locale, **one} for one in sample_answers(locale, 18)]
        found += [{"locale": locale, **one} for one in free_answers(locale)]
    lines = [json.dumps(one, ensure_ascii=False) for one in found]
    arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} answers -> {arguments.out}")


if __name__ == "__main__":
    main()
