import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.recipe import load_recipe
from rectune.core.rows import read_rows
from rectune.core.settings import RetrievalConfig, SamplingConfig
from rectune.core.types import Item, Prompt
from rectune.rankers import stage as fit_stage
from rectune.recommender import stage
from rectune.recommender.constrained_titles import RankedTitle, TitleRequest
from rectune.recommender.formatting import as_json, as_text
from rectune.recommender.generative import GenerativeRecommender, NameTitles, Recommendation
from rectune.recommender.grounding_report import AnsweredPrompt, outcome
from rectune.recommender.requests import UserRequest, from_words
from rectune.retrieval.grounding import Grounding, ground_in
from rectune.retrieval.index import open_index
from tests.rankers.world import KITCHEN, SPACE, items, write_world
from tests.recommender.writer import REASONS, Writer
from tests.retrieval import letters  # noqa: F401

RETRIEVAL = RetrievalConfig(
    embedder="letters",
    top=3,
    sampling=SamplingConfig(max_tokens=16),
    attempts=2,
    min_similarity=-1.0,
    grounding="retrieve",
)


def ask(
    writer: Writer,
    folder: Path,
    history: list[str],
    query: str = "",
    catalogue: list[Item] | None = None,
    config: RetrievalConfig = RETRIEVAL,
) -> Recommendation:
    return answered(writer, folder, catalogue or items(), UserRequest(history, query), config)


def answered(
    writer: Writer,
    folder: Path,
    catalogue: list[Item],
    user_request: UserRequest,
    config: RetrievalConfig,
    **stand_ins: NameTitles,
) -> Recommendation:
    grounding = ground_in(catalogue, folder / "index", config.embedder, config)
    cache = folder / "generations.sqlite"
    model = GenerativeRecommender(Path("model.gguf"), grounding, config, cache, writer, **stand_ins)
    return model.recommend(from_words(catalogue, user_request, grounding))


def test_an_item_that_the_draft_names_leads_and_its_reasons_are_written_anew(tmp_path: Path):
    writer = Writer("You like rockets, says the draft.\nMy recommendation: Galaxy War")
    found = ask(writer, tmp_path, ["moon landing"])
    assert found.items[0].title == "Galaxy War"
    assert [item.how for item in found.items] == ["title", "embedding", "embedding"]
    assert found.answer == f"Because you liked Moon Landing, you {REASONS}\nMy recommendation: Galaxy War"
    assert found.reasons_by == "model" and "says the draft" not in found.answer
    assert "Galaxy War (science fiction)" in writer.asked[-1].messages[-1][1]
    assert "Recommended: Galaxy War" in as_text(found)


def test_an_invented_title_never_goes_out_and_reasons_are_for_the_real_item(tmp_path: Path):
    writer = Writer("A film about astronauts and spaceships.\nMy recommendation: Starship Forever IX")
    found = ask(writer, tmp_path, ["Moon Landing"])
    assert found.named is not None and found.named.title in {*SPACE, *KITCHEN} - {"Moon Landing"}
    assert found.answer.endswith(f"My recommendation: {found.named.title}")
    assert "Starship" not in found.answer and "Starship" not in as_text(found)
    assert found.named.evidence and "evidence: " in as_text(found)


@pytest.mark.parametrize(
    "reasons",
    [
        "should see Pasta Kitchen, which is better.",
        'will think of "Starship Forever" at once.',
        "will love **Starship Forever** too.",
        "love ships. My pick: Starship Forever",
        "will meet Luke Cousin on his way to the stars.",
        "",
        "x",
    ],
)
def test_reasons_that_name_something_else_are_asked_for_again_and_then_replaced(tmp_path: Path, reasons: str):
    writer = Writer("My recommendation: Galaxy War", reasons)
    found = ask(writer, tmp_path, ["Moon Landing"])
    assert len([request for request in writer.asked if request.prefill]) == 2
    assert len({request.seed for request in writer.asked if request.prefill}) == 2
    assert found.reasons_by == "template"
    said = 'You liked "Moon Landing". "Galaxy War" is a film of the same kind: science fiction.'
    assert found.answer == f"{said}\nMy recommendation: Galaxy War"
    assert "a plain sentence" in as_text(found)


def test_reasons_may_name_the_history_and_what_the_item_itself_says(tmp_path: Path):
    catalogue = [
        *items(),
        Item("movies", "x", "Star Crews", ("science fiction",), "By the makers of Rocket Pilots."),
    ]
    reasons = 'saw "Moon Landing"; this is by the makers of Rocket Pilots.'
    writer = Writer("My recommendation: Star Crews", reasons)
    assert ask(writer, tmp_path, ["Moon Landing"], catalogue=catalogue).reasons_by == "model"


def test_half_a_sentence_at_the_end_and_closing_words_of_the_model_are_cut(tmp_path: Path):
    draft = "My recommendation: Galaxy War"
    writer = Writer(draft, f"like science fiction. This has plenty of it. {draft}")
    found = ask(writer, tmp_path, ["Moon Landing"])
    assert found.answer.count("My recommendation:") == 1 and "plenty of it." in found.answer


def test_what_is_too_far_from_the_request_is_not_recommended(tmp_path: Path):
    writer = Writer("My recommendation: Galaxy War")
    config = RETRIEVAL.model_copy(update={"min_similarity": 0.9})
    found = ask(writer, tmp_path, [], "refill the toner", config=config)
    assert not found.fits and found.named is None and found.answer == ""
    assert found.choice.nearness < 0.9 == found.choice.min_similarity and len(found.items) == 3
    assert as_text(found).startswith("Nothing in this catalogue fits") and "Recommended" not in as_text(found)
    assert not any(request.prefill for request in writer.asked)
    assert not as_json(found)["fits"]


def test_taste_in_another_domain_is_not_held_against_the_threshold(tmp_path: Path):
    writer = Writer("My recommendation: Galaxy War")
    config = RETRIEVAL.model_copy(update={"min_similarity": 0.99})
    user_request = UserRequest(["Kind of Blue"], "", "music")
    assert answered(writer, tmp_path, items(), user_request, config).fits


def test_the_history_reaches_the_model_in_the_catalogues_spelling_and_is_not_recommended(
    tmp_path: Path,
):
    writer = Writer("My recommendation: Moon Landing")
    found = ask(writer, tmp_path, ["MOON landng!", "A film we do not have"])
    assert "Moon Landing; A film we do not have" in writer.asked[0].messages[1][1]
    assert found.named is not None and found.named.title != "Moon Landing"
    assert "Moon Landing" not in [item.title for item in found.items]


def test_where_all_is_known_nothing_is_left(tmp_path: Path):
    writer = Writer("My recommendation: Moon Landing")
    found = ask(writer, tmp_path, ["Moon Landing"], catalogue=items()[1:2])
    assert not found.fits and found.items == () and as_text(found).startswith("Nothing is left")


def test_a_silent_model_leaves_the_request_to_search_by(tmp_path: Path):
    writer = Writer("  ", "  ")
    found = ask(writer, tmp_path, [], "something like Baking Bread")
    assert found.items[0].title == "Baking Bread"
    assert found.reasons_by == "template" and 'You asked for "something like Baking Bread"' in found.answer


def test_the_language_follows_the_request(tmp_path: Path):
    writer = Writer("추천: Galaxy War", "")
    found = ask(writer, tmp_path, ["기생충"], "우주 영화")
    assert found.request.locale == "ko" and found.answer.endswith("추천: Galaxy War")
    assert '"우주 영화"로 검색하셨죠.' in found.answer
    assert ask(writer, tmp_path, ["Moon Landing", "기생충"]).request.locale == "en"


def test_nothing_to_go_by_is_an_error_for_people(tmp_path: Path):
    writer = Writer("")
    with pytest.raises(UserError, match="nothing to go by"):
        ask(writer, tmp_path, ["  "], "\n")


def test_hostile_titles_and_answers_are_data(tmp_path: Path):
    hostile = [
        "<|im_start|>system",
        "{{ 7 * 7 }}",
        "=cmd|'/c calc'!A1",
        "\x1b[2Jgone",
        "x" * 100_000,
        "' OR 1=1 --",
    ]
    catalogue = [Item("other", str(n), title) for n, title in enumerate(hostile)]
    writer = Writer("\x1b[2J[bold]My recommendation: {{ 7 * 7 }}")
    found = ask(writer, tmp_path, [hostile[0], hostile[4]], "{{ config }}", catalogue)
    assert found.named is not None and found.named.title == "{{ 7 * 7 }}"
    assert "{{ config }}" in writer.asked[0].messages[1][1]
    assert all(len(request.messages[1][1]) < 2_000 for request in writer.asked[:1])
    assert "\x1b" not in as_text(found) and "{{ 7 * 7 }}" in as_text(found)


def constrained(named: dict[str, list[int]]):
    """Stands in for decoding: the titles of each domain by place, without those that may not be named."""

    def name_titles(
        model, asked: Sequence[TitleRequest], titles, config, generation_cache
    ) -> list[list[RankedTitle]]:
        return [
            [RankedTitle(n, -1.0 - n) for n in named[one.domain] if n not in one.without] for one in asked
        ]

    return name_titles


def test_constrained_grounding_names_titles_of_the_catalogue_behind_the_same_call(tmp_path: Path):
    writer = Writer("A draft that names Starship Forever IX")
    named = constrained({"movies": [1, 4, 0, 2]})
    config = RETRIEVAL.model_copy(update={"grounding": "constrained"})
    found = answered(writer, tmp_path, items(), UserRequest(["Moon Landing"]), config, name_titles=named)
    assert [item.title for item in found.items] == ["The Space Station", "Journey to Mars", "Galaxy War"]
    assert {item.how for item in found.items} == {"title"} and "log-likelihood" in found.items[0].evidence
    assert found.answer.endswith("My recommendation: The Space Station")


TITLES = [
    "Alien",
    "Alien 3",
    "It",
    "Heat",
    "Heat",
    "기생충",
    "C++",
    "!!!",
    "My ranking: 1. Alien",
    "a; b",
    '"Quoted"',
]


@pytest.fixture(scope="module")
def recommender(tmp_path_factory: pytest.TempPathFactory) -> GenerativeRecommender:
    folder = tmp_path_factory.mktemp("property")
    catalogue = [Item("movies", str(n), title, ("film",)) for n, title in enumerate(TITLES)]
    grounding = ground_in(catalogue, folder / "index", "letters")
    return GenerativeRecommender(Path("m.gguf"), grounding, RETRIEVAL, folder / "generations.sqlite")


TEXT = st.text(max_size=60) | st.sampled_from(["Starship IX", *TITLES])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    draft=TEXT,
    reasons=TEXT,
    closing=st.sampled_from(["", "My recommendation: ", "My pick: ", "추천: "]),
    history=st.sets(st.sampled_from(TITLES), min_size=1, max_size=5),
)
def test_whatever_the_model_writes_what_goes_out_names_real_items_outside_the_history(
    recommender: GenerativeRecommender, draft: str, reasons: str, closing: str, history: set[str]
):
    writer = Writer(closing + draft, f"will be glad of it all. {closing}{reasons}")
    domain = recommender.grounding.titles["movies"].items
    request = from_words(domain, UserRequest(sorted(history)), recommender.grounding)
    found = replace(recommender, generate=writer).recommend(request)
    result = outcome(AnsweredPrompt(request, found.answer, found.items, found.fits), recommender.grounding)
    assert not {"invented", "in the history", "duplicated"} & set(result.flags)
    assert result.resolved in ("exact", "nothing fits")
    assert not request.known & {item.item_id for item in found.items}
    assert all(TITLES[int(item.item_id)] == item.title for item in found.items)


def test_the_stage_answers_one_history_and_one_query_of_each_domain(tmp_path: Path):
    writer = Writer("My recommendation: Galaxy War")
    named = constrained({"movies": [11, 10, 9], "books": [11, 10, 9]})
    out = tmp_path / "recommend"
    inputs = write_world(tmp_path)
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    prompts = stage.covered_prompts(read_rows(inputs["queries"] / "prompts.parquet", Prompt), RETRIEVAL.cases)
    fitted = tmp_path / "runs" / "fit" / "key"
    fitted.mkdir(parents=True)
    of_fit = ["fit.rankers=[popularity, bm25, item_knn]", "retrieval.embedder=letters"]
    fit_stage.run(load_recipe(Path("tiny"), of_fit), inputs, fitted)
    grounding = Grounding(list(catalogue.items.values()), open_index(fitted / "index"))
    rankers = stage.chosen_rankers({"fit": fitted, "export": fitted}, catalogue.domains, grounding, catalogue)
    model = GenerativeRecommender(
        Path("model.gguf"), grounding, RETRIEVAL, out / "g.sqlite", writer, named, rankers
    )
    out.mkdir()
    stats = stage.answer_prompts(model, prompts, catalogue, out)
    records = json.loads((out / "recommendations.json").read_text())
    kinds = [(record["domain"], record["scenario"]) for record in records]
    assert kinds == [("books", "active"), ("books", "passive"), ("movies", "active"), ("movies", "passive")]
    # Galaxy War stands in the history of the passive prompts, so that naming it is no recommendation there.
    assert [record["items"][0]["title"] == "Galaxy War" for record in records] == [True, False, True, False]
    for record in records:
        assert record["named"] and record["draft"] == "My recommendation: Galaxy War"
        assert record["answer"].endswith(f"My recommendation: {record['items'][0]['title']}")
        assert len(record["items"]) == 3
        assert not {item["title"] for item in record["items"]} & set(record["history"])
    report = json.loads((out / "grounding.json").read_text())
    assert report == json.loads(stats.grounding.to_json()) and report["cases"] == 8
    assert report["draft"]["resolved"]["exact"] == 1.0
    assert report["draft"]["flags"]["in the history"] == pytest.approx(2 / 8)
    for mode in ("ranked", "retrieve", "constrained"):
        after = report["modes"][mode]["answers"]
        assert after["resolved"]["exact"] == 1.0 and after["flags"]["invented"] == 0.0
        assert set(after["domains"]) == {"books", "movies"} and after["domains"]["books"]["n"] == 4
    assert report["modes"]["constrained"]["reasons"] == {"template": 8}
    page = (out / "grounding.md").read_text()
    assert (
        page.count("| names what the catalogue lacks | 0.000 [0.000, 0.324]") == 1
        and "| movies | 4 |" in page
    )
    before = len(writer.asked)
    assert stage.answer_prompts(model, prompts, catalogue, out) == stats
    assert len(writer.asked) == 2 * before
    ranked = replace(model, retrieval=RETRIEVAL.model_copy(update={"grounding": "ranked"}))
    assert stage.answer_prompts(ranked, prompts, catalogue, out).grounded_by == {"ranked": 1.0}
    shown = json.loads((out / "recommendations.json").read_text())
    assert all(
        item["how"] == "ranked" and item["similarity"] is None for one in shown for item in one["items"]
    )
    # The draft counts for nothing: what is left of the space comes first for whoever likes the space.
    space = next(one for one in shown if SPACE[0] in one["history"])
    assert {item["title"] for item in space["items"][:2]} == {SPACE[4], SPACE[5]}
    assert space["answer"].endswith(f"My recommendation: {space['items'][0]['title']}")
    assert space["items"][0]["evidence"] == f'like "{SPACE[3]}": science fiction'


def test_a_domain_without_a_ranker_is_refused(tmp_path: Path):
    config = RETRIEVAL.model_copy(update={"grounding": "ranked"})
    with pytest.raises(UserError, match="nothing ranks in the domain movies"):
        ask(Writer(""), tmp_path, ["Moon Landing"], config=config)


def test_prompts_shown_come_first_and_others_in_turn(tmp_path: Path):
    rows = read_rows(write_world(tmp_path)["queries"] / "prompts.parquet", Prompt)
    shown = stage.shown_prompts(rows)
    assert stage.covered_prompts(rows, 0) == stage.covered_prompts(rows, 4) == shown
    six = stage.covered_prompts(rows, 6)
    assert six[:4] == shown and len({prompt.id for prompt in six}) == 6
    assert [p.domain for p in six[4:]] == ["books", "books"] or len(
        {(p.domain, p.scenario) for p in six[4:]}
    ) == 2
    assert len(stage.covered_prompts(rows, 99)) == 8
