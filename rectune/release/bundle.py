"""Which files go to the Hub, under which names: an allow-list, so that nothing leaves by being near."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rectune.core.artifacts import write_atomically
from rectune.core.errors import UserError
from rectune.core.figures.data import DatasetFigures
from rectune.core.settings import ReleaseConfig
from rectune.core.types import Example, Preference
from rectune.release.card_facts import CardFacts, base_model, card_facts, datasets, is_data_plot
from rectune.release.cards import dataset_card, model_card
from rectune.release.hub import Upload
from rectune.release.publishable_rows import PublishedRows, PublishFilter, publish, publishable
from rectune.release.secret_scan import ScanResult, scan_of

MODEL_CARD, DATASET_CARD = "README.md", "dataset/README.md"  # below the stage's folder

_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
_MERGED_SUFFIXES = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt"})
# Kind -> stage, file, its type, and the name of the configuration that it becomes.
_ROWS = {
    "dataset": ("filter", "kept.parquet", Example, "default"),
    "preferences": ("tag", "preferences.parquet", Preference, "preferences"),
}


@dataclass(frozen=True)
class Bundle:
    """What is to be sent; rows withheld by the domain whose source forbids passing them on, and those left
    out by hand.
    """

    uploads: Sequence[Upload]
    left_out: Mapping[str, int]
    by_hand: int


def bundle(release: ReleaseConfig, inputs: Mapping[str, Path], out: Path, kinds: Sequence[str]) -> Bundle:
    """Collect what is to be pushed, write the cards into `out`, and look through all of it.

    Raises:
        UserError: data that would be published has no licence on record, a file is missing, or secrets or
            personal data were found.
    """
    scan = scan_of(inputs)
    facts = card_facts(release.repo, release.licence, inputs)
    gate = _gate(release, datasets(facts), kinds)
    rows = _rows(gate, inputs, out, kinds, scan)
    facts = _with_rows(facts, rows, kinds)
    uploads = [*_models(facts, inputs, out, kinds), *_data(facts, inputs, out, rows)]
    for upload in uploads:
        for name, path in upload.files.items():
            if not path.is_file():
                raise UserError("no such file", where=str(path), hint="run the stage that makes it again")
            scan.file(name, path)
    write_atomically(out / "refused.json", json.dumps(scan.found, ensure_ascii=False, indent=1))
    scan.refuse(out / "refused.json")
    return Bundle(uploads, dict(facts.left_out), facts.by_hand)


def _with_rows(facts: CardFacts, rows: Mapping[str, PublishedRows], kinds: Sequence[str]) -> CardFacts:
    """The facts with what is known of the rows that go out, by configuration."""
    left_out: Counter[str] = Counter()
    for found in rows.values():
        left_out.update(found.left_out)
    named = {_ROWS[kind][3]: found for kind, found in rows.items() if found.rows}
    return replace(
        facts,
        kinds=tuple(kinds),
        rows={name: found.rows for name, found in named.items()},
        domains={name: dict(sorted(found.domains.items())) for name, found in named.items()},
        left_out=dict(left_out),
        by_hand=sum(found.by_hand for found in rows.values()),
        languages=facts.languages or tuple(sorted({one for found in rows.values() for one in found.locales})),
    )


def _models(facts: CardFacts, inputs: Mapping[str, Path], out: Path, kinds: Sequence[str]) -> list[Upload]:
    makers = {"adapter": _adapter, "merged": _merged, "gguf": _gguf}
    wanted = [kind for kind in kinds if kind in makers]
    if wanted:
        write_atomically(out / MODEL_CARD, model_card(facts))
    card = {"README.md": out / MODEL_CARD, **_plots(facts, inputs, of_data=False)}
    return [Upload(kind, "model", {**makers[kind](facts, inputs, out), **card}) for kind in wanted]


def _data(
    facts: CardFacts, inputs: Mapping[str, Path], out: Path, rows: Mapping[str, PublishedRows]
) -> list[Upload]:
    if not facts.rows:
        return []
    write_atomically(out / DATASET_CARD, dataset_card(facts))
    card = {"README.md": out / DATASET_CARD, **_plots(facts, inputs, of_data=True)}
    return [
        Upload(kind, "dataset", {f"{_ROWS[kind][3]}/train.parquet": found.file, **card})
        for kind, found in rows.items()
        if found.rows
    ]


def _plots(facts: CardFacts, inputs: Mapping[str, Path], *, of_data: bool) -> dict[str, Path]:
    return {
        f"figures/{name}": inputs["report"] / "figures" / name
        for name in facts.plots
        if is_data_plot(name) == of_data
    }


def _adapter(facts: CardFacts, inputs: Mapping[str, Path], out: Path) -> dict[str, Path]:
    """The adapter alone: not the reference copy that DPO keeps beside it, not the optimiser's state."""
    files = {f"adapter/{name}": inputs["dpo"] / "adapter" / name for name in _ADAPTER_FILES}
    return _without_machine_paths(files, {"base_model_name_or_path": base_model(facts)}, out)


def _merged(facts: CardFacts, inputs: Mapping[str, Path], out: Path) -> dict[str, Path]:
    found = sorted((inputs["export"] / "merged").iterdir())
    files = {path.name: path for path in found if path.is_file() and path.suffix in _MERGED_SUFFIXES}
    return _without_machine_paths(files, {"_name_or_path": None}, out)


def _gguf(facts: CardFacts, inputs: Mapping[str, Path], out: Path) -> dict[str, Path]:
    found = [inputs["export"] / "model.gguf", *sorted(inputs["export"].glob("model.*.gguf"))]
    adapter = inputs["export"] / "adapter.gguf"
    return {f"gguf/{file.name}": file for file in [*found, *([adapter] if adapter.is_file() else [])]}


def _without_machine_paths(
    files: dict[str, Path], replaced: Mapping[str, str | None], out: Path
) -> dict[str, Path]:
    """Configuration files name the folder a model came from; published copies name the model, or none."""
    for name, path in files.items():
        if Path(name).name not in ("config.json", "adapter_config.json"):
            continue
        if not path.is_file():
            raise UserError("no such file", where=str(path), hint="run the stage that makes it again")
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        document.update({key: value for key, value in replaced.items() if key in document})
        files[name] = out / "rewritten" / name
        files[name].parent.mkdir(parents=True, exist_ok=True)
        kept = {key: value for key, value in document.items() if not (key in replaced and value is None)}
        write_atomically(files[name], json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
    return files


def _gate(release: ReleaseConfig, found: Mapping[str, DatasetFigures], kinds: Sequence[str]) -> PublishFilter:
    allowed = publishable(found) if set(kinds) & set(_ROWS) else frozenset[str]()
    return PublishFilter(allowed, frozenset(release.exclude_ids))


def _rows(
    gate: PublishFilter, inputs: Mapping[str, Path], out: Path, kinds: Sequence[str], scan: ScanResult
) -> dict[str, PublishedRows]:
    """Write the rows of each wanted kind that may go out."""
    found = {}
    for kind in (kind for kind in kinds if kind in _ROWS):
        stage, file, row, name = _ROWS[kind]
        place = out / "dataset" / name / "train.parquet"
        found[kind] = publish(inputs[stage] / file, row, gate, place, scan)
    return found
