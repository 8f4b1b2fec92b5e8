"""Whether a checkpoint can be tuned as a chat model: everything that would fail, or be made up, is found out
first.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.errors import UserError, first_line
from rectune.models.chat import check_template
from rectune.models.chat_tokenization import end_ids
from rectune.models.loading import check_missing, load_tokenizer, some, told_for_people

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

INDEX = "model.safetensors.index.json"


def check_checkpoint(folder: Path, where: str = "") -> None:
    """Refuse a folder that cannot be tuned as a chat model.

    Args:
        where: what people know the model by; the folder unless it is given.

    Raises:
        UserError: config, weights, tokenizer or chat template are missing, damaged or incomplete, or do not
            go together.
    """
    named = where or str(folder)
    if not (folder / "config.json").is_file():
        hint = "name a folder with a Hugging Face checkpoint"
        raise UserError("holds no config.json", where=named, hint=hint)
    _read_json(folder / "config.json", named)
    files = _weight_files(folder, named)
    _check_files(folder, files, named)
    tokenizer = load_tokenizer(folder, named)
    _check_chat(tokenizer, named)
    _check_tensors(folder, tokenizer, named)


def parameter_count(checkpoint: Path) -> int:
    """Parameters of a checkpoint, read from the headers of its safetensors files; tied weights count once."""
    from safetensors import safe_open

    count = 0
    for file in sorted(checkpoint.glob("*.safetensors")):
        with safe_open(file, framework="pt") as tensors:
            count += sum(prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    return count


def _read_json(file: Path, where: str) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        hint = "download it again"
        raise UserError(f"its {file.name} cannot be read ({problem})", where=where, hint=hint) from None


def _weight_files(folder: Path, where: str) -> dict[str, list[str]]:
    """Which tensors every file has to hold, by its name; none are named where there is no index."""
    if not (folder / INDEX).is_file():
        if (folder / "model.safetensors").is_file():
            return {"model.safetensors": []}
        found = "holds no safetensors weights"
        if any(folder.glob("*.safetensors")):
            found = f"holds parts of weights and no {INDEX}, which says what belongs to them"
        raise UserError(found, where=where, hint="get all files of the model, as safetensors")
    index = _read_json(folder / INDEX, where)
    mapped = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(mapped, dict) or not mapped:
        raise UserError(f"its {INDEX} names no weights", where=where, hint="download it again")
    wanted: dict[str, list[str]] = {}
    for name, file in mapped.items():
        wanted.setdefault(str(file), []).append(name)
    if odd := [file for file in wanted if Path(file).name != file]:
        raise UserError(f"its {INDEX} names files elsewhere: {some(odd)}", where=where)
    return wanted


def _check_files(folder: Path, files: dict[str, list[str]], where: str) -> None:
    """Every file is there, can be opened, and holds what the index says."""
    from safetensors import SafetensorError, safe_open

    hint = "get all files of the model again, every part of it"
    if absent := sorted(file for file in files if not (folder / file).is_file()):
        found = f"lacks {len(absent)} of the {len(files)} files of its weights: {some(absent)}"
        raise UserError(found, where=where, hint=hint)
    for file, wanted in files.items():
        try:
            with safe_open(folder / file, framework="pt") as tensors:
                held = set(tensors.keys())
        except (SafetensorError, OSError) as problem:
            found = f"{file} is cut off or damaged ({first_line(problem)})"
            raise UserError(found, where=where, hint=hint) from None
        if lost := sorted(set(wanted) - held):
            raise UserError(f"{file} lacks {len(lost)} tensors: {some(lost)}", where=where, hint=hint)


def _check_chat(tokenizer: PreTrainedTokenizerBase, where: str) -> None:
    """The chat template takes what is asked here, and ends a turn with a token that a model can stop at."""
    if not tokenizer.chat_template:
        hint = "name an instruct model, or put a chat_template.jinja beside its config.json"
        raise UserError("its tokenizer has no chat template", where=where, hint=hint)
    try:
        check_template(str(tokenizer.get_chat_template()), tokenizer.special_tokens_map)
        end_ids(tokenizer)
    except UserError as refused:
        raise UserError(refused.message, where=where, hint=refused.hint) from None


def _check_tensors(folder: Path, tokenizer: PreTrainedTokenizerBase, where: str) -> None:
    """Every weight that the architecture has is in the files, and there is a row for every token; no weight
    is kept.
    """
    from transformers import AutoModelForCausalLM

    with told_for_people(where, "name a language model that transformers knows, whole"):
        model, info = AutoModelForCausalLM.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            device_map="meta",
            ignore_mismatched_sizes=True,  # they are refused below, by name
            output_loading_info=True,
        )
    check_missing(info, where)
    rows, highest = model.get_input_embeddings().weight.shape[0], max(tokenizer.get_vocab().values())
    if highest >= rows:
        found = f"its tokenizer has a token {highest}, its weights end with token {rows - 1}"
        raise UserError(found, where=where, hint="get tokenizer and weights of one model")
