"""The datasets that are comma-separated tables: MovieLens, Anime and Book-Crossing."""

import html
from pathlib import Path
from random import Random

from samples.domains import isbn
from samples.shared import mean, values_of, write_csv
from samples.taste import Item, World


def _movie(item: Item) -> tuple[str, str, str]:
    quirk = item.facts["quirk"]
    title = item.title if quirk == "no_year" else f"{item.title} ({item.facts['year']})"
    return item.id, title, "(no genres listed)" if quirk == "no_genres" else item.facts["genres"]


def movielens(world: World, folder: Path, random: Random) -> None:
    """movies.csv and ratings.csv. Ratings stand by user and film, so lines are not in the order of time."""
    write_csv(folder / "movies.csv", ("movieId", "title", "genres"), map(_movie, world.items))
    acts = sorted(world.acts, key=lambda act: (act.user, act.item))
    rows = ((world.users[act.user].id, world.items[act.item].id, act.value, act.time) for act in acts)
    write_csv(folder / "ratings.csv", ("userId", "movieId", "rating", "timestamp"), rows)


def _anime(world: World, index: int) -> tuple[object, ...]:
    item = world.items[index]
    name = item.title.replace("'", "&#039;") if item.facts["quirk"] == "entity" else item.title
    bare = item.facts["quirk"] == "no_genre"
    rating = "" if bare else round(mean([value for value in values_of(world, index) if value > 0]), 2)
    members = sum(act.item == index for act in world.acts)
    genre = "" if bare else item.facts["genre"]
    return item.id, name, genre, item.facts["type"], item.facts["episodes"], rating, members


def anime(world: World, folder: Path, random: Random) -> None:
    """anime.csv (line ends CRLF, like the copy in circulation) and rating.csv (LF)."""
    header = ("anime_id", "name", "genre", "type", "episodes", "rating", "members")
    write_csv(
        folder / "anime.csv", header, (_anime(world, index) for index in range(len(world.items))), "\r\n"
    )
    rows = [(world.users[act.user].id, world.items[act.item].id, int(act.value)) for act in world.acts]
    rows.insert(40, rows[40])  # one line twice
    silent = str(len(world.users) + 1)  # one user who never rates
    rows += [(silent, world.items[index].id, -1) for index in (3, 8, 21)]
    write_csv(folder / "rating.csv", ("user_id", "anime_id", "rating"), rows)


CITIES = (
    "seoul, n/a, south korea",
    "portland, oregon, usa",
    "toronto, ontario, canada",
    "london, england, united kingdom",
    "madrid, madrid, spain",
    "busan, n/a, south korea",
    "chicago, illinois, usa",
    "sydney, new south wales, australia",
    "austin, texas, usa",
    "n/a, n/a, n/a",
    "berlin, berlin, germany",
    "king of prussia, ,",
)


def _mangled(text: str) -> str:
    """UTF-8 read as Latin-1, the fault of the published file."""
    return text.encode().decode("latin-1")


def _book(item: Item, number: str = "", year: str = "", publisher: str = "") -> tuple[str, ...]:
    quirk, author, title = item.facts["quirk"], item.facts["author"], item.title
    if quirk == "mojibake":
        title, author = _mangled(title), _mangled(author)
    if quirk == "entity":
        title = html.escape(title, quote=False)
    number, year = number or item.id, year or ("0" if quirk == "year0" else item.facts["year"])
    publisher = html.escape(publisher or item.facts["publisher"], quote=False)
    images = (
        f"http://images.example.org/P/{number}.01.{size}.jpg" for size in ("THUMBZZZ", "MZZZZZZZ", "LZZZZZZZ")
    )
    return number, title, author, year, publisher, *images


def books(world: World, folder: Path, random: Random) -> None:
    """Books.csv, Ratings.csv and Users.csv."""
    rows = [_book(item) for item in world.items]
    again = next(item for item in world.items if item.facts["quirk"] == "second_edition")
    rows.append(_book(again, isbn(91, random), "1991", "Little Brown and Company"))
    images = (f"Image-URL-{size}" for size in "SML")
    header = ("ISBN", "Book-Title", "Book-Author", "Year-Of-Publication", "Publisher", *images)
    write_csv(folder / "Books.csv", header, rows)
    ratings = [(world.users[act.user].id, world.items[act.item].id, int(act.value)) for act in world.acts]
    unknown = [(world.users[user].id, isbn(92, random), rating) for user, rating in ((0, 0), (5, 8), (9, 10))]
    write_csv(folder / "Ratings.csv", ("User-ID", "ISBN", "Book-Rating"), ratings + unknown)
    ages = [random.choice(("", str(random.randint(14, 70)))) for _ in world.users]
    ages[7] = "239"  # ages nobody reaches occur in the published file
    people = [(user.id, random.choice(CITIES), age) for user, age in zip(world.users, ages, strict=True)]
    people.append((str(int(world.users[-1].id) + 11), "paris, n/a, france", "33"))  # a user without ratings
    write_csv(folder / "Users.csv", ("User-ID", "Location", "Age"), people)
