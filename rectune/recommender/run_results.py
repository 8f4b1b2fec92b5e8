"""What a `Recommender` of a run is made of: its data, what its stage `fit` chose, the likes of its users."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from rectune.core.artifacts import read_manifest
from rectune.core.catalogue import load_catalogue
from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.rows import read_rows
from rectune.core.settings import RetrievalConfig
from rectune.core.types import Case, content_id
from rectune.rankers.base import Ranker, ranker_class
from rectune.rankers.chosen import ChosenRanker, load_co_likes, ranker_folder
from rectune.rankers.domain_data import train_likes
from rectune.rankers.stage import chosen_path
from rectune.recommender.build import RANKERS_OWN, ModelSource, RecommenderParts, from_items
from rectune.recommender.model_ranking import measured_model_ranking
from rectune.retrieval.embedding import embedder_identity


def from_folder(
    data: Path,
    domain: str,
    ranker: str | Ranker | None,
    model: ModelSource | None,
    retrieval: RetrievalConfig,
    runs: Path,
    fitted: Path | None = None,
    reranked: Path | None = None,
) -> RecommenderParts:
    """The parts of a recommender of one domain of a finished stage `data`, whose users are known.

    What the stage `fit` chose ranks, or the one of its rankers that is named. Where it was not run, `hybrid`
    or the named one ranks, and that is said.

    Args:
        data: the folder of the stage `data`.
        domain: one of its domains; may be empty where there is one.
        ranker, model, retrieval: as in `from_items`.
        runs: the artifact store: it keeps the index of each catalogue, and what is known of models.
        fitted: the folder of the choice on this data, as `fit_of` gives it.
        reranked: the folder of the stage `rerank` with this model: what it found to help ranks beside the
            choice.

    Raises:
        UserError: the data has no such domain.
    """
    known = load_catalogue(data / "items.parquet")
    domain = _domain_among(known.domains, domain)
    items, histories = known.of(domain), _RunHistories(data, domain)
    index = co_likes = None
    if ranker is None and (retrieval.grounding == "ranked" or model in (None, RANKERS_OWN)):
        ranker = ChosenRanker.name if fitted else None
        if not fitted:
            say("the stage fit was not run on this data, so nothing was chosen: hybrid ranks")
    if fitted is not None:
        folder, index = chosen_path(fitted, domain), fitted / "index"
        own = ranker == ChosenRanker.name
        ranker = _saved(folder, ranker)
        co_likes = None if own else load_co_likes(folder)  # the choice has them itself
    needed = isinstance(ranker, str)
    if fitted is not None and isinstance(ranker, str) and ranker_class(ranker).learns_from_likes:
        stage = fitted.parent.name
        say(f"{ranker} is not among the rankers of the stage {stage}: it is fitted now, with its defaults")
    likes = train_likes(data, read_rows(data / "cases.parquet", Case), domain) if needed else None
    embedder = embedder_identity(retrieval.embedder)
    parts = from_items(
        items, ranker=ranker, model=model, likes=likes, histories=histories, retrieval=retrieval,
        folder=runs / "catalogues" / content_id("catalogue", data.name, domain, embedder),
        index=index, co_likes=co_likes, runs=runs,
    )  # fmt: skip
    if reranked is None or parts.generative is None or not isinstance(parts.ranker, ChosenRanker):
        return parts
    if not isinstance(parts.generative.model, Path):
        return parts
    beside = measured_model_ranking(reranked, domain, items, parts.generative.model)
    return replace(parts, model_ranking=beside)


def _domain_among(domains: Sequence[str], wanted: str) -> str:
    """The domain that is wanted, or the only one there is."""
    if not wanted and len(domains) == 1:
        return domains[0]
    if wanted not in domains:
        raise UserError(
            f"which catalogue? There is no domain {wanted!r}",
            hint=f"give a catalogue, or the domain, one of: {', '.join(domains)}",
        )
    return wanted


def fit_of(data: Path, find: Callable[[str], Path], allmrec: bool = False) -> Path | None:
    """The folder of the last stage that chose what ranks on this data; None where none was run on it.

    Args:
        data: the folder of the stage `data`.
        find: gives the folder of a stage by its name; it raises `UserError` where there is none.
        allmrec: whether the recipe switches on A-LLMRec, whose stage `allmrec_llm` chooses after `fit`.
    """
    fitted = _made_of(lambda: find("fit"), {"data": data.name})
    if fitted is None or not allmrec:
        return fitted
    last = _made_of(lambda: find("allmrec_llm"), {"fit": fitted.name})
    if last is None:
        say("the stage allmrec_llm was not run on this data: what the stage fit chose ranks")
    return last or fitted


def rerank_of(fitted: Path | None, model: Path | None, find: Callable[[], Path]) -> Path | None:
    """The folder of the stage `rerank` of this choice and this model; None where there is none.

    Args:
        fitted: the folder of the choice, as `fit_of` gives it.
        model: the GGUF file that the stage `export` made.
        find: gives the folder of the stage `rerank`; it raises `UserError` where there is none.
    """
    if fitted is None or model is None:
        return None
    return _made_of(find, {fitted.parent.name: fitted.name, "export": model.resolve().parent.name})


def _made_of(find: Callable[[], Path], inputs: Mapping[str, str]) -> Path | None:
    """The folder that is found, if there is one and it was made of these inputs; else None."""
    try:
        found = find()
        made_of = read_manifest(found).get("inputs", {})
    except UserError:
        return None
    return found if all(made_of.get(stage) == key for stage, key in inputs.items()) else None


def _saved(folder: Path, ranker: str | Ranker | None) -> str | Ranker | None:
    """A named ranker as the stage `fit` tuned it, where it is among those; else what was given."""
    if ranker == ChosenRanker.name:
        return ChosenRanker.load(folder)
    if isinstance(ranker, str) and (place := ranker_folder(folder, ranker)).is_dir():
        return ranker_class(ranker).load(place)
    return ranker


class _RunHistories(Mapping[str, Sequence[str]]):
    """The likes of the users of a run's domain, oldest first; read when they are first asked for."""

    def __init__(self, data: Path, domain: str) -> None:
        self._data, self._domain = data, domain

    @cached_property
    def _likes(self) -> dict[str, list[str]]:
        import polars as pl

        own = pl.col("domain") == self._domain
        users = pl.scan_parquet(self._data / "users.parquet").filter(own).select("user", "user_id")
        items = pl.scan_parquet(self._data / "items.parquet").filter(own).select("item", "item_id")
        rows = (
            pl.scan_parquet(self._data / "interactions.parquet")
            .filter(own & pl.col("liked"))
            .join(users, on="user")
            .join(items, on="item")
            .sort("timestamp", "order", nulls_last=False)
            .unique(["user_id", "item_id"], keep="first", maintain_order=True)
            .group_by("user_id", maintain_order=True)
            .agg("item_id")
            .collect()
        )
        return dict(zip(rows["user_id"].to_list(), rows["item_id"].to_list(), strict=True))

    def __getitem__(self, user: str) -> Sequence[str]:
        return self._likes[user]

    def __iter__(self) -> Iterator[str]:
        return iter(self._likes)

    def __len__(self) -> int:
        return len(self._likes)
