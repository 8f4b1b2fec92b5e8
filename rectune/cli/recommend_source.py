"""Where the items, the ranker and the model of `rectune recommend` come from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rectune.core.settings import RetrievalConfig
    from rectune.prompts.title_index import TitleIndex
    from rectune.readers.catalogue import CatalogueOptions
    from rectune.recommender.recommender import Recommender

_DEFAULT = Path("demo")


@dataclass(frozen=True)
class CatalogueSource:
    """Where items, ranker and model come from, as the options say; `read` says how the catalogue is read."""

    catalogue: Path | None
    domain: str
    recipe: Path | None
    model: str
    ranker: str
    grounding: str
    top: int
    runs: Path
    read: CatalogueOptions
    overrides: tuple[str, ...] = ()

    def retrieval(self) -> RetrievalConfig:
        """The section `retrieval` of the recipe, with what the options change."""
        from rectune.core.recipe import load_recipe

        changed = [*self.overrides]
        changed += [f"retrieval.grounding={self.grounding}"] * bool(self.grounding)
        changed += [f"retrieval.top={self.top}"] * bool(self.top)
        return load_recipe(self.recipe or _DEFAULT, changed).retrieval

    def fitted(self, data: Path) -> Path | None:
        """The folder of the choice on this data: see `rectune.recommender.run_results.fit_of`."""
        from rectune.core.recipe import load_recipe
        from rectune.recommender.run_results import fit_of

        switched_on = load_recipe(self.recipe or _DEFAULT, self.overrides).allmrec.enabled
        return fit_of(data, self.finished, switched_on)

    def finished(self, stage: str) -> Path:
        """The folder of a finished stage of the recipe.

        Raises:
            UserError: there is none.
        """
        from rectune.core.artifacts import ArtifactStore
        from rectune.pipeline.recipe_results import finished_result

        return finished_result(self.recipe or _DEFAULT, stage, ArtifactStore(self.runs), self.overrides)

    def other_titles(self) -> dict[str, TitleIndex]:
        """The titles of the other domains of the recipe's data; none beside a catalogue file."""
        from rectune.core.catalogue import load_catalogue
        from rectune.prompts.title_index import TitleIndex

        if self.catalogue:
            return {}
        catalogue = load_catalogue(self.finished("data") / "items.parquet")
        return {name: TitleIndex(catalogue.of(name)) for name in catalogue.domains if name != self.domain}

    def identity(self) -> tuple[object, ...]:
        """What answers depend on beside requests: the options, the data, and what was fitted on it."""
        if self.catalogue:
            return (self,)
        data = self.finished("data")
        fitted = self.fitted(data)
        reranked = self._finished_name("rerank") if fitted and not self.model else ""
        return self, data.name, fitted.name if fitted else "", reranked

    def _finished_name(self, stage: str) -> str:
        from rectune.core.errors import UserError

        try:
            return self.finished(stage).name
        except UserError:
            return ""


def recommender_of(source: CatalogueSource, config: RetrievalConfig) -> tuple[Recommender, str]:
    """What answers: a catalogue file, or a domain of the recipe's own data; a ranker, and a model.

    Beside it a note on the model for the person; empty for none.
    """
    from rectune.core.errors import UserError
    from rectune.core.types import content_id
    from rectune.recommender.build import RANKERS_OWN, verdict_for
    from rectune.recommender.recommender import Recommender
    from rectune.recommender.run_results import from_folder, rerank_of
    from rectune.recommender.tables import items_of
    from rectune.retrieval.embedding import embedder_identity

    none = source.model in ("none", RANKERS_OWN) or (source.ranker and not source.model)
    model, said = (None, "") if none else _model(source, config)
    if source.catalogue and source.model == RANKERS_OWN:
        raise UserError("no ranker of a catalogue file writes", where="--model", hint="take --recipe")
    verdict = verdict_for(model, config, source.runs) if model else None
    if verdict and verdict.untrusted:
        said = f"{verdict.describe()}{'; ' * bool(said)}{said}"
    ranker = source.ranker or None
    if source.catalogue:
        items = items_of(source.catalogue, source.read)
        of = content_id(
            "catalogue", str(source.catalogue.resolve()), source.domain, embedder_identity(config.embedder)
        )
        words = None if verdict and not verdict.languages else model  # it need not be loaded
        found = Recommender.from_catalogue(
            items, model=words, ranker=ranker, retrieval=config, folder=source.runs / "catalogues" / of,
            runs=source.runs,
        )  # fmt: skip
        return found, said
    data = source.finished("data")
    fitted = source.fitted(data)
    beside = None if source.model else rerank_of(fitted, model, lambda: source.finished("rerank"))
    own = source.model == RANKERS_OWN
    answers = from_folder(
        data, source.domain, ranker, RANKERS_OWN if own else model, config, source.runs, fitted, beside
    )
    return Recommender.of(replace(answers, ranker_writes=own or not source.model)), said


def checked_model(reference: str, runs: Path) -> str:
    """Ask a model ten questions and about planted personas, and keep what it can be trusted with; gives a
    report for the person.
    """
    from rectune.core.settings import RetrievalConfig
    from rectune.dialogue.self_check import check_persona_judge
    from rectune.models.reference import gguf_file
    from rectune.recommender.model_check import check_model

    model, config = gguf_file(reference), RetrievalConfig()
    return f"{check_model(model, runs, config)}\n{check_persona_judge(model, runs, config)}"


def _model(source: CatalogueSource, config: RetrievalConfig) -> tuple[Path, str]:
    """The GGUF file of the model, and a note about it for the user."""
    from rectune.core.errors import UserError
    from rectune.models.reference import gguf_file

    if source.model:
        return gguf_file(source.model), ""
    try:
        return source.finished("export") / "model.gguf", ""
    except UserError:
        if source.recipe:
            raise
    said = f"it is the embedded model, as the recipe {_DEFAULT} was not run here as it stands"
    if config.grounding != "ranked":
        said += ", and answers untrained"
    return gguf_file("embedded"), said
