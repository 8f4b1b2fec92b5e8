"""Pairs that interactions imply: of whom they are, which answers they compare, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rectune.align.ranking_pairs import ANNOTATOR, make_ranking_pairs, negatives_of
from rectune.core.catalogue import Catalogue
from rectune.core.recipe import parse_recipe
from rectune.core.settings import AlignConfig
from rectune.core.types import Case, Item, Preference, Prompt, Split, with_id
from rectune.prompts.answers import read_answer
from rectune.prompts.title_index import TitleIndex
from tests.align.examples import make_prompt

FILMS = ("Heat", "Ronin", "Alien", "Ran", "Solaris", "Vertigo", "Fargo", "Brazil")
CATALOGUE = Catalogue(
    {("movies", title.lower()): Item("movies", title.lower(), title, ("thriller",)) for title in FILMS}
)
INDEX = TitleIndex(CATALOGUE.of("movies"))
CANDIDATES = ("ronin", "heat", "solaris", "vertigo", "fargo")


def make_case(user: str, split: Split, candidates: tuple[str, ...] = CANDIDATES) -> Case:
    return with_id(Case("", "movies", user, split, ("alien", "ran"), "heat", candidates, True, "movies"))


def prompt_of(case: Case, **changes: object) -> Prompt:
    known = {"user": case.user, "split": case.split, "instruction": f"{case.user} liked Alien and Ran."}
    return make_prompt(0, **(known | changes))


def made(
    cases: list[Case], prompts: list[Prompt], *, untagged: tuple[str, ...] = (), **settings: object
) -> tuple[list[Preference], int, dict[str, int]]:
    answered = {prompt.id for prompt in prompts if prompt.user not in untagged}
    config = AlignConfig(**({"ranking_pairs": 9} | settings))  # type: ignore[arg-type]
    found = make_ranking_pairs(cases, prompts, answered, CATALOGUE, config)
    return found.rows, found.cases, dict(found.dropped)


def recommended(text: str) -> str:
    place = read_answer(text, INDEX).recommended
    assert place is not None
    return INDEX.items[place].item_id


def test_the_target_is_chosen_and_other_candidates_of_the_case_are_rejected() -> None:
    case = make_case("a", "preference")
    rows, cases, dropped = made([case], [prompt_of(case)])
    assert (len(rows), cases, dropped) == (3, 1, {})
    assert {recommended(row.chosen) for row in rows} == {"heat"} and len({row.chosen for row in rows}) == 1
    rejected = [recommended(row.rejected) for row in rows]
    assert len(set(rejected)) == 3 and set(rejected) < set(CANDIDATES) - {"heat"}
    assert {(row.source, row.annotator) for row in rows} == {("ranking", ANNOTATOR)}
    assert rows[0].chosen.endswith("\nMy recommendation: Heat")  # the form of the rows of SFT
    assert rows[0].chosen.startswith(("You", "With", "Because")) or len(rows[0].chosen.split()) > 8


def test_endings_alone_have_no_reasons() -> None:
    case = make_case("a", "preference")
    rows, _, _ = made([case], [prompt_of(case)], ranking_answers="ending", ranking_negatives=1)
    assert [row.chosen for row in rows] == ["My recommendation: Heat"]
    assert rows[0].rejected.startswith("My recommendation: ")


def test_a_listwise_prompt_gets_a_ranking_that_begins_with_the_item() -> None:
    case = make_case("a", "preference")
    shown = ("fargo", "heat", "ronin")
    rows, _, _ = made([case], [prompt_of(case, form="listwise", candidates=shown)], ranking_answers="ending")
    assert {row.chosen for row in rows} == {"My ranking:\n1. Heat\n2. Fargo\n3. Ronin"}
    assert {row.rejected for row in rows} == {
        "My ranking:\n1. Fargo\n2. Heat\n3. Ronin",
        "My ranking:\n1. Ronin\n2. Fargo\n3. Heat",
    }


def test_tagged_users_come_first_and_nobody_of_the_test_or_of_the_rerank_stage_is_asked_for() -> None:
    cases = [make_case(f"{split}{n}", split) for split in ("train", "preference", "test") for n in range(3)]
    prompts = [prompt_of(case) for case in cases]
    rows, count, _ = made(cases, prompts, untagged=("preference2",), ranking_negatives=1)
    users = [row.prompt.user for row in rows]
    assert count == 5 and set(users[:2]) == {"preference0", "preference1"}
    assert set(users[2:]) == {"train0", "train1", "train2"}
    few, count, _ = made(cases, prompts, untagged=("preference2",), ranking_negatives=1, ranking_pairs=2)
    assert [row.prompt.user for row in few] == users[:2] and count == 2
    assert made(cases, prompts, ranking_pairs=0) == ([], 0, {})


def test_what_gives_no_pair_is_counted() -> None:
    alone, lost = make_case("a", "train", ("heat",)), make_case("b", "train")
    assert made([alone, lost], [prompt_of(alone)]) == ([], 0, {"no other candidate": 1, "no prompt": 1})


def test_a_candidate_of_the_targets_title_is_never_rejected() -> None:
    twin = Catalogue(CATALOGUE.items | {("movies", "heat2"): Item("movies", "heat2", "Heat")})
    case = make_case("a", "train", ("heat", "heat2", "ronin"))
    assert negatives_of(case, prompt_of(case), twin, 5, 7) == ["ronin"]


def test_negatives_hang_on_the_case_alone() -> None:
    case, other = make_case("a", "train"), make_case("b", "train")
    first = negatives_of(case, prompt_of(case), CATALOGUE, 2, 7)
    assert first == negatives_of(replace(case), prompt_of(case), CATALOGUE, 3, 7)[:2]
    drawn = {tuple(negatives_of(one, prompt_of(one), CATALOGUE, 4, 7)) for one in (case, other)}
    drawn |= {tuple(negatives_of(case, prompt_of(case), CATALOGUE, 4, seed)) for seed in (1, 2)}
    assert len(drawn) > 1


def test_losses_that_cannot_take_several_negatives_are_refused() -> None:
    align = {"ranking_pairs": 5, "loss_type": ["hinge"]}
    with pytest.raises(ValueError, match="sigmoid and sft only, not with hinge"):
        parse_recipe({"align": align})
    parse_recipe({"align": align | {"ranking_negatives": 1}})
    parse_recipe({"align": align | {"ranking_pairs": 0}})
