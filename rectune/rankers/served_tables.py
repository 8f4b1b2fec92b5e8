"""The figures of protocol `served` as tables for report and card: what is served first, all else behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rectune.core.figures.fit import HISTORY_LENGTHS
from rectune.core.figures.record import MeanInterval
from rectune.core.figures.served import (
    BEST_ALONE,
    LIKES_BINS,
    SERVED,
    ServedDifference,
    ServedDomain,
    ServedGroup,
    ServedMetrics,
    ServedRank,
    ServedSystem,
)
from rectune.core.finished_stages import made_by
from rectune.core.settings.serving import CHOSEN
from rectune.core.text.figures import figure, mean_in_words, percent
from rectune.core.text.tables import NONE, Cell, Table
from rectune.core.text.translation import ENGLISH, Translation
from rectune.rankers.weighting import label_of

_SHOWN = 7  # rankers beside what is served
_BOOTSTRAP = "Brackets are 95 % intervals (bootstrap over users), of ten users at least."
_SYSTEMS = (
    "{served}: the recommender as services call it, with what the stage fit chose, and the model where the "
    "stage rerank found it to help; {chosen}: what was chosen, by scores alone; the others: every ranker "
    "that the stage fit fitted, alone."
)

Outcome = Literal["unknown", "same", "better", "worse"]
_OUTCOMES: dict[Outcome, str] = {
    "unknown": "too few users for an interval",
    "same": "no difference is shown, since the interval holds 0",
    "better": "what is served is better",
    "worse": "what is served is worse",
}


def served_tables(metrics: ServedMetrics, recipe: str, tr: Translation = ENGLISH) -> list[Table]:
    """The tables, the most important first; none where nothing was measured.

    Args:
        metrics: what was measured.
        recipe: the recipe's name, for the command.
        tr: the language of the tables.
    """
    if metrics.overall is None or not metrics.overall.systems:
        return []
    command = made_by(recipe, "eval", tr)
    protocol, bootstrap = tr.stored(metrics.protocol), tr(_BOOTSTRAP)
    said = f"{protocol[:1].upper()}{protocol[1:]}."
    behind = f"{said} {tr(_SYSTEMS, served=SERVED, chosen=CHOSEN)} {bootstrap} {command}"
    return [
        _served(metrics, metrics.overall, f"{said} {bootstrap} {command}", tr),
        _domains(metrics, f"{said} {bootstrap} {command}", tr),
        _systems(metrics.overall, behind, tr),
        _systems_by_domain(metrics, behind, tr),
        _bins(metrics.overall, behind, tr),
        _lists(metrics, command, tr),
    ]


def difference_in_words(difference: ServedDifference, tr: Translation = ENGLISH) -> str:
    """A paired difference, and whether it is one."""
    found = difference.ndcg_at_10
    alone = difference.against == BEST_ALONE
    said = (
        "less the ranker that was {ranker} {difference}" if alone else "less the ranker {ranker} {difference}"
    )
    words = tr(said, ranker=tr.stored(difference.against), difference=mean_in_words(found, signed=True))
    return f"{words}, n = {difference.users}: {tr(_OUTCOMES[outcome(found)])}"


def outcome(difference: MeanInterval) -> Outcome:
    """Whether a paired difference of what is served is one, by its interval."""
    if difference.low is None or difference.high is None:
        return "unknown"
    if difference.low <= 0 <= difference.high:
        return "same"
    return "better" if difference.low > 0 else "worse"


def _served(metrics: ServedMetrics, overall: ServedGroup, note: str, tr: Translation) -> Table:
    """What is served, and the rankers that were best on validation users."""
    alone = [name for name in metrics.validation if name in overall.systems]
    alone += [name for name in overall.systems if name not in (SERVED, CHOSEN, *alone)]
    lines: list[Sequence[Cell]] = []
    for name in (SERVED, *alone[:_SHOWN]):
        one = overall.systems[name]
        figures = (one.hit_at_10, one.ndcg_at_10, one.hit_at_1)
        validated = metrics.validation.get(name)
        lines.append((name, one.users, *map(mean_in_words, figures), figure(validated)))
    differences = "; ".join(difference_in_words(one, tr) for one in overall.differences)
    compared = tr("NDCG@10 of what is served, user by user: {differences}.", differences=differences)
    order = tr(
        "Below what is served at most {n} rankers alone, those first that were best on validation users. "
        "Hit@1 is among the case's own candidates, up to {candidates}.",
        n=_SHOWN,
        candidates=metrics.candidates,
    )
    of_candidates = tr("Hit@1 of {candidates}", candidates=metrics.candidates)
    on_validation = tr("NDCG@10 on validation")
    heads = (*tr.each("system", "users"), "HR@10", "NDCG@10", of_candidates, on_validation)
    note = f"{compared} {order} {note}" if differences else f"{order} {note}"
    return Table(heads, lines, tr("What is served"), note)


def _domains(metrics: ServedMetrics, note: str, tr: Translation) -> Table:
    lines = [_domain(name, one, tr) for name, one in metrics.domains.items()]
    how = tr(
        "What was chosen, by the number of likes in a history, on train users whose last like was held out "
        "(validation users, with 5 and more likes); 'default' where there were too few of them. "
        "Less best alone: NDCG@10 of what is served less that of the ranker that was best by itself on "
        "validation users, user by user."
    )
    lengths = (tr("chosen for {length} likes", length=length) for length in HISTORY_LENGTHS)
    rest = tr.each(
        "validation users", "NDCG@10 on validation", "test users", "NDCG@10 on test",
        "best alone", "less best alone",
    )  # fmt: skip
    heads = (tr("domain"), *lengths, *rest)
    return Table(heads, lines, tr("What is served, by domain"), f"{how} {note}", align="llllrrrrlr")


def _domain(name: str, one: ServedDomain, tr: Translation) -> tuple[Cell, ...]:
    choice, served = one.choice, one.systems.get(SERVED)
    best = next((row.ndcg_at_10 for row in one.differences if row.against == BEST_ALONE), None)
    return (
        name,
        *(
            label_of(choice.chosen[length], tr) + (tr(" (default)") if length in choice.defaults else "")
            for length in HISTORY_LENGTHS
        ),
        choice.cases,
        figure(choice.ndcg_at_10),
        one.users,
        mean_in_words(served.ndcg_at_10) if served else NONE,
        choice.best_alone or NONE,
        mean_in_words(best, signed=True) if best else NONE,
    )


def _systems(overall: ServedGroup, note: str, tr: Translation) -> Table:
    lines: list[Sequence[Cell]] = [
        (name, one.users, *_all_figures(one)) for name, one in overall.systems.items()
    ]
    how = tr(
        "Precision@10 is a tenth of HR@10, since one item is right. AUC: the share of all other items that "
        "score less than the next one. Train: NDCG@10 of the last like of {users} train users, which the "
        "rankers were fitted on; less test: by how much that is better than on people whom nothing was "
        "fitted on. What exceeds the gap of rankers that use no likes was learnt by heart.",
        users=overall.train_users,
    )
    figures = ("precision@10", "AUC", "HR@10", "NDCG@10")
    heads = (*tr.each("system", "users"), *figures, *tr.each("train", "train less test"))
    return Table(heads, lines, tr("Served: every system on the same users"), f"{how} {note}")


def _all_figures(one: ServedSystem) -> list[str]:
    figures = (one.precision_at_10, one.auc, one.hit_at_10, one.ndcg_at_10, one.train_ndcg_at_10)
    return [*map(_mean, figures), _mean(one.gap, signed=True)]


def _systems_by_domain(metrics: ServedMetrics, note: str, tr: Translation) -> Table:
    """NDCG@10, a column a domain."""
    names = list(dict.fromkeys(name for one in metrics.domains.values() for name in one.systems))
    groups = metrics.domains.values()
    lines = [
        (name, *(_mean(one.systems[name].ndcg_at_10 if name in one.systems else None) for one in groups))
        for name in names
    ]
    heads = (tr("system"), *(f"{domain}, n = {one.users}" for domain, one in metrics.domains.items()))
    return Table(heads, lines, tr("Served: NDCG@10 by domain"), note)


def _bins(overall: ServedGroup, note: str, tr: Translation) -> Table:
    """NDCG@10 and HR@10 by the likes of the next item, a column a bin."""
    bins = {likes: overall.bins[likes] for likes in LIKES_BINS}
    counts = {likes: some[SERVED].users if some else 0 for likes, some in bins.items()}
    lines = [(name, *(_bin(some.get(name)) for some in bins.values())) for name in overall.systems]
    how = tr("By the number of train users who liked the next item: NDCG@10, and HR@10 after the slash.")
    liked = (tr("{likes} likes, n = {n}", likes=likes, n=counts[likes]) for likes in LIKES_BINS)
    heads = (tr("system"), *liked)
    return Table(heads, lines, tr("Served: by likes of the next item"), f"{how} {note}")


def _bin(one: ServedRank | None) -> str:
    return f"{mean_in_words(one.ndcg_at_10)} / {figure(one.hit_at_10.mean)}" if one else NONE


def _lists(metrics: ServedMetrics, command: str, tr: Translation) -> Table:
    lines = [
        (
            name,
            one.users,
            one.items,
            one.lists.shown,
            percent(one.lists.coverage),
            figure(one.lists.gini),
            figure(one.lists.distance),
            figure(one.lists.novelty),
        )
        for name, one in metrics.domains.items()
    ]
    kinds = sorted({one.lists.distance_by for one in metrics.domains.values()})
    note = tr(
        "The lists of ten that test users are served. Coverage: the share of the domain's items that anybody "
        "is shown, which few users keep low. Gini: how unevenly items are shown, 0 all alike, 1 always the "
        "same. Distance: of two items of a list, by {by} (1 less the cosine, or Jaccard). Novelty: the mean "
        "of -log2 of the share of train users who liked an item.",
        by=tr(" and ").join(map(tr.stored, kinds)),
    )
    heads = tr.each("domain", "users", "items", "shown", "coverage", "Gini", "distance", "novelty")
    return Table(heads, lines, tr("Served: what the lists are like"), f"{note} {command}")


def _mean(mean: MeanInterval | None, *, signed: bool = False) -> str:
    return mean_in_words(mean, signed=signed) if mean else NONE
