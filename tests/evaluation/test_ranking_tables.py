"""The tables of the evaluation: known figures stand in them with interval, protocol and command."""

import numpy as np
import pytest

from rectune.core.figures.evaluation import EvalMetrics, PairedDifference
from rectune.core.settings import EvaluateConfig
from rectune.core.stats.intervals import share_of
from rectune.evaluation.pages.figures import difference_chart
from rectune.evaluation.protocol import ranked, summarise
from rectune.evaluation.ranking_tasks import RankingTask, own_tasks
from rectune.rankers.eval_cases import EvalCase
from rectune.rankers.ranking_tables import ranking_tables
from tests.core.filled import record
from tests.rankers.world import case, prompt

TESTS = [EvalCase(c, prompt(c)) for c in (case("movies", f"u{n}", "test", n % 2) for n in range(4))]


@pytest.fixture(scope="module")
def metrics() -> EvalMetrics:
    rankings = []
    for system, hits in (("embedding_best", 1), ("sft", 3)):
        for tasks in (
            own_tasks(TESTS),
            [RankingTask(t, "uniform", d, t.case.candidates) for d in (0, 1) for t in TESTS],
        ):
            for place, task in enumerate(tasks):
                target = [float(item == task.test.case.target) for item in task.candidates]
                rankings.append(ranked(task, system, np.array(target) * (place % 4 < hits)))
    ranking = summarise(
        TESTS, rankings, EvaluateConfig(systems=["sft"], bootstrap=50), {"cold items": TESTS[:1]}
    )
    half, none = share_of(2, 4), share_of(0, 0)
    third = {"first third": half, "middle third": half, "last third": none}
    part = {"n": 5, "completed": share_of(1, 5), "control": share_of(0, 5)}
    item = share_of(1, 4)
    means = {"hit@1": {"mean": 0.125, "low": 0.0, "high": 0.25}}
    return record(
        EvalMetrics,
        **ranking.document(),
        weights={
            "sft": {
                "prior": 0.4,
                "fused": 0.7,
                "lexical": 0.6,
                "hybrid": 0.5,
                "continuation": 0.3,
                "continuation_hybrid": 0.2,
                "cases": 9,
            },
            "untuned": {"prior": 0.5},
        },
        position={"sft/listed": {"n": 8, "unread": 0.25, "picked": third, "hit@1": third}},
        memorisation={
            "titles": {**part, "domains": {"movies": part}},
            "next_item": {"n": 4, "hit@1": {"none": item}},
        },
        answers={
            "prompts": 8,
            "figures": {"hit@1": "it names the item"},
            "systems": {"sft": means, "dpo": means},
            "difference": means,
            "difference_is": "dpo less sft",
        },
    )


def test_every_table_says_its_figures_its_interval_and_its_command(metrics: EvalMetrics):
    tables = {table.title: table for table in ranking_tables(metrics, "trial")}
    assert list(tables) == [
        "Rankers by protocol",
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
    (ranker,) = tables["Rankers by protocol"].rows
    assert ranker[:2] == ("embedding_best", 4) and ranker[2].startswith("0.250 [")
    assert ranker[3].startswith("0.250 [") and len(tables["Rankers by protocol"].heads) == 4
    assert {row[0]: row[-1] for row in tables["Protocol: uniform"].rows}["sft"] == "0.750, 0.750"
    (pair,) = tables["Paired differences"].rows
    assert pair[0] == "sft less embedding_best" and pair[2].startswith("+0.500 [") and pair[3] == "2 / 0"
    weights = tables["Weights of the ways"]
    assert weights.heads == (
        "model",
        "prior",
        "fused",
        "lexical",
        "hybrid",
        "continuation",
        "continuation_hybrid",
        "chosen on cases",
    )
    assert weights.rows == [("sft", "0.400", "0.700", "0.600", "0.500", "0.300", "0.200", 9)]
    assert tables["Memorised: the next item"].rows[0][1:] == (4, "0.250 [0.046, 0.699]")
    assert tables["Memorised: titles"].rows[1][0] == "… movies"
    assert tables["Position bias"].rows[0][2] == "0.250" and tables["Position bias"].rows[0][5] == "–"


def test_what_was_not_asked_for_has_no_table():
    ranking = record(EvalMetrics, systems={"sft": {"n": 4, "groups": {"cold items": None}}})
    whole, parts = ranking_tables(ranking, "trial")
    assert whole.title == "All figures" and whole.rows[0][:2] == ("sft", 4)
    assert parts.title == "Kinds of users and items" and parts.rows == [("sft", "–, n = 0")]


def test_differences_are_drawn_where_there_are_any(metrics: EvalMetrics, tmp_path):
    assert (
        difference_chart(metrics.pairs, tmp_path / "pairs.png")
        and (tmp_path / "pairs.png").stat().st_size > 1000
    )
    assert not difference_chart([record(PairedDifference, against="base")], tmp_path / "none.png")
