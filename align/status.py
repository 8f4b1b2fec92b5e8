"""Status of the tagging: progress of each annotator, agreement, and position bias."""

from __future__ import annotations

import datetime
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from rectune.align.agreement import alpha, uniform_p
from rectune.align.assignment import assigned
from rectune.align.comparison import PairwiseComparison, win_rate_line
from rectune.align.decisions import Decision, PromptNote
from rectune.align.tasks import AnnotationTask
from rectune.core.stats.intervals import wilson
from rectune.core.text.plain import printable

_FEW = 20  # number of tags below which places are not tested


def status(
    tasks: Sequence[AnnotationTask],
    decisions: Sequence[Decision],
    marks: Sequence[PromptNote],
    annotators: Sequence[str],
    overlap: float,
) -> str:
    """A page for people, at most 80 cells wide where names are short.

    Args:
        tasks: the tasks.
        decisions: all valid ones in the tag file, with repeats.
        marks: all valid notes and flags in it.
        annotators: those who share the tasks; empty if everybody does all.
        overlap: the share of prompts that all of them get.
    """
    subjects = {task.subject for task in tasks}
    here = [d for d in decisions if d.subject in subjects]
    votes = [d for d in here if not d.repeat]
    names = sorted({d.annotator for d in votes} | set(annotators))
    decided = {d.subject for d in votes}
    lines = [
        f"{sum(task.subject in decided for task in tasks)} of {len(tasks)} prompts are decided by somebody."
    ]
    if not names:
        return lines[0]
    marked = Counter(
        (m.annotator, str(m.kind)) for m in marks if (m.prompt, frozenset(m.answers), frozenset()) in subjects
    )
    share = {
        name: len(assigned(tasks, name, annotators, overlap)) if name in annotators else len(tasks)
        for name in names
    }
    lines += ["", *_table(names, votes, share, marked), "", *_agreement(votes, len(names))]
    lines += ["", *_self_agreement(names, here), "", *_places(names, votes)]
    return "\n".join(lines)


def comparison_status(comparison: PairwiseComparison, decisions: Sequence[Decision]) -> str:
    """Status of a comparison of two models, over all judges."""
    subjects = {task.subject for task in comparison.tasks}
    judges = Counter(d.annotator for d in decisions if d.subject in subjects)
    done = [
        f"{printable(name)} judged {count} of {len(comparison.tasks)}"
        for name, count in sorted(judges.items())
    ]
    return "\n".join([*done, win_rate_line(comparison, decisions)])


def _table(
    names: Sequence[str],
    votes: Sequence[Decision],
    share: Mapping[str, int],
    marked: Mapping[tuple[str, str], int],
) -> list[str]:
    width = max(len("annotator"), *map(len, names))
    head = f"{'annotator':<{width}} {'done':>12} {'tags':>5} {'ties':>5} {'bad':>5} {'skips':>5}"
    lines = [f"{head} {'pace':>6} {'flags':>5} {'notes':>5}  latest"]
    for name in names:
        mine = [d for d in votes if d.annotator == name]
        kinds = Counter(d.kind for d in mine)
        counts = " ".join(f"{kinds[kind]:>5}" for kind in ("tag", "tie", "bad", "skip"))
        pace = f"{statistics.median(d.seconds for d in mine):.0f} s" if mine else "-"
        latest = (
            datetime.datetime.fromtimestamp(max(d.time for d in mine)).strftime("%Y-%m-%d") if mine else "-"
        )
        done = f"{len(mine)} of {share[name]}"
        marks = f"{marked.get((name, 'flag'), 0):>5} {marked.get((name, 'note'), 0):>5}"
        lines.append(f"{printable(name):<{width}} {done:>12} {counts} {pace:>6} {marks}  {latest}")
    return lines


def _agreement(votes: Sequence[Decision], annotators: int) -> list[str]:
    """Krippendorff's alpha over the prompts that several people judged.

    The unit is an answer, and its values are those that people gave it: 1 best, 0 neither, -1 worst. In a tie
    and in "all bad" no answer is best or worst; a skip is no judgement.
    """
    by_subject: dict[object, list[Decision]] = {}
    for decision in votes:
        if decision.kind != "skip":
            by_subject.setdefault(decision.subject, []).append(decision)
    shared = [group for group in by_subject.values() if len(group) > 1]
    if not shared:
        several = "no prompt was judged by several people" if annotators > 1 else "one annotator only"
        return [f"Agreement: {several}; give each of them --annotators and --overlap."]
    units = [[_value(d, key) for d in group] for group in shared for key in sorted(group[0].answers)]
    best = alpha([[int(value > 0) for value in unit] for unit in units], "nominal")
    worst = alpha([[int(value < 0) for value in unit] for unit in units], "nominal")
    return [
        f"Agreement on the {len(shared)} prompts that several judged, as Krippendorff's alpha over their",
        "answers (1 perfect, 0 as by chance; ties and all bad pick none, skips are left out):",
        f"  best or not (nominal) {_figure(best)} · worst or not (nominal) {_figure(worst)} · "
        f"worst < neither < best (ordinal) {_figure(alpha(units, 'ordinal'))}",
    ]


def _self_agreement(names: Sequence[str], decisions: Sequence[Decision]) -> list[str]:
    """On repeated prompts: how often the same best and the same worst were picked again."""
    lines = []
    first = {(d.subject, d.annotator): d for d in decisions if not d.repeat and d.kind != "skip"}
    for name in names:
        again = [d for d in decisions if d.repeat and d.annotator == name and d.kind != "skip"]
        pairs = [(first[d.subject, name], d) for d in again if (d.subject, name) in first]
        if pairs:
            best = sum((a.kind, a.best) == (b.kind, b.best) for a, b in pairs)
            worst = sum((a.kind, a.worst) == (b.kind, b.worst) for a, b in pairs)
            lines.append(
                f"  {printable(name)}: same best in {_share(best, len(pairs))}, "
                f"same worst in {_share(worst, len(pairs))}"
            )
    head = "Agreement with oneself, on prompts that came back in another order:"
    return [head, *lines] if lines else [f"{head} none yet."]


def _places(names: Sequence[str], votes: Sequence[Decision]) -> list[str]:
    """Position bias: the order shown is shuffled, so each place should get the same share of picks."""
    lines = []
    for name in names:
        tags = [d for d in votes if d.annotator == name and d.kind == "tag"]
        usual = Counter(len(d.answers) for d in tags).most_common(1)
        tags = [d for d in tags if usual and len(d.answers) == usual[0][0]]
        if len(tags) < _FEW:
            lines.append(f"  {printable(name)}: {len(tags)} tags are too few to tell")
            continue
        for word in ("best", "worst"):
            lines.append(f"  {printable(name)}, {word}: {_by_place(tags, word)}")
    return [
        "Places of the picks, from the first shown to the last (95 % interval; all should be equal):",
        *lines,
    ]


def _by_place(tags: Sequence[Decision], word: str) -> str:
    picked = Counter(d.answers.index(d.best if word == "best" else d.worst) for d in tags)
    counts = [picked[place] for place in range(len(tags[0].answers))]
    p = uniform_p(counts)
    verdict = f"chi-square p = {p:.3f}" + (", UNEVEN" if p < 0.01 else "")
    return f"{' '.join(_percent(count, len(tags)) for count in counts)}, {verdict}"


def _percent(count: int, total: int) -> str:
    low, high = wilson(count, total)
    return f"{count / total:.0%} ({low:.0%}-{high:.0%})"


def _share(count: int, total: int) -> str:
    low, high = wilson(count, total)
    return f"{count} of {total} ({low:.0%} to {high:.0%})"


def _value(decision: Decision, answer: str) -> int:
    return int(answer == decision.best) - int(answer == decision.worst)


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"
