"""What a training step holds in memory, by arithmetic: weights, adapters, their optimiser, activations.

The widths come from the model's config, the rest from how the step is computed: NF4 as in Dettmers et al. 2023 (section 3),
ZeRO's division among processes as in Rajbhandari et al. 2020 (section 5), and what autograd keeps of a Llama block with
adapters on it, which tests/models/test_memory.py checks against the tensors that PyTorch really saves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from rectune.core.settings import Lora, Models, Optimisation
from rectune.models.shape import Shape
from rectune.models.zero import BUCKET

NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)  # a weight: 4 bits, a byte a block of 64, 4 bytes 256 such blocks
_ADAM = 8  # bytes a trained element: two float32 moments
_MASTER = 4  # bytes a trained element: the float32 copy that DeepSpeed steps on
# Resident bytes on a CPU for each byte that is kept: blocks that are freed between those that stay are not given back.
# Measured with the C library's allocator, 135M model, rows of 620 tokens: 1.66 to 1.83.
_HEAP = 1.75
_HEAD_TILE = (4096, 32768)  # trl projects so many positions onto so many words of the vocabulary at once
_LIVE = 1_000_000_000  # elements that ZeRO-3 may have gathered at once; DeepSpeed's default
_AHEAD = 50_000_000  # elements that it fetches ahead of their use; DeepSpeed's default


@dataclass(frozen=True)
class Step:
    """What one process computes at once: `rows` sequences, padded to `length` tokens, `trained` of all tokens labelled."""

    rows: int
    length: int
    trained: int

    @property
    def tokens(self) -> int:
        """Tokens of the step, padding included."""
        return self.rows * self.length


@dataclass(frozen=True)
class Place:
    """Where a process computes. `precision` is bytes an element of activations; `overhead` bytes of the framework."""

    gpu: bool
    precision: int
    overhead: int


@dataclass(frozen=True)
class Memory:
    """Bytes a process: on the device by what holds them, and in host memory where something is moved there."""

    device: dict[str, int]
    host: dict[str, int]

    @property
    def total(self) -> int:
        """All bytes on the device."""
        return sum(self.device.values())


@dataclass(frozen=True)
class Training:
    """One training stage: its settings, its adapters, and how many processes share the work. `reference`: DPO's copy."""

    settings: Optimisation
    lora: Lora
    world: int
    reference: bool = False

    @property
    def sequences(self) -> int:
        """Sequences of a row: DPO computes the chosen and the rejected answer, each after the prompt."""
        return 2 if self.reference else 1


def estimate(shape: Shape, models: Models, training: Training, step: Step, place: Place) -> Memory:
    """The most that one process holds at once."""
    settings, host = training.settings, dict[str, int]()
    third, world = settings.zero == 3, training.world
    weights = weight_bytes(shape, models, place)
    adapters = adapter_parameters(shape, training.lora)
    trained = trained_bytes(adapters, training, place)
    device = {
        "weights": weights,
        "adapters and gradients": trained["here"],
        "optimiser": trained["optimiser"],
    }
    if third:
        device["weights"] = math.ceil(weights / world) + _gathered(shape, models, place, world)
    if settings.offload != "none":
        host["optimiser"] = device.pop("optimiser")
    if settings.offload == "parameters":
        host["weights"] = math.ceil(weights / world)
        device["weights"] -= host["weights"]
    device["activations"] = activation_bytes(shape, training, step, place)
    device["logits"] = logit_bytes(shape, step, place)
    device["buffers"] = _buffers(shape, models, training, place)
    device["framework"] = place.overhead
    return Memory(device, host)


def weight_bytes(shape: Shape, models: Models, place: Place) -> int:
    """Bytes of the base model: linear layers in NF4 if asked for, the rest in the type of the activations."""
    linear = NF4_BYTES if models.load_in_4bit else place.precision
    return round(shape.linear_parameters * linear) + shape.other_parameters * place.precision


def adapter_parameters(shape: Shape, lora: Lora) -> int:
    """Elements of the adapters: r rows of inputs and r columns of outputs for each adapted layer."""
    chosen = _adapted(shape, lora)
    return shape.layers * lora.r * sum(inputs + outputs for inputs, outputs in chosen)


def _adapted(shape: Shape, lora: Lora) -> list[tuple[int, int]]:
    if isinstance(lora.targets, str):
        return list(shape.linears.values())
    return [size for name, size in shape.linears.items() if name in lora.targets]


def trained_bytes(adapters: int, training: Training, place: Place) -> dict[str, int]:
    """Bytes of what is trained: `here` adapters, gradients and DPO's reference; `optimiser` Adam and its float32 copy.

    ZeRO-1 divides the optimiser among the processes, ZeRO-2 the gradients too, ZeRO-3 the adapters as well. Without
    DeepSpeed adapters are float32; with it they have the type of the activations.
    """
    zero, world = training.settings.zero, training.world
    copies, element = 2 if training.reference else 1, place.precision if zero else _MASTER
    kept = adapters * element * copies / (world if zero == 3 else 1)
    gradients = adapters * element / (world if zero >= 2 else 1)
    optimiser = adapters * (_ADAM + (_MASTER if zero else 0)) / (world if zero else 1)
    return {"here": math.ceil(kept + gradients), "optimiser": math.ceil(optimiser)}


def activation_bytes(shape: Shape, training: Training, step: Step, place: Place) -> int:
    """Bytes that are kept from the forward pass for the backward pass, and what that holds for a moment itself.

    With gradient checkpointing only every block's input is kept, and one block's activations at a time.
    """
    block = block_bytes(shape, training, place, step.length) * step.tokens
    if training.settings.gradient_checkpointing:
        kept = shape.layers * shape.hidden * place.precision * step.tokens + block
    else:
        kept = shape.layers * block
    kept = kept if place.gpu else round(_HEAP * kept)
    gradients = 3 * max(shape.inner, shape.hidden) * place.precision * step.tokens
    return kept + gradients + 4 * shape.hidden * step.tokens  # the last: the final norm's input in float32


def block_bytes(shape: Shape, training: Training, place: Place, length: int) -> int:
    """Bytes a token that autograd keeps of one block whose linear layers are frozen and carry adapters.

    Norms keep their input in float32. A frozen layer keeps nothing; its adapter keeps its input, dropped out, with the
    mask of that (a byte on a GPU, an element on a CPU), or the input itself, once for the layers that share it, where
    nothing is dropped out. Attention keeps queries, keys, values (for every query head), its output, and a row of the
    mask that shuts out padding, as wide as the batch is long; the gated feed-forward three vectors of its inner width.
    """
    size, lora = place.precision, training.lora
    norms = 2 * 4 * (shape.hidden + 1)
    attention = 4 * shape.queries * size + 4 * shape.heads + length * size
    feed = 3 * shape.inner * size
    inputs = [inputs for inputs, _ in _adapted(shape, lora)]
    shared = (
        2 * shape.hidden + shape.inner
    ) * size  # o_proj's input is the attention's output, which is kept anyway
    own = sum(inputs) * (size + (1 if place.gpu else size))
    adapters = own if lora.dropout else shared
    return norms + attention + feed + adapters + len(inputs) * lora.r * size


def logit_bytes(shape: Shape, step: Step, place: Place) -> int:
    """Bytes at the head: hidden states of labelled positions and their gradients, and one tile of logits."""
    positions, words = min(step.trained, _HEAD_TILE[0]), min(shape.vocabulary, _HEAD_TILE[1])
    temporary = 1 if place.gpu else 2  # on a CPU the tile is worked on in PyTorch, with a copy
    return (
        step.trained * shape.hidden * (place.precision + 4) + positions * words * place.precision * temporary
    )


def _gathered(shape: Shape, models: Models, place: Place, world: int) -> int:
    """Bytes of whole weights that ZeRO-3 has put together: embeddings and head, a block, and what it fetches ahead."""
    if world == 1:
        return 0
    whole = weight_bytes(shape, models, place)
    linear = NF4_BYTES if models.load_in_4bit else place.precision
    block = shape.linear_parameters // shape.layers
    ahead = min(_AHEAD, _LIVE) * (1 if models.load_in_4bit else place.precision)
    here = shape.vocabulary * shape.hidden * place.precision + 2 * round(block * linear) + ahead
    return min(here, whole - whole // world)


def _buffers(shape: Shape, models: Models, training: Training, place: Place) -> int:
    """Bytes of the largest 4-bit layer unpacked, and of DeepSpeed's buckets on a GPU (a CPU touches what it fills)."""
    unpacked = max(inputs * outputs for inputs, outputs in shape.linears.values()) * place.precision
    buckets = 2 * BUCKET * place.precision if place.gpu and training.settings.zero >= 2 else 0
    return (unpacked if models.load_in_4bit else 0) + buckets


def step_flops(shape: Shape, training: Training, tokens: int, length: int) -> float:
    """Floating-point operations of a forward and backward pass over so many tokens in rows of `length`.

    2 a weight forward and 2 backward (frozen weights have no gradient of their own), 2 more for adapters' gradients,
    2 again where checkpointing computes the forward pass twice; attention over the tokens before; DPO's reference.
    """
    passes = 4 + (2 if training.settings.gradient_checkpointing else 0) + (2 if training.reference else 0)
    weights = shape.linear_parameters + shape.vocabulary * shape.hidden
    attention = shape.layers * shape.queries * length  # scores and sums, over half the positions on average
    adapters = adapter_parameters(shape, training.lora)
    return float(tokens) * (passes * (weights + attention) + (passes + 2) * adapters)
