"""Two small shelves, one in each language, whose titles, categories and makers were made up for the rules."""

from __future__ import annotations

from rectune.core.types import Item
from rectune.dialogue.chat_catalogue import ChatCatalogue
from rectune.dialogue.knowledge import ChatFact
from rectune.dialogue.understanding import Spoken, Understood, understand
from rectune.prompts.title_index import TitleIndex

_ENGLISH = (
    ("e1", "Harbour Lights (1994)", "Thriller|Film-Noir", 1994, "Ida Voss", "A night watchman finds a body."),
    ("e2", "Red Dust (1971)", "Western", 1971, "Tom Arden", "A rider looks for his brother."),
    ("e3", "Paper Moons (2003)", "Comedy|Romance", 2003, "Ida Voss", "Two clowns fall in love."),
    ("e4", "The Long Fog (1988)", "Horror", 1988, "Bea Lund", "Something waits in the fog."),
    ("e5", "Rocket Garden (2015)", "Sci-Fi|Children", 2015, "Tom Arden", "Children build a rocket."),
    ("e6", "Marching Home (1999)", "War|Drama", 1999, "Bea Lund", "A soldier walks back."),
    ("e7", "Sing, Winter (2010)", "Musical|Comedy", 2010, "Ida Voss", "A choir in the snow."),
    ("e8", "Ember (2001)", "Drama", 2001, "Bea Lund", "A family and its house."),
)
_KOREAN = (
    ("k1", "안개 항구", "스릴러|범죄", 1994, "한서린", "밤마다 항구를 지키는 사람의 이야기."),
    ("k2", "붉은 먼지", "사극|전쟁", 1971, "오태강", "형을 찾아 나선 장수."),
    ("k3", "종이 달무리", "코미디|멜로", 2003, "한서린", "광대 두 사람이 사랑에 빠진다."),
    ("k4", "긴 안개", "공포", 1988, "백이담", "안개 속에서 무언가 기다린다."),
    ("k5", "로켓 마당", "SF|가족", 2015, "오태강", "아이들이 로켓을 만든다."),
    ("k6", "돌아오는 길", "전쟁|드라마", 1999, "백이담", "걸어서 집으로 가는 병사."),
    ("k7", "겨울 합창", "음악|코미디", 2010, "한서린", "눈 속의 합창단."),
    ("k8", "밀밭", "드라마", 2001, "백이담", "한 가족과 밀밭."),
)
GAME = Item("games", "g1", "Tower of Glass", ("Puzzle",), "A brave heroine climbs a tower of mirrors.")
KOREAN_GAME = Item("games", "g2", "유리 첨탑", ("퍼즐",), "용감한 여주인공이 거울의 탑을 오른다.")


def items_of(locale: str) -> list[Item]:
    """The eight films of a shelf."""
    rows, maker = (_KOREAN, "감독") if locale == "ko" else (_ENGLISH, "director")
    return [
        Item("movies", id, title, tuple(kinds.split("|")), told, year, (f"{maker}: {name}",))
        for id, title, kinds, year, name, told in rows
    ]


def shelf(locale: str) -> ChatCatalogue:
    """A shelf as the rules know it, beside a game of another domain."""
    items = items_of(locale)
    foreign = {"games": TitleIndex([GAME, KOREAN_GAME])}
    return ChatCatalogue({item.item_id: item for item in items}, TitleIndex(items), foreign)


SHELVES = {"en": shelf("en"), "ko": shelf("ko")}
SHOWN = {"en": ("e1", "e2", "e3"), "ko": ("k1", "k2", "k3")}


def read(message: str, locale: str) -> Understood:
    """What is understood of a message after three films were shown."""
    spoken = Spoken(SHOWN[locale], SHOWN[locale][0], "ko" if locale == "ko" else "en")
    return understand(message, SHELVES[locale], spoken, 7, 1000)


def facts(found: Understood) -> set[tuple[str, str]]:
    """Kinds and values; of items their ids."""
    return {(fact.kind, fact.item_id or fact.value) for fact in found.facts}


def fact(
    kind: str, value: str, quote: str = "", message_id: int = 1, item_id: str = "", id: int = 0
) -> ChatFact:
    """A fact of a chat."""
    return ChatFact(kind, value, quote or f"about {value}", message_id, message_id, item_id, id)  # type: ignore[arg-type]
