"""`make bench-learning-curve DATA=path`: what kind of training rows, and how many, make a model rank better.

The model is trained on rows of anime and movies, made of train users in one of several forms
(`bench.learning_rows`); `size` counts list rows, and every other form gets rows of as many tokens. It then
scores the latest like of test users, who are in no training, among 19 other items: uniform ones (of 400
titles drawn once a domain) and popular ones (in proportion to the likes of train users), in anime, in movies,
and in books, which is in no training (uniform others only). It is scored by continuing a list of at most 10
titles, or by the closing line behind the ordinary prompt, as it was trained; less a share of the score
without titles. Beside `ease` where the domain was trained on, beside `hybrid` in books; both weights are
chosen on four fifths of the users for the last fifth. `--written` lets it write the next title itself, too,
and counts those that the domain lacks.

`--learn-from 64` lets rows and rankers learn from so many users of a domain: what does a tuned model add then
to `hybrid`, and to what is chosen on these users?

`--rows known unknown` trains on rows whose titles the untuned model knows by heart, and on rows whose it does
not (`bench.learning_known`); `--systems own thinking` takes our system messages, or one for all domains that
asks for steps with reasons. What differs in one of these alone is then compared user by user.

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
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bench.learning_cells import Cell, cells, compared
from bench.learning_known import KNOWN, ByHeart
from bench.learning_model import Clock, Learner, Stopped, Trained, checkpoint_in
from bench.learning_rows import FORMS, SYSTEMS, Ids, Row, World, list_tokens, made
from bench.learning_tables import Group, Scored, contrasts, table
from bench.learning_users import (
    LEFT_OUT,
    TRAINED,
    Asked,
    asked_in,
    beside_of,
    data_folder,
    fitted,
    learning_from,
    read_world,
)
from bench.learning_written import LONGEST, read_written, written_table
from rectune.core.settings import LoraSection
from rectune.core.text.tables import Table
from rectune.models.loading import load_tokenizer
from rectune.prompts.answers import CLOSINGS
from rectune.prompts.title_list import next_line
from rectune.rankers.eval_cases import passive_cases
from rectune.rankers.likelihood import NEUTRAL


class Bench:
    """The model, the world, the users, and the folder of one set of settings."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given, self.clock = given, Clock(given.seconds)
        data = data_folder(given)
        settings = f"{given.model.replace('/', '_')}-r{given.rank}-{given.rate:g}-{data.name}"
        settings += f"-{given.locale}" if given.locale != "en" else ""
        few = f"-from{given.learn_from}" if given.learn_from else ""
        settings += few
        place = given.runs / "learning-curve"
        self.folder = place / settings
        self.folder.mkdir(parents=True, exist_ok=True)
        checkpoint = checkpoint_in(place, given.model)
        every = replace(read_world(data, load_tokenizer(checkpoint)), locale=given.locale)
        self.world = learning_from(every, given.learn_from)
        lora = LoraSection(r=given.rank, lora_alpha=2 * given.rank, lora_dropout=0.0)
        self.learner = Learner(checkpoint, lora, given.rate)
        kept = place / f"rankers-{data.name}{few}"
        self.asked = dict[str, list[Asked]]()
        for domain in given.domains:
            names = beside_of(domain, given.learn_from)
            rankers = {name: fitted(name, self.world.domains[domain], kept) for name in names}
            self.asked[domain] = asked_in(every, data, domain, given.users, rankers)
        self.by_heart = ByHeart(self.world, self.learner, self.folder / "by-heart.jsonl")

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

    def write(self, cell: Cell) -> None:
        """Let the model write the next title of the first users of each domain, where it is not written yet.

        Raises:
            Stopped: the time is over.
        """
        file = self._written(cell)
        known = read_written(file)
        people = [
            (domain, one) for domain, users in self.asked.items() for one in users[: self.given.written]
        ]
        wanted = [(domain, one) for domain, one in people if one.case.id not in known]
        if not wanted:
            return
        self._ready(cell, file.parent)
        since, own = time.process_time(), self._world(cell).tokenizer
        with file.open("a") as stream:
            stream.write("\n")
            for domain, one in wanted:
                text = self.learner.write(self._prompt(cell, domain, one), LONGEST, own)
                print(json.dumps([one.case.id, text]), file=stream, flush=True)
                self.clock.check()
        print(
            f"{cell.name}: wrote {len(wanted)} titles in {time.process_time() - since:.0f} processor s",
            file=sys.stderr,
            flush=True,
        )

    def _written(self, cell: Cell) -> Path:
        return Path(self.folder, cell.training, f"written-{cell.by}.jsonl")

    def _world(self, cell: Cell) -> World:
        return replace(self.world, system=cell.system)

    def _ready(self, cell: Cell, folder: Path) -> None:
        """The adapters of the cell are on the model."""
        if cell.form == "base":
            self.learner.reset(0)
            return
        kinds = [self.by_heart.pick(kind) for kind in KNOWN if kind == cell.rows]

        def rows() -> list[Row]:
            tokens = list_tokens(self.world, TRAINED, cell.size, cell.seed)
            return made(self._world(cell), cell.form, TRAINED, tokens, cell.seed, *kinds)

        trained, now = self.learner.trained_in(folder, rows, cell.seed, self.clock)
        if now:
            picked = self.by_heart.picked() if kinds else ""
            print(f"{cell.name}: {trained} {picked}", file=sys.stderr, flush=True)

    def _missing(self, cell: Cell, folder: Path) -> Iterator[tuple[str, str, Ids, list[str]]]:
        """Domain, key, prompt and items of what is not in the file: priors, then users, domains in turn."""
        known = _lines(folder / f"scores-{cell.by}.jsonl")
        for domain, users in self.asked.items():
            wanted = {item for one in users for some in one.shown.values() for item in some}
            items = sorted(wanted - set(_prior(known, domain)))
            for start in range(0, len(items), 64):
                part = items[start : start + 64]
                key = f"{domain} {part[0]} {part[-1]} {len(part)}"
                yield domain, key, self._prompt(cell, domain, None), part
        for turn in range(self.given.users):
            for domain, users in self.asked.items():
                if turn < len(users) and users[turn].case.id not in known:
                    one = users[turn]
                    items = list(dict.fromkeys(item for some in one.shown.values() for item in some))
                    yield domain, one.case.id, self._prompt(cell, domain, one), items

    def _prompt(self, cell: Cell, domain: str, one: Asked | None) -> Ids:
        world, locale = self._world(cell), self.world.locale
        if cell.by == "list":
            titles = world.catalogue.titles(domain, one.case.history) if one else []
            lines = [token for line in world.lines(titles) for token in line]
            return [*world.list_prompt(domain), *lines, *world.ids("-")]
        (some,) = passive_cases([(one or self.asked[domain][0]).case], world.catalogue, {domain: locale})
        asked = some.prompt.instruction if one else NEUTRAL[locale]
        return world.prompt(some.prompt.system, asked) + world.ids(CLOSINGS[locale])

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
                names = [one.case.id for one in able]
                for ranker in able[0].beside[kind]:
                    others = np.array([one.beside[kind][ranker] for one in able])
                    yield Group(f"{domain}, {kind} others", names, ranker, others, found)

    def written(self, some: Sequence[Cell]) -> Iterator[Table]:
        """What became of the titles written, by domain, for the users for whom every model wrote one."""
        texts = {cell.name: read_written(self._written(cell)) for cell in some}
        texts = {name: rows for name, rows in texts.items() if rows}
        for domain, users in self.asked.items():
            able = [one.case for one in users if all(one.case.id in rows for rows in texts.values())]
            if able and texts:
                items = self.world.catalogue.of(domain)
                yield written_table(domain, items, able, texts, compared(some), self.world.locale)

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
    wanted = cells(given.forms, given.sizes, given.seeds, given.by, given.rows, given.systems)
    bench = Bench(given)
    stopped = False
    try:
        for cell in [] if given.known else wanted:
            bench.measure(cell)
            bench.write(cell)
    except Stopped:
        stopped = True
    for group in bench.groups(wanted):
        print(table(group).to_markdown(), flush=True)
        if pairs := [pair for pair in compared(wanted) if set(pair) <= set(group.models)]:
            print(contrasts(group, pairs).to_markdown(), flush=True)
    for one in bench.written(wanted):
        print(one.to_markdown(), flush=True)
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
    parser.add_argument(
        "--learn-from", type=int, default=0, help="train users that rows and rankers learn from; 0: all"
    )
    parser.add_argument("--rows", nargs="+", choices=("all", *KNOWN), default=["all"])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=["own"])
    parser.add_argument("--locale", choices=("en", "ko"), default="en", help="of the prompts")
    parser.add_argument("--domains", nargs="+", choices=(*TRAINED, LEFT_OUT), default=[*TRAINED, LEFT_OUT])
    parser.add_argument("--written", type=int, default=0, help="users of each domain who get a written title")
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
    if given.learn_from and given.forms != ["list"]:
        parser.error("--learn-from goes with --forms list, which is made of likes")
    if given.quick:
        given.model, given.data, given.sizes, given.seeds, given.users = "tiny", None, [4], [7], 3
        given.written = 2
    return given


if __name__ == "__main__":
    main()
