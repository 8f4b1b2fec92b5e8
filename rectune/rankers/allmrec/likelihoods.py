"""Log-probabilities of answers behind a prompt of ids and vectors: all answers share the prompt's cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rectune.rankers.allmrec.language_model import FrozenLanguageModel
from rectune.rankers.allmrec.soft_inputs import padded

if TYPE_CHECKING:
    from transformers import DynamicCache

Ids = Sequence[int]

NOT_COUNTED = -100  # in place of a label: no loss is taken there
_AT_ONCE = 512  # tokens of answers that are read together


@torch.no_grad()
def answer_logs(model: FrozenLanguageModel, prompt: Tensor, answers: Sequence[Ids]) -> list[list[float]]:
    """Log-probability of every token of each answer after a prompt, in nats.

    The prompt is read once. The answers then lie one after another in a single sequence behind its cache; a
    mask lets each see the prompt and itself alone, at the positions that it would have by itself.

    Args:
        model: reads.
        prompt: [n, width] input embeddings.
        answers: ids of each, at least one.
    """
    from transformers import DynamicCache

    length = len(prompt)
    model.check_length(length + max(map(len, answers), default=0))
    cache = DynamicCache()
    positions = torch.arange(length, device=prompt.device)
    last = model.model(
        inputs_embeds=prompt[None], position_ids=positions[None], past_key_values=cache, use_cache=True,
        logits_to_keep=1,
    )  # fmt: skip
    first = torch.log_softmax(last.logits[0, -1].float(), -1)
    found = [[float(first[ids[0]])] for ids in answers]
    for group in _groups(answers):
        logs = _behind(model, cache, length, [answers[at] for at in group])
        for at, row in zip(group, logs, strict=True):
            found[at] += row
    return found


@torch.no_grad()
def next_logs(
    model: FrozenLanguageModel, prompt: Tensor, pieces: Sequence[Ids], tokens: Sequence[int]
) -> Tensor:
    """[pieces, tokens] log-probability of each of these tokens right after a prompt and a piece, in nats.

    Args:
        model: reads.
        prompt: [n, width] input embeddings, which are read once.
        pieces: ids of each, at least one.
        tokens: ids.
    """
    from transformers import DynamicCache

    length = len(prompt)
    model.check_length(length + max(map(len, pieces), default=0))
    cache, positions = DynamicCache(), torch.arange(length, device=prompt.device)
    model.model.base_model(
        inputs_embeds=prompt[None], position_ids=positions[None], past_key_values=cache, use_cache=True
    )
    found = torch.zeros(len(pieces), len(tokens), device=model.device)
    for group in _groups(pieces, 1):
        some = [pieces[at] for at in group]
        ends = torch.tensor([len(ids) for ids in some], device=model.device).cumsum(0) - 1
        logits = _read(model, cache, length, some, ends)
        found[group] = torch.log_softmax(logits.float(), -1)[:, list(tokens)]
    return found


def _behind(
    model: FrozenLanguageModel, cache: DynamicCache, length: int, answers: Sequence[Ids]
) -> list[list[float]]:
    """The same from each second token on; leaves the cache as it was."""
    wanted = torch.tensor([token for ids in answers for token in ids[1:]], device=model.device)
    logits = _read(model, cache, length, [ids[:-1] for ids in answers])
    logs = torch.log_softmax(logits.float(), -1).gather(1, wanted[:, None])[:, 0]
    return [part.tolist() for part in torch.split(logs, [len(ids) - 1 for ids in answers])]


def _read(
    model: FrozenLanguageModel,
    cache: DynamicCache,
    length: int,
    pieces: Sequence[Ids],
    kept: Tensor | int = 0,
) -> Tensor:
    """[tokens, vocabulary] the logits after the tokens of all pieces, or after those of the places `kept`;
    leaves the cache as it was.
    """
    own = [len(ids) for ids in pieces]
    device = model.device
    tokens = torch.tensor([token for ids in pieces for token in ids], device=device)
    owner = torch.repeat_interleave(torch.arange(len(own)), torch.tensor(own)).to(device)
    place = torch.cat([torch.arange(count) for count in own]).to(device)
    seen = (owner[:, None] == owner) & (place[:, None] >= place)
    inputs = model.embed(tokens)
    mask = torch.zeros(len(tokens), length + len(tokens), dtype=inputs.dtype, device=device)
    mask[:, length:].masked_fill_(~seen, torch.finfo(inputs.dtype).min)
    logits: Tensor = model.model(
        inputs_embeds=inputs[None], attention_mask=mask[None, None], position_ids=(length + place)[None],
        past_key_values=cache, use_cache=True, logits_to_keep=kept,
    ).logits[0]  # fmt: skip
    cache.crop(-len(tokens))
    return logits


def _groups(answers: Sequence[Ids], least: int = 2) -> Iterator[list[int]]:
    """The numbers of answers of at least so many tokens, in groups that are read together."""
    group: list[int] = []
    for at, ids in enumerate(answers):
        if len(ids) < least:
            continue
        if group and sum(len(answers[other]) for other in group) + len(ids) > _AT_ONCE:
            yield group
            group = []
        group.append(at)
    if group:
        yield group


def answer_losses(
    model: FrozenLanguageModel, prompts: Sequence[Tensor], answers: Sequence[Ids]
) -> tuple[Tensor, int]:
    """The sum of -log p over all tokens of the answers, one behind each prompt, and how many tokens.

    Args:
        model: reads.
        prompts: [n, width] input embeddings of each; gradients reach them.
        answers: ids of each.
    """
    rows = [
        torch.cat([prompt, model.embed(torch.tensor(ids, dtype=torch.long))])
        for prompt, ids in zip(prompts, answers, strict=True)
    ]
    labels = [
        torch.tensor([*[NOT_COUNTED] * len(prompt), *ids])
        for prompt, ids in zip(prompts, answers, strict=True)
    ]
    return label_losses(model, rows, labels)


def label_losses(
    model: FrozenLanguageModel, rows: Sequence[Tensor], labels: Sequence[Tensor]
) -> tuple[Tensor, int]:
    """The sum of -log p over all labels of rows, and how many there are.

    Args:
        model: reads; of each row all but the last place, and logits are made from the first label of any on.
        rows: [n, width] input embeddings of each; gradients reach them.
        labels: [n] the id that stands at each place and is to be told from those before it, or `NOT_COUNTED`;
            a row's first is not counted. At least one is counted.
    """
    batch, following = padded([row[:-1] for row in rows]), [ids[1:] for ids in labels]
    model.check_length(batch.inputs.shape[1])
    kept = max(len(ids) - int((ids != NOT_COUNTED).nonzero()[0]) for ids in following if len(ids))
    logits = model.model(
        inputs_embeds=batch.inputs, attention_mask=batch.mask, position_ids=batch.positions, use_cache=False,
        logits_to_keep=kept,
    ).logits  # fmt: skip
    wanted = torch.full((len(rows), kept), NOT_COUNTED, device=logits.device)
    for row, ids in enumerate(following):
        own = ids[-kept:]
        wanted[row, kept - len(own) :] = own
    total = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), wanted.flatten(), ignore_index=NOT_COUNTED, reduction="sum"
    )
    return total, int((wanted != NOT_COUNTED).sum())
