"""Agreement of tags with a rule they were not made by."""

from __future__ import annotations

from rectune.align.decisions import Decision
from rectune.align.tag_validity import tag_validity
from rectune.align.tasks import make_task
from rectune.core.catalogue import Catalogue
from rectune.core.figures.record import ShareInterval
from rectune.core.types import Item
from rectune.prompts.title_index import TitleIndex
from tests.align.examples import make_prompt

ITEMS = {
    ("movies", "heat"): Item("movies", "heat", "aaa"),
    ("movies", "ronin"): Item("movies", "ronin", "zzz"),
}
TITLES = {"movies": TitleIndex(list(ITEMS.values()))}


def tagged(answers: tuple[str, ...]) -> tuple:  # type: ignore[type-arg]
    """The first answer is the best, the second the worst; the true next item is called aaa."""
    task = make_task(make_prompt(0), answers)
    return task, Decision("tag", task.key, task.hashes, task.hashes[0], task.hashes[1], "kim", 1.0, 1.0)


def test_the_share_of_tags_whose_better_answer_is_nearer_to_the_true_next_item() -> None:
    near, far = ("a b", "b"), ("b", "a b")
    named = ("My recommendation: aaa", "My recommendation: zzz")
    found = tag_validity(
        [tagged(row) for row in (near, near, near, far, named)], Catalogue(ITEMS), TITLES, "alphabet"
    )
    assert (found.all.n, found.all.share) == (5, 0.8)
    assert found.all.low < 0.8 < found.all.high
    assert (found.target_unnamed.n, found.target_unnamed.share) == (4, 0.75)


def test_equal_similarity_is_half_an_agreement_and_nothing_is_no_share() -> None:
    assert tag_validity([tagged(("a b", "ba"))], Catalogue(ITEMS), TITLES, "alphabet").all.share == 0.5
    only_named = tag_validity([tagged(("My recommendation: aaa", "b"))], Catalogue(ITEMS), TITLES, "alphabet")
    assert only_named.target_unnamed == ShareInterval(share=None, low=0.0, high=1.0, n=0)
