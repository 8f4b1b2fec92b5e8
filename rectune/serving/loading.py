"""What a server needs before it takes requests: a recommender, and the engine of its model."""

from __future__ import annotations

from collections.abc import Mapping

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.inference.service import EngineService
from rectune.rankers.base import Ranker
from rectune.rankers.domain_data import DomainData
from rectune.readers.catalogue import CatalogueOptions, read_catalogue
from rectune.recommender.load_ranker import fit_by_name
from rectune.recommender.model_check import LOCALES
from rectune.recommender.recommender import Recommender
from rectune.serving.comparison import Comparison
from rectune.serving.config import ServerConfig


def load_recommender(config: ServerConfig) -> tuple[Recommender, Mapping[str, str]]:
    """The recommender of a catalogue file, or of a recipe's run: what was chosen there ranks.

    Returns:
        It, and what the catalogue names as pictures, by item id.

    Raises:
        UserError: the catalogue cannot be read, the recipe was not run, or there is no such model.
    """
    if config.catalogue:
        model = None if config.model == "none" else config.model or "embedded"
        options = CatalogueOptions(config.domain or "other", facts=config.facts, image=config.image_column)
        read = read_catalogue(config.catalogue, options)
        say(read.describe())
        made = Recommender.from_catalogue(read.items, model=model, options=options, runs=config.runs)
        return made, read.images
    model = None if config.model == "none" else config.model or "run"
    return Recommender.from_run(config.recipe, config.domain, model=model, runs=config.runs), {}


def load_compared(config: ServerConfig, recommender: Recommender) -> Ranker | None:
    """The second ranker of `--compare`, of the recommender's items; None where none is named.

    Of a run it is the stage's own where that fitted it, else it is fitted now on the likes of the train
    users. Titles that it embeds are embedded once more: the first ranker keeps its own vectors.

    Raises:
        UserError: there is no such ranker, it needs interactions and there are none, it is the one that ranks
            already, or the model chooses the items, so that nothing ranks.
    """
    if not config.compare:
        return None
    if recommender.ranker is None:
        hint = "take a recipe whose retrieval.grounding is ranked"
        raise UserError("the model chooses the items, so nothing ranks", where="--compare", hint=hint)
    Comparison(recommender.ranker.name, config.compare)  # before something long is fitted in vain
    if config.recipe:
        other = Recommender.from_run(
            config.recipe, config.domain, ranker=config.compare, model=None, runs=config.runs
        )
        return other.ranker
    items, embedder = list(recommender.items.values()), recommender.retrieval.embedder
    try:
        return fit_by_name(config.compare, DomainData(recommender.domain, items, None, embedder), None)
    except UserError as problem:
        raise UserError(problem.message, where="--compare", hint=problem.hint) from None


def prepare(recommender: Recommender, compared: Ranker | None = None) -> None:
    """Read and embed now what the first request would wait for.

    Args:
        recommender: of the catalogue.
        compared: a second ranker of its items.

    Raises:
        UserError: the model chooses the items by constrained decoding, which a service cannot do.
    """
    model = recommender.generative
    if model and recommender.ranker is None and model.retrieval.grounding == "constrained":
        raise UserError(
            "a service cannot let the model name titles by constrained decoding",
            where="retrieval.grounding",
            hint="take a recipe that sets it to ranked, or to retrieve",
        )
    if recommender.ranker is None:
        _ = recommender.titles
    else:
        first = next(iter(recommender.items.values()))
        recommender.recommend(query=first.title, k=1, explain=False)
        recommender.ranker.score_all([[first.item_id]])
        if compared is not None:
            compared.score_all([[first.item_id]])


def load_engine(recommender: Recommender, slots: int) -> EngineService | None:
    """The engine of the recommender's model; None where none is asked.

    That is where there is no model, and where plain sentences stand for its reasons in every language and it
    ranks nothing either.

    Raises:
        UserError: the model cannot be loaded.
    """
    model = recommender.generative
    if model is None:
        return None
    words = recommender.ranker is None or not model.untrusted >= frozenset(LOCALES)
    if not words and recommender.model_ranking is None:
        return None
    from rectune.inference.llamacpp import LlamaEngine

    settings = model.retrieval.model_copy(update={"max_num_seqs": slots})
    return EngineService(LlamaEngine(model.model, settings))
