"""A model without weights, on PyTorch's meta device: its sizes, saved activations and operations.

transformers builds it from its config and peft puts the adapters on, so every family that can be trained is
counted as it is trained, mixtures of experts too. This module needs torch at import, so it is only ever
imported inside a function.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode

from rectune.core.settings import LoraSection
from rectune.models.config import cannot_estimate

if TYPE_CHECKING:
    from peft import PeftModel
    from torch.utils.hooks import RemovableHandle
    from transformers import PretrainedConfig, PreTrainedModel

# Functions that multiply matrices, and which of their arguments is the first matrix.
_PRODUCTS: dict[Any, int] = {
    F.linear: 0, torch.matmul: 0, torch.Tensor.matmul: 0, torch.Tensor.__matmul__: 0, torch.bmm: 0,
    torch.addmm: 1, torch.baddbmm: 1, torch._grouped_mm: 0,
}  # fmt: skip


@dataclass(frozen=True)
class ForwardPass:
    """What a forward pass through the decoder keeps for the backward pass, in bytes, and computes.

    Attributes:
        blocks: of each block, between its input and its output.
        outside: of what comes before and after the blocks.
        inputs: the inputs of all blocks, which gradient checkpointing keeps.
        widest: the largest input or output of a matrix product that has a gradient.
        products: multiplications of the blocks' matrix products, those of adapters left out.
        attention: multiplications of attention, half of all pairs of positions.
    """

    blocks: tuple[int, ...]
    outside: int
    inputs: int
    widest: int
    products: int
    attention: int


class MetaModel:
    """A model with fresh adapters, without memory for either.

    Attributes:
        parameters: elements of the base model; weights that are shared count once.
        in_4bit: elements of each layer whose weights bitsandbytes holds in 4 bits where the recipe wants it:
            linear layers except the head. Experts that are one tensor a block stay as they are.
        embeddings: elements of the input embeddings.
        hidden: inputs of the output layer.
        vocabulary: its outputs.
        untied_head: its elements, where it does not share those of the input embeddings, else 0.
        adapters: elements that are trained.
        layers: how many blocks there are.
        precision: bytes an element of activations.
        gpu: whether it would run on one.
        forward: from rows and their length in tokens, padding included, to a `ForwardPass`.
    """

    def __init__(self, config: PretrainedConfig, lora: LoraSection, precision: int, gpu: bool) -> None:
        """Build it.

        Args:
            config: of the base model.
            lora: the adapters.
            precision: bytes an element of activations, 2 or 4.
            gpu: whether it would run on one: dropout keeps its mask as bytes there, on a CPU as wide as
                activations.

        Raises:
            UserError: transformers has no language model for such a config, or peft cannot adapt it so.
        """
        from transformers.modeling_layers import GradientCheckpointingLayer

        kind = torch.float32 if precision == 4 else torch.bfloat16
        base = _build(config, kind)
        table, head = base.get_input_embeddings().weight, base.get_output_embeddings().weight
        self.precision, self.gpu = precision, gpu
        self.vocabulary, self.hidden = int(head.shape[0]), int(head.shape[1])
        self.embeddings = _elements([table])
        self.untied_head = 0 if head is table else _elements([head])
        self.parameters = _elements(base.parameters())
        self.in_4bit = _linear_layers(base)
        self._model = _adapted(base, lora).to(kind).train()
        self.adapters = _elements(one for one in self._model.parameters() if one.requires_grad)
        modules = self._model.modules()
        self._blocks = [module for module in modules if isinstance(module, GradientCheckpointingLayer)]
        if not self._blocks:
            raise cannot_estimate(
                config.model_type, ValueError("it has no blocks as transformers knows them")
            )
        self._merged = [_set_merged_aside(block) for block in self._blocks]
        self.layers = len(self._blocks)
        self.forward = lru_cache(self._forward)

    def _forward(self, rows: int, length: int) -> ForwardPass:
        """Follow a batch of so many rows, all padded to `length` tokens, through the decoder.

        Raises:
            UserError: the model asks for values, which a meta tensor does not have.
        """
        tally = _Tally(self.gpu, [*self._model.parameters(), *self._model.buffers()])
        ids = torch.zeros(rows, length, dtype=torch.long, device="meta")
        mask = torch.ones(rows, 1, length, length, dtype=torch.bool, device="meta")
        decoder = self._model.get_base_model().get_decoder()
        hooks = [hook for block in self._blocks for hook in tally.watch(block)]
        try:
            with torch.autograd.graph.saved_tensors_hooks(tally.keep, lambda tensor: tensor), tally:
                decoder(input_ids=ids, attention_mask=mask, position_ids=ids[:1], use_cache=False)
        except (RuntimeError, NotImplementedError, AttributeError, TypeError, ValueError) as problem:
            raise cannot_estimate(self._model.config.model_type, problem) from problem
        finally:
            for hook in hooks:
                hook.remove()
        blocks = tuple(kept + merged for kept, merged in zip(tally.blocks, self._merged, strict=True))
        outside = tally.kept - sum(tally.blocks)
        return ForwardPass(blocks, outside, tally.inputs, tally.widest, tally.products, tally.attention)


def _elements(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)


def _build(config: PretrainedConfig, kind: torch.dtype) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=kind)
    except Exception as problem:  # widths that do not go together fail in many ways
        raise cannot_estimate(config.model_type, problem) from problem
    return model


def _adapted(base: PreTrainedModel, lora: LoraSection) -> PeftModel:
    from rectune.models.loading import add_lora

    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it misses a kernel that nothing here calls
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter(
            "ignore"
        )  # peft's of names that will go, and of ranks that a family does not use
        return add_lora(base, lora, seed=0)


def _linear_layers(model: PreTrainedModel) -> tuple[int, ...]:
    """Elements of each layer that transformers would replace by a 4-bit one."""
    from transformers.pytorch_utils import Conv1D
    from transformers.quantizers.base import HfQuantizer
    from transformers.quantizers.quantizers_utils import should_convert_module

    kept = HfQuantizer.get_modules_to_not_convert(model, None, model._keep_in_fp32_modules)
    chosen = (module for name, module in model.named_modules() if should_convert_module(name, kept))
    kinds = (torch.nn.Linear, Conv1D)
    return tuple(module.weight.numel() for module in chosen if type(module) in kinds)


def _set_merged_aside(block: torch.nn.Module) -> int:
    """Bytes of the sums of weight and adapter that a block keeps, and switch those adapters off.

    peft adapts a tensor of experts by adding the adapter's product to all of it at every forward pass, in a
    way that needs a real device. A matrix product then keeps the sum, and its own input for the sum's
    gradient.
    """
    from peft.tuners.lora import ParamWrapper

    wrappers = [module for module in block.modules() if isinstance(module, ParamWrapper)]
    for wrapper in wrappers:
        wrapper.enable_adapters(False)
        wrapper.get_param().requires_grad_(True)
    return sum(wrapper.get_param().nbytes for wrapper in wrappers)


class _Tally(TorchFunctionMode):
    """Counts saved tensors and multiplications of a forward pass, with kernels that `meta` lacks."""

    def __init__(self, gpu: bool, held: list[torch.Tensor]) -> None:
        """`held` are tensors that are there anyway."""
        super().__init__()
        self.gpu, self.inside = gpu, False
        self.kept = self.inputs = self.widest = self.products = self.attention = 0
        self.blocks: list[int] = []
        self._seen = {_name(tensor) for tensor in held}
        self._alive: list[torch.Tensor] = []

    def keep(self, tensor: torch.Tensor) -> torch.Tensor:
        """Autograd keeps a tensor; parts of one storage count once."""
        if _name(tensor) not in self._seen:
            self._seen.add(_name(tensor))
            self._alive.append(tensor)  # a storage that is gone would leave its name to another
            self.kept += tensor.untyped_storage().nbytes()
        return tensor

    def watch(self, block: torch.nn.Module) -> tuple[RemovableHandle, RemovableHandle]:
        """Count what is kept between a block's input and its output."""

        def enter(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...], named: dict[str, Any]) -> None:
            self.inside = True
            self.inputs += (inputs[0] if inputs else named["hidden_states"]).nbytes
            self.blocks.append(-self.kept)

        def leave(*_: Any) -> None:
            self.inside = False
            self.blocks[-1] += self.kept

        return block.register_forward_pre_hook(enter, with_kwargs=True), block.register_forward_hook(leave)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one function of PyTorch, and count it."""
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            return self._attend(*args, **kwargs)
        if func is F.dropout and self.gpu:
            return _dropout(*args, **kwargs)
        found = args[0] @ args[1][0] if func is torch._grouped_mm else func(*args, **kwargs)
        place = _PRODUCTS.get(func)
        if self.inside and place is not None:
            first, second = args[place : place + 2]
            passed = [one.nbytes for one in (first, second, found) if one.requires_grad and not one.is_leaf]
            self.widest = max(self.widest, *passed, 0)
            if not (second.requires_grad and second.is_leaf):  # else an adapter, whose elements are counted
                self.products += found.numel() * first.shape[-1]
        return found

    def _attend(
        self, query: Any, key: Any, value: Any, attn_mask: Any = None, *_: Any, **options: Any
    ) -> Any:
        """Attention that keeps queries, keys, values, its output, a sum a position, and the float mask."""
        rows, heads, positions, width = query.shape
        self.attention += rows * heads * positions * key.shape[2] * (width + value.shape[3]) // 2
        if heads != key.shape[1]:
            key, value = (one.repeat_interleave(heads // key.shape[1], 1) for one in (key, value))
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            attn_mask = torch.empty(attn_mask.shape, dtype=query.dtype, device="meta")
        padded = F.pad(value, (0, width - value.shape[3]))
        kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        return kernel(query, key, padded, attn_mask=attn_mask)[0][..., : value.shape[3]]


def _name(tensor: torch.Tensor) -> Any:
    """An identifier of a tensor's storage: on the meta device all have the address 0."""
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


def _dropout(
    tensor: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> torch.Tensor:
    return torch.native_dropout(tensor, p, training)[0] if p and training else tensor
