"""Integrity checks after training: the adapter changed, the base did not, the saved file is the trained one.

They catch silent failures: an adapter that is saved empty, or whose updates are all lost to rounding, trains
with a plausible loss and publishes the unchanged base.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rectune.core.errors import RectuneError
from rectune.models.distributed import whole

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from torch import nn

    Values = Mapping[str, torch.Tensor]

_SAMPLED = 4  # base weights whose bytes are compared
_AGAIN = "again"  # peft's name for the adapter that is loaded once more
_ROUNDING, _ROUNDING_16 = 1e-4, 2e-2  # of the largest logit; in 32 and in 16 bits


def trainable_values(model: nn.Module) -> dict[str, torch.Tensor]:
    """Copies of all trainable parameters in host memory, gathered first where ZeRO-3 keeps them in shards."""
    found = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    with whole(list(found.values())):
        return {name: parameter.detach().to("cpu", copy=True) for name, parameter in found.items()}


def base_digest(model: nn.Module) -> str:
    """A hash of a few base weights' bytes, the first and the last layer's among them."""
    import torch

    adapted = [(n, p) for n, p in model.named_parameters() if n.endswith("base_layer.weight")]
    frozen = adapted or [(n, p) for n, p in model.named_parameters() if "lora_" not in n and p.dim() > 1]
    step = max(1, (len(frozen) - 1) // (_SAMPLED - 1))
    chosen = dict(frozen[::step] + frozen[-1:])
    digest = hashlib.blake2b(digest_size=16)
    with whole(list(chosen.values())):
        for name, parameter in chosen.items():
            data = parameter.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            digest.update(name.encode() + data.numpy().tobytes())
    return digest.hexdigest()


def frozen_digest(module: nn.Module) -> str:
    """A hash of the bytes of all weights and buffers, but for weights that are being trained."""
    return weights_digest(module, {name for name, value in module.named_parameters() if value.requires_grad})


def weights_digest(module: nn.Module, besides: Collection[str] = ()) -> str:
    """A hash of the bytes of all weights and buffers, whether they could be trained or not.

    Args:
        module: any.
        besides: the names of those that are left out.
    """
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for name, value in sorted(module.state_dict().items()):
        if name in besides:
            continue
        data = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(name.encode())
        digest.update(data.numpy())
    return digest.hexdigest()


def changed_share(before: Values, after: Values) -> float:
    """The share of the adapter's elements that training changed, in [0, 1].

    Raises:
        RectuneError: nothing changed, or a value is no number.
    """
    total = sum(tensor.numel() for tensor in before.values())
    changed = sum(int((after[name].float() != tensor.float()).sum()) for name, tensor in before.items())
    if not all(bool(tensor.isfinite().all()) for tensor in after.values()):
        raise RectuneError("training left values in the adapter that are no numbers; lower learning_rate")
    if not changed:
        raise RectuneError(
            "training changed nothing in the adapter: the learning rate is 0, or every update rounds away"
        )
    return changed / total


def check_base(before: str, after: str) -> None:
    """Raises RectuneError if the base weights are not the ones that training began with."""
    if before != after:
        raise RectuneError("training changed weights of the base model; only the adapter may change")


def check_saved(adapter: Path, trained: Values) -> None:
    """Read a saved adapter again and compare it with what was trained.

    Raises:
        RectuneError: a tensor is missing or differs, or every B is zero, which makes the adapter do nothing.
    """
    from safetensors.torch import load_file

    saved = load_file(adapter / "adapter_model.safetensors")
    wanted = {_saved_name(name): tensor for name, tensor in trained.items()}
    if saved.keys() != wanted.keys():
        differing = ", ".join(sorted(saved.keys() ^ wanted.keys())[:3])
        raise RectuneError(f"{adapter}: holds other tensors than were trained: {differing}")
    for name, tensor in wanted.items():
        if not saved[name].equal(tensor.to(saved[name].dtype)):
            raise RectuneError(f"{adapter}: {name} was not saved as it was trained")
    if not any(bool(tensor.any()) for name, tensor in saved.items() if "lora_B" in name):
        raise RectuneError(f"{adapter}: every lora_B is zero, so the adapter does nothing")


def _saved_name(name: str) -> str:
    """What peft calls a trained parameter in the file it saves."""
    for own in (".modules_to_save.default.", ".default."):
        name = name.replace(own, ".")
    return name.removesuffix(".default").replace("lora_magnitude_vector.weight", "lora_magnitude_vector")


def check_reload(model: PeftModel, adapter: Path, tokens: torch.Tensor) -> None:
    """Load a saved adapter again, settings and weights, and compare the model's logits with it.

    It is loaded beside the trained one on the same base, so that no second base has to be in memory. Under
    ZeRO-3 all processes must come along.

    Args:
        model: the trained model, `default` being the trained adapter.
        adapter: the folder it was saved to.
        tokens: ids to compare the logits on, (rows, tokens).

    Raises:
        RectuneError: the logits differ by more than rounding does.
    """
    import torch

    was_training = model.training
    model.eval()
    trained = _logits(model, tokens)
    model.load_adapter(str(adapter), _AGAIN, torch_device=str(tokens.device))
    try:
        types = {name: value.dtype for name, value in model.named_parameters()}
        for name, value in model.named_parameters():  # the same arithmetic as in training
            if f".{_AGAIN}" in name:
                value.data = value.data.to(types[name.replace(f".{_AGAIN}", ".default")])
        model.set_adapter(_AGAIN)
        again = _logits(model, tokens)
    finally:
        model.set_adapter("default")
        model.delete_adapter(_AGAIN)
        model.train(was_training)
    off = float((trained - again).abs().max()) / max(float(trained.abs().max()), 1e-6)
    exact = next(model.parameters()).dtype == torch.float32
    if not off <= (_ROUNDING if exact else _ROUNDING_16):
        raise RectuneError(f"{adapter}: loaded again it gives other logits, {off:.2%} off")


def _logits(model: PeftModel, tokens: torch.Tensor) -> torch.Tensor:
    import torch

    with torch.no_grad():
        logits: torch.Tensor = model(input_ids=tokens, use_cache=False).logits
    return logits.float()
