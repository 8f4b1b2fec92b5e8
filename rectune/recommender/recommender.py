"""The recommender of services and notebooks: a catalogue, a ranker, and a language model for the reasons."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.artifacts import ArtifactStore
from rectune.core.catalogue import load_catalogue
from rectune.core.recipe import load_recipe
from rectune.recommender import build
from rectune.recommender.answering import CatalogueAnswers, RecommendOptions
from rectune.recommender.build import RecommenderParts
from rectune.recommender.requests import UserRequest
from rectune.recommender.results import Recommendations, items_frame, request_rows
from rectune.recommender.tables import histories_of, items_of, likes_of, read_likes

if TYPE_CHECKING:
    import polars as pl

    from rectune.core.settings import RetrievalConfig
    from rectune.rankers.base import Ranker
    from rectune.readers.catalogue import CatalogueOptions


class Recommender(CatalogueAnswers):
    """Recommends items of one catalogue for a history, a user or a query, with reasons.

    `from_catalogue`, `from_run` and `fit` make it from files, frames and runs; see `CatalogueAnswers` for
    what it is made of.
    """

    @classmethod
    def from_catalogue(
        cls,
        catalogue: Any,
        *,
        model: str | Path | None = "embedded",
        ranker: str | Ranker | None = None,
        options: CatalogueOptions | None = None,
        retrieval: RetrievalConfig | None = None,
        folder: Path | None = None,
    ) -> Recommender:
        """A recommender of anybody's catalogue, without interactions.

        Args:
            catalogue: a file or folder, a polars or pandas frame, or a list of `Item`.
            model: a GGUF file or `embedded`: it answers, and its answer is grounded in the catalogue; None
                for none: then `ranker` ranks and reasons are plain sentences.
            ranker: what ranks in place of the model's answers: `bm25`, `hybrid`, … `hybrid` where there is no
                model.
            options: which column is what, the kind of items, how the file is written.
            retrieval: how answers are grounded, as the section of a recipe.
            folder: keeps the index; in runs/catalogues if not given.

        Raises:
            UserError: the catalogue cannot be read, or there is no such model or ranker.
        """
        items = items_of(catalogue, options)
        return cls.of(build.from_items(items, ranker=ranker, model=model, retrieval=retrieval, folder=folder))

    @classmethod
    def from_run(
        cls,
        recipe: str = "demo",
        domain: str = "",
        *,
        ranker: str | Ranker | None = None,
        model: str | Path | None = "run",
        retrieval: RetrievalConfig | None = None,
        runs: str | Path = "runs",
    ) -> Recommender:
        """A recommender of the items of a run, with the model that it aligned; its users are known.

        Args:
            recipe: whose run.
            domain: which of its domains; needed where there are several.
            ranker: what ranks in place of the model's answers; fitted on the likes of the train users.
            model: `run` for the run's own, another as in `from_catalogue`, None for none.
            retrieval: as the recipe says if not given.
            runs: the artifact store.

        Raises:
            UserError: no run of the recipe has come that far, or it has no such domain.
        """
        store = ArtifactStore(Path(runs))
        name, settings = store.name_of(Path(recipe)), retrieval or load_recipe(Path(recipe), []).retrieval
        data = store.resolve(name, "data")
        if not domain and len(known := load_catalogue(data / "items.parquet").domains) == 1:
            domain = known[0]
        chosen = store.resolve(name, "export") / "model.gguf" if model == "run" else model
        return cls.of(build.from_folder(data, domain, ranker, chosen, settings, store.root / "catalogues"))

    @classmethod
    def fit(
        cls,
        interactions: Any,
        items: Any,
        *,
        ranker: str = "item_knn",
        model: str | Path | None = None,
        positive_threshold: float | None = None,
        columns: Mapping[str, str] | None = None,
        options: CatalogueOptions | None = None,
        retrieval: RetrievalConfig | None = None,
        folder: Path | None = None,
    ) -> Recommender:
        """A recommender that learns from interactions; their users are known.

        Args:
            interactions: a file or frame with a user, an item, and perhaps a value and a time a row.
            items: the catalogue, as in `from_catalogue`.
            ranker: what is fitted, by name.
            model: words the reasons; plain sentences without one.
            positive_threshold: from which value on an interaction counts as liked; needed where values
                differ.
            columns: user_id, item_id, value, timestamp -> column, where the guess would be another.
            options, retrieval, folder: as in `from_catalogue`.

        Raises:
            UserError: a table cannot be read, or no interaction counts as liked.
        """
        catalogue = items_of(items, options)
        ids = [item.item_id for item in catalogue]
        liked = read_likes(interactions, ids, positive_threshold, columns)
        parts = build.from_items(
            catalogue, ranker=ranker, model=model, likes=likes_of(liked, ids), histories=histories_of(liked),
            retrieval=retrieval, folder=folder,
        )  # fmt: skip
        return cls.of(parts)

    @classmethod
    def of(cls, parts: RecommenderParts) -> Recommender:
        """The recommender of these parts; see `rectune.recommender.build`."""
        return cls(parts.items, parts.ranker, parts.generative, parts.grounding, parts.histories)

    def recommend(
        self,
        history: Sequence[str] = (),
        query: str = "",
        k: int = 5,
        *,
        user: str | None = None,
        exclude: Collection[str] = (),
        where: Mapping[str, Any] | None = None,
        explain: bool | int = True,
        history_domain: str = "",
    ) -> Recommendations:
        """Items for one request.

        Args:
            history: titles or ids of what was liked, oldest first.
            query: what is wanted, in words.
            k: how many items.
            user: whose known history is taken, in place of `history`.
            exclude: ids that are not recommended, besides the history's.
            where: conditions, as `{"category": "Crime", "year": (1990, 1999)}`.
            explain: whether reasons are given; a number gives them to the first items only.
            history_domain: the kind of things the history is, where it is another than the catalogue's.

        Raises:
            UserError: neither history nor query, an unknown user, conditions that no item meets, or a value
                that `RecommendOptions` refuses.
        """
        request = UserRequest(self._history(user) if user is not None else history, query, history_domain)
        return self.recommend_all([request], RecommendOptions.of(k, exclude, where, explain))[0]

    def recommend_many(
        self,
        requests: Any,
        k: int = 5,
        *,
        exclude: Collection[str] = (),
        where: Mapping[str, Any] | None = None,
        explain: bool | int = False,
    ) -> pl.DataFrame:
        """Items for every row of a table.

        Args:
            requests: a polars or pandas frame, or a list of dicts, with some of the columns `user` (whose
                known history is taken), `history` (a list of titles or ids) and `query`.
            k, exclude, where, explain: as in `recommend`.

        Returns:
            One row an item: `request` (the row's number, from 0), `user` where it was given (as text), `rank`
            (from 1), and the attributes of `RecommendedItem`.

        Raises:
            UserError: none of the columns, a row with nothing to go by, or what `recommend` refuses.
        """
        import polars as pl

        rows = request_rows(requests)
        options = RecommendOptions.of(k, exclude, where, explain)
        found = items_frame(self.recommend_all(self.user_requests(rows), options))
        if not any(row.get("user") is not None for row in rows):
            return found
        given = (row.get("user") for row in rows)
        users = pl.Series("user", [None if user is None else str(user) for user in given], pl.String)
        return found.with_columns(users.gather(found["request"])).select(
            "request", "user", *[name for name in found.columns if name != "request"]
        )
