"""`rectune tune-embedder`: an embedder tuned on a recipe's likes, guarded against forgetting domains."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rectune.core.artifacts import ArtifactStore, write_atomically
from rectune.core.catalogue import load_catalogue
from rectune.core.digests import content_digest
from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.rows import read_rows
from rectune.core.text.figures import with_ends
from rectune.core.text.nearest import nearest
from rectune.core.text.tables import Table
from rectune.core.types import Case
from rectune.pipeline.run import RunOptions, run_pipeline
from rectune.rankers.co_promotion import CoPromotion, co_promoted, drawn
from rectune.rankers.domain_data import DomainData, train_likes
from rectune.rankers.embedder_guard import Embed, GuardedDomain, MixtureTrial, try_mixtures
from rectune.rankers.holdout import holdouts
from rectune.rankers.tune_embedder import (
    TuningOptions,
    embed_by,
    set_mixture,
    train_on_pairs,
    weights_of,
)
from rectune.retrieval.embedding import TUNED_FILE, is_english, load_model

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True)
class EmbedderRequest:
    """What is asked for.

    Attributes:
        recipe, overrides: whose data.
        out: the folder that is written; it must not be there.
        domains: those that are tuned on; all that have likes, if none is named.
        pairs: at most so many, of all of these domains together.
        users: held-out users of each domain whom the guard looks at.
    """

    recipe: Path
    overrides: Sequence[str]
    out: Path
    domains: Sequence[str] = ()
    pairs: int = 6_000
    users: int = 300


@dataclass(frozen=True)
class TuningData:
    """The guard's users of every domain, and the pairs of texts of those that are tuned on."""

    guarded: list[GuardedDomain]
    tuned: list[str]
    pairs: list[tuple[str, str]]


def tune_embedder(request: EmbedderRequest, store: ArtifactStore) -> str:
    """Tune `retrieval.embedder` of the recipe on pairs that are promoted together, and write the folder.

    Runs the pipeline up to the stage `data`. Users of tests take no part, and those of the guard are not
    tuned on. Returns what was measured, in words.

    Raises:
        UserError: the folder is there, a domain is unknown, there are no pairs, or every mixture of the tuned
            and the untuned embedder loses somewhere or gains nothing; then nothing is written.
    """
    if request.out.exists():
        hint = "name a folder that is not there yet: what was made with an embedder is known by its folder"
        raise UserError("there is something already", where=str(request.out), hint=hint)
    config = load_recipe(request.recipe, request.overrides)
    folder = run_pipeline(RunOptions(request.recipe, request.overrides, "data"), store)["data"]
    prepared = prepare(request, config, folder)
    embedder, seed = config.retrieval.embedder, config.fit.seed
    model = load_model(embedder)
    untuned = weights_of(model)
    say(f"tuning {embedder} on {len(prepared.pairs):,} pairs of {', '.join(prepared.tuned)}")
    train_on_pairs(model, prepared.pairs, TuningOptions(seed=seed))
    tuned, other = weights_of(model), load_model(embedder)

    def mixture(share: float) -> Embed:
        set_mixture(model, untuned, tuned, share)
        return embed_by(model)

    trials = try_mixtures(prepared.guarded, prepared.tuned, embed_by(other), mixture, seed)
    told = trial_table(trials).to_markdown()
    if not trials[-1].passes(prepared.tuned):
        raise UserError(
            f"the tuned embedder is refused: each mixture surely loses somewhere, or gains nowhere\n{told}",
            where="retrieval.embedder",
            hint=f"keep {embedder}, or tune on more pairs or on all domains of the recipe",
        )
    about = _about(prepared, trials[-1], embedder, seed)
    write_embedder(model, request.out, about)
    said = f"wrote {request.out}: {trials[-1].share:.0%} of the tuned weights. In the recipe:"
    return f"{told}\n\n{said}\n\nretrieval:\n  embedder: {request.out}"


def write_embedder(model: SentenceTransformer, out: Path, about: Mapping[str, Any]) -> None:
    """Write a folder of sentence-transformers, and in it what is known about it and its digest.

    The folder gets its name last; it must not be there.
    """
    unfinished = out.with_name(f"{out.name}.partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    model.save(str(unfinished))
    told = json.dumps({**about, "digest": content_digest(unfinished)}, ensure_ascii=False, indent=1)
    write_atomically(unfinished / TUNED_FILE, told)
    unfinished.rename(out)


def prepare(request: EmbedderRequest, config: Recipe, folder: Path) -> TuningData:
    """What is tuned on and what is guarded, from the folder of the stage `data`.

    Raises:
        UserError: a domain is unknown, or there are no pairs.
    """
    catalogue, cases = load_catalogue(folder / "items.parquet"), read_rows(folder / "cases.parquet", Case)
    for name in request.domains:
        if name not in catalogue.domains:
            there = ", ".join(catalogue.domains)
            raise UserError(
                f"no domain {name}{nearest(name, catalogue.domains)}",
                where="--domains",
                hint=f"there are {there}",
            )
    guarded, tuned, found = [], [], list[tuple[DomainData, list[CoPromotion]]]()
    for domain in catalogue.domains:
        likes = partial(train_likes, folder, cases, domain)
        data = DomainData(domain, catalogue.of(domain), likes, config.retrieval.embedder, config.fit.seed)
        most = min(request.users, len(np.unique(data.likes.users)) // 5)  # one holdout
        for held_out in holdouts(data.likes, most, config.fit.seed):
            guarded.append(GuardedDomain.of(data, held_out.users, config.fit.seed))
            if not request.domains or domain in request.domains:
                pairs = co_promoted(held_out.likes)
                say(f"{domain}: {len(pairs):,} pairs are promoted together")
                tuned += [domain] if pairs else []
                found.append((data, pairs))
    if not tuned:
        hint = "take a dataset with more likes, or name other domains"
        raise UserError("no two items were liked by the same three users", where="--domains", hint=hint)
    share = request.pairs // len(tuned)
    texts = [pair for data, pairs in found for pair in _texts(data, drawn(pairs, share, config.fit.seed))]
    return TuningData(guarded, tuned, texts)


def _texts(data: DomainData, pairs: Iterable[CoPromotion]) -> list[tuple[str, str]]:
    ids = list(data.items)
    both = [(data.full_text(ids[one.first]), data.full_text(ids[one.second])) for one in pairs]
    return [(one, other) for one, other in both if one != other]


def _about(prepared: TuningData, trial: MixtureTrial, embedder: str, seed: int) -> dict[str, Any]:
    return {
        "base": embedder,
        "english": is_english(embedder),
        "domains": prepared.tuned,
        "pairs": len(prepared.pairs),
        "share": trial.share,
        "seed": seed,
        "ndcg": {domain: asdict(one) for domain, one in trial.changes.items()},
    }


def trial_table(trials: Sequence[MixtureTrial]) -> Table:
    """NDCG of the next like of held-out users before and after, by share of the tuned weights and domain."""
    rows = [
        (
            f"{trial.share:.0%}", domain, one.users, f"{one.before:.3f}", f"{one.after:.3f}",
            with_ends(one.after - one.before, (one.low, one.high), signed=True),
            "surely better" if one.gains else "surely worse" if one.loses else "no telling",
        )
        for trial in trials
        for domain, one in trial.changes.items()
    ]  # fmt: skip
    return Table(
        ("tuned", "domain", "users", "NDCG before", "after", "difference", ""), rows, align="llrrrrl"
    )
