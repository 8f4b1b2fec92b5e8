"""Attention within each packed example on CPUs, as flash attention does it on accelerators.

Under a mask every token of a packed row is multiplied with every other, and what crosses an example's
boundary is thrown away: a row of r examples costs r times what its examples need. Splitting the row at the
boundaries avoids that.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

BLOCKS = "blocks"  # its name for transformers, and in recipes


def register_blocks() -> None:
    """Make `attn_implementation="blocks"` known to transformers."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(BLOCKS, attend)
    AttentionMaskInterface.register(BLOCKS, sdpa_mask)


def keep_blocks_where_they_fit(model: PreTrainedModel) -> None:
    """Switch models with sliding-window layers to sdpa, since these layers need the mask."""
    if set(getattr(model.config, "layer_types", None) or ()) - {"full_attention"}:
        model.set_attn_implementation("sdpa")


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as transformers' sdpa computes it.

    Where one row holds several examples, which `position_ids` [1, tokens] show by restarting at 0, each is
    attended to by itself; else it is sdpa with the mask.

    Args:
        module: the layer; its `num_key_value_groups` query heads share a head of keys and values.
        query: [rows, heads, tokens, dimension].
        key: [rows, key heads, tokens, dimension], as `value`.
        value: what is added up.
        attention_mask: as for sdpa; not looked at where rows are cut.
        options: what else the model hands to its attention.

    Returns:
        [rows, tokens, heads, dimension], and no weights.
    """
    import torch
    from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

    borders = _borders(options.get("position_ids"), query.shape[0], key.shape[2])
    if len(borders) < 3 or options.get("softcap") is not None or options.get("position_bias") is not None:
        found, _ = sdpa_attention_forward(module, query, key, value, attention_mask, **options)
        return found, None
    groups = int(getattr(module, "num_key_value_groups", 1))
    key, value = repeat_kv(key, groups), repeat_kv(value, groups)
    parts = [
        torch.nn.functional.scaled_dot_product_attention(
            query[:, :, start:end],
            key[:, :, start:end],
            value[:, :, start:end],
            dropout_p=options.get("dropout", 0.0),
            scale=options.get("scaling"),
            is_causal=True,
        )
        for start, end in itertools.pairwise(borders)
    ]
    return torch.cat(parts, dim=2).transpose(1, 2).contiguous(), None


def _borders(positions: torch.Tensor | None, rows: int, tokens: int) -> list[int]:
    """Where examples begin, and the end; one row with one beginning has nothing to be cut."""
    if positions is None or rows != 1 or positions.shape[-1] != tokens:
        return []
    return [*(positions.reshape(-1) == 0).nonzero().reshape(-1).tolist(), tokens]
