"""The stage `tag`: from candidate answers to tags and preference pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rectune.align.decisions import SIMULATED, Decision, Kind, attached, by_prompt
from rectune.align.health import examine
from rectune.align.health_page import write_health
from rectune.align.preferences import PreferencePairs, Tagged, make_pairs
from rectune.align.ranking_pairs import RankingPairs, make_ranking_pairs
from rectune.align.simulated import RULE, SimulatedAnnotator
from rectune.align.tag_validity import tag_validity
from rectune.align.tags import TagStore
from rectune.align.tasks import CANDIDATES_FILE, ITEMS_FILE, PROMPTS_FILE, AnnotationTask, load_tasks
from rectune.core.catalogue import Catalogue, load_catalogue
from rectune.core.errors import UserError, WaitingForPeople
from rectune.core.extras import needs_extra
from rectune.core.figures import TagFigures
from rectune.core.figures.preferences import Conflicts, RankingPairFigures
from rectune.core.recipe import Recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.settings import AlignConfig
from rectune.core.types import Case, Preference, Prompt
from rectune.prompts.title_index import TitleIndex, TitleIndexes

CASES_FILE = "cases.parquet"
TAGS = Path("tags")  # beside runs/, in the folder that rectune is called in


@needs_extra("the stage tag")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> TagFigures:
    """Write tags.parquet, preferences.parquet, and their health check: health.json, health.md, health.png.

    Args:
        config: section align.
        inputs: data (for the catalogue's titles), queries, candidates.

    Raises:
        WaitingForPeople: the recipe asks for a person's tags and not every prompt is done.
        UserError: there is no pair, the pairs are invalid, or the tag file cannot be read.
    """
    tasks = load_tasks(inputs["candidates"], inputs["queries"])
    catalogue = load_catalogue(inputs["data"] / ITEMS_FILE)
    titles = TitleIndexes(catalogue.items.values())
    if config.align.annotator == "simulated":
        tagged, dropped = _simulate(tasks, titles)
    else:
        tagged, dropped = _collect(tasks, tag_file(config))
    pairs = make_pairs(tagged, config.align)
    if not pairs.rows:
        hint = "tag more, or sample other candidates"
        raise UserError(f"no preference came of {len(tasks)} prompts", hint=hint)
    prompts = read_rows(inputs["queries"] / PROMPTS_FILE, Prompt)
    implied = _implied(prompts, tasks, catalogue, config.align, inputs["data"])
    rows = [*pairs.rows, *implied.rows]
    health = examine(tagged, rows, prompts, titles)
    write_health(out, health)
    health.check()
    figures = health.figures()
    write_rows(out / "tags.parquet", (tag for _, tag in tagged), Decision)
    write_rows(out / "preferences.parquet", rows, Preference)
    names = sorted({tag.annotator for _, tag in tagged})
    return TagFigures(
        rows_in=len(tasks),
        rows_out=len(rows),
        dropped=dropped,
        tagged=len({task.prompt.id for task, _ in tagged}),
        annotators=tuple("simulated annotator" if name == SIMULATED else name for name in names),
        rule=RULE if SIMULATED in names else None,
        pairs=len(pairs.rows),
        ranking=_ranking(implied, config.align),
        pairs_of_a_tag=config.align.pairs,
        said_by_several=pairs.agreed,
        conflicts=_conflicts(pairs, config.align),
        chosen_words_mean=round(figures.sides.words.chosen, 1),
        rejected_words_mean=round(figures.sides.words.rejected, 1),
        nearness=tag_validity(tagged, catalogue, titles, config.align.embedder),
        health=figures,
    )


def tag_file(config: Recipe) -> Path:
    """The recipe's file of people's tags: outside the artifact store, never cleaned."""
    return TAGS / f"{config.align.tags}.sqlite"


def tags_digest(store: Path, queries: Path, candidates: Path) -> str:
    """A hash of the decisions in a tag file that count for these candidates, for the stage's key.

    Equal decisions give an equal digest; tags of other prompts in the same file change nothing. Empty where
    there is no tag file, or there are no candidates yet.
    """
    if not store.exists() or not (candidates / CANDIDATES_FILE).exists():
        return ""
    with TagStore(store) as kept:
        return kept.digest((task.key, task.hashes) for task in load_tasks(candidates, queries))


def _simulate(
    tasks: Sequence[AnnotationTask], titles: Mapping[str, TitleIndex]
) -> tuple[list[Tagged], dict[str, int]]:
    annotator = SimulatedAnnotator(titles)
    tagged = [(task, tag) for task in tasks if (tag := annotator.tag(task))]
    left_out = len(tasks) - len(tagged)
    return tagged, {"all answers tie": left_out} if left_out else {}


def _collect(tasks: Sequence[AnnotationTask], path: Path) -> tuple[list[Tagged], dict[str, int]]:
    decisions = _decisions(path)
    found = [(task, attached(decisions.get(task.key, ()), task.hashes)) for task in tasks]
    done = sum(bool(decided) for _, decided in found)
    if done < len(tasks):
        raise WaitingForPeople(
            f"{done} of {len(tasks)} prompts are tagged (ties, all bad and skips count as done)",
            where=str(path),
            hint="tag the others with: rectune tag RECIPE\n  then give this command again",
        )
    tagged = [(task, d) for task, decided in found for d in decided if d.kind == "tag"]
    return tagged, _without_pairs([{d.kind for d in decided} for _, decided in found])


def _without_pairs(decided: Sequence[set[Kind]]) -> dict[str, int]:
    """The number of prompts without a tag, by the first of these reasons that an annotator gave."""
    reasons: Mapping[Kind, str] = {"bad": "all answers bad", "tie": "tied", "skip": "skipped"}
    left = Counter(
        next(why for kind, why in reasons.items() if kind in kinds) for kinds in decided if "tag" not in kinds
    )
    return dict(left)


def _implied(
    prompts: Sequence[Prompt],
    tasks: Sequence[AnnotationTask],
    catalogue: Catalogue,
    settings: AlignConfig,
    data: Path,
) -> RankingPairs:
    cases = read_rows(data / CASES_FILE, Case) if settings.ranking_pairs else []
    return make_ranking_pairs(cases, prompts, {task.prompt.id for task in tasks}, catalogue, settings)


def _ranking(implied: RankingPairs, settings: AlignConfig) -> RankingPairFigures | None:
    if not settings.ranking_pairs:
        return None
    splits = {pair.prompt.id: pair.prompt.split for pair in implied.rows}
    return RankingPairFigures(
        wanted=settings.ranking_pairs,
        cases=implied.cases,
        pairs=len(implied.rows),
        dropped=dict(implied.dropped),
        splits=dict(Counter(splits.values())),
    )


def _decisions(path: Path) -> dict[str, list[Decision]]:
    if not path.exists():
        return {}
    with TagStore(path) as store:
        return by_prompt(store.decisions())


def _conflicts(pairs: PreferencePairs, settings: AlignConfig) -> Conflicts:
    return Conflicts(
        rule=settings.conflicts,
        contradicted=pairs.contradicted,
        settled=pairs.settled,
        left_out=pairs.contradicted - pairs.settled,
    )
