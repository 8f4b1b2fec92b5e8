"""`python -m bench.text_length`: what long texts of items cost, on a processor.

Items with descriptions of 40 to 10,000 words. For each length, in a process of its own: how many words of
`title+description` are left within its budget, and the peak of memory while the texts of `--items` are
embedded; then, with titles of 4 and 64 words, the tokens of a prompt of A-LLMRec (ten of the history, twenty
candidates), and the peak while the embedded language model is trained on one such case. Further columns have
texts and titles whole, as far as the models read them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from multiprocessing import Pipe, get_context
from os import environ
from pathlib import Path

import torch

from rectune.core.text.tables import Table
from rectune.core.types import Item
from rectune.rankers.allmrec.language_model import open_language_model
from rectune.rankers.allmrec.likelihoods import answer_losses
from rectune.rankers.allmrec.prompt import PromptWriter
from rectune.rankers.item_text import item_text, word_count
from rectune.retrieval.embedding import embed

Figures = dict[str, float]

LENGTHS = (40, 640, 10_000)
_SENTENCE = "The ship sails at dawn and nobody on board knows its name."


def item(number: int, words: int) -> Item:
    """An item with a description of about so many words, in sentences."""
    sentences = [f"{_SENTENCE[:-1]} {number} {at}." for at in range(max(words // 14, 1))]
    return Item("movies", str(number), f"Ship {number}", (), " ".join(sentences))


def status(name: str) -> float:
    """MiB that the kernel states of this process."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name}:")) / 1024


def start_of_peak() -> float:
    """MiB that are held now, from where the peak counts anew (Linux: clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return status("VmRSS")


def embedded(words: int, items: int, cut: int) -> Figures:
    """Words of a text, and the MiB that embedding them all takes beyond the model."""
    some = [item(number, words) for number in range(items)]
    texts = [
        item_text(one, "title+description") if cut else f"{one.title}. {one.description}" for one in some
    ]
    embed(["a ship"])  # pages of the model that are shared with the parent count from now on
    before = start_of_peak()
    embed(texts)
    return {"words": word_count(texts[0]), "peak": status("VmHWM") - before}


def trained(words: int, cut: int) -> Figures:
    """Tokens of a prompt with titles of so many words, and the memory that a training step takes."""
    model = open_language_model("embedded")
    title = " ".join(["ship"] * words)
    titles = {str(number): f"{number} {title}" for number in range(30)}
    writer = PromptWriter(model, titles, "movies")
    ids = list(writer.choose(list(titles)[:10], list(titles)[10:]).without_vectors().ids)
    if not cut:
        ids += [ids[-1]] * sum(len(model.plain(one)) - len(writer.answer(key)) for key, one in titles.items())
    limit = int(model.model.config.max_position_embeddings) - 32
    found: Figures = {"prompt": len(ids), "limit": limit}
    if len(ids) > limit:
        return found
    before = start_of_peak()
    prompt = model.embed(torch.tensor(ids)).requires_grad_(True)
    loss, _ = answer_losses(model, [prompt], [writer.answer("12")])
    loss.backward()  # type: ignore[no-untyped-call]
    return found | {"peak": status("VmHWM") - before}


def measured(function: Callable[..., Figures], *arguments: int) -> Figures:
    """The same in a forked process, whose peak begins at what is held now."""
    here, there = Pipe(duplex=False)
    child = get_context("fork").Process(target=lambda: there.send(function(*arguments)))
    child.start()
    there.close()
    found: Figures = here.recv()
    child.join()
    return found


def table(lengths: Sequence[int], items: int) -> Table:
    """A row a length."""
    heads = ["words", "words left", "MiB", "whole: words", "MiB"]
    rows = []
    for words in lengths:
        cut, whole = (measured(embedded, words, items, int(cut)) for cut in (True, False))
        cells = (one for found in (cut, whole) for one in (f"{found['words']:,}", f"{found['peak']:.0f}"))
        rows.append([f"{words:,}", *cells])
    return Table(heads, rows, f"Embedding {items} texts, beyond the model")


def prompts_table(lengths: Sequence[int]) -> Table:
    """A row a length of titles."""
    heads = ["words of a title", "prompt: tokens", "MiB", "titles whole: tokens", "MiB"]
    rows = []
    for words in lengths:
        cells = [str(words)]
        for cut in (True, False):
            found = measured(trained, words, int(cut))
            cells += [f"{found['prompt']:,}", f"{found['peak']:.0f}" if "peak" in found else "too long"]
        rows.append(cells)
    return Table(heads, rows, "A training step of the language model, one case")


def main() -> None:
    """Load both models, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.text_length", description=__doc__)
    parser.add_argument("--items", type=int, default=16)
    given = parser.parse_args()
    environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    embed(["a ship"])
    open_language_model("embedded")
    print(table(LENGTHS, given.items).to_markdown(), end="\n\n")
    print(prompts_table((4, 64)).to_markdown())


if __name__ == "__main__":
    main()
