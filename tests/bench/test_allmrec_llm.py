"""bench.allmrec_llm: who is cold, fewer train users, foreign ids, kept ranks, and what tables say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.allmrec_data import ALL, COLD_ITEMS, Ask, World, cold_users, foreign, latest, part_of
from bench.allmrec_llm import main
from bench.allmrec_systems import System
from bench.allmrec_tables import (
    PUBLISHED,
    catalogue_table,
    differences_table,
    hits_table,
    measured,
    missing_rows,
)
from rectune.core.errors import UserError
from rectune.core.types import Item
from rectune.rankers.domain_data import DomainData, TrainLikes

IDS = tuple(f"i{at}" for at in range(6))
LIKES = TrainLikes(IDS, np.repeat(np.arange(16), 2), np.tile(np.arange(2), 16), np.arange(32))
ASKS = [Ask(f"a{at}", IDS[:2], target, IDS[2:]) for at, target in enumerate(IDS[2:])]


def made_world() -> World:
    data = DomainData("movies", [Item("movies", one, f"Film {one}") for one in IDS], lambda: LIKES)
    groups = {ALL: frozenset(ask.id for ask in ASKS), COLD_ITEMS: frozenset({"a0", "other"})}
    return World("movielens", data, ASKS, groups)


def always(name: str, first: str, calls: list[str] | None = None) -> System:
    """Puts one item first, whoever asks."""

    def scores(ask: Ask) -> dict[str, list[float]]:
        if calls is not None:
            calls.append(ask.id)
        return {name: [float(item == first) for item in ask.candidates]}

    return System(name, scores)


@pytest.mark.parametrize(("wanted", "users"), [("all", 16), ("1/8", 2), ("1/2", 8), ("5", 5), ("64", 16)])
def test_rankers_are_fitted_on_some_of_the_users_with_all_their_likes(wanted: str, users: int):
    found = part_of(LIKES, wanted, 0)
    assert len(np.unique(found.users)) == users and len(found.users) == 2 * users
    assert found.times is not None and len(found.times) == 2 * users
    assert found.counts[0] == users and found.item_ids == IDS


def test_the_fewer_users_are_among_the_more_and_nonsense_is_refused():
    few, more = (set(part_of(LIKES, wanted, 3).users) for wanted in ("1/8", "1/2"))
    assert few < more
    for wrong in ("many", "1/0"):
        with pytest.raises(UserError, match=wrong):
            part_of(LIKES, wrong, 0)


def test_cold_users_are_those_who_met_least_and_a_history_may_be_cut_to_its_latest():
    assert cold_users({"a": 9, "b": 2, "c": 30, "d": 2, "e": 40}) == {"b", "d"}
    assert cold_users({}) == frozenset()
    assert latest(IDS, 2) == ("i4", "i5") and latest(IDS, 0) == IDS


def test_ids_of_another_dataset_are_of_no_other_and_only_what_is_asked_about_is_there():
    def never() -> list[Ask]:
        raise AssertionError("whole catalogues are ranked of the own dataset alone")

    other = foreign(World("anime", made_world().data, ASKS[:1], made_world().groups, never))
    assert other.asks[0].target == "anime/i2" and other.asks[0].history == ("anime/i0", "anime/i1")
    assert set(other.data.items) == {f"anime/{one}" for one in IDS}
    assert other.data.titles["anime/i2"] == "Film i2" and not len(other.data.likes.users)
    assert not other.whole()


def test_what_was_ranked_is_not_ranked_again_and_a_line_that_was_cut_off_is(tmp_path: Path):
    calls = list[str]()
    found = measured(tmp_path, ASKS, [always("first, sum", "i2", calls)])
    assert found == {"first, sum": {"a0": 1, "a1": 4, "a2": 4, "a3": 4}}  # a tie counts against it
    (file,) = tmp_path.iterdir()
    file.write_text("\n".join(file.read_text().splitlines()[:2]) + '\n{"ask": "a2", "ran')
    calls.clear()
    assert measured(tmp_path, ASKS, [always("first, sum", "i2", calls)]) == found and calls == ["a2", "a3"]
    assert all(json.loads(line) for line in file.read_text().splitlines())


def test_a_whole_catalogue_is_told_by_its_first_ten():
    ranks = {"first": {"a": 1, "b": 1}, "last": {"a": 11, "b": 400}, "half": {"a": 2, "b": 11}}
    table = catalogue_table("films", ranks)
    assert list(table.heads[1:]) == ["HR@10, n = 2", "NDCG@10"]
    first, last, half = ([cell.split(" ")[0] for cell in row[1:]] for row in table.rows)
    assert first == ["1.000", "1.000"] and last == ["0.000", "0.000"] and half == ["0.500", "0.315"]


def test_hits_by_group_and_paired_differences(tmp_path: Path):
    systems = [always("sasrec", "i5"), always("allmrec, sum", "i2"), always("ease", "i2")]
    ranks = measured(tmp_path, ASKS, systems)
    table = hits_table("films", made_world(), ranks)
    assert list(table.heads) == ["Hit@1 of 20", "all, n = 4", "cold items, n = 1", "MRR"]
    assert [row[1].split()[0] for row in table.rows] == ["0.250"] * 3  # type: ignore[union-attr]
    assert [row[2].split()[0] for row in table.rows] == ["0.000", "1.000", "1.000"]  # type: ignore[union-attr]
    assert [row[3] for row in table.rows] == ["0.438"] * 3  # the target is first once, and fourth three times
    less = {row[0]: row[1:] for row in differences_table(ranks).rows}
    assert less["ease"] == ["+0.000 (+0.000 to +0.000)"] * 2
    assert all(str(one).startswith("+0.000 (-0.") for one in less["sasrec"])
    assert not differences_table({"sasrec": ranks["sasrec"]}).rows
    assert missing_rows({"sasrec": {}}, ranks) == ["allmrec, sum", "ease"]


def test_what_others_published_is_marked_so():
    text = PUBLISHED.to_markdown()
    assert "not comparable" in text and "CTRL" in text and "as published" in text


@pytest.mark.slow
def test_the_whole_program_on_the_samples_goes_on_where_it_stopped(tmp_path: Path, capsys):
    given = ["--data", "samples", "--test", "30", "--quick", "--model", "tiny", "--cross"]
    given += ["--soft", "allmrec", "allmrec_list", "mlp_llm", "tallrec", "llmsrec"]
    main([*given, "--runs", str(tmp_path)])
    said = capsys.readouterr().out
    for row in (
        "tallrec",
        "mlp_llm, sum",
        "allmrec, text, mean",
        "allmrec_list, sum",
        "llmsrec",
        "als + embedding",
        "| CTRL",
    ):
        assert f"{row} |" in said or row in said
    among_all = said[said.index("whole catalogue") :].split("\n\n")[0]
    assert "| llmsrec |" in among_all and "tallrec" not in among_all and "sum" not in among_all
    assert "books, fitted on movielens" in said and "anime, fitted on movielens" in said
    main([*given, "--runs", str(tmp_path)])
    again = capsys.readouterr().out
    assert "fitted in" not in again
    assert [line for line in again.splitlines() if line.startswith("| ")] == [
        line for line in said.splitlines() if line.startswith("| ")
    ]


@pytest.mark.slow
def test_other_data_of_the_same_name_are_fitted_and_ranked_anew(tmp_path: Path, capsys):
    given = ["--test", "30", "--quick", "--soft", "--runs", str(tmp_path / "runs")]
    main(["--data", "samples", *given])
    assert "ease: fitted in" in capsys.readouterr().out
    main(["--data", "samples", *given])
    assert "fitted in" not in capsys.readouterr().out
    shutil.copytree("samples/movielens", tmp_path / "movielens")
    ratings = tmp_path / "movielens" / "ratings.csv"
    head, *rows = ratings.read_text().splitlines()
    ratings.write_text("\n".join([head, *rows[::2]]) + "\n")
    main(["--data", str(tmp_path), *given])
    assert "ease: fitted in" in capsys.readouterr().out
