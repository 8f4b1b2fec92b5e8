"""Steam as UCSD publishes it: games and the libraries of users."""

from pathlib import Path
from random import Random

from samples.shared import Record, write_lines
from samples.taste import Item, World


def python2(value: object) -> str:
    """The literal that Python 2's repr wrote: u'' strings, everything outside ASCII escaped."""
    match value:
        case str():
            return "u" + ascii(value)
        case list():
            return "[" + ", ".join(map(python2, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{python2(key)}: {python2(part)}" for key, part in value.items()) + "}"
        case _:
            return repr(value)


def _game(item: Item) -> Record:
    facts, quirk = item.facts, item.facts["quirk"]
    genres = facts["genres"].split("|")
    record: Record = {
        "publisher": facts["publisher"],
        "genres": genres,
        "app_name": item.title,
        "title": item.title,
        "url": f"http://store.steampowered.com/app/{item.id}/",
        "release_date": facts["release"],
        "tags": [*facts["tags"].split("|"), *genres],
        "reviews_url": f"http://steamcommunity.com/app/{item.id}/reviews/?browsefilter=mostrecent&p=1",
        "specs": facts["players"].split("|"),
        "price": facts["price"] if quirk == "free" else float(facts["price"]),
        "early_access": False,
        "id": item.id,
        "developer": facts["developer"],
    }
    missing = {"no_genres": ("genres",), "no_price": ("price", "release_date")}.get(quirk, ())
    return {key: value for key, value in record.items() if key not in missing}


def _library(world: World, user: int, random: Random) -> Record:
    name, number = world.users[user].id, world.users[user].id
    if user % 5 == 0:  # people may choose a name, which then is their id
        name = f"sample_player_{user}"
    items = [
        {
            "item_id": world.items[act.item].id,
            "item_name": world.items[act.item].title,
            "playtime_forever": int(act.value),
            "playtime_2weeks": int(act.value // 20) if random.random() < 0.1 else 0,
        }
        for act in world.of_user(user)
    ]
    items.sort(key=lambda entry: str(entry["item_id"]))
    place = "id" if name != number else "profiles"
    return {
        "user_id": name,
        "items_count": len(items),
        "steam_id": number,
        "user_url": f"http://steamcommunity.com/{place}/{name}",
        "items": items,
    }


def _add_unknown(library: Record) -> None:
    """Adds something that steam_games.json does not list, such as servers and tools in the published file."""
    entry = {"item_id": "9999990", "item_name": "Sample Server", "playtime_forever": 3, "playtime_2weeks": 0}
    items = library["items"]
    assert isinstance(items, list)
    library |= {"items": [*items, entry], "items_count": len(items) + 1}


def _without_a_game(library: Record, name: str) -> Record:
    return library | {"user_id": name, "items_count": 0, "items": []}


def steam(world: World, folder: Path, random: Random) -> None:
    """steam_games.json (Python 2 literals), australian_users_items.json (literals without u prefix)."""
    games = [_game(item) for item in world.items]
    batman = "Batman: Arkham City - Game of the Year Edition"
    games.insert(30, {"app_name": batman, "title": batman, "genres": ["Action", "Adventure"]})  # has no id
    write_lines(folder / "steam_games.json", map(python2, games))
    libraries = [_library(world, user, random) for user in range(len(world.users))]
    _add_unknown(libraries[3])
    libraries += [libraries[12], _without_a_game(libraries[20], "sample_player_empty")]
    write_lines(folder / "australian_users_items.json", map(repr, libraries))
