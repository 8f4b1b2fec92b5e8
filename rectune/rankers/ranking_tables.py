"""The figures of the stage `eval` as tables for report and card, with intervals, protocols and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rectune.core.figures.evaluation import (
    THIRDS,
    AnswerComparison,
    EvalMetrics,
    FusionFigures,
    Memorisation,
    PairedDifference,
    PositionBias,
    Protocol,
    RankingFigures,
    TitleCompletion,
)
from rectune.core.package_data import recipe_argument
from rectune.core.settings.serving import TUNED
from rectune.core.text.figures import figure, mean_in_words, share_in_words, with_ends
from rectune.core.text.tables import NONE, Cell, Table, nested

_FULL = "full"  # the protocol of the whole catalogue
_FIGURES = ("Hit@1", "Hit@5", "Hit@10", "MRR", "NDCG@10")
_KINDS = (
    "Few interactions: up to the median of the domain's test users. Cold and warm: targets among the 35 % "
    "of the domain's items that the fewest, or the most, train users liked."
)
_ORDERLESS = (
    "Only systems called …/listed are shown candidates in an order; likelihoods are taken after a prompt "
    "that shows none."
)
_BOOTSTRAP = "Brackets are 95 % intervals (bootstrap over users; Wilson for Hit@1 of a single draw)."


def ranking_tables(metrics: EvalMetrics, recipe: str) -> list[Table]:
    """The tables for what `eval` measured; those of what was not asked for are left out.

    Args:
        metrics: what it measured.
        recipe: the recipe's name, for the command.
    """
    command = f"Made by: rectune run {recipe_argument(recipe)} --until eval."
    own = f"Hit@1 on the cases' own candidates; brackets are 95 % intervals (Wilson). {command}"
    systems = metrics.systems
    found = [
        _protocols(metrics, command),
        _systems("All figures", metrics, systems, command),
        _parts("By domain and category", own, {name: one.domains for name, one in systems.items()}),
        _parts("Kinds of users and items", f"{_KINDS} {own}", {n: one.groups for n, one in systems.items()}),
        *(
            _systems(f"Protocol: {name}", one, one.systems, command)
            for name, one in metrics.protocols.items()
        ),
        _pairs(metrics.pairs, command),
        _weights(metrics.weights, command),
        _position(metrics.position, command),
        *(_memorisation(metrics.memorisation, command) if metrics.memorisation else ()),
        *([_answers(metrics.answers, command)] if metrics.answers else []),
    ]
    return [table for table in found if table.rows]


def _systems(title: str, among: Protocol, systems: Mapping[str, RankingFigures], command: str) -> Table:
    draws = any(one.hit_at_1_by_draw for one in systems.values())
    lines: list[Sequence[Cell]] = [
        (name, one.n, *_with_intervals(one), *([_draws(one.hit_at_1_by_draw)] if draws else []))
        for name, one in systems.items()
    ]
    protocol = among.protocol.strip().rstrip(".")
    note = (
        f"{protocol[:1].upper()}{protocol[1:]}; up to {among.candidates} candidates, chance "
        f"{figure(among.chance)}. {_BOOTSTRAP} {command}"
    )
    heads = ("system", "n", *_FIGURES, *(["Hit@1 by draw"] if draws else []))
    return Table(heads, lines, title, note)


def _protocols(metrics: EvalMetrics, command: str) -> Table:
    """The rankers under each protocol, side by side: sampled and full candidates may order them otherwise."""
    drawn: dict[str, Mapping[str, RankingFigures]] = {
        "own candidates": metrics.systems,
        **{f"{name} candidates": one.systems for name, one in metrics.protocols.items() if name != _FULL},
    }
    full = metrics.protocols[_FULL].systems if _FULL in metrics.protocols else None
    names = [name for name in metrics.systems if name.partition("/")[0] not in TUNED]
    lines: list[Sequence[Cell]] = [
        (
            name,
            metrics.systems[name].n,
            *(_hit(systems.get(name)) for systems in drawn.values()),
            *([_gain(full.get(name))] if full is not None else []),
        )
        for name in names
    ]
    note = (
        "The same cases and histories under each protocol, whose tables are below: Hit@1 among few "
        f"candidates, NDCG@10 among the whole catalogue. {_BOOTSTRAP} {command}"
    )
    heads = (
        "ranker",
        "n",
        *(f"Hit@1, {name}" for name in drawn),
        *(["NDCG@10, full"] if full is not None else []),
    )
    return Table(heads, lines if len(heads) > 3 else [], "Rankers by protocol", note)


def _hit(one: RankingFigures | None) -> str:
    return with_ends(one.hit_at_1, one.interval) if one else NONE


def _gain(one: RankingFigures | None) -> str:
    return with_ends(one.ndcg_at_10, one.ndcg_at_10_interval) if one else NONE


def _with_intervals(one: RankingFigures) -> list[str]:
    """The cells below `_FIGURES`."""
    return [
        with_ends(one.hit_at_1, one.interval),
        with_ends(one.hit_at_5, one.hit_at_5_interval),
        with_ends(one.hit_at_10, one.hit_at_10_interval),
        with_ends(one.mrr, one.mrr_interval),
        with_ends(one.ndcg_at_10, one.ndcg_at_10_interval),
    ]


def _draws(values: Sequence[float] | None) -> str:
    return ", ".join(map(figure, values)) if values else NONE


def _parts(title: str, note: str, systems: Mapping[str, Mapping[str, RankingFigures | None]]) -> Table:
    """Hit@1 of each system in parts of the cases: a column a part."""
    names = list(dict.fromkeys(name for parts in systems.values() for name in parts))
    lines = [(system, *(_part(parts[name]) for name in names)) for system, parts in systems.items()]
    return Table(("system", *names), lines if names else [], title, note)


def _part(one: RankingFigures | None) -> str:
    return f"{with_ends(one.hit_at_1, one.interval)}, n = {one.n}" if one else f"{NONE}, n = 0"


def _pairs(pairs: Sequence[PairedDifference], command: str) -> Table:
    lines = [
        (
            f"{row.system} less {row.against}",
            row.n,
            with_ends(row.difference, row.interval, signed=True),
            f"{row.won} / {row.lost}",
            _p(row.p),
            _p(row.holm),
            with_ends(row.mrr_difference, row.mrr_interval, signed=True),
        )
        for row in pairs
    ]
    note = (
        "Differences on the same candidates of the same cases; brackets are 95 % intervals (bootstrap over "
        "users). Won and lost: cases whose target only the first, or only the second, ranks first; p: "
        f"McNemar's exact test on them, corrected for the {len(pairs)} pairs of this table (Holm). A "
        f"difference counts where the corrected p is below 0.05. {command}"
    )
    heads = ("pair", "n", "Hit@1 difference", "won / lost", "p", "p, corrected", "MRR difference")
    return Table(heads, lines, "Paired differences", note)


def _weights(weights: Mapping[str, FusionFigures], command: str) -> Table:
    lines: list[Sequence[Cell]] = [
        (model, *map(figure, (one.prior, one.fused, one.lexical, one.hybrid)), one.cases)
        for model, one in weights.items()
        if one.cases
    ]
    note = (
        "How much of the likelihood without a history is taken off, and how much the model counts beside "
        "the embedding (fused), BM25 (lexical) or both (hybrid); chosen by mean reciprocal rank on cases "
        f"of users who are in no test. {command}"
    )
    heads = ("model", "prior", "fused", "lexical", "hybrid", "chosen on cases")
    return Table(heads, lines, "Weights of the ways", note)


def _position(systems: Mapping[str, PositionBias], command: str) -> Table:
    lines: list[Sequence[Cell]] = [
        (
            system,
            one.n,
            figure(one.unread),
            *(share_in_words(one.picked[third]) for third in THIRDS),
            *(share_in_words(one.hit_at_1[third]) for third in THIRDS),
        )
        for system, one in systems.items()
    ]
    picked = (f"picked from {third}" for third in THIRDS)
    hits = (f"Hit@1, target in {third}" for third in THIRDS)
    note = (
        "Each case's candidates were shown in several orders. Without bias a third of what is put first "
        f"comes from each third of the list. Brackets are 95 % intervals (Wilson). {_ORDERLESS} {command}"
    )
    return Table(("system", "lists", "unread", *picked, *hits), lines, "Position bias", note)


def _memorisation(found: Memorisation, command: str) -> Iterator[Table]:
    titles = found.titles
    parts: dict[str, TitleCompletion] = {"all domains": titles} if titles else {}
    parts |= {nested(name): one for name, one in titles.domains.items()} if titles else {}
    lines = [
        (name, one.n, share_in_words(one.completed), share_in_words(one.control))
        for name, one in parts.items()
        if one.n
    ]
    note = (
        "The base model is given the first half of the most liked titles and writes on, greedily. "
        "Completed: its words begin with all words of the rest; control: with the rest of another title of "
        f"the domain. Brackets are 95 % intervals (Wilson). {command}"
    )
    yield Table(("domain", "titles", "completed", "control"), lines, "Memorised: titles", note)
    note = (
        "Hit@1 of the base model's likelihood on the cases' own candidates when the history is as it is, "
        "shuffled, another test user's, or not given. As good without as with a history: the history plays "
        f"no part. Brackets are 95 % intervals (Wilson). {command}"
    )
    cells = [(name, one.n, share_in_words(one)) for name, one in found.next_item.hit_at_1.items()]
    yield Table(("history", "cases", "Hit@1"), cells, "Memorised: the next item", note)


def _answers(found: AnswerComparison, command: str) -> Table:
    """What sft and dpo answer to the same prompts, from `rectune.evaluation.answers`."""
    columns = [one.by_json_name() for one in (*found.systems.values(), found.difference)]
    lines = [(name, *(mean_in_words(column[name]) for column in columns)) for name in found.figures]
    words = "; ".join(f"{name}: {meaning}" for name, meaning in found.figures.items())
    note = (
        f"Both models answered the same {found.prompts} unseen prompts. {words}. Brackets are 95 % "
        f"intervals (bootstrap over users). {command}"
    )
    return Table(("figure", *found.systems, found.difference_is), lines, "Did preferences help", note)


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else figure(p)
