"""The Movies Dataset: tables whose cells hold Python literals. Its films and their people are invented."""

from pathlib import Path
from random import Random

from samples.shared import Record, mean, values_of, write_csv
from samples.taste import Item, World

METADATA = (
    "adult belongs_to_collection budget genres homepage id imdb_id original_language original_title overview "
    "popularity poster_path production_companies production_countries release_date revenue runtime "
    "spoken_languages status tagline title video vote_average vote_count"
).split()
GENRES = (
    "Action|Adventure|Animation|Comedy|Crime|Documentary|Drama|Family|Fantasy|History|Horror|Music|Mystery|"
    "Romance|Science Fiction|Thriller|War|Western"
).split("|")
# Country of a film -> its code and name, code and name of its language.
COUNTRIES = {
    "us": ("US", "United States of America", "en", "English"),
    "uk": ("GB", "United Kingdom", "en", "English"),
    "fr": ("FR", "France", "fr", "Français"),
    "de": ("DE", "Germany", "de", "Deutsch"),
    "it": ("IT", "Italy", "it", "Italiano"),
    "jp": ("JP", "Japan", "ja", "日本語"),
    "kr": ("KR", "South Korea", "ko", "한국어/조선말"),
}
# Given and family names of its people.
NAMES = {
    "us": ("Walter June Dale Rosa Otis", "Hale Brandt Ortiz Lund"),
    "uk": ("Edith Colm Nora Alec Maud", "O'Dell Farrow Pryce Thorne"),
    "fr": ("Odile Rémy Claire Luc Agnès", "D'Arbois Vasseur Morin Delcourt"),
    "de": ("Greta Jost Lotte Emil Ute", "Brückner Haas Vogt Seiler"),
    "it": ("Elio Marta Dino Pia Renzo", "Dall'Orto Ricci Salvi Conte"),
    "jp": ("Aki Haru Ren Sora Yui", "Mori Ueda Kishi Nagai"),
    "kr": ("지우 서준 하늘 민서 도윤", "강 윤 서 문"),
}
JOBS = (("Directing", "Director"), ("Writing", "Screenplay"), ("Production", "Producer"))
CAST = 6  # more than are read
LOST, UNKNOWN = "990001", "990009"  # movieIds: of a film that movies_metadata.csv lacks, and without a link


def _movie_id(index: int) -> str:
    """The id in links.csv and ratings.csv."""
    return str(700001 + 17 * index)


def _name(country: str, random: Random) -> str:
    given, family = (random.choice(names.split()) for names in NAMES[country])
    return f"{family}{given}" if country == "kr" else f"{given} {family}"


def _people(item: Item, random: Random) -> tuple[list[Record], list[Record]]:
    """Cast, not in its order, and crew."""
    names = list(dict.fromkeys(_name(item.facts["country"], random) for _ in range(3 * CAST)))
    crew_names, cast_names = names[: len(JOBS)], names[len(JOBS) :][:CAST]
    cast: list[Record] = [
        {
            "cast_id": place + 1,
            "character": f'"{name.split(" ")[0]}"' if place == 1 else name.split(" ")[0],
            "credit_id": f"{item.id}c{place}",
            "gender": 0,
            "id": 8_000_000 + int(item.id) % 10_000 * 10 + place,
            "name": name,
            "order": place,
            "profile_path": None,
        }
        for place, name in enumerate(cast_names)
    ]
    crew: list[Record] = [
        {
            "credit_id": f"{item.id}d{place}",
            "department": department,
            "gender": 0,
            "id": 9_000_000 + int(item.id) % 10_000 * 10 + place,
            "job": job,
            "name": name,
            "profile_path": None,
        }
        for place, ((department, job), name) in enumerate(zip(JOBS, crew_names, strict=True))
    ]
    return cast[::-1], crew[::-1]


def _film(world: World, index: int, random: Random) -> Record:
    item, votes = world.items[index], values_of(world, index)
    facts, quirk = item.facts, item.facts["quirk"]
    code, country, language, spoken = COUNTRIES[facts["country"]]
    studio = f"{_name(facts['country'], random).split(' ')[-1]} Pictures"
    collection = {"id": 5001, "name": f"{item.title} Collection", "poster_path": None, "backdrop_path": None}
    overview = facts["overview"]
    return {
        "adult": "False",
        "belongs_to_collection": repr(collection) if quirk == "remake" else "",
        "budget": 0 if index % 3 else random.randint(1, 60) * 500_000,
        "genres": repr(
            [{"id": 7001 + GENRES.index(name), "name": name} for name in facts["genres"].split("|")]
        ),
        "homepage": "",
        "id": item.id,
        "imdb_id": f"tt99{index:05d}",
        "original_language": language,
        "original_title": facts["original"] or item.title,
        "overview": overview.replace(", ", ",\n", 1) + "\n\nAn invented film."
        if index % 9 == 4
        else overview,
        "popularity": round(item.popularity * 100, 6),
        "poster_path": f"/sample{index}.jpg",
        "production_companies": repr([{"name": studio, "id": 6001 + index}]),
        "production_countries": repr([{"iso_3166_1": code, "name": country}]),
        "release_date": "" if quirk == "no_year" else f"{facts['year']}-{index % 12 + 1:02d}-15",
        "revenue": 0,
        "runtime": "" if index % 17 == 5 else float(80 + random.randint(0, 60)),
        "spoken_languages": repr([{"iso_639_1": language, "name": spoken}]),
        "status": "Released",
        "tagline": facts["tagline"],
        "title": item.title,
        "video": "False",
        "vote_average": round(2 * mean(votes), 1),
        "vote_count": len(votes),
    }


def _shifted() -> list[object]:
    """The second half of a row that a line break has cut: its fields stand in the wrong columns."""
    companies, countries = (
        "[{'name': 'Nobody Films', 'id': 6999}]",
        "[{'iso_3166_1': 'XX', 'name': 'Nowhere'}]",
    )
    half = [" - Written by nobody", 0.065736, "/sample.jpg", companies, countries, "1997-08-20", 0, 104.0]
    half += ["[{'iso_639_1': 'xx', 'name': 'None'}]", "Released", "", "A Cut Row", "False", 6.0, 1]
    return [*half, *[""] * (len(METADATA) - len(half))]


def _links(world: World) -> list[tuple[str, str, str]]:
    rows = []
    for index, item in enumerate(world.items):
        film = "" if item.facts["quirk"] == "no_link" else f"{item.id}.0" if index == 8 else item.id
        rows.append((_movie_id(index), f"99{index:05d}", film))
    return [*rows, (LOST, "9999999", "999999")]


def movies_dataset(world: World, folder: Path, random: Random) -> None:
    """movies_metadata.csv, credits.csv, keywords.csv, links.csv and ratings.csv."""
    films = [list(_film(world, index, random).values()) for index in range(len(world.items))]
    films.insert(20, films[11])  # a film twice
    films.insert(31, _shifted())
    write_csv(folder / "movies_metadata.csv", METADATA, films)
    credits = [(*map(repr, _people(item, random)), item.id) for item in world.items]
    write_csv(folder / "credits.csv", ("cast", "crew", "id"), credits)
    keywords = [(item.id, _keywords(item, index)) for index, item in enumerate(world.items)]
    write_csv(folder / "keywords.csv", ("id", "keywords"), keywords)
    write_csv(folder / "links.csv", ("movieId", "imdbId", "tmdbId"), _links(world))
    acts = sorted(world.acts, key=lambda act: (act.user, act.item))
    ratings = [(world.users[act.user].id, _movie_id(act.item), act.value, act.time) for act in acts]
    ratings += [(world.users[user].id, film, 3.5, 1_600_000_000) for user, film in ((3, LOST), (9, UNKNOWN))]
    write_csv(folder / "ratings.csv", ("userId", "movieId", "rating", "timestamp"), ratings)


def _keywords(item: Item, index: int) -> str:
    names = [] if item.facts["quirk"] == "no_year" else item.facts["keywords"].split(", ")
    return repr([{"id": 4001 + 10 * index + at, "name": name} for at, name in enumerate(names)])
