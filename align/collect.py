"""The stage `tag`: from candidate answers to tags and preference pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from align.decisions import SIMULATED, Decision, Kind, attached, by_prompt
from align.simulated import RULE, SimulatedAnnotator
from align.tags import TagStore
from align.tasks import CANDIDATES_FILE, ITEMS_FILE, Task, load_tasks
from rectune.catalogue import load_catalogue
from rectune.errors import UserError, WaitingForPeople
from rectune.recipe import Recipe
from rectune.rows import write_rows
from rectune.types import Preference, Tag, with_id

TAGS = Path("tags")  # beside runs/, in the folder that rectune is called in

Tagged = tuple[Task, Tag]


def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Write tags.parquet and preferences.parquet.

    Args:
        config: section align.
        inputs: data (for the catalogue's titles), queries, candidates.

    Raises:
        WaitingForPeople: the recipe wants a person's tags and not every prompt is done.
        UserError: no pair came of it, or the tag file cannot be read.
    """
    tasks = load_tasks(inputs["candidates"], inputs["queries"])
    if config.align.annotator == "simulated":
        tagged, dropped = _simulate(tasks, inputs["data"])
    else:
        tagged, dropped = _collect(tasks, tag_file(config))
    pairs, lost = pair(tagged)
    if not pairs:
        raise UserError(
            f"no preference came of {len(tasks)} prompts", mend="tag more, or sample other candidates"
        )
    write_rows(out / "tags.parquet", (tag for _, tag in tagged), Tag)
    write_rows(out / "preferences.parquet", pairs, Preference)
    return _stats(tasks, tagged, pairs, dropped | lost)


def tag_file(config: Recipe) -> Path:
    """Where the tags of people are that the recipe names: never in the run store, never cleaned."""
    return TAGS / f"{config.align.tags}.sqlite"


def tags_digest(store: Path, queries: Path, candidates: Path) -> str:
    """What of a tag file counts for these candidates, as a hash for the stage's key.

    Equal decisions give an equal digest; tags of other prompts in the same file change nothing. Empty where
    there is no tag file, or there are no candidates yet.
    """
    if not store.exists() or not (candidates / CANDIDATES_FILE).exists():
        return ""
    with TagStore(store) as kept:
        return kept.digest((task.key, task.hashes) for task in load_tasks(candidates, queries))


def pair(tagged: Sequence[Tagged]) -> tuple[list[Preference], dict[str, int]]:
    """Best against worst, one pair a tag, in the order given.

    Where annotators contradict each other (one's chosen is another's rejected) both pairs are left out; of
    annotators who agree the first pair is kept. Returns the pairs, and how many were left out for which
    reason.
    """
    found: dict[tuple[str, str, str], Preference] = {}
    dropped: Counter[str] = Counter()
    for task, tag in tagged:
        key = (task.prompt.id, tag.best, tag.worst)
        if key in found:
            dropped["annotators agree"] += 1
            continue
        chosen, rejected = task.text(tag.best), task.text(tag.worst)
        found[key] = with_id(Preference("", task.prompt, chosen, rejected, tag.annotator))
    contradicted = {key for key in found if (key[0], key[2], key[1]) in found}
    if contradicted:
        dropped["annotators contradict each other"] = len(contradicted)
    return [found[key] for key in found if key not in contradicted], dict(dropped)


def _simulate(tasks: Sequence[Task], data: Path) -> tuple[list[Tagged], dict[str, int]]:
    catalogue = load_catalogue(data / ITEMS_FILE)
    domains = {task.prompt.domain for task in tasks}
    annotator = SimulatedAnnotator({domain: catalogue.of(domain) for domain in domains})
    tagged = [(task, tag) for task in tasks if (tag := annotator.tag(task))]
    left_out = len(tasks) - len(tagged)
    return tagged, {"all answers tie": left_out} if left_out else {}


def _collect(tasks: Sequence[Task], path: Path) -> tuple[list[Tagged], dict[str, int]]:
    decisions = _decisions(path)
    found = [(task, attached(decisions.get(task.key, ()), task.hashes)) for task in tasks]
    done = sum(bool(decided) for _, decided in found)
    if done < len(tasks):
        raise WaitingForPeople(
            f"{done} of {len(tasks)} prompts are tagged (ties, all bad and skips count as done)",
            where=str(path),
            mend="tag the others with: rectune tag RECIPE\n  then give this command again",
        )
    tagged = [(task, d.tag()) for task, decided in found for d in decided if d.kind == "tag"]
    return tagged, _without_pairs([{d.kind for d in decided} for _, decided in found])


def _without_pairs(decided: Sequence[set[Kind]]) -> dict[str, int]:
    """How many prompts nobody tagged, by the first of these reasons that somebody gave."""
    reasons: Mapping[Kind, str] = {"bad": "all answers bad", "tie": "tied", "skip": "skipped"}
    left = Counter(
        next(why for kind, why in reasons.items() if kind in kinds) for kinds in decided if "tag" not in kinds
    )
    return dict(left)


def _decisions(path: Path) -> dict[str, list[Decision]]:
    if not path.exists():
        return {}
    with TagStore(path) as store:
        return by_prompt(store.decisions())


def _stats(
    tasks: Sequence[Task], tagged: Sequence[Tagged], pairs: Sequence[Preference], dropped: Mapping[str, int]
) -> dict[str, Any]:
    names = sorted({tag.annotator for _, tag in tagged})
    stats = {
        "rows_in": len(tasks),
        "rows_out": len(pairs),
        "dropped": dict(dropped),
        "tagged": len({task.prompt.id for task, _ in tagged}),
        "pairs": len(pairs),
        "annotators": ["simulated annotator" if name == SIMULATED else name for name in names],
        "chosen_words_mean": _mean_words([p.chosen for p in pairs]),
        "rejected_words_mean": _mean_words([p.rejected for p in pairs]),
    }
    return stats | ({"rule": RULE} if SIMULATED in names else {})


def _mean_words(texts: Sequence[str]) -> float:
    return round(sum(len(text.split()) for text in texts) / len(texts), 1)
