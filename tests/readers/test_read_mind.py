"""MIND's news and clicks: histories without times, labels that may be missing, parts that repeat others."""

import datetime
import gzip
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.readers.drops import Drops
from rectune.readers.published import mind
from rectune.readers.raw import Raw, interaction_columns, item_columns

NEWS = (
    'N1\tsports\tfootball_nfl\tThe "Big" game\tAn abstract.\thttps://x\t[{"Label": "NFL", "Type": "O"}]\t[]\n'
    'N2\tnews\tnewsus\t"Quoted start\t\thttps://x\t\t\n'
    "N3\tnews\tnewsus\t한국 뉴스\tAbstract\thttps://x\tnot json\t[]\n"
    'N4\tnews\t\t\t\t\t[{"Label": 5}, "x", {"Label": "A &amp; B"}, {"Label": "A & B"}]\t[]\n'
)
START = datetime.datetime(2019, 11, 11, tzinfo=datetime.UTC)


def raw(root: Path, behaviours: dict[str, str], news: str = NEWS, limit: float = 0.01, **batch: int) -> Raw:
    paths = []
    for part, content in behaviours.items():
        folder = root / part
        folder.mkdir(exist_ok=True)
        (folder / "news.tsv").write_text(news, encoding="utf-8")
        (folder / "behaviors.tsv").write_text(content, encoding="utf-8")
        paths.append(folder)
    files = [[path / name for path in sorted(paths)] for name in ("news.tsv", "behaviors.tsv")]
    return mind.read(files, Drops(malformed_limit=limit), **batch)


def clicks(found: Raw) -> list[tuple[str, str, int]]:
    """User, news and time, in the order in which they are handed on."""
    frames = list(found.interactions)
    assert all(frame.schema == interaction_columns() for frame in frames)
    rows = pl.concat(frames)
    assert rows.select(pl.col("value").unique(), pl.col("kind").unique()).rows() in ([], [(1.0, "click")])
    return rows.select("user_id", "item_id", "timestamp").rows()


def of_user(found: list[tuple[str, str, int]], user: str) -> list[tuple[str, int]]:
    """What the user clicked, by time and then by place, as the tables will have it."""
    return sorted(((item, time) for who, item, time in found if who == user), key=lambda row: row[1])


def line(user: str, hours: int, history: str, shown: str) -> str:
    when = START + datetime.timedelta(hours=hours)
    return f"1\t{user}\t{when:%m/%d/%Y %I:%M:%S %p}\t{history}\t{shown}\n"


def at(hours: int) -> int:
    return (int(START.timestamp()) + hours * 3600) * 1000


# News -------------------------------------------------------------------------------------------------------


def test_quotes_are_data_and_broken_entities_are_read_over(tmp_path: Path) -> None:
    items = raw(tmp_path, {"train": line("U1", 0, "", "N1-1")}).items
    assert items.schema == item_columns()
    assert items["title"].to_list() == ['The "Big" game', '"Quoted start', "한국 뉴스", None]
    assert items["categories"].to_list() == [["sports", "football nfl"], *[["news", "us"]] * 2, ["news"]]
    assert items["extra"].to_list() == ['{"entities": ["NFL"]}', "{}", "{}", '{"entities": ["A & B"]}']
    assert items["description"].to_list() == ["An abstract.", None, "Abstract", None]


def test_every_part_brings_its_news(tmp_path: Path) -> None:
    items = raw(tmp_path, {"dev": line("U1", 0, "", "N1-1"), "train": line("U1", 0, "", "N1-1")}).items
    assert items["item_id"].to_list() == ["N1", "N2", "N3", "N4"] * 2


# Clicks -----------------------------------------------------------------------------------------------------


def test_times_are_read_as_they_are_written(tmp_path: Path) -> None:
    behaviours = (
        "1\tU1\t11/12/2019 2:14:46 PM\t\tN1-1\n2\tU2\t1/2/2020 12:30:00 AM\t\tN1-1\n"
        "3\tU3\t11/9/2019 12:00:05 PM\t\tN1-1\n"
    )
    assert clicks(raw(tmp_path, {"train": behaviours})) == [
        ("U1", "N1", 1573568086000), ("U2", "N1", 1577925000000), ("U3", "N1", 1573300805000),
    ]  # fmt: skip


def test_several_clicks_a_row_and_only_clicks(tmp_path: Path) -> None:
    shown = "N1-1 N2-1 N3-0 N11-1 N4-0 N12-1"
    assert clicks(raw(tmp_path, {"train": line("U1", 0, "", shown)})) == [
        ("U1", name, at(0)) for name in ("N1", "N2", "N11", "N12")
    ]


def test_a_history_comes_before_all_impressions_whatever_the_order_of_lines_and_files(tmp_path: Path) -> None:
    parts = {
        "dev": line("U1", 30, "N5 N2 N9", "N3-0 N8-1"),
        "train": line("U1", 20, "N5 N2", "N3-1 N4-0")
        + line("U1", 5, "N5 N2", "N1-0 N7-1")
        + line("U2", 1, "", "N1-1"),
    }
    found = clicks(raw(tmp_path, parts))
    assert of_user(found, "U1") == [
        ("N5", at(5)),
        ("N2", at(5)),
        ("N7", at(5)),
        ("N3", at(20)),
        ("N8", at(30)),
    ]
    assert of_user(found, "U2") == [("N1", at(1))]


def test_what_a_later_history_adds_comes_once_with_its_own_time(tmp_path: Path) -> None:
    parts = {
        "dev": line("U1", 30, "N1 N7 N3", "N8-1"),
        "test": line("U1", 50, "N1 N7 N3 N8", "N4 N5") + line("U2", 51, "N2 N6", "N1 N3"),
        "train": line("U1", 5, "N1", "N7-1") + line("U1", 20, "N1", "N3-1 N4-0"),
    }
    found = clicks(raw(tmp_path, parts))
    assert of_user(found, "U1") == [("N1", at(5)), ("N7", at(5)), ("N3", at(20)), ("N8", at(30))]
    assert of_user(found, "U2") == [("N2", at(51)), ("N6", at(51))]  # only its history says what it clicked


def test_impressions_without_labels_hold_no_clicks(tmp_path: Path) -> None:
    assert clicks(raw(tmp_path, {"test": line("U1", 0, "", "N1 N2") + line("U2", 0, "", "")})) == []


def test_unknown_news_are_handed_on(tmp_path: Path) -> None:
    found = raw(tmp_path, {"train": line("U1", 0, "N999", "N998-1")})
    assert [row[1] for row in clicks(found)] == ["N999", "N998"]


def test_malformed_lines_are_counted_once(tmp_path: Path) -> None:
    good = line("U1", 0, "N1", "N2-1") * 150
    bad = "7\tU1\tyesterday\tN1\tN3-1\n8\tU1\t11/12/2019 2:14:46 PM\tN1\tN2-1\tone more\n"
    found = raw(tmp_path, {"train": good + bad}, limit=0.05)
    assert len(clicks(found)) == 151
    assert found.drops.counts == {"malformed line": 2}
    assert found.drops.first["malformed line"][0].startswith("behaviors.tsv:151: ")
    with pytest.raises(UserError, match=r"behaviors.tsv:151: .*2 of 152"):
        clicks(raw(tmp_path, {"train": good + bad}))


def test_packed_files_are_read_and_torn_ones_are_an_error(tmp_path: Path) -> None:
    packed = [tmp_path / "news.tsv.gz", tmp_path / "behaviors.tsv.gz"]
    content = gzip.compress("".join(line(f"U{i}", i, "N1", "N2-1") for i in range(200)).encode())
    packed[0].write_bytes(gzip.compress(NEWS.encode()))
    packed[1].write_bytes(content)
    assert len(clicks(mind.read([[path] for path in packed], Drops()))) == 400
    packed[1].write_bytes(content[:-30])
    with pytest.raises(UserError, match=r"behaviors.tsv.gz: cannot be read"):
        clicks(mind.read([[path] for path in packed], Drops()))


events = st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(1, 30))  # user, hour, news
logs = st.lists(events, max_size=30, unique_by=(lambda event: event[:2], lambda event: event[::2]))


@given(logs, st.integers(0, 40), st.integers(0, 40), st.randoms(use_true_random=False))
def test_nothing_is_told_twice_and_histories_are_never_late(
    tmp_path_factory: pytest.TempPathFactory,
    log: list[tuple[int, int, int]],
    begin: int,
    growth: int,
    rng: object,
) -> None:
    """The parts are made from true clicks as MIND's were: a history up to `begin`, in the test part up to
    `growth`.
    """
    begin, growth = min(begin, growth), max(begin, growth)
    log = sorted(log, key=lambda event: event[1])

    def before(user: int, hour: int) -> str:
        return " ".join(f"N{news}" for who, when, news in log if who == user and when < hour)

    train = [
        line(f"U{who}", when, before(who, begin), f"N99-0 N{news}-1")
        for who, when, news in log
        if begin <= when < growth
    ]
    test = [line(f"U{who}", 41, before(who, growth), "N1 N2") for who in range(4)]
    rng.shuffle(train)  # type: ignore[attr-defined]
    content = {"train": "".join(train), "test": "".join(test)}
    found = clicks(
        raw(tmp_path_factory.mktemp("mind"), {part: text for part, text in content.items() if text})
    )
    truth = Counter((f"U{who}", f"N{news}") for who, when, news in log if when < growth)
    assert Counter((who, news) for who, news, _ in found) == truth
    for user in range(4):
        expected = [f"N{news}" for who, when, news in log if who == user and when < growth]
        assert [news for news, _ in of_user(found, f"U{user}")] == expected


@pytest.mark.parametrize("size", [1, 3])
def test_users_beyond_one_batch(tmp_path: Path, size: int) -> None:
    parts = {
        part: "".join(line(f"U{i}", hour + i, f"N{i} N{hour}", f"N{100 + hour}-1") for i in range(10))
        for part, hour in (("a", 50), ("b", 20), ("c", 70))
    }
    found = clicks(raw(tmp_path, parts, batch=size))
    for i in range(10):
        assert of_user(found, f"U{i}") == [
            (f"N{i}", at(20 + i)), ("N20", at(20 + i)),
            ("N120", at(20 + i)), ("N150", at(50 + i)), ("N170", at(70 + i)),
        ]  # fmt: skip
