"""Loading a checkpoint for training: tokenizer, 4-bit weights, and LoRA adapters on top."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.errors import UserError, first_line
from rectune.core.extras import missing_extra, needs_extra
from rectune.core.settings import LoraSection, ModelsConfig
from rectune.models.attention import register_blocks
from rectune.models.gguf import open_gguf
from rectune.models.lora import lora_config
from rectune.models.reference import hub_error, locate

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# How text is split before BPE, by the name a GGUF gives it. transformers builds some tokenizers from GGUF
# without these steps, and numerals such as "½" then become other tokens than under llama.cpp.
_PRE_TOKENISERS: dict[str, tuple[tuple[str, dict[str, bool]], ...]] = {
    "smollm": (
        ("Digits", {"individual_digits": True}),
        ("ByteLevel", {"add_prefix_space": False, "use_regex": True}),
    ),
}

_SHOWN = 3  # names that an error lists

BASE_NOTE = "base.json"  # beside an adapter: which form of the base it was trained on


@needs_extra("a tokenizer")
def load_tokenizer(checkpoint: Path, where: str = "") -> PreTrainedTokenizerBase:
    """The tokenizer of a checkpoint folder, with a padding token.

    Args:
        where: what an error names in place of the folder.

    Raises:
        UserError: the folder holds none that can be loaded, or it has no token to pad with.
    """
    from transformers import AutoTokenizer

    named = where or str(checkpoint)
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            checkpoint, local_files_only=True, trust_remote_code=False
        )
    except Exception as problem:  # the file is from elsewhere, and the libraries raise errors of every kind
        found = f"its tokenizer cannot be loaded ({first_line(problem)})"
        raise UserError(found, where=named, hint="get all files of the tokenizer again") from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.pad_token_id is None:
        hint = "name one of its tokens as pad_token in its tokenizer_config.json"
        raise UserError("its tokenizer has neither a padding nor an end token", where=named, hint=hint)
    return tokenizer


@needs_extra("a tokenizer")
def gguf_tokenizer(file: Path) -> PreTrainedTokenizerBase:
    """The tokenizer and chat template that a GGUF file carries; a copy, since it takes seconds to read."""
    found = file.stat()
    return deepcopy(_read_gguf_tokenizer(file, found.st_mtime_ns, found.st_size))


@lru_cache(maxsize=2)
def _read_gguf_tokenizer(file: Path, changed: int, size: int) -> PreTrainedTokenizerBase:
    """`changed` and `size` tell another file of the same name."""
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    splits = _PRE_TOKENISERS.get(_pre_tokeniser(file))
    if splits:
        from tokenizers import pre_tokenizers

        steps = [getattr(pre_tokenizers, name)(**options) for name, options in splits]
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    return tokenizer


def _pre_tokeniser(file: Path) -> str:
    field = open_gguf(file).get_field("tokenizer.ggml.pre")
    return str(field.contents()) if field else ""


@needs_extra("a tokenizer")
def tokenizer_of_reference(reference: str) -> tuple[PreTrainedTokenizerBase, str]:
    """The tokenizer and the name of the model that a recipe names; no weights are read.

    Raises:
        UserError: there is no such model, or the Hub did not give its tokenizer.
    """
    from transformers import AutoTokenizer

    found = locate("embedded" if reference == "tiny" else reference)
    if found.kind == "folder" and found.path:
        return load_tokenizer(found.path), found.name
    if found.path:
        return gguf_tokenizer(found.path), found.name
    name, _, revision = found.name.partition("@")
    try:
        return AutoTokenizer.from_pretrained(name, revision=revision or "main", trust_remote_code=False), name
    except (OSError, ValueError) as problem:
        raise hub_error(found.name, problem) from None


def compute_type(models: ModelsConfig) -> torch.dtype:
    """The type of the arithmetic around the weights.

    `auto`: bfloat16 where the accelerator has it in hardware, else float16; float32 on every CPU, so that one
    recipe gives one result on all of them. `native`: the same, but bfloat16 on a CPU that multiplies matrices
    of it (AMX), where it is faster.
    """
    import torch

    named = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if models.compute_dtype in named:
        return named[models.compute_dtype]
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    native = models.compute_dtype == "native" and processor_has_amx()
    return torch.bfloat16 if native else torch.float32


def processor_has_amx() -> bool:
    """Whether this CPU multiplies matrices of bfloat16 in hardware.

    With AVX-512 BF16 alone a product takes longer than one of float32 (docs/experiments.md).
    """
    import torch

    return bool(torch.cpu.get_capabilities().get("amx_bf16"))


def check_missing(info: dict[str, Any], where: str) -> None:
    """Refuse a model of which transformers made tensors up.

    Args:
        info: what `from_pretrained` says of the loading (`output_loading_info`).

    Raises:
        UserError: names some of the tensors.
    """
    if missing := sorted(info["missing_keys"]):
        hint = "get all files of the model, every part of it, and name them again"
        raise UserError(f"lacks {len(missing)} tensors: {some(missing)}", where=where, hint=hint)
    if odd := sorted(name for name, *_ in info.get("mismatched_keys", ())):
        hint = "get config.json and weights of one model"
        raise UserError(
            f"has {len(odd)} tensors of another shape than its config says: {some(odd)}",
            where=where,
            hint=hint,
        )


@contextmanager
def told_for_people(where: str, hint: str) -> Iterator[None]:
    """Whatever a library says of a model file from elsewhere, in a line; they raise errors of every kind."""
    try:
        yield
    except UserError:
        raise
    except Exception as problem:
        found = UserError(f"cannot be loaded ({first_line(problem)})", where=where, hint=hint)
        raise missing_extra(problem, "loading a model") or found from problem


def some(names: list[str]) -> str:
    """The first few of some names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


@needs_extra("training")
def load_for_training(
    checkpoint: Path, models: ModelsConfig, attention: str | None = None
) -> PreTrainedModel:
    """Load the base model, its linear layers in NF4, double-quantised (Dettmers et al. 2023), if asked for.

    Under ZeRO-3 the training arguments must have been built before: they decide how weights are laid out.

    Raises:
        UserError: this kind of model has no such `attention` (transformers' name of an implementation), or
            tensors are missing.
    """
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    from transformers.integrations import is_deepspeed_zero3_enabled

    register_blocks()
    kind = compute_type(models)
    quantisation = None
    if models.load_in_4bit:
        quantisation = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=kind,
        )
    options = {"quantization_config": quantisation, "dtype": kind, "attn_implementation": attention}
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            checkpoint, local_files_only=True, trust_remote_code=False, output_loading_info=True, **options
        )
    except ValueError as problem:
        if attention is None or "attention" not in str(problem).lower():
            raise
        hint = "set train.attn_implementation: auto or eager"
        raise UserError(
            first_line(problem), where=f"train.attn_implementation: {attention}", hint=hint
        ) from None
    if not is_deepspeed_zero3_enabled():  # there every process has a part, and the stage `base` has looked
        check_missing(info, str(checkpoint))
    model.config.use_cache = False  # the cache is for generation; in training it only costs memory
    _keep_layout(model)
    return model


def _keep_layout(model: PreTrainedModel) -> None:
    """Keep bitsandbytes from repacking 4-bit weights for AVX512-BF16 at the first evaluation on a CPU.

    That would change the stored weights, and round activations to bfloat16 whatever `compute` is.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


@needs_extra("training")
def add_lora(model: PreTrainedModel, lora: LoraSection, seed: int) -> PeftModel:
    """A fresh adapter on the named layers; A is random by `seed`, B is zero, so the output is unchanged."""
    from peft import get_peft_model
    from transformers import set_seed

    set_seed(seed)
    try:
        return get_peft_model(model, lora_config(lora))
    except ValueError as problem:
        hint = "name linear layers of this model; all-linear takes in experts, which want dropout: 0"
        raise UserError(str(problem), where="train.lora", hint=hint) from None


@needs_extra("an adapter")
def open_adapter(model: PreTrainedModel, adapter: Path, *, trainable: bool) -> PeftModel:
    """Put a saved adapter onto the base model, under peft's name `default`."""
    from peft import PeftModel

    if not (adapter / "adapter_model.safetensors").is_file():
        raise UserError("holds no adapter", where=str(adapter), hint="run the stage sft first")
    with told_for_people(str(adapter), "run the stage that trains it again"):
        opened: PeftModel = PeftModel.from_pretrained(model, str(adapter), is_trainable=trainable)
    check_adapter(opened, adapter)
    # The saved name of the base is a recipe's word; peft would look it up on the Hub at every save.
    opened.peft_config["default"].base_model_name_or_path = model.config.name_or_path
    return opened


def check_adapter(model: PeftModel, adapter: Path) -> None:
    """Refuse an adapter of which peft made parts up.

    Raises:
        UserError: names some of the parts.
    """
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(adapter / "adapter_model.safetensors", framework="pt") as tensors:
        held = set(tensors.keys())
    wanted = get_peft_model_state_dict(model, save_embedding_layers=False)
    check_missing({"missing_keys": set(wanted) - held}, str(adapter))


def note_base(adapter: Path, models: ModelsConfig) -> None:
    """Record beside an adapter which form of the base it was trained on: merging needs the same."""
    note = {
        "base": models.base,
        "load_in_4bit": models.load_in_4bit,
        "quant_type": "nf4",
        "double_quant": True,
    }
    (adapter / BASE_NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")


def trained_in_4bit(adapter: Path) -> bool:
    """Whether an adapter was trained on 4-bit weights."""
    return bool(read_base_note(adapter).get("load_in_4bit"))


def read_base_note(adapter: Path) -> dict[str, Any]:
    """What `note_base` recorded; an adapter without a note counts as trained on unquantised weights."""
    try:
        note: dict[str, Any] = json.loads((adapter / BASE_NOTE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"load_in_4bit": False}
    return note
