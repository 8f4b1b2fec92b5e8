"""An adapter merged into its base: one ordinary checkpoint again, written a few tensors at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.errors import RectuneError, UserError
from rectune.core.figures.models import MergeForm
from rectune.models.loading import check_adapter, told_for_people, trained_in_4bit

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

_INDEX = "model.safetensors.index.json"
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "config.json")
_SHARD = 2 << 30  # bytes a file of merged weights may have


def merge_adapter(
    checkpoint: Path, adapter: Path, out: Path, form: MergeForm = "dequantised", shard: int = _SHARD
) -> None:
    """Write the float32 checkpoint with W + (alpha / r) B A for every adapted W.

    The formula is that of Hu et al. 2021, section 4.1.

    An adapter that was trained on 4-bit weights corrects those weights, rounding errors included. So
    with `dequantised` the base's weights are rounded to NF4 as in training, brought back to float32, and only
    then added to: the merged model computes what the adapter model did. With `original` the sum is taken with
    the weights as they were. Where the adapter was trained on unquantised weights the two are one. `out`
    appears whole or not at all.

    peft does the arithmetic, on one weight at a time, so that never more than a file of `shard` bytes and one
    weight are in memory.

    Raises:
        UserError: the checkpoint is not made of safetensors files.
        RectuneError: a part of the adapter has no weight in the checkpoint, or the result is no number.
    """
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    rounded = (
        rounded_weights(checkpoint) if form == "dequantised" and trained_in_4bit(adapter) else frozenset()
    )
    merger = _Merger(_adapted(skeleton(checkpoint), adapter), rounded)
    files = weight_files(checkpoint)
    shards = list(_shards(files, shard))
    weight_map, total = {}, 0
    for number, names in enumerate(shards, 1):
        single = len(shards) == 1
        name = "model.safetensors" if single else f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        total += _write(partial / name, {key: merger.merged(key, files[key]) for key in names})
        weight_map.update(dict.fromkeys(names, name))
    merger.check(adapter)
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
        (partial / _INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    _copy_rest(checkpoint, partial)
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)


def skeleton(checkpoint: Path) -> PreTrainedModel:
    """The model of a checkpoint without its weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(checkpoint, local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    return model


def rounded_weights(checkpoint: Path) -> frozenset[str]:
    """Names of the weights that 4-bit loading rounds: all linear layers but those that transformers skips."""
    from transformers import BitsAndBytesConfig
    from transformers.integrations.bitsandbytes import replace_with_bnb_linear
    from transformers.quantizers.base import get_keys_to_not_convert

    model = skeleton(checkpoint)
    spared = get_keys_to_not_convert(model)
    settings = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    replace_with_bnb_linear(model, modules_to_not_convert=spared, quantization_config=settings)
    found = (name for name, module in model.named_modules() if type(module).__name__ == "Linear4bit")
    return frozenset(f"{name}.weight" for name in found)


def rounded_to_nf4(weight: Tensor) -> Tensor:
    """The float32 values of a weight after 4-bit loading (NF4, double quantisation)."""
    import torch
    from bitsandbytes.functional import dequantize_4bit, quantize_4bit

    place = "cuda" if torch.cuda.is_available() else "cpu"
    packed, state = quantize_4bit(
        weight.to(place, torch.float32).contiguous(), compress_statistics=True, quant_type="nf4"
    )
    plain: Tensor = dequantize_4bit(packed, state).to("cpu", torch.float32)
    return plain


def weight_files(checkpoint: Path) -> dict[str, Path]:
    """Which safetensors file holds which tensor, in the order of files and names.

    Raises:
        UserError: there are none under the names that transformers reads.
    """
    from safetensors import safe_open

    if (checkpoint / _INDEX).is_file():
        mapped = json.loads((checkpoint / _INDEX).read_text(encoding="utf-8"))["weight_map"]
        return {name: checkpoint / file for name, file in sorted(mapped.items(), key=lambda pair: pair[::-1])}
    file = checkpoint / "model.safetensors"
    if not file.is_file():
        raise UserError("holds no model.safetensors", where=str(checkpoint), hint="run the stage base again")
    with safe_open(file, framework="pt") as tensors:
        return dict.fromkeys(sorted(tensors.keys()), file)


def _adapted(model: PreTrainedModel, adapter: Path) -> Any:
    """The adapter's weights on a model that has none of its own.

    peft puts an adapter where its layer is, so every weight becomes one zero on the CPU that is shown in full
    shape.
    """
    import torch
    from peft import PeftModel

    if not (adapter / "adapter_model.safetensors").is_file():
        raise UserError("holds no adapter", where=str(adapter), hint="run the stage that trains it again")
    for module in model.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            shown = torch.zeros(()).expand(weight.shape)
            setattr(module, name, torch.nn.Parameter(shown, requires_grad=False))
    with told_for_people(str(adapter), "run the stage that trains it again"):
        adapted = PeftModel.from_pretrained(model, str(adapter), low_cpu_mem_usage=True, torch_device="cpu")
    check_adapter(adapted, adapter)
    return adapted


class _Merger:
    """The adapter on a model without weights; each weight is put in, merged and taken out again."""

    def __init__(self, adapted: Any, rounded: frozenset[str]) -> None:
        from peft.tuners.lora import LoraLayer
        from peft.utils.other import ModulesToSaveWrapper

        self._rounded = rounded
        self._layers: dict[str, Any] = {}
        self._replaced: dict[str, Any] = {}
        for name, module in adapted.get_base_model().named_modules():
            if isinstance(module, LoraLayer):
                self._layers[f"{name}.weight"] = module
            elif isinstance(module, ModulesToSaveWrapper):
                kept = module.modules_to_save["default"].state_dict()
                self._replaced |= {f"{name}.{key}": value for key, value in kept.items()}
        self._open = self._layers.keys() | self._replaced.keys()

    def merged(self, name: str, file: Path) -> Tensor:
        """A weight of the checkpoint with the adapter's part added, or in its place; float32 on the CPU."""
        import torch
        from safetensors import safe_open

        with safe_open(file, framework="pt") as tensors:
            weight: Tensor = tensors.get_tensor(name)
        if not weight.is_floating_point():
            return weight
        self._open = self._open - {name}
        if name in self._replaced:
            return self._replaced[name].detach().to("cpu", torch.float32).contiguous()  # type: ignore[no-any-return]
        plain = rounded_to_nf4(weight) if name in self._rounded else weight.to(torch.float32)
        return self._added(self._layers[name], plain) if name in self._layers else plain.contiguous()

    def check(self, adapter: Path) -> None:
        """Raise where a part of the adapter found no weight to be added to."""
        if self._open:
            named = ", ".join(sorted(self._open)[:3])
            raise RectuneError(
                f"{adapter}: {len(self._open)} parts of the adapter have no weight in the checkpoint "
                f"({named}); it cannot be merged tensor by tensor"
            )

    def _added(self, layer: Any, weight: Tensor) -> Tensor:
        import torch

        base = layer.get_base_layer()
        empty, base.weight = base.weight, torch.nn.Parameter(weight, requires_grad=False)
        try:
            layer.merge(safe_merge=True)
            done: Tensor = base.weight.detach().contiguous()
        except ValueError as problem:  # peft found what is no number
            raise RectuneError(f"the adapter cannot be merged: {problem}") from None
        finally:
            base.weight = empty
        return done


def _shards(files: Mapping[str, Path], most: int) -> Iterator[list[str]]:
    """Tensor names in groups of at most `most` bytes of float32, or a single larger one."""
    from safetensors import safe_open

    group: list[str] = []
    room = most
    for file in dict.fromkeys(files.values()):
        with safe_open(file, framework="pt") as tensors:
            for name in (name for name, place in files.items() if place == file):
                size = 4 * prod(tensors.get_slice(name).get_shape())
                if group and size > room:
                    yield group
                    group, room = [], most
                group.append(name)
                room -= size
    yield group


def _write(path: Path, tensors: dict[str, Tensor]) -> int:
    """Write one file; returns the bytes of its tensors."""
    from safetensors.torch import save_file

    save_file(tensors, path, metadata={"format": "pt"})
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _copy_rest(checkpoint: Path, into: Path) -> None:
    """Tokenizer, chat template and the like byte for byte; the config says what the weights now are."""
    import torch
    from transformers import AutoConfig

    made = {file for pattern in _WEIGHTS for file in checkpoint.glob(pattern)}
    for file in checkpoint.iterdir():
        if file.is_file() and file not in made:
            shutil.copy(file, into / file.name)
    config = AutoConfig.from_pretrained(checkpoint, local_files_only=True, trust_remote_code=False)
    config.dtype = torch.float32
    config.save_pretrained(into)
