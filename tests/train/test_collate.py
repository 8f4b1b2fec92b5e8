"""Packing changes neither loss nor gradients, and no example sees its neighbour."""

from typing import Any

import pyarrow as pa
import pytest
import torch
from transformers import AutoModelForCausalLM

from rectune.models.attention import BLOCKS, keep_blocks_where_they_fit, register_blocks
from rectune.train.collate import NO_EXAMPLE, Layout, PackedCollator
from rectune.train.rows import NOT_TRAINED, TokenRows
from tests.models.tiny import tiny_checkpoint

LENGTHS = (7, 12, 3, 20, 9)
PACKED = [[3, 2], [1, 4, 0]]
PAD = 2


def make_rows(seed: int = 0, changed: int | None = None) -> TokenRows:
    """Random tokens; those of the example `changed` are others than with the same seed without it."""
    draw = torch.Generator().manual_seed(seed)
    tokens = [torch.randint(3, 1000, (length,), generator=draw) for length in LENGTHS]
    if changed is not None:
        tokens[changed] = torch.randint(1000, 2000, (LENGTHS[changed],), generator=draw)
    columns = {
        "id": pa.array([f"e{n}" for n in range(len(LENGTHS))]),
        "user": pa.array(["u"] * len(LENGTHS)),
        "prompt": pa.array([length // 2 for length in LENGTHS], pa.int32()),
        "tokens": pa.array([row.tolist() for row in tokens], pa.large_list(pa.int32())),
    }
    return TokenRows(pa.table(columns), len(LENGTHS))


def batch_of(layout: Layout, rows: TokenRows | None = None) -> dict[str, Any]:
    members = [[n] for n in range(len(LENGTHS))] if layout == "padded" else PACKED
    return PackedCollator(rows or make_rows(), PAD, layout)([{"examples": row} for row in members])


def model_with(attention: str) -> Any:
    register_blocks()
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(
        tiny_checkpoint(), dtype=torch.float32, attn_implementation=attention
    )
    for name, value in model.named_parameters():  # large enough that attention looks somewhere
        if "proj" in name:
            torch.nn.init.normal_(value, std=0.2)
    return model


def inputs_of(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if name != "owners"}


def loss_and_gradients(model: Any, layout: Layout) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    loss = model(**inputs_of(batch_of(layout)), use_cache=False).loss
    loss.backward()
    return loss.item(), {name: value.grad.clone() for name, value in model.named_parameters()}


@pytest.mark.parametrize("attention", ["sdpa", "eager", BLOCKS])
@pytest.mark.parametrize("layout", ["packed", "flat"])
def test_packed_and_single_rows_have_the_same_loss_and_gradients(attention: str, layout: Layout) -> None:
    model = model_with(attention)
    single, wanted = loss_and_gradients(model, "padded")
    packed, found = loss_and_gradients(model, layout)
    assert packed == pytest.approx(single, abs=1e-5)
    assert max(float(value.abs().max()) for value in wanted.values()) > 1e-2
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("attention", ["sdpa", "eager", BLOCKS])
@pytest.mark.parametrize("layout", ["packed", "flat"])
def test_a_changed_neighbour_changes_nothing(attention: str, layout: Layout) -> None:
    model = model_with(attention)
    plain, other = batch_of(layout), batch_of(layout, make_rows(changed=4))
    with torch.no_grad():
        before, after = (model(**inputs_of(batch), use_cache=False).logits for batch in (plain, other))
    theirs = plain["owners"] == 4
    assert float((before - after)[theirs].abs().max()) > 0.1
    ours = ~theirs & (plain["owners"] != NO_EXAMPLE)
    torch.testing.assert_close(after[ours], before[ours], atol=1e-6, rtol=0)


def test_rows_end_to_end_are_cut_at_the_borders_of_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = list[int]()
    whole = torch.nn.functional.scaled_dot_product_attention

    def seen(query: torch.Tensor, *others: Any, **options: Any) -> torch.Tensor:
        rows.append(query.shape[2])
        return whole(query, *others, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", seen)
    with torch.no_grad():
        model = model_with(BLOCKS)
        model(**inputs_of(batch_of("flat")), use_cache=False)
        layers = model.config.num_hidden_layers
        assert rows == [LENGTHS[number] for row in PACKED for number in row] * layers
        model(input_ids=torch.ones(1, 9, dtype=torch.long), use_cache=False)
    assert rows[-layers:] == [9] * layers


@pytest.mark.parametrize("sliding", [False, True])
def test_models_with_windows_keep_their_mask(sliding: bool) -> None:
    model = model_with(BLOCKS)
    model.config.layer_types = ["full_attention", "sliding_attention" if sliding else "full_attention"]
    keep_blocks_where_they_fit(model)
    assert model.config._attn_implementation == ("sdpa" if sliding else BLOCKS)


@pytest.mark.parametrize("layout", ["padded", "packed", "flat"])
def test_every_token_knows_its_example(layout: Layout) -> None:
    rows, batch = make_rows(), batch_of(layout)
    for number, length in enumerate(LENGTHS):
        own = batch["owners"] == number
        assert batch["input_ids"][own].tolist() == rows.tokens(number).tolist()
        labels = batch["labels"][own].tolist()
        assert labels == [NOT_TRAINED] * (length // 2) + rows.tokens(number).tolist()[length // 2 :]
    assert (batch["owners"] == NO_EXAMPLE).sum() == batch["owners"].numel() - sum(LENGTHS)
    assert set(batch["labels"][batch["owners"] == NO_EXAMPLE].tolist()) <= {NOT_TRAINED}


def test_the_first_token_of_an_example_is_never_a_label() -> None:
    rows = make_rows()
    table = rows.table.set_column(2, "prompt", pa.array([0] * len(LENGTHS), pa.int32()))
    for layout in ("padded", "packed", "flat"):
        batch = PackedCollator(TokenRows(table, 5), PAD, layout)(
            [{"examples": row} for row in ([[n] for n in range(5)] if layout == "padded" else PACKED)]
        )
        assert int((batch["labels"] != NOT_TRAINED).sum()) == sum(LENGTHS) - len(LENGTHS)


def test_a_packed_batch_has_no_mask_and_positions_that_begin_anew() -> None:
    batch = batch_of("packed")
    assert "attention_mask" not in batch
    assert batch["position_ids"][0].tolist()[:24] == [*range(20), *range(3), 0]
    assert batch["position_ids"][1].tolist() == [*range(12), *range(9), *range(7)]
