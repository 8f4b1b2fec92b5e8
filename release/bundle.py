"""Which files go to the Hub, under which names: an allow-list, so that nothing leaves by being near."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from rectune.errors import UserError
from rectune.rows import read_rows, write_rows
from rectune.runs import write_atomically
from rectune.settings import Release
from rectune.types import Example, Preference
from release.cards import CardFacts, base_model, card_facts, dataset_card, datasets, model_card

KINDS = ("adapter", "merged", "gguf", "dataset", "preferences")

_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
_MERGED_SUFFIXES = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt"})

Published = TypeVar("Published", Example, Preference)


@dataclass(frozen=True)
class Upload:
    """One commit: the files of one kind by their path in the repository; `repo_type` is model or dataset."""

    kind: str
    repo_type: str
    files: Mapping[str, Path]


def bundle(
    release: Release, inputs: Mapping[str, Path], out: Path, kinds: Sequence[str]
) -> tuple[list[Upload], dict[str, int]]:
    """Collect what is to be pushed, and write the cards into `out`.

    Returns:
        The uploads, and the rows withheld by domain because a licence forbids passing them on.

    Raises:
        UserError: data that would be published has no licence on record.
    """
    rows, left_out, languages = _rows(inputs, out, kinds)
    facts = card_facts(release.repo, release.licence, inputs)
    facts = replace(
        facts, languages=languages, left_out=left_out, rows={name: count for name, (_, count) in rows.items()}
    )
    write_atomically(out / "README.md", model_card(facts))
    makers = {"adapter": _adapter, "merged": _merged, "gguf": _gguf}
    plots = {f"figures/{name}": inputs["report"] / "figures" / name for name in facts.plots}
    card = {"README.md": out / "README.md", **plots}
    uploads = [
        Upload(kind, "model", {**makers[kind](facts, inputs, out), **card})
        for kind in kinds
        if kind in makers
    ]
    if rows:
        (out / "dataset").mkdir(exist_ok=True)
        write_atomically(out / "dataset" / "README.md", dataset_card(facts))
    names = {"default": "dataset", "preferences": "preferences"}
    for name, (path, _) in rows.items():
        files = {f"{name}/train.parquet": path, "README.md": out / "dataset" / "README.md"}
        uploads.append(Upload(names[name], "dataset", files))
    return uploads, left_out


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
        if not path.is_file():
            raise UserError("no such file", where=str(path), mend="run the stage that makes it again")
        if Path(name).name not in ("config.json", "adapter_config.json"):
            continue
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        document.update({key: value for key, value in replaced.items() if key in document})
        files[name] = out / "rewritten" / name
        files[name].parent.mkdir(parents=True, exist_ok=True)
        kept = {key: value for key, value in document.items() if not (key in replaced and value is None)}
        write_atomically(files[name], json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
    return files


def _rows(
    inputs: Mapping[str, Path], out: Path, kinds: Sequence[str]
) -> tuple[dict[str, tuple[Path, int]], dict[str, int], tuple[str, ...]]:
    """Write the rows that may go out; returns (file, count) by configuration, the withheld, the languages."""
    facts = card_facts("", "", inputs)
    allowed = _publishable(datasets(facts))
    left_out: Counter[str] = Counter()
    tuning = read_rows(inputs["filter"] / "kept.parquet", Example)
    written: dict[str, tuple[Path, int]] = {}
    if "dataset" in kinds:
        _publish(tuning, Example, allowed, left_out, out / "dataset" / "default" / "train.parquet", written)
    if "preferences" in kinds:
        pairs = read_rows(inputs["tag"] / "preferences.parquet", Preference)
        _publish(
            pairs, Preference, allowed, left_out, out / "dataset" / "preferences" / "train.parquet", written
        )
    return written, dict(left_out), tuple(sorted({row.prompt.locale for row in tuning}))


def _publishable(facts: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Domains of which every dataset may be passed on. What the data stage said nothing about may not."""
    forbidden = {str(entry.get("domain")) for entry in facts.values() if not entry.get("redistributable")}
    allowed = {str(entry.get("domain")): name for name, entry in facts.items()}
    for name, entry in facts.items():
        if str(entry.get("domain")) not in forbidden and not entry.get("licence"):
            raise UserError(
                f"the dataset {name} is marked as redistributable but has no licence on record",
                mend="name its licence in the dataset registry, or push without dataset and preferences",
            )
    return frozenset(allowed) - forbidden


def _publish(
    rows: Sequence[Published],
    kind: type[Published],
    allowed: frozenset[str],
    left_out: Counter[str],
    path: Path,
    written: dict[str, tuple[Path, int]],
) -> None:
    """Write the rows of allowed domains, user ids blanked; count the others. No file for no rows."""
    left_out.update(row.prompt.domain for row in rows if row.prompt.domain not in allowed)
    kept = [replace(row, prompt=replace(row.prompt, user="")) for row in rows if row.prompt.domain in allowed]
    if kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        written[path.parent.name] = (path, write_rows(path, kept, kind))
