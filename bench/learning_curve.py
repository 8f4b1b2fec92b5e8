"""`make bench-learning-curve DATA=path`: what kind of training rows, and how many, make a model rank better.

The model is trained on rows of anime and movies, made of train users in one of several forms
(`bench.learning_rows`); `size` counts list rows, and every other form gets rows of as many tokens. It then
scores the latest like of test users, who are in no training, among 19 other items: uniform ones (of 400
titles drawn once a domain) and popular ones (in proportion to the likes of train users), in anime, in movies,
and in books, which is in no training (uniform others only). It is scored by continuing a list of at most 10
titles, or by the closing line behind the ordinary prompt, as it was trained; less a share of the score
without titles. Beside `ease` where the domain was trained on, beside `hybrid` in books; both weights are
chosen on four fifths of the users for the last fifth.

Adapters are trained in float32 by plain AdamW in this process; the model is loaded once. Everything is kept
below `--runs`: run again, it goes on where it stopped, and with more `--users` it scores the new ones.
`--seconds` ends it after so much processor time. `--quick` takes the samples, the tiny model and few rows: a
try of the program, no figure of it says anything.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from bench.learning_model import Clock, Learner, Stopped, Trained
from bench.learning_rows import FORMS, Ids, list_tokens, made
from bench.learning_tables import Group, Scored, table
from bench.learning_users import TRAINED, Asked, asked_in, beside_of, data_folder, read_world
from rectune.core.settings import LoraSection
from rectune.models.loading import load_tokenizer
from rectune.models.prepare import make_checkpoint
from rectune.models.reference import locate
from rectune.prompts.answers import CLOSINGS
from rectune.prompts.title_list import next_line
from rectune.rankers.eval_cases import passive_cases
from rectune.rankers.likelihood import NEUTRAL

BY_LIST = ("list", "mixture")  # forms whose models continue a list; the others close an answer


@dataclass(frozen=True)
class Cell:
    """A training, or none, and how its model is asked: `list` or `closing`."""

    form: str
    size: int
    seed: int
    by: str

    @property
    def training(self) -> str:
        """The name of its folder."""
        return f"{self.form}-{self.size}-{self.seed}" if self.form != "base" else "base"

    @property
    def name(self) -> str:
        """As the table shows it."""
        return f"base, {self.by}" if self.form == "base" else f"{self.training}, {self.by}"


def cells(forms: Sequence[str], sizes: Sequence[int], seeds: Sequence[int], by: str = "") -> list[Cell]:
    """What is measured, in its order: the base model as lists, then sizes and seeds of each form.

    `by` asks all models alike; without it each is asked as it was trained.
    """
    found = [Cell("base", 0, 0, "list")]
    for seed in seeds:
        for size in sizes:
            found += [
                Cell(form, size, seed, by or ("list" if form in BY_LIST else "closing")) for form in forms
            ]
    if any(cell.by == "closing" for cell in found):
        found.insert(1, Cell("base", 0, 0, "closing"))
    return found


class Bench:
    """The model, the world, the users, and the folder of one set of settings."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given, self.clock = given, Clock(given.seconds)
        data = data_folder(given)
        settings = f"{given.model.replace('/', '_')}-r{given.rank}-{given.rate:g}-{data.name}"
        place = given.runs / "learning-curve"
        self.folder, checkpoint = place / settings, place / f"{given.model.replace('/', '_')}-checkpoint"
        self.folder.mkdir(parents=True, exist_ok=True)
        if not checkpoint.exists():
            make_checkpoint(locate(given.model), checkpoint)
        self.world = read_world(data, load_tokenizer(checkpoint))
        lora = LoraSection(r=given.rank, lora_alpha=2 * given.rank, lora_dropout=0.0)
        self.learner = Learner(checkpoint, lora, given.rate)
        kept = place / f"rankers-{data.name}"
        self.asked = {one: asked_in(self.world, data, one, given.users, kept) for one in self.world.domains}

    def measure(self, cell: Cell) -> None:
        """Train if need be, and score every user who is not scored yet.

        Raises:
            Stopped: the time is over.
        """
        folder = self.folder / cell.training
        folder.mkdir(exist_ok=True)
        wanted = list(self._missing(cell, folder))
        if not wanted:
            return
        self._ready(cell, folder)
        since, last, tokens = time.process_time(), time.process_time(), 0
        with (folder / f"scores-{cell.by}.jsonl").open("a") as stream:
            stream.write("\n")  # behind a line that was cut short
            for domain, key, prompt, items in wanted:
                scores = self.learner.score(prompt, [self._ids(domain, item) for item in items])
                tokens += len(prompt) + sum(len(self._ids(domain, item)) for item in items)
                print(json.dumps([key, dict(zip(items, scores, strict=True))]), file=stream, flush=True)
                if time.process_time() - last > 10:
                    self.clock.check()
                    last = time.process_time()
        seconds = time.process_time() - since
        print(
            f"{cell.name}: scored, {tokens} tokens in {seconds:.0f} processor s", file=sys.stderr, flush=True
        )

    def _ready(self, cell: Cell, folder: Path) -> None:
        """The adapters of the cell are on the model."""
        if cell.form == "base":
            self.learner.reset(0)
            return
        kept, done = folder / "adapters.pt", folder / "training.json"
        if done.exists():
            self.learner.load(kept)
            return
        tokens = list_tokens(self.world, TRAINED, cell.size, cell.seed)
        rows = made(self.world, cell.form, TRAINED, tokens, cell.seed)
        trained = self.learner.train(rows, cell.seed, kept, self.clock)
        done.write_text(json.dumps(asdict(trained)))
        print(f"{cell.name}: {trained}", file=sys.stderr, flush=True)

    def _missing(self, cell: Cell, folder: Path) -> Iterator[tuple[str, str, Ids, list[str]]]:
        """Domain, key, prompt and items of what is not in the file: priors, then users, domains in turn."""
        known = _lines(folder / f"scores-{cell.by}.jsonl")
        for domain, users in self.asked.items():
            wanted = {item for one in users for some in one.shown.values() for item in some}
            items = sorted(wanted - set(_prior(known, domain)))
            for start in range(0, len(items), 64):
                part = items[start : start + 64]
                key = f"{domain} {part[0]} {part[-1]} {len(part)}"
                yield domain, key, self._prompt(cell.by, domain, None), part
        for turn in range(self.given.users):
            for domain, users in self.asked.items():
                if turn < len(users) and users[turn].case.id not in known:
                    one = users[turn]
                    items = list(dict.fromkeys(item for some in one.shown.values() for item in some))
                    yield domain, one.case.id, self._prompt(cell.by, domain, one), items

    def _prompt(self, by: str, domain: str, one: Asked | None) -> Ids:
        if by == "list":
            titles = self.world.catalogue.titles(domain, one.case.history) if one else []
            lines = [token for line in self.world.lines(titles) for token in line]
            return [*self.world.list_prompt(domain), *lines, *self.world.ids("-")]
        (some,) = passive_cases([(one or self.asked[domain][0]).case], self.world.catalogue, {domain: "en"})
        asked = some.prompt.instruction if one else NEUTRAL["en"]
        return self.world.encoder.prompts([some.prompt.system], [asked])[0] + self.world.ids(CLOSINGS["en"])

    def _ids(self, domain: str, item: str) -> Ids:
        return self.world.ids(next_line(self.world.catalogue.get(domain, item).title))

    def groups(self, some: Sequence[Cell]) -> Iterator[Group]:
        """What is there, by domain and kind of others, for the users whom every cell has scored."""
        logs = {cell: _lines(self.folder / cell.training / f"scores-{cell.by}.jsonl") for cell in some}
        logs = {cell: rows for cell, rows in logs.items() if rows}
        for domain, users in self.asked.items():
            able = [one for one in users if all(one.case.id in rows for rows in logs.values())]
            for kind in able[0].shown if able else ():
                found = {}
                for cell, rows in logs.items():
                    prior = _prior(rows, domain)
                    own = np.array([[rows[one.case.id][item] for item in one.shown[kind]] for one in able])
                    known = [[prior.get(item, np.nan) for item in one.shown[kind]] for one in able]
                    if not np.isnan(known).any():
                        found[cell.name] = Scored(own, np.array(known), self._cost(cell))
                others = np.array([one.beside[kind] for one in able])
                names = [one.case.id for one in able]
                yield Group(f"{domain}, {kind} others", names, beside_of(domain), others, found)

    def _cost(self, cell: Cell) -> Trained | None:
        file = self.folder / cell.training / "training.json"
        return Trained(**json.loads(file.read_text())) if file.exists() else None


def _lines(file: Path) -> dict[str, dict[str, float]]:
    """Whole lines: the last one may have been cut short when the program was killed."""
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(json.loads(line) for line in lines if line.endswith("}]"))


def _prior(rows: Mapping[str, Mapping[str, float]], domain: str) -> dict[str, float]:
    """The scores of titles of a domain that were asked for without a history."""
    found = (row for key, row in rows.items() if key.startswith(f"{domain} "))
    return {item: score for row in found for item, score in row.items()}


def main() -> None:
    """The command line."""
    given = _arguments()
    torch.set_num_threads(given.threads)
    bench, wanted = Bench(given), cells(given.forms, given.sizes, given.seeds, given.by)
    stopped = False
    try:
        for cell in [] if given.known else wanted:
            bench.measure(cell)
    except Stopped:
        stopped = True
    for group in bench.groups(wanted):
        print(table(group).to_markdown(), flush=True)
    if stopped:
        print("the time is over: run it again to go on", file=sys.stderr)
        sys.exit(3)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.learning_curve", description=__doc__)
    parser.add_argument(
        "--data", type=Path, help="holds the folders movielens, anime, books; samples without"
    )
    parser.add_argument("--model", default="embedded", help="a model reference")
    parser.add_argument("--forms", nargs="*", choices=FORMS, default=list(FORMS))
    parser.add_argument("--sizes", nargs="+", type=int, default=[400, 100, 1600])
    parser.add_argument("--seeds", nargs="+", type=int, default=[7])
    parser.add_argument("--by", choices=("list", "closing"), default="", help="ask all models alike")
    parser.add_argument("--users", type=int, default=300, help="test users of each domain, at most 300")
    parser.add_argument("--rank", type=int, default=16, help="of the adapters")
    parser.add_argument("--rate", type=float, default=1e-3, help="the peak learning rate")
    parser.add_argument("--seconds", type=float, default=0, help="processor time after which it stops")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--known", action="store_true", help="the table of what is there")
    parser.add_argument("--quick", action="store_true", help="samples, the tiny model, few rows and users")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    given = parser.parse_args()
    if given.quick:
        given.model, given.data, given.sizes, given.seeds, given.users = "tiny", None, [4], [7], 3
    return given


if __name__ == "__main__":
    main()
