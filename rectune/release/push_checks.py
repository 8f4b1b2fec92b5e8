"""What a push refuses before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from rectune.core.errors import UserError
from rectune.core.figures import ExportFigures
from rectune.core.finished_stages import FinishedStages
from rectune.core.rows import read_batches
from rectune.core.settings import AlignConfig, ReleaseConfig
from rectune.core.types import Preference

KINDS = ("adapter", "merged", "gguf", "dataset", "preferences")  # what a push can send, in this order

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def check_order(release: ReleaseConfig) -> None:
    """Licence, repository and token.

    Raises:
        UserError: one is missing, or the repository is no user/name.
    """
    if not release.licence.strip():
        raise UserError(
            "release.licence is empty", hint="name the licence of the weights, for example apache-2.0"
        )
    if release.repo and not _REPO.fullmatch(release.repo):
        raise UserError(f"release.repo is {release.repo!r}, not user/name", hint="give --to user/name")
    if release.dry_run:
        return
    if not release.repo:
        raise UserError("release.repo is empty", hint="give --to user/name, or leave release.dry_run on")
    from huggingface_hub import get_token

    if not get_token():
        raise UserError(
            "no Hub token was found", hint="log in with: .venv/bin/hf auth login, or set HF_TOKEN"
        )


def run_key(inputs: Mapping[str, Path], *, dry_run: bool) -> str:
    """The key of the exported model, which hashes everything that led to it and becomes the tag.

    Raises:
        UserError: there is no export, or, unless `dry_run`, it did not pass its checks.
    """
    stages = FinishedStages({"export": inputs["export"]})
    found = stages.read(ExportFigures)
    if found is None:
        raise UserError(
            "the export has no manifest", where=str(inputs["export"]), hint="run the stage export first"
        )
    if not dry_run and not found.parity.passed:
        raise UserError(
            f"the export did not pass its checks: {'; '.join(found.parity.failed)}",
            where=str(inputs["export"]),
            hint="choose other release.quantisations or another base, and run the stage export again",
        )
    return stages.manifests["export"].key


def check_annotators(inputs: Mapping[str, Path], kinds: Sequence[str]) -> None:
    """Preferences of the simulated annotator must bear its name wherever they go: in every row, and in the
    card.

    Raises:
        UserError: a row or the stage's own record does not say so.
    """
    pairs, stages = inputs["tag"] / "preferences.parquet", FinishedStages({"tag": inputs["tag"]})
    named, align = stages.simulated, stages.settings(AlignConfig)
    wanted = align is not None and align.annotator == "simulated"
    rows = _annotators(pairs) if pairs.is_file() else set()
    said = {name for name in rows if "simulated" in name}
    if (said or wanted) and not named:
        raise UserError(
            "preferences come from the simulated annotator, and the record of the stage tag does not say so",
            where=str(inputs["tag"]),
            hint="run the stage tag again",
        )
    if wanted and "preferences" in kinds and rows != said:
        raise UserError(
            "the simulated annotator tagged, and some rows do not name it",
            where=str(pairs),
            hint="run the stage tag again",
        )


def _annotators(path: Path) -> set[str]:
    """Who compared the answers of tagged pairs."""
    return {
        str(name)
        for batch in read_batches(path, Preference)
        for name, source in zip(batch["annotator"].to_pylist(), batch["source"].to_pylist(), strict=True)
        if source == "tags"
    }
