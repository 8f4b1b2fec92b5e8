"""A prompt as an annotator reads it: titles instead of ids, laid out for the screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len, set_cell_size

from rectune.align.tasks import AnnotationTask
from rectune.core.tables import read_table
from rectune.core.text.plain import printable
from rectune.core.types import Prompt

_GAP = 2  # cells between columns


@dataclass(frozen=True, slots=True)
class PromptView:
    """A prompt with titles for its ids. All is printable, one title per line.

    `history` and `candidates` are empty if the catalogue lacks one of their titles: then only the instruction
    is shown.
    """

    prompt: Prompt
    target: str
    history: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()

    @property
    def instruction(self) -> str:
        """The instruction as the model got it."""
        parts = (self.prompt.instruction, self.prompt.system)
        return "\n\n".join(printable(part).strip() for part in parts).strip()


def make_prompt_views(tasks: Iterable[AnnotationTask], items: Path | None) -> dict[str, PromptView]:
    """The view of every task, by prompt id; without a table of items the target is shown by its id."""
    prompts = [task.prompt for task in tasks]
    titles = _titles(prompts, items) if items else {}
    return {prompt.id: _request(prompt, titles) for prompt in prompts}


def overview(request: PromptView, width: int, lines: int) -> str:
    """The query, the history and the candidates of a prompt; its instruction if these are not known.

    One title per line if `lines` suffice, else in columns within `width` cells, in which long titles are cut.
    """
    prompt = request.prompt
    lacking = bool(prompt.history or prompt.candidates) or not prompt.query
    if lacking and not request.history and not request.candidates:
        return request.instruction
    parts: list[str] = [f"Asks for: {printable(' '.join(prompt.query.split()))}"] if prompt.query else []
    lists = [(_history_words(prompt), request.history), ("To choose from", request.candidates)]
    shown = [(words, titles) for words, titles in lists if titles]
    whole = len(parts) + sum(1 + len(titles) for _, titles in shown) <= lines
    for words, titles in shown:
        parts.append(f"{words} ({len(titles)}):")
        parts += [f"  {title}" for title in titles] if whole else columns(titles, width)
    return "\n".join(parts)


def columns(titles: Sequence[str], width: int) -> list[str]:
    """Titles in as many columns as fit into `width` cells, at least two; read down, then across."""
    widest = max(map(cell_len, titles))
    count = max(min((width - _GAP) // (widest + _GAP), len(titles)), 2)
    room = (width - _GAP) // count - _GAP
    height = -(-len(titles) // count)
    rows = [titles[row::height] for row in range(height)]
    return ["  " + "".join(_fit(title, room) + " " * _GAP for title in row).rstrip() for row in rows]


def _fit(title: str, cells: int) -> str:
    if cell_len(title) <= cells:
        return set_cell_size(title, cells)
    return set_cell_size(title, cells - 1) + "…"


def _history_words(prompt: Prompt) -> str:
    kind = f"{prompt.history_domain}, " if prompt.history_domain != prompt.domain else ""
    order = "oldest first" if prompt.cutoff is not None else "in no known order"
    older = f", {prompt.left_out} older ones left out" if prompt.left_out else ""
    return f"Liked before: {kind}{order}{older}"


def _request(prompt: Prompt, titles: dict[tuple[str, str], str]) -> PromptView:
    def named(domain: str, ids: Sequence[str]) -> tuple[str, ...]:
        found = [titles.get((domain, item), "") for item in ids]
        return tuple(found) if all(found) else ()

    target = titles.get((prompt.domain, prompt.target), printable(prompt.target))
    history = named(prompt.history_domain, prompt.history)
    candidates = named(prompt.domain, prompt.candidates)
    whole = bool(history) == bool(prompt.history) and bool(candidates) == bool(prompt.candidates)
    return PromptView(prompt, target, history, candidates) if whole else PromptView(prompt, target)


def _titles(prompts: Sequence[Prompt], items: Path) -> dict[tuple[str, str], str]:
    """Titles by domain and id, of the items that the prompts name."""
    import polars as pl

    wanted = {item for p in prompts for item in (*p.history, *p.candidates, p.target)}
    table = read_table(items).select("domain", "item_id", "title")
    found = table.filter(pl.col("item_id").is_in(sorted(wanted))).iter_rows()
    return {(domain, item): printable(" ".join(title.split())) for domain, item, title in found}
