"""Best-of-n: of several texts of a teacher the best supported one becomes the rationale."""

from pathlib import Path

import polars as pl
import pytest

from rectune.core.catalogue import Catalogue
from rectune.core.recipe import parse_recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.settings import GenerateConfig
from rectune.core.tables import item_schema
from rectune.core.types import Example, Item, Prompt, Provenance
from rectune.datagen import rationales
from rectune.datagen.best_of import best_of, several, unsupported_share
from rectune.inference.requests import Finish, GenerationRequest, GenerationResult
from rectune.inference.teachers import Written

ALIEN = Item("movies", "b", "Alien", categories=("Horror", "Science Fiction"), year=1979)
HEAT = Item("movies", "a", "Heat", categories=("Crime", "Thriller"))
CATALOGUE = Catalogue({("movies", item.item_id): item for item in (HEAT, ALIEN)})
PROMPT = Prompt(
    "p", "movies", "passive", "direct", "en", "train", "u", "s", "i", ("a",), (), "b", "", "x", "movies"
)
TRUE = "You like crime. It is horror and science fiction."
HALF = "It is horror and science fiction with singing pirates."
FALSE = "Singing pirates dance in Paris, with horror and puppets."


def request() -> GenerationRequest:
    return rationales.rationale_request(PROMPT, CATALOGUE, GenerateConfig().rationale)


def written(texts: list[str], finish: list[Finish] | None = None) -> dict[str, Written]:
    finish = finish or ["stop"] * len(texts)
    return {
        asked.id: (
            GenerationResult(asked.id, text, how, 9, 9, "broken" if how == "error" else ""),
            Provenance("teacher", "", "{}", asked.seed, "engine", ""),
        )
        for asked, text, how in zip(several(request(), len(texts)), texts, finish, strict=True)
    }


def kept(texts: list[str], finish: list[Finish] | None = None) -> str:
    requests = several(request(), len(texts))
    return best_of(PROMPT, requests, written(texts, finish), CATALOGUE).written[0].text


def test_several_are_the_request_itself_and_others_that_differ_in_id_and_seed_alone() -> None:
    one, *others = several(request(), 4)
    assert one == request() and len({one.seed, *(other.seed for other in others)}) == 4
    assert len({one.id, *(other.id for other in others)}) == 4
    assert {other.messages for other in others} == {one.messages}


def test_what_is_kept_is_the_best_supported_text_wherever_it_stands() -> None:
    shares = [unsupported_share(PROMPT, text, CATALOGUE) for text in (TRUE, HALF, FALSE)]
    assert shares == sorted(shares, key=lambda share: share or 0.0) and shares[0] == 0.0 and shares[1]
    assert kept([HALF, FALSE, TRUE]) == kept([TRUE, FALSE, HALF]) == TRUE
    assert kept([FALSE, HALF]) == HALF


def test_of_equally_supported_texts_a_whole_one_comes_first_then_the_first() -> None:
    assert kept([TRUE + " ", TRUE], ["length", "stop"]) == TRUE
    assert kept([TRUE, TRUE + " "]) == TRUE


def test_a_failure_counts_only_where_all_failed() -> None:
    assert kept(["", FALSE], ["error", "stop"]) == FALSE
    chosen = best_of(PROMPT, several(request(), 2), written(["", ""], ["error"] * 2), CATALOGUE)
    assert chosen.written[0].finish == "error"


def test_where_nothing_is_known_of_the_item_the_first_text_is_kept() -> None:
    bare = Catalogue({("movies", "a"): HEAT, ("movies", "b"): Item("movies", "b", "Alien")})
    assert unsupported_share(PROMPT, TRUE, bare) is None
    assert best_of(PROMPT, several(request(), 2), written([FALSE, TRUE]), bare).written[0].text == FALSE


@pytest.mark.parametrize(("samples", "text"), [(1, FALSE), (3, TRUE)])
def test_the_stage_asks_for_as_many_texts_as_the_recipe_says(tmp_path: Path, samples: int, text: str) -> None:
    (tmp_path / "queries").mkdir()
    (tmp_path / "data").mkdir()
    write_rows(tmp_path / "queries" / "prompts.parquet", [PROMPT], Prompt)
    rows = [
        (one.domain, number, one.item_id, one.title, list(one.categories), "", one.year, "{}", "", [])
        for number, one in enumerate((HEAT, ALIEN))
    ]
    pl.DataFrame(rows, item_schema(), orient="row").write_parquet(tmp_path / "data" / "items.parquet")
    config = parse_recipe({"generate": {"rationale_samples": samples}})
    inputs = {name: tmp_path / name for name in ("queries", "data")}

    def ask(requests: object, *_: object) -> dict[str, Written]:
        assert isinstance(requests, list) and len(requests) == samples
        return written([FALSE, TRUE, HALF][:samples])

    figures = rationales.run(config, inputs, tmp_path, ask)
    (example,) = read_rows(tmp_path / "examples.parquet", Example)
    assert text in example.response and figures.texts == samples
    assert figures.first_unsupported and figures.unsupported is not None
    assert (figures.unsupported < figures.first_unsupported) == (samples > 1)
