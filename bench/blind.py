"""`python -m bench.blind --stages runs/by-recipe/demo --out FOLDER`: two models judged without their names.

Takes the answers that the stage `eval` kept of two models, and writes every pair of them twice, without
names: into pass-1.jsonl in one order, which is drawn for each pair, and into pass-2.jsonl in the other, each
in a drawn order of its own. Give the second to the reader when the first is judged and out of sight: whoever
recognises a pair judges it as before. key.json, which the reader does not open, says whose answers they are.
Prompts to which both gave the same answer count as ties and are not shown.

The reader writes lines `NUMBER a`, `NUMBER b` or `NUMBER tie`, into a file for each pass or into one. With
`--verdicts FILE FILE` the program prints, over prompts, how often the second model won (both orders of a pair
count half), how often the two orders of a pair were judged differently, which place was preferred, and of
each model how many answers pass the check for what stands nowhere.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from rectune.align.comparison import PairwiseComparison, read_comparison, win_rate_line
from rectune.align.decisions import Decision
from rectune.align.tasks import PROMPTS_FILE, AnnotationTask
from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.errors import UserError
from rectune.core.rng import generator_of
from rectune.core.stats.intervals import share_of
from rectune.core.stats.metrics import UserBootstrap
from rectune.core.stats.significance import mcnemar
from rectune.core.text.figures import share_in_words, with_ends
from rectune.core.types import Prompt
from rectune.prompts.answers import read_answer, reasons
from rectune.prompts.teacher_prompts import facts
from rectune.prompts.title_index import TitleIndexes
from rectune.recommender.explanation_request import ExplanationRequest
from rectune.recommender.reason_checks import IndexedTitles, fault

Verdict = Literal["a", "b", "tie"]
NO_ITEM = "names no item, or one of the history"


@dataclass(frozen=True)
class Shown:
    """One comparison as the reader sees it: a task, and which of its two answers stands first."""

    task: AnnotationTask
    first: int

    @property
    def order(self) -> tuple[int, int]:
        """Places in the task of the answers a and b."""
        return self.first, 1 - self.first


def two_passes(comparison: PairwiseComparison, seed: int) -> tuple[list[Shown], list[Shown]]:
    """Every task in one order, drawn for each, and every task in the other one; each pass is shuffled."""
    rng, tasks = generator_of("blind", seed), comparison.tasks
    firsts = rng.integers(2, size=len(tasks)).tolist()
    one, other = (
        [Shown(tasks[at], firsts[at] ^ turned) for at in rng.permutation(len(tasks)).tolist()]
        for turned in (0, 1)
    )
    return one, other


def read_verdicts(text: str, count: int) -> list[Verdict]:
    """The verdicts on comparisons 1 to `count`, in their order.

    Raises:
        UserError: a line is something else, or a number is missing, twice there or unknown.
    """
    found: dict[int, Verdict] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        number, _, verdict = line.partition(" ")
        if verdict not in ("a", "b", "tie") or not number.isdigit() or int(number) in found:
            raise UserError(
                f"{line!r} is no verdict, or the second one on a comparison",
                hint="lines like: 1 a, 2 b, 3 tie",
            )
        found[int(number)] = cast(Verdict, verdict)
    if set(found) != set(range(1, count + 1)):
        odd = sorted(set(found) ^ set(range(1, count + 1)))
        raise UserError(f"{count} comparisons want a verdict each; missing or unknown: {odd}")
    return [found[number] for number in range(1, count + 1)]


def decisions(shown: Sequence[Shown], verdicts: Sequence[Verdict]) -> list[Decision]:
    """What the tagging program would have stored; a reader counts as another one in each order."""
    found = []
    for one, verdict in zip(shown, verdicts, strict=True):
        answers = tuple(one.task.hashes[at] for at in one.order)
        best, worst = {"a": answers, "b": answers[::-1], "tie": ("", "")}[verdict]
        found.append(
            Decision(
                kind="tie" if verdict == "tie" else "tag",
                prompt=one.task.key,
                answers=answers,
                best=best,
                worst=worst,
                annotator=f"order {one.first + 1}",
                time=0.0,
                seconds=0.0,
                systems=tuple(one.task.systems[at] for at in one.order),
            )
        )
    return found


def summary(comparison: PairwiseComparison, shown: Sequence[Shown], verdicts: Sequence[Verdict]) -> list[str]:
    """Lines with every figure but the check's."""
    made = decisions(shown, verdicts)
    scores: dict[str, list[float]] = {name: [0.5] for name in comparison.same}
    for one, verdict in zip(shown, verdicts, strict=True):
        second_won = {"tie": 0.5, "a": float(one.first == 1), "b": float(one.first == 0)}[verdict]
        scores.setdefault(one.task.prompt.id, []).append(second_won)
    means = [sum(row) / len(row) for row in scores.values()]
    ends = UserBootstrap(list(scores), 5000, 7).interval(means)
    p = mcnemar(sum(mean < 0.5 for mean in means), sum(mean > 0.5 for mean in means))
    pairs = [row for row in scores.values() if len(row) == 2]
    told = Counter(verdicts)
    differ = sum(one != other for one, other in pairs)
    return [
        win_rate_line(comparison, made),
        f"win rate, bootstrap over prompts: {with_ends(sum(means) / len(means), ends)}; "
        f"sign test p = {p:.3f}",
        f"orders of a pair judged differently: {share_in_words(share_of(differ, len(pairs)))}",
        "the answer shown first preferred, of those not tied: "
        + share_in_words(share_of(told["a"], told["a"] + told["b"])),
    ]


def checked(text: str, prompt: Prompt, catalogue: Catalogue, titles: TitleIndexes) -> str:
    """What is wrong with the reasons of an answer that names an item; empty if nothing is found."""
    place = read_answer(text, titles[prompt.domain]).recommended
    bearers = titles[prompt.domain].ids(place)
    if not bearers or bearers & set(prompt.history):
        return NO_ITEM
    item = catalogue.get(prompt.domain, min(bearers))
    liked = tuple(catalogue.get(prompt.history_domain, one) for one in prompt.history)
    request = ExplanationRequest(item, liked, prompt.query, prompt.locale)
    body = reasons(text).strip()
    whole = body if body.startswith(request.opening) else f"{request.opening} {body}"
    return fault(whole, request, IndexedTitles(titles))


def titles_of(catalogue: Catalogue) -> TitleIndexes:
    """The titles of all its items."""
    return TitleIndexes([item for domain in sorted(catalogue.domains) for item in catalogue.of(domain)])


def check_lines(comparison: PairwiseComparison, catalogue: Catalogue) -> list[str]:
    """Of each system the answers that pass, and what the others fail by; equal answers are left out."""
    titles = titles_of(catalogue)
    lines = []
    for at, system in enumerate(comparison.systems):
        found = [checked(t.answers[at], t.prompt, catalogue, titles) for t in comparison.tasks]
        why = ", ".join(f"{reason or 'passes'} {n}" for reason, n in Counter(found).most_common())
        lines.append(f"{system}: pass {share_in_words(share_of(found.count(''), len(found)))}; {why}")
    return lines


def to_read(
    shown: Sequence[Shown], catalogue: Catalogue
) -> tuple[list[dict[str, Any]], dict[str, list[str]]]:
    """What the reader gets, and the key: by number the systems of a and b."""
    rows, key, titles = [], {}, titles_of(catalogue)
    for number, one in enumerate(shown, 1):
        prompt = one.task.prompt
        texts = [one.task.answers[at] for at in one.order]
        liked = [catalogue.get(prompt.history_domain, item) for item in prompt.history]
        rows.append(
            {
                "number": number,
                "asked": prompt.instruction,
                "liked": [facts(item, prompt.locale) for item in liked],
                "a": texts[0],
                "b": texts[1],
                "the catalogue on what they name": _named(texts, prompt, titles),
            }
        )
        key[str(number)] = [one.task.systems[at] for at in one.order]
    return rows, key


def _named(texts: Sequence[str], prompt: Prompt, titles: TitleIndexes) -> list[str]:
    own = titles[prompt.domain]
    places = [read_answer(text, own).recommended for text in texts]
    return ["no item" if at is None else facts(own.items[at], prompt.locale) for at in places]


def pass_texts(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """By name the files of both passes, JSON lines, from all rows in their order."""
    half = len(rows) // 2
    return {
        f"pass-{number}.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some)
        for number, some in enumerate((rows[:half], rows[half:]), 1)
    }


def check_passes(folder: Path, texts: Mapping[str, str]) -> None:
    """Refuse verdicts on other comparisons than these.

    Raises:
        UserError: what the reader was given in this folder is not there, or is something else.
    """
    for name, text in texts.items():
        file = folder / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            raise UserError(
                "is not there"
                if not file.is_file()
                else "holds other comparisons than these verdicts are for",
                where=str(file),
                hint="give the stages, systems, seed and folder with which the comparisons were written",
            )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.blind", description=__doc__)
    parser.add_argument("--stages", type=Path, required=True, help="folder with the finished stages of a run")
    parser.add_argument("--systems", nargs=2, default=["sft", "dpo"], help="base, sft or dpo")
    parser.add_argument("--out", type=Path, required=True, help="folder of what is read, and of the key")
    parser.add_argument("--verdicts", type=Path, nargs="+", help="what the reader wrote")
    parser.add_argument("--seed", type=int, default=7, help="of the order of comparisons")
    given = parser.parse_args()
    first, second = given.systems
    comparison = read_comparison(
        given.stages / "queries" / PROMPTS_FILE, given.stages / "eval", (first, second)
    )
    catalogue = load_catalogue(given.stages / "data/items.parquet")
    shown = [one for some in two_passes(comparison, given.seed) for one in some]
    rows, key = to_read(shown, catalogue)
    texts = pass_texts(rows)
    if given.verdicts:
        check_passes(given.out, texts)
        told = "\n".join(file.read_text(encoding="utf-8") for file in given.verdicts)
        verdicts = read_verdicts(told, len(shown))
        print("\n".join([*summary(comparison, shown, verdicts), *check_lines(comparison, catalogue)]))
        return
    given.out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (given.out / name).write_text(text, encoding="utf-8")
    (given.out / "key.json").write_text(json.dumps(key), encoding="utf-8")
    same = f"{len(comparison.same)} more with equal answers"
    print(f"{len(rows)} comparisons of {len(comparison.tasks)} prompts, {same}")


if __name__ == "__main__":
    main()
