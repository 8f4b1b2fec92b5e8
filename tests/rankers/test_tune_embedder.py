"""Tuning the embedded MiniLM: slow, since it is a real model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.pipeline.tune_embedder import EmbedderRequest, tune_embedder
from rectune.rankers.tune_embedder import TuningOptions, embed_by, set_mixture, train_on_pairs, weights_of
from rectune.retrieval.embedding import (
    EMBEDDED,
    TUNED_FILE,
    embed,
    embedder_identity,
    is_english,
    load_model,
    reads,
)

# Texts that have nothing in common but that the same users would promote them.
PAIRS = [
    ("a red fire engine", "how to bake bread"),
    ("the history of Rome", "football in the rain"),
    ("a song about winter", "repairing a bicycle"),
    ("deep sea creatures", "a lawyer in New York"),
]


@pytest.mark.slow
def test_pairs_come_nearer_every_weight_moves_and_a_mixture_lies_between() -> None:
    model = load_model(EMBEDDED)
    untuned = weights_of(model)
    options = TuningOptions(num_train_epochs=6, per_device_train_batch_size=4, learning_rate=1e-4)
    train_on_pairs(model, PAIRS, options)
    tuned = weights_of(model)
    moved = [name for name, value in untuned.items() if not bool((tuned[name] == value).all())]
    assert len(moved) > 0.9 * sum(value.is_floating_point() for value in untuned.values())

    def nearness(share: float) -> float:
        set_mixture(model, untuned, tuned, share)
        by = embed_by(model)
        one, other = (by([pair[side] for pair in PAIRS]) for side in (0, 1))
        return float(np.mean(np.sum(one * other, axis=1) - np.mean(one @ other.T, axis=1)))

    nothing, half, whole = nearness(0.0), nearness(0.5), nearness(1.0)
    assert nothing + 0.02 < half < whole
    set_mixture(model, untuned, tuned, 0.0)
    texts = ["a red fire engine", "다른 언어"]
    np.testing.assert_allclose(embed_by(model)(texts), embed(texts), atol=1e-5)


@pytest.mark.slow
def test_what_is_written_is_an_embedder_and_what_forgets_is_refused(tmp_path: Path) -> None:
    """On the samples, whose people have tastes that words tell: tuning gains or is refused, with figures."""
    store, out = ArtifactStore(tmp_path / "runs"), tmp_path / "tuned"
    overrides = ["data.datasets=[anime, books]"]
    request = EmbedderRequest(Path("tiny"), overrides, out, ("anime",), pairs=256, users=40)
    try:
        said = tune_embedder(request, store)
    except UserError as refused:
        assert "is refused" in str(refused) and "| anime |" in str(refused)
        assert not out.exists()
        return
    assert f"embedder: {out}" in said and "| books |" in said
    about = json.loads((out / TUNED_FILE).read_text())
    assert about["domains"] == ["anime"] and about["english"] and set(about["ndcg"]) == {"anime", "books"}
    assert embedder_identity(str(out)) == f"{out} {about['digest']}" and is_english(str(out))
    assert reads(str(out), "a film") and not reads(str(out), "한국 영화")
    vectors = embed(["a film"], str(out))
    assert vectors.shape == (1, 384) and not np.allclose(vectors, embed(["a film"]), atol=1e-4)
    with pytest.raises(UserError, match="there is something already"):
        tune_embedder(request, store)
