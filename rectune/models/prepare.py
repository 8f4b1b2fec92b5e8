"""The stage `base`: the model that the recipe names, as an ordinary checkpoint folder and as a GGUF file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rectune.core.extras import needs_extra
from rectune.core.figures import BaseFigures
from rectune.core.progress import say
from rectune.core.recipe import Recipe
from rectune.models.checkpoint_checks import check_checkpoint, parameter_count
from rectune.models.gguf import check_single, parsed_once, to_gguf
from rectune.models.loading import check_missing, gguf_tokenizer, told_for_people
from rectune.models.reference import TINY, ModelReference, hub_error, locate

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Code files stay behind on purpose: no model's own Python is ever run here.
WANTED = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "LICENSE*", "README.md")


@needs_extra("the stage base", "accelerate", "sentencepiece")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> BaseFigures:
    """Write `checkpoint/` (safetensors, tokenizer, chat template) and `model.gguf`, each whole or not at all.

    Models that come as GGUF are dequantised to float32; folders and Hub models keep the type they have.
    """
    reference, checkpoint = locate(config.models.base), out / "checkpoint"
    if not checkpoint.exists():
        make_checkpoint(reference, checkpoint)
    gguf = to_gguf(checkpoint, out / "model.gguf", config.models.quantisation)
    return BaseFigures(
        model=reference.name,
        kind=reference.kind,
        digest=reference.digest(),
        parameters=parameter_count(checkpoint),
        checkpoint_bytes=sum(file.stat().st_size for file in checkpoint.iterdir()),
        gguf=gguf,
    )


def make_checkpoint(reference: ModelReference, out: Path) -> None:
    """Write the model as an ordinary checkpoint folder that can be tuned; `out` appears whole or not at all.

    Raises:
        UserError: the model cannot be had, is incomplete or damaged, or is no chat model.
    """
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    say(f"preparing {reference.name}")
    try:
        _MAKERS[reference.kind](reference, partial)
        check_checkpoint(partial, str(reference.path or reference.name))
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    partial.rename(out)


def _from_gguf(reference: ModelReference, into: Path) -> None:
    """Dequantise a GGUF file; its config is built again without the note on quantisation."""
    from transformers import AutoModelForCausalLM

    assert reference.path is not None
    where = str(reference.path)
    check_single(reference.path)
    advice = "name another GGUF file that is whole, or the model's own checkpoint folder"
    with told_for_people(where, advice), parsed_once():
        tokenizer = gguf_tokenizer(reference.path)
        model, info = AutoModelForCausalLM.from_pretrained(
            reference.path.parent, gguf_file=reference.path.name, output_loading_info=True
        )
    check_missing(info, where)
    plain = {
        k: v for k, v in model.config.to_dict().items() if k not in ("quantization_config", "_name_or_path")
    }
    fresh = type(model)(type(model.config).from_dict(plain | {"_name_or_path": reference.name}))
    fresh.load_state_dict(model.state_dict())
    fresh.generation_config = model.generation_config
    _save(fresh.float(), tokenizer, into)


def _tiny(reference: ModelReference, into: Path) -> None:
    """Two random layers under the embedded model's tokenizer: the converter refuses ones it does not know."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    source = locate("embedded").path
    assert source is not None
    tokenizer = gguf_tokenizer(source)
    ids = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    shape = {name: value for name, value in TINY.items() if name != "seed"}
    with torch.random.fork_rng():
        torch.manual_seed(TINY["seed"])
        model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **shape, **ids))
    _save(model.float(), tokenizer, into)


def _save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, into: Path) -> None:
    model.save_pretrained(into)
    tokenizer.save_pretrained(into)


def _from_folder(reference: ModelReference, into: Path) -> None:
    assert reference.path is not None
    link_checkpoint(reference.path, into)


def _from_hub(reference: ModelReference, into: Path) -> None:
    link_checkpoint(hub_folder(reference), into)


def hub_folder(reference: ModelReference, wanted: Sequence[str] = WANTED) -> Path:
    """The folder of the Hub's cache with the files of a model, which are fetched if they are not there.

    Raises:
        UserError: they cannot be had.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    name, _, revision = reference.name.partition("@")
    try:
        folder = snapshot_download(name, revision=revision or None, allow_patterns=list(wanted))
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as problem:
        raise hub_error(reference.name, problem) from None
    return Path(folder)


def link_checkpoint(source: Path, into: Path) -> None:
    """Bring a checkpoint's files into our folder: weights as hard links if possible, the rest copied."""
    for pattern in WANTED:
        for file in sorted(source.glob(pattern)):
            target = into / file.name
            if target.exists():
                continue
            try:
                if file.suffix != ".safetensors":
                    raise OSError  # small files are copied: people edit them in place
                os.link(file.resolve(), target)
            except OSError:
                shutil.copy(file, target)


_MAKERS: dict[str, Callable[[ModelReference, Path], None]] = {
    "embedded": _from_gguf,
    "gguf": _from_gguf,
    "tiny": _tiny,
    "folder": _from_folder,
    "hub": _from_hub,
}
