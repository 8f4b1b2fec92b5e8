"""The tables of the evaluation: known figures stand in them with interval, protocol and command."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.settings import EvaluateConfig
from rectune.evaluation.pages.figures import difference_chart
from rectune.evaluation.protocol import ranked, summarise
from rectune.evaluation.ranking_tasks import RankingTask, own_tasks
from rectune.rankers.eval_cases import EvalCase
from rectune.rankers.ranking_tables import ranking_tables
from tests.rankers.world import case, prompt

_KEYS = (
    "systems", "n", "hit@1", "interval", "hit@1_by_draw", "domains", "groups", "protocols", "protocol",
    "pairs", "weights", "cases", "prior", "position", "picked", "memorisation", "titles", "next_item",
    "answers", "figures", "difference",
)  # fmt: skip
damaged = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6),
    max_leaves=30,
)
TESTS = [EvalCase(c, prompt(c)) for c in (case("movies", f"u{n}", "test", n % 2) for n in range(4))]


@pytest.fixture(scope="module")
def document() -> dict:
    rankings = []
    for system, hits in (("embedding_best", 1), ("sft", 3)):
        for tasks in (
            own_tasks(TESTS),
            [RankingTask(t, "uniform", d, t.case.candidates) for d in (0, 1) for t in TESTS],
        ):
            for place, task in enumerate(tasks):
                target = [float(item == task.test.case.target) for item in task.candidates]
                rankings.append(ranked(task, system, np.array(target) * (place % 4 < hits)))
    found = summarise(
        TESTS, rankings, EvaluateConfig(systems=["sft"], bootstrap=50), {"cold items": TESTS[:1]}
    )
    found["weights"] = {"sft": {"prior": 0.4, "fused": 0.7, "lexical": 0.6, "cases": 9}}
    third = {
        "first third": [0.5, 0.2, 0.8, 4],
        "middle third": [0.5, 0.2, 0.8, 4],
        "last third": [None, 0.0, 1.0, 0],
    }
    found["position"] = {"sft/listed": {"n": 8, "unread": 0.25, "picked": third, "hit@1": third}}
    part = {"n": 5, "completed": [0.2, 0.1, 0.6], "control": [0.0, 0.0, 0.4]}
    found["memorisation"] = {
        "titles": {**part, "domains": {"movies": part}},
        "next_item": {"n": 4, "hit@1": {"none": [0.25, 0.05, 0.7]}},
    }
    means = {"hit@1": {"mean": 0.125, "low": 0.0, "high": 0.25}}
    found["answers"] = {
        "prompts": 8,
        "figures": {"hit@1": "it names the item"},
        "systems": {"sft": means, "dpo": means},
        "difference": means,
        "difference_is": "dpo less sft",
    }
    return json.loads(json.dumps(found))


def test_every_table_says_its_figures_its_interval_and_its_command(document: dict):
    tables = {table.title: table for table in ranking_tables(document, "trial")}
    assert list(tables) == [
        "All figures",
        "By domain and category",
        "Kinds of users and items",
        "Protocol: uniform",
        "Paired differences",
        "Weights of the ways",
        "Position bias",
        "Memorised: titles",
        "Memorised: the next item",
        "Did preferences help",
    ]
    for table in tables.values():
        assert (
            "rectune run recipes/trial.yaml --until eval" in table.note and "95 %" in table.note
        ) or "Weights" in table.title
        assert all(row[0] for row in table.rows)
    figures = {row[0]: row[1:] for row in tables["All figures"].rows}
    assert figures["sft"][:2] == (4, "0.750 [0.301, 0.954]")
    assert "up to 5 candidates, chance 0.200" in tables["All figures"].note
    assert {row[0]: row[-1] for row in tables["Protocol: uniform"].rows}["sft"] == "0.750, 0.750"
    (pair,) = tables["Paired differences"].rows
    assert pair[0] == "sft less embedding_best" and pair[2].startswith("+0.500 [") and pair[3] == "2 / 0"
    weights = tables["Weights of the ways"]
    assert weights.heads == ("model", "prior", "fused", "lexical", "chosen on cases")
    assert weights.rows == [("sft", "0.400", "0.700", "0.600", 9)]
    assert tables["Memorised: the next item"].rows[0][1:] == (4, "0.250 [0.050, 0.700]")
    assert tables["Memorised: titles"].rows[1][0] == "… movies"
    assert tables["Position bias"].rows[0][2] == "0.250" and tables["Position bias"].rows[0][5] == "–"


@pytest.mark.parametrize(
    "broken", [None, [], {"systems": ["x"]}, {"pairs": "x", "position": {"s": 3}, "memorisation": []}]
)
def test_what_is_missing_or_damaged_is_left_out(broken):
    assert ranking_tables(broken, "") == []


@given(damaged)
def test_any_document_gives_tables_that_can_be_written(document: object) -> None:
    for table in ranking_tables(document, ""):
        assert table.to_markdown()


def test_differences_are_drawn_where_there_are_any(document: dict, tmp_path):
    assert (
        difference_chart(document["pairs"], tmp_path / "pairs.png")
        and (tmp_path / "pairs.png").stat().st_size > 1000
    )
    assert not difference_chart([{"against": "base"}], tmp_path / "none.png")
