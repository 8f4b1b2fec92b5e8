"""The memorisation probe, put to a model that knows titles by heart and to one that knows nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from rectune.core.catalogue import Catalogue
from rectune.core.recipe import Recipe
from rectune.core.settings import EvaluateConfig, RetrievalConfig, SamplingConfig
from rectune.core.types import Item
from rectune.evaluation.memorisation import next_items, probe
from rectune.evaluation.systems import EvalContext
from rectune.inference.requests import GenerationResult
from rectune.rankers.domain_data import DomainData
from rectune.rankers.eval_cases import EvalCase, by_domain
from rectune.rankers.likelihood import NEUTRAL
from tests.rankers.world import case, items, prompt

TITLES = ["The Lord of the Rings", "One Flew Over the Cuckoo's Nest (1975)", "The Good, the Bad and the Ugly"]


def eval_context(tmp_path: Path, count: int = 3) -> EvalContext:
    shelf = items() + [Item("movies", f"t{n}", title) for n, title in enumerate(TITLES)]
    settings = EvaluateConfig(systems=["base"], memorisation=count)
    config = Recipe.model_construct(evaluate=settings, retrieval=RetrievalConfig(sampling=SamplingConfig()))
    found = EvalContext(config, {"base": tmp_path}, Catalogue({(i.domain, i.item_id): i for i in shelf}), [])
    found._grounds["movies"] = DomainData("movies", shelf)
    return found


def two_users() -> list[EvalCase]:
    return [EvalCase(c, prompt(c)) for c in (case("movies", f"u{taste}", "test", taste) for taste in (0, 1))]


class Taste:
    """Likes what is of the taste of the first title in the history; without one, the space station."""

    def loglikelihood(self, messages, continuations, prefill=""):
        text = messages[-1][1]
        if text == NEUTRAL["en"]:
            return [[float("Space Station" in one)] for one in continuations]
        space = "Galaxy War" in text
        own = [item.title for item in items()][: 6 if space else None][0 if space else 6 :]
        return [[float(one.strip() in own)] for one in continuations]


@pytest.mark.parametrize("knows", [True, False])
def test_titles_known_by_heart_are_told_from_guesses(knows: bool, tmp_path: Path):
    def write(model, requests, engine, generation_cache, label, failures=1.0):
        def rest(first: str) -> str:
            whole = next(title for title in TITLES if title.startswith(first))
            return whole[len(first) :].upper() + "!" if knows else " and then some"

        return [GenerationResult(r.id, rest(r.prefill), "stop", 1, 1) for r in requests]

    context = replace(eval_context(tmp_path), generate=write)
    found = probe(two_users(), context, Taste(), tmp_path / "a" / "b").titles
    assert (found.n, found.completed.share, found.control.share) == (3, float(knows), 0.0)
    assert found.domains["movies"].n == 3


def test_the_next_item_is_found_by_the_history_and_by_nothing_else(tmp_path: Path):
    found = next_items(by_domain(two_users()), eval_context(tmp_path), Taste())
    assert found.n == 2
    shares = {name: entry.share for name, entry in found.hit_at_1.items()}
    # One of the two targets is the space station, which this model names to whoever asks.
    assert shares == {"own history": 1.0, "shuffled": 1.0, "somebody else's": 0.0, "none": 0.5}
    assert all(0 <= entry.low <= entry.share <= entry.high <= 1 for entry in found.hit_at_1.values())
