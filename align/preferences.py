"""From tags to preference pairs: the pairs that a tag implies, and resolving contradictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from rectune.align.decisions import Decision
from rectune.align.tasks import AnnotationTask
from rectune.core.settings import AlignConfig
from rectune.core.types import Preference, with_id

Tagged = tuple[AnnotationTask, Decision]  # of the kind tag
Pair = tuple[str, str]  # hashes of the better and of the worse answer


@dataclass
class PreferencePairs:
    """Preferences in the order of the tags, and what was left out.

    Attributes:
        rows: the pairs.
        agreed: how often an annotator confirmed an existing pair.
        contradicted: pairs of answers that annotators ordered differently, each counted once.
        settled: of these, how many a majority decided; the others are left out.
    """

    rows: list[Preference] = field(default_factory=list)
    agreed: int = 0
    contradicted: int = 0
    settled: int = 0


def make_pairs(tagged: Sequence[Tagged], settings: AlignConfig) -> PreferencePairs:
    """The pairs that tags make.

    Each annotator who tagged a prompt has one vote on every pair of its answers that the tag orders. If all
    votes agree the pair is kept once, under the name of the first annotator.

    Args:
        tagged: tags with their prompts and answers.
        settings: `pairs` says what a tag orders; `conflicts` how contradictory votes are resolved.
    """
    votes: dict[tuple[str, str, str], list[Tagged]] = {}
    for task, tag in tagged:
        for better, worse in implied(tag, settings.pairs):
            votes.setdefault((task.prompt.id, better, worse), []).append((task, tag))
    found = PreferencePairs()
    for (prompt, better, worse), given in votes.items():
        against = votes.get((prompt, worse, better), [])
        if against:
            found.contradicted += better < worse  # both ways are met, and counted once
        if len(given) <= len(against) or (against and settings.conflicts == "drop"):
            continue
        found.settled += bool(against)
        found.agreed += len(given) - 1
        found.rows.append(_preference(given[0], better, worse))
    return found


def implied(tag: Decision, pairs: str) -> Iterator[Pair]:
    """The pairs of a tag, better answer first: best over worst; with `all`, best over others over worst."""
    yield tag.best, tag.worst
    if pairs == "all":
        middle = [answer for answer in tag.answers if answer not in (tag.best, tag.worst)]
        yield from chain.from_iterable(((tag.best, answer), (answer, tag.worst)) for answer in middle)


def _preference(given: Tagged, better: str, worse: str) -> Preference:
    task, tag = given
    return with_id(Preference("", task.prompt, task.text(better), task.text(worse), tag.annotator))
