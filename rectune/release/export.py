"""Stage `export`: the aligned model as an ordinary checkpoint and as GGUF files, all checked against each
other.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from rectune.core.artifacts import write_atomically
from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.errors import UserError
from rectune.core.extras import needs_extra
from rectune.core.figures import ExportFigures
from rectune.core.figures.models import (
    AdapterFile,
    ExportedFile,
    HitChange,
    MergeFigures,
    MergeForm,
    ParityFigures,
)
from rectune.core.progress import say
from rectune.core.recipe import Recipe
from rectune.models.gguf import (
    adapter_config,
    convert,
    convert_adapter,
    gguf_figures,
    quantisation_code,
    to_gguf,
    to_quantised,
)
from rectune.rankers.eval_cases import EvalCase
from rectune.release.merge_choice import MergeWorkspace, merge_best
from rectune.release.parity import compared, failures
from rectune.release.parity_texts import CONVERSATIONS
from rectune.release.quantization_hits import chosen_cases, conversations_of, hits_of, paired_change
from rectune.release.token_logprobs import rows_of_gguf
from rectune.release.token_parity import token_parity

MAIN, ADAPTER = "model.gguf", "adapter.gguf"
_TALKED = 8  # test cases, at most, whose prompts are among the conversations


@needs_extra("the stage export")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> ExportFigures:
    """Merge the aligned adapter into the base, write GGUF files of the result, and compare all of them.

    Args:
        config: sections `models` and `release`.
        inputs: the folders of `data`, `queries`, `base` and `dpo`.
        out: receives `merged/` (Hugging Face folder), `model.gguf`, a `model.<type>.gguf` for each further
            quantisation, `adapter.gguf`, and `parity.json`; what is finished stays.

    Raises:
        UserError: a quantisation is unknown, llama.cpp has no place for the adapter, or the export fails its
            checks and `release.allow_failed_parity` is off.
    """
    names = list(dict.fromkeys(config.release.quantisations))
    for name in names:
        quantisation_code(name)
    if config.release.adapter_gguf:
        adapter_config(inputs["dpo"] / "adapter" / "adapter_config.json")
    cases = chosen_cases(inputs["data"], inputs["queries"])
    catalogue = load_catalogue(inputs["data"] / "items.parquet")
    few = cases[: config.release.parity_cases]
    talked = conversations_of(few[:_TALKED], catalogue)
    bench = MergeWorkspace(inputs["base"], inputs["dpo"] / "adapter", out, [*CONVERSATIONS, *talked])
    bench.scratch.mkdir(exist_ok=True)
    merge = merge_best(bench, config.release.merge)
    places = _written(bench, names)
    files = _measured(bench, places, merge.form, few, catalogue)
    adapter = _adapter(bench, config.models.quantisation) if config.release.adapter_gguf else None
    found = _judged(bench, merge, files, adapter)
    _gate(found.parity.failed, out, config.release.allow_failed_parity)
    shutil.rmtree(bench.scratch)
    return found


def file_names(names: Sequence[str]) -> dict[str, str]:
    """Quantisation -> name of its file; the first one's is `model.gguf`."""
    return {name: f"model.{name}.gguf" if place else MAIN for place, name in enumerate(names)}


def _written(bench: MergeWorkspace, names: Sequence[str]) -> dict[str, Path]:
    """Write the GGUF files, all of them from one of 16 bits, which comes first."""
    places = {name: bench.out / file for name, file in file_names(names).items()}
    sixteen = places.get("F16", bench.scratch / "F16.gguf")
    merged = bench.out / "merged"
    if not sixteen.exists():
        convert(merged, sixteen, "f16")
    for name, place in places.items():
        if name in ("F32", "BF16"):  # 16-bit floats would lose what these keep
            to_gguf(merged, place, name)
        else:
            to_quantised(sixteen, place, name)
    return {"F16": sixteen, **places}


def _measured(
    bench: MergeWorkspace,
    places: Mapping[str, Path],
    form: MergeForm,
    cases: Sequence[EvalCase],
    catalogue: Catalogue,
) -> tuple[ExportedFile, ...]:
    """The figures of every file; `form` is that of the base which the adapter was merged into."""
    merged, found = bench.merged_rows(form), []
    before: list[bool] = []
    for name, place in places.items():
        say(f"comparing {name} with the merged checkpoint")
        gap = compared(merged, rows_of_gguf(place, bench.conversations))
        hits = hits_of(place, cases, catalogue) if cases else []
        before = before or hits
        kept = place.name if place.parent == bench.out else ""
        parts = (gguf_figures(place, name), gap, _changes(before, hits))
        found.append(ExportedFile(file=kept, **{key: value for part in parts for key, value in part}))
    return tuple(found)


def _changes(before: Sequence[bool], hits: Sequence[bool]) -> HitChange:
    if not hits:
        return HitChange(cases=0, hit=None, change=None, interval=None)
    change, interval = paired_change(before, hits)
    return HitChange(cases=len(hits), hit=sum(hits) / len(hits), change=change, interval=interval)


def _adapter(bench: MergeWorkspace, base_type: str) -> AdapterFile:
    """Write the adapter alone as GGUF and see what llama.cpp makes of it on the base's own GGUF file."""
    file = bench.out / ADAPTER
    if not file.exists():
        convert_adapter(bench.base / "checkpoint", bench.adapter, file)
    rows = rows_of_gguf(bench.base / MAIN, bench.conversations, file)
    return AdapterFile(
        file=ADAPTER,
        bytes=file.stat().st_size,
        base=base_type,
        to_adapter_model=compared(bench.adapter_rows(), rows),
        to_original=compared(bench.merged_rows("original"), rows),
    )


def _judged(
    bench: MergeWorkspace,
    merge: MergeFigures,
    files: tuple[ExportedFile, ...],
    adapter: AdapterFile | None,
) -> ExportFigures:
    """The figures with tokens and verdict, written down whatever the verdict is."""
    merged = bench.out / "merged"
    tokens = token_parity(merged, bench.out / MAIN, bench.conversations)
    failed = failures(merge, tokens, files, adapter)
    found = ExportFigures(
        merge=merge,
        files=files,
        adapter=adapter,
        merged_bytes=sum(file.stat().st_size for file in merged.rglob("*") if file.is_file()),
        parity=ParityFigures(**dict(tokens), failed=tuple(failed), passed=not failed),
    )
    write_atomically(bench.out / "parity.json", found.to_json())
    for file in files:
        if file.mean_gap is not None:
            say(f"  {file.quantisation}: {file.mean_gap:.4f} nats a token from the merged checkpoint")
    return found


def _gate(failed: Sequence[str], out: Path, allowed: bool) -> None:
    for line in failed:
        say(f"  not equal: {line}")
    if failed and not allowed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise UserError(
            f"the export fails its checks: {failed[0]}{more}",
            where=str(out / "parity.json"),
            hint="choose other release.quantisations or another base, "
            "or keep it with release.allow_failed_parity=true",
        )
