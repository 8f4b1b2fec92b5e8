from pathlib import Path

import pytest

from rectune.core.figures.grounding import GroundingReport
from rectune.core.types import Item
from rectune.recommender.grounding_report import (
    FLAGS,
    RESOLVED,
    AnsweredPrompt,
    grounding_tables,
    outcome,
    relevance,
    shares,
)
from rectune.recommender.requests import RecommendationRequest
from rectune.retrieval.grounding import GroundedItem, Grounding, ground_in
from tests.core.filled import record
from tests.rankers.world import items

CATALOGUE = [*items(), Item("movies", "remake", "Galaxy War", ("remake",))]


@pytest.fixture(scope="module")
def grounding(tmp_path_factory: pytest.TempPathFactory) -> Grounding:
    return ground_in(CATALOGUE, tmp_path_factory.mktemp("report"), "embedded")


def answered(text: str, *ids: str, fits: bool = True, target: str = "") -> AnsweredPrompt:
    liked = (CATALOGUE[1],)  # Moon Landing
    request = RecommendationRequest("movies", "en", "s", "i", liked, "", frozenset({liked[0].item_id}))
    titles = {item.item_id: item.title for item in CATALOGUE}
    return AnsweredPrompt(
        request, text, tuple(GroundedItem(i, titles[i], "title", 1.0) for i in ids), fits, target
    )


@pytest.mark.parametrize(
    ("text", "resolved", "flags"),
    [
        ("My recommendation: Alien Planet", "exact", ()),
        ("My recommendation: Alien Planett", "fuzzy", ()),
        ("My recommendation: Galaxy War", "exact", ("ambiguous",)),
        ("My recommendation: Moon Landing", "exact", ("in the history",)),
        ("My recommendation: Starship Forever", "embedding", ("invented",)),
        ("A film about rockets, astronauts and planets.", "embedding", ()),
        ("", "not at all", ()),
        ("My ranking:\n1. Alien Planet\n2. Baking Bread\n3. Alien Planet", "exact", ("duplicated",)),
    ],
)
def test_what_an_answer_comes_to(grounding: Grounding, text: str, resolved: str, flags: tuple[str, ...]):
    found = outcome(answered(text), grounding)
    assert (found.resolved, found.flags) == (resolved, flags)


def test_items_of_the_history_or_twice_in_the_list_are_noticed_too(grounding: Grounding):
    text = "My recommendation: Alien Planet"
    assert outcome(answered(text, "m5", "m5"), grounding).flags == ("duplicated",)
    assert outcome(answered(text, "m5", "m1"), grounding).flags == ("in the history",)
    assert outcome(answered("", fits=False), grounding).resolved == "nothing fits"


def test_shares_add_up_over_all_and_by_domain(grounding: Grounding):
    texts = ("My recommendation: Alien Planet", "My recommendation: Starship Forever", "", "")
    found = shares([answered(text) for text in texts], grounding)
    assert found.n == 4 and found.domains["movies"].resolved == found.resolved
    assert found.resolved["exact"] == 0.25 and found.flags["invented"] == 0.25
    assert sum(found.resolved.values()) == pytest.approx(1.0)
    assert set(found.resolved) == set(RESOLVED) and set(found.flags) == set(FLAGS)


def test_what_is_like_the_request_is_nearer_to_it_than_what_is_not(grounding: Grounding):
    old = [answered("Bread and pasta", target="m4")] * 2
    space, kitchen = answered("x", "m4", "m0", target="m4"), answered("x", "m7", target="m4")
    near = relevance(old, [space, space], grounding, "embedded")
    far = relevance(old, [kitchen, kitchen], grounding, "embedded")
    assert near.item > far.item > 0 and near.item > near.draft
    assert near.target == pytest.approx(near.item) and near.n == 2
    assert (near.hit_at_1, far.hit_at_1) == (1.0, 0.0)
    assert relevance(old, [answered("", fits=False)] * 2, grounding, "embedded").item is None


def test_titles_cannot_break_the_table(grounding: Grounding, tmp_path: Path):
    hostile = Item("a|b <b>", "1", "T")
    other = ground_in([hostile], tmp_path, "embedded")
    request = RecommendationRequest("a|b <b>", "en", "s", "i", (), "q", frozenset())
    table = shares([AnsweredPrompt(request, "My recommendation: T")], other)
    report = record(
        GroundingReport, cases=1, grounding="retrieve", draft=table, modes={"retrieve": {"answers": table}}
    )
    page = "".join(table.to_markdown() for table in grounding_tables(report))
    assert "| a\\|b &lt;b&gt; |" in page
