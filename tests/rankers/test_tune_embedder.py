"""Tuning the embedded MiniLM, and the folder that is written: mostly slow, since it is a real model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rectune.core.artifacts import ArtifactStore
from rectune.core.errors import UserError
from rectune.pipeline.tune_embedder import EmbedderRequest, tune_embedder, write_embedder
from rectune.rankers.tune_embedder import TuningOptions, embed_by, set_mixture, train_on_pairs, weights_of
from rectune.retrieval.embedding import (
    EMBEDDED,
    TUNED_FILE,
    embed,
    embedder_identity,
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
def test_what_is_written_is_an_embedder_that_is_known_by_its_digest(tmp_path: Path) -> None:
    model, one, other = load_model(EMBEDDED), tmp_path / "one", tmp_path / "other"
    write_embedder(model, one, {"english": True})
    set_mixture(
        model, weights_of(model), {name: value * 1.05 for name, value in weights_of(model).items()}, 1.0
    )
    write_embedder(model, other, {"english": False})
    np.testing.assert_allclose(embed(["a film"], str(one)), embed(["a film"]), atol=1e-5)
    assert not np.allclose(embed(["a film"], str(other)), embed(["a film"]), atol=1e-3)
    digests = [json.loads((folder / TUNED_FILE).read_text())["digest"] for folder in (one, other)]
    assert digests[0] != digests[1]
    assert [embedder_identity(str(one)), embedder_identity(EMBEDDED)] == [f"{one} {digests[0]}", EMBEDDED]
    assert reads(str(one), "a film") and not reads(str(one), "한국 영화") and reads(str(other), "한국 영화")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "other"]


@pytest.mark.slow
def test_a_tuning_that_surely_gains_nothing_is_refused_with_its_figures(tmp_path: Path) -> None:
    """22 simulated people of the samples are too few to tell."""
    store, out = ArtifactStore(tmp_path / "runs"), tmp_path / "tuned"
    request = EmbedderRequest(Path("tiny"), ["data.datasets=[anime, books]"], out, ("anime",), 256, 40)
    with pytest.raises(UserError, match="is refused") as refused:
        tune_embedder(request, store)
    told = str(refused.value)
    for share in ("100%", "75%", "50%", "25%"):
        assert f"| {share} | anime | 22 |" in told and f"| {share} | books | 22 |" in told
    assert not out.exists()
    strange = EmbedderRequest(Path("tiny"), request.overrides, out, ("animee",))
    with pytest.raises(UserError, match="no domain animee, did you mean anime"):
        tune_embedder(strange, store)


def test_a_folder_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is something already"):
        tune_embedder(EmbedderRequest(Path("tiny"), [], tmp_path), ArtifactStore(tmp_path / "runs"))
