"""The recommender of services and notebooks: a catalogue, a ranker, and a language model for the reasons."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.recipe import load_recipe
from rectune.core.types import Item
from rectune.rankers.domain_data import DomainData
from rectune.rankers.new_items import with_items
from rectune.recommender import build
from rectune.recommender.answering import CatalogueAnswers
from rectune.recommender.arguments import check_is
from rectune.recommender.build import ModelSource, RecommenderParts
from rectune.recommender.options import RecommendOptions, explained_items
from rectune.recommender.requests import UserRequest
from rectune.recommender.results import Lacking, Recommendations, items_frame, request_rows
from rectune.recommender.run_results import fit_of, from_folder, rerank_of
from rectune.recommender.tables import histories_of, id_text, items_of, likes_of, read_likes
from rectune.recommender.user_attributes import read_attributes, say_unlearnt

if TYPE_CHECKING:
    import polars as pl

    from rectune.core.settings import RetrievalConfig
    from rectune.rankers.base import Ranker
    from rectune.readers.catalogue import CatalogueOptions

_BY_NAME = "a name; module:Class for arguments of your own; one that is fitted goes to from_catalogue"


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
        model: ModelSource | None = "embedded",
        ranker: str | Ranker | None = None,
        options: CatalogueOptions | None = None,
        retrieval: RetrievalConfig | None = None,
        folder: str | Path | None = None,
        runs: str | Path = "runs",
    ) -> Recommender:
        """A recommender of anybody's catalogue, without interactions.

        Args:
            catalogue: a file or folder, a polars or pandas frame, or a list of `Item`.
            model: a GGUF file, `embedded`, or a `ServedModel` of `rectune.inference.generate`: it words the
                reasons (or chooses the items as well, where `retrieval.grounding` says so); None for none:
                then reasons are plain sentences, as they are in languages in which `rectune doctor --model`
                found the model unsound.
            ranker: what ranks: `bm25`, `hybrid`, …; `hybrid` if not given.
            options: which column is what, the kind of items, how the file is written.
            retrieval: how answers are grounded, as the section of a recipe.
            folder: keeps the index; in the folder `catalogues` of `runs` if not given.
            runs: the artifact store, which keeps what `rectune doctor --model` found.

        Raises:
            UserError: the catalogue cannot be read, or there is no such model or ranker.
        """
        items = items_of(catalogue, options)
        parts = build.from_items(
            items, ranker=ranker, model=model, retrieval=retrieval, folder=folder, runs=runs
        )
        return cls.of(parts)

    @classmethod
    def from_run(
        cls,
        recipe: str = "demo",
        domain: str = "",
        *,
        ranker: str | Ranker | None = None,
        model: ModelSource | None = "run",
        retrieval: RetrievalConfig | None = None,
        runs: str | Path = "runs",
    ) -> Recommender:
        """A recommender of the items of a run, with the model that it aligned; its users are known.

        What the run's stage `fit` chose for the domain ranks; `hybrid` where that stage was not run, which is
        said.

        Args:
            recipe: whose run.
            domain: which of its domains; needed where there are several.
            ranker: what ranks in place of what was chosen: the stage's own, or fitted now on the likes of the
                train users.
            model: `run` for the run's own, another as in `from_catalogue`, None for none. With `run` a ranker
                that has a language model of its own (`allmrec`) words the reasons where it ranks; with
                `ranker` no other model does.
            retrieval: as the recipe says if not given.
            runs: the artifact store.

        Raises:
            UserError: no run of the recipe has come that far, or it has no such domain.
        """
        store = ArtifactStore(Path(runs))
        name, loaded = store.name_of(Path(recipe)), load_recipe(Path(recipe), [])
        settings = retrieval or loaded.retrieval
        data = store.resolve(name, "data")
        fitted = fit_of(data, lambda stage: store.resolve(name, stage), loaded.allmrec.enabled)
        own = store.resolve(name, "export") / "model.gguf" if model == "run" else None
        chosen = own or model
        beside = rerank_of(fitted, own, lambda: store.resolve(name, "rerank"))
        parts = from_folder(data, domain, ranker, chosen, settings, store.root, fitted, beside)
        return cls.of(replace(parts, ranker_writes=model in ("run", build.RANKERS_OWN)))

    @classmethod
    def fit(
        cls,
        interactions: Any,
        items: Any,
        *,
        ranker: str = "chosen",
        users: Any = None,
        model: ModelSource | None = None,
        positive_threshold: float | None = None,
        columns: Mapping[str, str] | None = None,
        options: CatalogueOptions | None = None,
        retrieval: RetrievalConfig | None = None,
        folder: str | Path | None = None,
        runs: str | Path = "runs",
    ) -> Recommender:
        """A recommender that learns from interactions; their users are known.

        Args:
            interactions: a file or frame with a user, an item, and perhaps a value and a time a row.
            items: the catalogue, as in `from_catalogue`.
            ranker: what is fitted, by name, with the defaults of its class, or `module:Class` with arguments
                of your own (see `load_ranker`); `chosen` tunes several rankers and takes, for histories of
                each length, the one or the fusion that does best on users that it was not fitted on.
            users: what they state, for rankers that learn from it: user -> attributes, as
                `{"ann": {"gender": "female", "age": 34}}`, or a file or frame with a column of users, whose
                other columns are what they state. `chosen` tries `lightfm_attributes` too then. It counts in
                what is recommended to these users, and to others who state the same.
            model: words the reasons, as in `from_catalogue`; plain sentences without one. `ranker`: the
                language model of the ranker itself, as `allmrec` has one.
            positive_threshold: from which value on an interaction counts as liked; needed where values
                differ.
            columns: user_id, item_id, value, timestamp -> column of the interactions, where the guess would
                be another; `user_id` also of a table of users that has that column. Columns of the items are
                named in `options`.
            options, retrieval, folder, runs: as in `from_catalogue`.

        Raises:
            UserError: a table cannot be read, no interaction counts as liked, `users` are given to a ranker
                that learns nothing from them, or an argument is of another type.
        """
        from rectune.rankers.lightfm import LightFMAttributes

        check_is("ranker", ranker, str, _BY_NAME)
        catalogue = items_of(items, options)
        ids = [item.item_id for item in catalogue]
        liked = read_likes(interactions, ids, positive_threshold, columns)
        histories = histories_of(liked)
        stated = {} if users is None else read_attributes(users, histories, columns)
        parts = build.from_items(
            catalogue, ranker=ranker, model=model, likes=likes_of(liked, ids, stated), histories=histories,
            attributes=stated, retrieval=retrieval, folder=folder, runs=runs,
        )  # fmt: skip
        known = parts.ranker.attributes_known if parts.ranker else frozenset[str]()
        if users is not None and not known:
            if ranker != "chosen":
                hint = "take lightfm_attributes, or chosen"
                if ranker == LightFMAttributes.name:
                    hint = "at least two users who like something have to state the same"
                raise UserError(f"{ranker} learnt nothing from what users state", where="users", hint=hint)
            say("what users state takes no part: lightfm_attributes was not chosen")
        elif users is not None:
            say_unlearnt(stated, known)
        return cls.of(parts)

    @classmethod
    def of(cls, parts: RecommenderParts) -> Recommender:
        """The recommender of these parts; see `rectune.recommender.build`."""
        return cls(
            parts.items, parts.ranker, parts.generative, parts.grounding, parts.histories, parts.likes,
            parts.retrieval, parts.model_ranking, parts.ranker_writes, parts.attributes,
        )  # fmt: skip

    def with_items(self, items: Sequence[Item], data: DomainData, folder: Path) -> Recommender:
        """A recommender of another catalogue of the same kind: the same model, likes and users.

        What it ranks by is fitted on the new items where it needs no interactions; what learned from some
        ranks the items that it knows, and for the others see `rectune.rankers.new_items`.

        Args:
            items: the new catalogue.
            data: of these items; gives the vectors of what is fitted.
            folder: keeps the index. One that holds a copy of an index is brought up to date.

        Raises:
            UserError: there are no items, or they are of several domains.
        """
        from rectune.retrieval.grounding import ground_in

        settings = self.retrieval
        ground = None
        if self._ground:
            ground = cache(partial(ground_in, items, folder, settings.embedder, settings))
        ranker = None if self.ranker is None else with_items(self.ranker, data)
        generative = self.generative
        if generative and ground:
            generative = replace(generative, grounding=ground())
        beside = self.model_ranking.of_items(items) if self.model_ranking else None
        kept = (self._histories, self.likes, settings, beside, self.ranker_writes, self._attributes)
        return Recommender(items, ranker, generative, ground, *kept)

    def recommend(
        self,
        history: Sequence[str] = (),
        query: str = "",
        k: int = 5,
        *,
        user: str | None = None,
        exclude: Collection[str] = (),
        where: Mapping[str, Any] | None = None,
        within: Collection[str] | None = None,
        explain: bool | int = True,
        explore: float = 0.0,
        at_most: int = 0,
        per: str = "",
        explain_ranking: bool = False,
        history_domain: str = "",
        attributes: Mapping[str, object] | None = None,
    ) -> Recommendations:
        """Items for one request.

        Args:
            history: titles or ids of what was liked, oldest first.
            query: what is wanted, in words.
            k: how many items.
            user: whose known history is taken; `history` is behind it, as the latest likes.
            exclude: ids that are not recommended, besides the history's.
            where: conditions, as `{"category": "Crime", "year": (1990, 1999)}`.
            within: the only ids that are ranked; those of the history are left out all the same.
            explain: whether reasons are given; a number gives them to the first items only.
            explore: the share of the places, 0 to 1, that goes to unfamiliar items: of categories and makers
                that the history has none of, and ranked high all the same. They are marked as `explored`.
            at_most, per: so many items, at most, of one `category`, `maker`, `year` or value of a fact.
            explain_ranking: whether `ranking.parts` says what each ranker contributed to each item.
            history_domain: the kind of things the history is, where it is another than the catalogue's.
            attributes: what the user states, as `{"gender": "female", "age": 34}`, by the names of the
                training data; of a known user it stands before what they stated there. It counts where a
                ranker that learnt from such was chosen (`lightfm_attributes`), and is enough to go by without
                a history; `unknown_attributes` of the answer is what did not count.

        Raises:
            UserError: neither history nor query nor attributes, an unknown user, conditions that no item
                meets, or a value that `RecommendOptions` refuses.
        """
        options = RecommendOptions(
            k, exclude, where or {}, within, explained_items(explain, k), explore, at_most, per,
            explain_ranking,
        )  # fmt: skip
        typed = UserRequest(history, query, history_domain, attributes=attributes or {})
        request = self.known(user, typed)
        return self.recommend_all([request], options)[0]

    def recommend_many(
        self,
        requests: Any,
        k: int = 5,
        *,
        exclude: Collection[str] = (),
        where: Mapping[str, Any] | None = None,
        within: Collection[str] | None = None,
        explain: bool | int = False,
        explore: float = 0.0,
        at_most: int = 0,
        per: str = "",
    ) -> pl.DataFrame:
        """Items for every row of a table.

        Args:
            requests: a polars or pandas frame, or a list of dicts, with some of the columns `user` (whose
                known history is taken), `history` (a list of titles or ids, the latest likes of a user that
                is given), `query` and `attributes` (a mapping, or one as JSON). How often titles are not
                in the catalogue, nothing fits, or something is stated that is not known to what ranks, is
                said on standard error.
            k, exclude, where, within, explain, explore, at_most, per: as in `recommend`.

        Returns:
            One row an item: `request` (the row's number, from 0), `user` where it was given (as text), `rank`
            (from 1), and the attributes of `RecommendedItem`; of its evidence the sentence.

        Raises:
            UserError: none of the columns, a row with nothing to go by, or what `recommend` refuses.
        """
        import polars as pl

        rows = request_rows(requests)
        options = RecommendOptions(
            k, exclude, where or {}, within, explained_items(explain, k), explore, at_most, per
        )
        answers = self.recommend_all(self.user_requests(rows), options)
        lacking = Lacking()
        lacking.add(answers)
        lacking.say()
        found = items_frame(answers)
        if not any(row.get("user") is not None for row in rows):
            return found
        given = (row.get("user") for row in rows)
        users = pl.Series("user", [None if user is None else id_text(user) for user in given], pl.String)
        return found.with_columns(users.gather(found["request"])).select(
            "request", "user", *[name for name in found.columns if name != "request"]
        )
