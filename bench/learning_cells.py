"""What `bench.learning_curve` measures: trainings, how their models are asked, and which are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from bench.learning_known import KNOWN
from bench.learning_rows import SYSTEMS, System

BY_LIST = ("list", "mixture")  # forms whose models continue a list; the others close an answer


@dataclass(frozen=True)
class Cell:
    """A training, or none, and how its model is asked: `list` or `closing`.

    `rows` are `all`, `known` or `unknown`; `system` is the system message in training and afterwards.
    """

    form: str
    size: int
    seed: int
    by: str
    rows: str = "all"
    system: System = "own"

    @property
    def training(self) -> str:
        """The name of its folder."""
        trained = f"{self.form}-{self.size}-{self.seed}" if self.form != "base" else "base"
        return "-".join([trained, *(one for one in (self.rows, self.system) if one not in ("all", "own"))])

    @property
    def name(self) -> str:
        """As the table shows it."""
        return f"{self.training}, {self.by}"


def cells(
    forms: Sequence[str],
    sizes: Sequence[int],
    seeds: Sequence[int],
    by: str = "",
    rows: Sequence[str] = ("all",),
    systems: Sequence[System] = ("own",),
) -> list[Cell]:
    """What is measured, in its order: the base model as lists, then sizes and seeds of each form.

    `by` asks all models alike; without it each is asked as it was trained.
    """
    found = [
        Cell(form, size, seed, by or ("list" if form in BY_LIST else "closing"), kind, system)
        for seed, size, form, kind, system in product(seeds, sizes, forms, rows, systems)
    ]
    asked = dict.fromkeys([("list", systems[0]), *((cell.by, cell.system) for cell in found)])
    return [*(Cell("base", 0, 0, by, system=system) for by, system in asked), *found]


def compared(some: Sequence[Cell]) -> list[tuple[str, str]]:
    """Names of trained models that differ in their rows alone, or in their system message alone."""
    trained = [cell for cell in some if cell.form != "base"]
    return [
        (one.name, other.name)
        for one, other in product(trained, trained)
        if ((one.rows, other.rows) == KNOWN and replace(one, rows=other.rows) == other)
        or ((other.system, one.system) == SYSTEMS and replace(one, system=other.system) == other)
    ]
