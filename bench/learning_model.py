"""The model of `bench.learning_curve`: adapters trained on rows of tokens, and titles scored behind a prompt.

One process loads the model once, in float32; a training begins with fresh adapters on it. Rows lie end to end
in a batch, each attended to by itself (`rectune.models.attention`), and logits are computed only where a loss
is taken. All candidates of a user are read in one pass behind their prompt.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.learning_rows import Ids, Row
from rectune.core.rng import generator_of
from rectune.core.settings import LoraSection, ModelsConfig
from rectune.models.attention import BLOCKS
from rectune.models.loading import add_lora, load_for_training
from rectune.models.prepare import make_checkpoint
from rectune.models.reference import locate

BATCH = 1024  # tokens a step, at most, but for a longer row
_EVERY = 20.0  # processor seconds between what is kept of a training


@dataclass(frozen=True)
class Trained:
    """What a training cost."""

    rows: int
    tokens: int
    trained_tokens: int
    steps: int
    loss: float
    seconds: float


class Stopped(Exception):
    """The time that a run was given is over; what is there is kept."""


class Clock:
    """Processor time of the process; `limit` seconds from now it is over, 0 means never."""

    def __init__(self, limit: float) -> None:
        self._end = time.process_time() + limit if limit else math.inf

    def check(self) -> None:
        """Raises `Stopped` if it is over."""
        if time.process_time() > self._end:
            raise Stopped


class Learner:
    """The base model with adapters.

    Args:
        checkpoint: its folder.
        lora: of the adapters.
        rate: the peak of the learning rate, which rises for a tenth of the steps and falls as a cosine.
        tokens: of a step, at most, but for a longer row.
    """

    def __init__(self, checkpoint: Path, lora: LoraSection, rate: float, tokens: int = BATCH) -> None:
        base = load_for_training(checkpoint, ModelsConfig(load_in_4bit=False), BLOCKS)
        self.model = add_lora(base, lora, 0)
        self.rate, self._tokens = rate, tokens
        own: Any = self.model.get_base_model()
        self._body, self._head = own.model, own.lm_head
        self._able = {name: value for name, value in self.model.named_parameters() if value.requires_grad}
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Fresh adapters, which change nothing yet: A is drawn as peft draws it, B is zero."""
        torch.manual_seed(seed)
        with torch.no_grad():
            for name, value in self._able.items():
                if "lora_B" in name:
                    value.zero_()
                else:
                    torch.nn.init.kaiming_uniform_(value, a=math.sqrt(5))

    def load(self, file: Path) -> None:
        """The adapters that `train` kept."""
        kept = torch.load(file, weights_only=True)["adapters"]
        with torch.no_grad():
            for name, value in self._able.items():
                value.copy_(kept[name])

    def trained_in(
        self, folder: Path, rows: Callable[[], Sequence[Row]], seed: int, clock: Clock
    ) -> tuple[Trained, bool]:
        """The adapters that a folder keeps, trained there unless they are; `rows` are made only for that.

        Returns:
            what the training cost, and whether it was done now.

        Raises:
            Stopped: the clock is over; what is there is kept.
        """
        kept, done = folder / "adapters.pt", folder / "training.json"
        if done.exists():
            self.load(kept)
            return Trained(**json.loads(done.read_text())), False
        folder.mkdir(parents=True, exist_ok=True)
        cost = self.train(rows(), seed, kept, clock)
        done.write_text(json.dumps(asdict(cost)))
        return cost, True

    def train(self, rows: Sequence[Row], seed: int, file: Path, clock: Clock) -> Trained:
        """One epoch; `file` keeps the adapters, and an interrupted training goes on from there.

        Raises:
            Stopped: the clock is over.
        """
        batches = batched(rows, seed, self._tokens)
        self.reset(seed)
        optimiser = torch.optim.AdamW(self._able.values(), lr=self.rate, weight_decay=0.0)
        done, losses, spent = 0, list[float](), 0.0
        if file.exists():
            self.load(file)
            kept = torch.load(file, weights_only=True)
            optimiser.load_state_dict(kept["optimiser"])
            done, losses, spent = kept["done"], kept["losses"], kept["spent"]
        since = time.process_time()

        def keep() -> None:
            partial = file.with_suffix(".partial")
            adapters = {name: value.detach() for name, value in self._able.items()}
            state = {"adapters": adapters, "optimiser": optimiser.state_dict(), "done": done}
            torch.save(state | {"losses": losses, "spent": spent + time.process_time() - since}, partial)
            partial.replace(file)

        last = since
        for batch in batches[done:]:
            for group in optimiser.param_groups:
                group["lr"] = self.rate * share(done, len(batches))
            losses.append(self._step(batch, optimiser))
            done += 1
            if time.process_time() - last > _EVERY:
                keep()
                clock.check()
                last = time.process_time()
        keep()
        tail = losses[-max(1, len(losses) // 10) :]
        seconds = spent + time.process_time() - since
        tokens, trained = sum(len(row.tokens) for row in rows), sum(sum(row.trained) for row in rows)
        return Trained(len(rows), tokens, trained, len(batches), sum(tail) / len(tail), seconds)

    def _step(self, batch: Sequence[Row], optimiser: torch.optim.Optimizer) -> float:
        loss = self._loss(batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(list(self._able.values()), 1.0)
        optimiser.step()
        return float(loss.detach())

    @torch.no_grad()
    def losses(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        """[rows] nats a token, of the tokens of each row that a training would take the loss on."""
        self.model.eval()
        found = np.array([float(self._loss([row])) for row in rows])
        self.model.train()
        return found

    def _loss(self, batch: Sequence[Row]) -> Tensor:
        tokens = torch.tensor([token for row in batch for token in row.tokens])
        places = torch.cat([torch.arange(len(row.tokens)) for row in batch])
        wanted = torch.tensor([one for row in batch for one in (False, *row.trained[1:])]).nonzero()[:, 0]
        hidden = self._body(tokens[None], position_ids=places[None], use_cache=False).last_hidden_state[0]
        return torch.nn.functional.cross_entropy(self._head(hidden[wanted - 1]), tokens[wanted])

    def score(self, prompt: Ids, titles: Sequence[Ids]) -> list[float]:
        """The mean log-probability of the tokens of each title behind a prompt, in nats per token."""
        return [sum(logs) / len(logs) for logs in self.token_logs(prompt, titles)]

    @torch.no_grad()
    def token_logs(self, prompt: Ids, titles: Sequence[Ids]) -> list[list[float]]:
        """The log-probability of every token of each title behind a prompt, in nats."""
        self.model.eval()
        own = [len(ids) - 1 for ids in titles]
        tokens = torch.tensor([*prompt, *(token for ids in titles for token in ids[:-1])])
        length, total = len(prompt), len(prompt) + sum(own)
        owner = torch.cat([torch.zeros(length), *(torch.full((n,), at + 1.0) for at, n in enumerate(own))])
        places = torch.cat([torch.arange(length), *(length + torch.arange(n) for n in own)]).long()
        seen = ((owner[:, None] == owner) | (owner == 0)) & (places[:, None] >= places)
        mask = torch.zeros(total, total).masked_fill_(~seen, torch.finfo(torch.float32).min)
        hidden = self._body(
            tokens[None], attention_mask=mask[None, None], position_ids=places[None], use_cache=False
        ).last_hidden_state[0]
        logs = torch.log_softmax(self._head(hidden[length - 1 :]), -1)
        starts = [1, *(1 + sum(own[: at + 1]) for at in range(len(own)))]
        self.model.train()
        return [_of(logs, ids, range(*ends)) for ids, ends in zip(titles, pairwise(starts), strict=True)]

    @torch.no_grad()
    def write(self, prompt: Ids, most: int, tokenizer: Any) -> str:
        """What the model writes behind a prompt, greedily, up to the end of the line or `most` tokens."""
        self.model.eval()
        asked = torch.tensor([prompt])
        found = self.model.generate(
            input_ids=asked, attention_mask=torch.ones_like(asked), max_new_tokens=most, do_sample=False,
            stop_strings=["\n"], tokenizer=tokenizer,
        )  # fmt: skip
        self.model.train()
        text: str = tokenizer.decode(found[0, len(prompt) :], skip_special_tokens=True)
        return text.split("\n")[0].strip()


def _of(logs: Tensor, ids: Ids, rows: range) -> list[float]:
    """Row 0 of `logs` is behind the prompt, `rows` are behind the title's tokens but the last."""
    found: list[float] = logs[[0, *rows], ids].tolist()
    return found


def checkpoint_in(place: Path, model: str) -> Path:
    """The checkpoint of a model reference, made once in the folder."""
    found = place / f"{model.replace('/', '_')}-checkpoint"
    if not found.exists():
        make_checkpoint(locate(model), found)
    return found


def share(done: int, steps: int) -> float:
    """Of the peak learning rate, in the step after `done` of them."""
    rise = max(1, round(0.1 * steps))
    if done < rise:
        return (done + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (done - rise) / max(1, steps - rise)))


def batched(rows: Sequence[Row], seed: int, tokens: int = BATCH) -> list[list[Row]]:
    """Rows in a drawn order, as many a batch as have so many tokens; at least one."""
    found: list[list[Row]] = []
    left = 0
    for at in generator_of("batches", seed).permutation(len(rows)):
        size = len(rows[at].tokens)
        if not found or size > left:
            found.append([])
            left = tokens
        found[-1].append(rows[at])
        left -= size
    return found
