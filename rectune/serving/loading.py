"""What a server needs before it takes requests: a recommender, and the engine of its model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.settings import RemoteConfig
from rectune.dialogue.self_check import PersonaVerdict, persona_verdict_on
from rectune.inference.generate import ServedModel
from rectune.inference.server import ServerBackend
from rectune.inference.service import EngineService
from rectune.prompts.rerank_prompts import RERANK_PROMPTS
from rectune.prompts.title_index import TitleIndex
from rectune.rankers.base import Ranker
from rectune.rankers.domain_data import DomainData
from rectune.readers.catalogue import CatalogueOptions, read_catalogue
from rectune.recommender.build import RANKERS_OWN, ModelSource
from rectune.recommender.load_ranker import fit_by_name
from rectune.recommender.model_check import LOCALES
from rectune.recommender.recommender import Recommender
from rectune.serving.comparison import Comparison
from rectune.serving.config import ServerConfig

_RETRIES = 2  # of a request to a server of models: somebody waits


class Loaded(NamedTuple):
    """What is served: what recommends, the ranker that it is compared with, what names its pictures, and the
    titles of other domains."""

    recommender: Recommender
    compared: Ranker | None = None
    images: Mapping[str, str] = MappingProxyType({})
    foreign: Mapping[str, TitleIndex] = MappingProxyType({})


def load_recommender(config: ServerConfig) -> tuple[Recommender, Mapping[str, str]]:
    """The recommender of a catalogue file, or of a recipe's run: what was chosen there ranks.

    Returns:
        It, and what the catalogue names as pictures, by item id.

    Raises:
        UserError: the catalogue cannot be read, the recipe was not run, or there is no such model.
    """
    model: ModelSource | None = config.model or ("embedded" if config.catalogue else "run")
    if config.model == RANKERS_OWN:
        hint = "take another model, or none"
        raise UserError("no ranker words reasons in a service", where="--model", hint=hint)
    if config.model == "none":
        model = None
    elif config.model.startswith(("http://", "https://")):
        model = served_model(config.model, config.slots, config.limits.answer_seconds)
    if config.catalogue:
        options = CatalogueOptions(config.domain or "other", facts=config.facts, image=config.image_column)
        read = read_catalogue(config.catalogue, options)
        say(read.describe())
        made = Recommender.from_catalogue(read.items, model=model, options=options, runs=config.runs)
        return made, read.images
    found = Recommender.from_run(config.recipe, config.domain, model=model, runs=config.runs)
    found.ranker_writes = False  # it would hold the lock of ranking while it writes
    return found, {}


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


def served_model(place: str, slots: int, seconds: float) -> ServedModel:
    """The model of an OpenAI-compatible server, which is asked for it.

    Args:
        place: the base address, as http://localhost:8080/v1, and `#NAME` where the server has several models.
        slots: requests that are open at once.
        seconds: that an answer may take.

    Raises:
        UserError: no server answers there, it refuses the key, or has no such model.
    """
    address, _, name = place.partition("#")
    remote = RemoteConfig(concurrency=slots, timeout=seconds, retries=_RETRIES)
    with ServerBackend(address, name, remote) as backend:
        names, address = backend.names(), backend.address
    if not name and len(names) != 1:
        there = f"it has {', '.join(names[:8])}" if names else "it lists none"
        raise UserError(f"which model? {there}", where=address, hint=f"--model {address}#NAME")
    return ServedModel(address, name or names[0], remote)


def other_titles(config: ServerConfig, domain: str) -> dict[str, TitleIndex]:
    """The titles of the other domains of a recipe's data, by domain; none beside a catalogue file.

    Raises:
        UserError: the recipe has no data any more.
    """
    if not config.recipe:
        return {}
    store = ArtifactStore(config.runs)
    data = store.resolve(store.name_of(Path(config.recipe)), "data")
    catalogue = load_catalogue(data / "items.parquet")
    return {name: TitleIndex(catalogue.of(name)) for name in catalogue.domains if name != domain}


def load_prepared(config: ServerConfig) -> Loaded:
    """What `load_recommender`, `load_compared` and `other_titles` give, ready to be asked; see `prepare`."""
    recommender, images = load_recommender(config)
    compared = load_compared(config, recommender)
    prepare(recommender, compared)
    return Loaded(recommender, compared, images, other_titles(config, recommender.domain))


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


def load_verdict(recommender: Recommender, runs: Path) -> PersonaVerdict | None:
    """How surely the recommender's model judges items for personas; None where that is not known.

    Args:
        recommender: perhaps with a model.
        runs: the artifact store, which keeps what `rectune doctor --model` found.
    """
    model = recommender.generative.model if recommender.generative else None
    return persona_verdict_on(model, runs) if isinstance(model, Path) else None


def load_engine(
    recommender: Recommender, slots: int, verdict: PersonaVerdict | None = None
) -> EngineService | None:
    """The engine of the recommender's model; None where none is asked.

    That is where there is no model, and where plain sentences stand for its reasons in every language and it
    neither ranks anything nor judges anything for personas (`verdict`).

    Raises:
        UserError: the model cannot be loaded.
    """
    model = recommender.generative
    if model is None:
        return None
    words = recommender.ranker is None or not model.untrusted >= frozenset(LOCALES)
    judges = verdict is not None and any(
        verdict.passes(locale, prompt) for locale in LOCALES for prompt in RERANK_PROMPTS
    )
    if not (words or judges) and recommender.model_ranking is None:
        return None
    if isinstance(model.model, ServedModel):
        from rectune.inference.remote_engine import RemoteEngine

        return EngineService(RemoteEngine(model.model))
    from rectune.inference.llamacpp import LlamaEngine

    settings = model.retrieval.model_copy(update={"max_num_seqs": slots})
    return EngineService(LlamaEngine(model.model, settings))
