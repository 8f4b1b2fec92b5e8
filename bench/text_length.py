"""`python -m bench.text_length`: what long texts of items cost, on a processor.

The memory is what torch allocates: the highest sum of its blocks that are held at once, as its profiler
records each allocation and each release, beyond what was held before. It does not depend on what a process
kept of earlier work, as the memory that the kernel states does. Weights are not in it.

First table: `--items` texts of so many tokens are embedded in one batch, whole (an embedder is let read as
much as it has positions) and cut to the budget of stage 1. Second table: a prompt of A-LLMRec with ten items
of the history and twenty candidates, each told by so many tokens, is read, and trained on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from rectune.core.text.tables import Table
from rectune.core.types import Item
from rectune.rankers.allmrec.language_model import FrozenLanguageModel, open_language_model
from rectune.rankers.allmrec.likelihoods import answer_losses
from rectune.rankers.allmrec.prompt import TITLE_TOKENS, PromptWriter
from rectune.rankers.item_text import MAX_TOKENS, TextOptions, texts_of
from rectune.retrieval.embedding import EMBEDDED, embedder_tokens, load_model

MIB = 2**20
LENGTHS = (8, 32, 128, 512, 2048)
TOLD = (8, TITLE_TOKENS, 48)
_SENTENCE = "The ship sails at dawn and nobody on board knows its name."


def item(number: int, tokens: int) -> Item:
    """An item whose title and description together have about so many tokens of MiniLM, in sentences."""
    most = tokens - 2  # of them are the marks at both ends
    sentences = [f"{_SENTENCE[:-1]} {at}." for at in range(max(most // 15, 1))]
    words = f"Ship {number}" if most >= 15 else " ".join(["ship"] * most)
    return Item("movies", str(number), words, (), " ".join(sentences) if most >= 15 else "")


def peak_of(work: Callable[[], object]) -> float:
    """MiB: the most that torch held at once while this ran, beyond what it held before."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "trace.json"
        seen.export_chrome_trace(str(file))
        events = json.loads(file.read_bytes())["traceEvents"]
    changes = sorted((one["ts"], one["args"]["Bytes"]) for one in events if one["name"] == "[memory]")
    held = most = 0
    for _, change in changes:
        held += change
        most = max(most, held)
    return most / MIB


def seconds_of(work: Callable[[], object]) -> float:
    """Processor seconds of one run."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def embedding_table(lengths: Sequence[int], items: int) -> Table:
    """A row a length of texts."""
    heads = ["tokens", "whole: read", "MiB", "ms a text", "cut: read", "MiB", "ms a text"]
    model = load_model(EMBEDDED)
    model.max_seq_length = model[0].auto_model.config.max_position_embeddings
    counter = embedder_tokens(EMBEDDED)
    assert counter is not None  # the embedded one has a tokenizer
    rows = []
    for tokens in lengths:
        some = [item(number, tokens) for number in range(items)]
        whole = [f"{one.title}. {one.description}" for one in some]
        cut = list(texts_of(some, TextOptions("title+description"), EMBEDDED).texts.values())
        cells = [f"{counter.count(whole[0]):,}"]
        for texts in (whole, cut):
            embed = partial(model.encode, texts, batch_size=items, show_progress_bar=False)
            embed()
            read = min(counter.count(texts[0]), int(model.max_seq_length))
            cells += [str(read), f"{peak_of(embed):.1f}", f"{1000 * seconds_of(embed) / items:.1f}"]
        rows.append(cells)
    return Table(heads, rows, f"Embedding {items} texts at once; cut to {MAX_TOKENS} tokens")


def prompts_table(told: Sequence[int]) -> Table:
    """A row a length of what is told of an item."""
    heads = ["tokens an item", "prompt", "read: MiB", "s", "trained: MiB", "s"]
    model = open_language_model("embedded")
    rows = []
    for tokens in told:
        ids = prompt_ids(model, tokens)
        read, trained = partial(_read, model, ids), partial(_train, model, ids)
        read()
        cells = [str(tokens), f"{len(ids):,}"]
        for work in (read, trained):
            cells += [f"{peak_of(work):,.0f}", f"{seconds_of(work):.1f}"]
        rows.append(cells)
    return Table(heads, rows, "A prompt of the language model, thirty items")


def prompt_ids(model: FrozenLanguageModel, told: int) -> list[int]:
    """A prompt with thirty items, each told by so many tokens, more than a title may have too."""
    titles = {str(number): f"{number}{' ship' * told}" for number in range(30)}
    writer = PromptWriter(model, titles, "movies")
    ids = list(writer.choose(list(titles)[:10], list(titles)[10:]).without_vectors().ids)
    more = max(told - TITLE_TOKENS, 0) * len(titles)
    return [*ids, *[ids[-1]] * more]


def _read(model: FrozenLanguageModel, ids: list[int]) -> None:
    with torch.no_grad():
        answer_losses(model, [model.embed(torch.tensor(ids))], [model.plain(" ship" * 8)])


def _train(model: FrozenLanguageModel, ids: list[int]) -> None:
    prompt = model.embed(torch.tensor(ids)).requires_grad_(True)
    loss, _ = answer_losses(model, [prompt], [model.plain(" ship" * 8)])
    loss.backward()  # type: ignore[no-untyped-call]


def main() -> None:
    """Measure both and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.text_length", description=__doc__)
    parser.add_argument("--items", type=int, default=16, help="texts of a batch")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(embedding_table(LENGTHS, given.items).to_markdown(), end="\n\n", flush=True)
    print(prompts_table(TOLD).to_markdown())


if __name__ == "__main__":
    main()
