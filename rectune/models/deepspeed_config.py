"""DeepSpeed's JSON from a recipe (ZeRO, Rajbhandari et al. 2020); no value in it is left to "auto".

The rows of one optimiser step are not in it: they are micro batch times accumulation times the processes
there are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.core.settings import TrainingConfig

_NEVER = 2**31 - 1  # steps between DeepSpeed's own log lines; metrics.jsonl is where figures go

# Elements of a communication bucket. DeepSpeed's own 500 million are for models that are trained whole: it
# sets aside two such buffers on a GPU, 1.9 GiB in 16 bits, where the adapters of a 7B model have 40 to 160
# million elements in all.
BUCKET = 50_000_000


def deepspeed_config(settings: TrainingConfig, precision: str, on_gpu: bool) -> dict[str, Any] | None:
    """The configuration of one training stage; None for ZeRO-0, which is plain data parallelism.

    Args:
        settings: the stage's section of the recipe.
        precision: float32, bfloat16 or float16, the type of activations. With the latter two DeepSpeed keeps
            a float32 copy of what is trained.
        on_gpu: whether there is an accelerator; only then is pinned memory worth having and
            communication overlapped.

    Raises:
        UserError: the offload asked for does not exist at this stage.
    """
    check_offload(settings)
    if not settings.zero_stage:
        return None
    config: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": settings.per_device_train_batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation_steps,
        "gradient_clipping": settings.max_grad_norm,
        "steps_per_print": _NEVER,
        "bf16": {"enabled": precision == "bfloat16"},
        "fp16": {"enabled": precision == "float16"},
        "zero_optimization": _zero(settings, on_gpu),
    }
    if settings.offload != "none":  # only DeepSpeed's own Adam may run in host memory
        config["optimizer"] = {"type": "AdamW", "params": _adam(settings)}
    return config


def announce(config: Mapping[str, Any]) -> None:
    """Tell people the ZeRO stage; the whole configuration goes to the log, which a stage's worker has as its
    standard error.
    """
    say(f"DeepSpeed ZeRO-{config['zero_optimization']['stage']}")
    print(f"DeepSpeed: {json.dumps(config)}", file=sys.stderr, flush=True)


def skip_inference_op() -> None:
    """Spare the half minute in which DeepSpeed compiles a reduction for inference: training never calls it.

    It asks a table of its own whether it can have the operator; where that says no, it compiles nothing. Must
    run before DeepSpeed makes its process group.
    """
    import deepspeed

    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


def check_offload(settings: TrainingConfig) -> None:
    """Refuse an offload that the ZeRO stage does not have."""
    if settings.offload == "optimizer" and settings.zero_stage < 2:
        raise UserError(
            f"offload: optimizer needs ZeRO 2 or 3, zero is {settings.zero_stage}",
            hint="set zero: 2 or offload: none",
        )
    if settings.offload == "parameters" and settings.zero_stage != 3:
        raise UserError(
            f"offload: parameters needs ZeRO 3, zero is {settings.zero_stage}",
            hint="set zero: 3 or offload: none",
        )


def _zero(settings: TrainingConfig, on_gpu: bool) -> dict[str, Any]:
    zero: dict[str, Any] = {
        "stage": settings.zero_stage,
        "contiguous_gradients": True,
        "overlap_comm": on_gpu,
        "reduce_bucket_size": BUCKET,
    }
    if settings.zero_stage < 3:
        zero["allgather_bucket_size"] = BUCKET
    if settings.zero_stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = False  # adapters are gathered by themselves
    host = {"device": "cpu", "pin_memory": on_gpu}
    if settings.offload != "none":
        zero["offload_optimizer"] = host
    if settings.offload == "parameters":
        zero["offload_param"] = host
    return zero


def _adam(settings: TrainingConfig) -> dict[str, Any]:
    """AdamW as PyTorch and transformers have it by default."""
    return {
        "lr": settings.learning_rate,
        "betas": [0.9, 0.999],
        "eps": 1e-8,
        "weight_decay": settings.weight_decay,
    }
