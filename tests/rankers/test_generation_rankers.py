"""Ranking by what a model wrote: the named item, items near to the answer, a list in order."""

import numpy as np

from rectune.rankers.domain_data import DomainData
from rectune.rankers.generation_rankers import (
    AnswerRetrievalRanker,
    GeneratedAnswers,
    ListwiseRanker,
    ParsedAnswerRanker,
)
from tests.rankers.world import KITCHEN, SPACE, items

GROUND = DomainData("movies", items())
SHOWN = ("m7", "m1", "m9", "m10")  # Baking Bread, Moon Landing, Chocolate Cake, Sushi Master


def written(text: str) -> GeneratedAnswers:
    return GeneratedAnswers(GROUND, lambda history: text)


def test_parsed_hits_only_what_the_answer_itself_recommends():
    found = ParsedAnswerRanker(
        "p", written("You liked Galaxy War, so: My recommendation: Moon Landing")
    ).score([("m2",)], [SHOWN])
    assert found[0].tolist() == [0, 1, 0, 0]
    for text in ("", "Something with cakes, perhaps.", "My recommendation: The Godfather"):
        assert ParsedAnswerRanker("p", written(text)).score([("m2",)], [SHOWN])[0].tolist() == [0] * 4


def test_retrieved_puts_the_named_item_first_and_then_what_the_answer_is_about():
    scores = AnswerRetrievalRanker(
        "r", written("A cake with chocolate. My recommendation: Moon Landing")
    ).score([("m2",)], [SHOWN])[0]
    assert [SHOWN[at] for at in np.argsort(-scores)][:2] == ["m1", "m9"]
    about = AnswerRetrievalRanker("r", written("Rockets that fly to the moon and to other planets.")).score(
        [()], [SHOWN]
    )[0]
    assert int(about.argmax()) == 1
    assert AnswerRetrievalRanker("r", written("  ")).score([()], [SHOWN])[0].tolist() == [0] * 4


def test_listed_ranks_as_the_list_goes_and_ties_what_it_leaves_out():
    texts = {
        SHOWN: "My ranking:\n1. Sushi Master\n2. Moon Landing",
        SHOWN[::-1]: "My ranking:\n1. nothing of this",
    }
    ranker = ListwiseRanker("l", GROUND.titles, lambda history, candidates: texts[tuple(candidates)])
    first, second = ranker.score([("m2",), ("m2",)], [SHOWN, SHOWN[::-1]])
    assert np.argsort(-first, kind="stable").tolist()[:2] == [3, 1] and first[0] == first[2] < first[1]
    assert len(set(second.tolist())) == 1
    assert set(SPACE) | set(KITCHEN) == set(GROUND.titles.values())
