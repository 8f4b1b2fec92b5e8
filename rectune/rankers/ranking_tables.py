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
from rectune.core.finished_stages import made_by
from rectune.core.settings.serving import TUNED
from rectune.core.text.figures import figure, mean_in_words, share_in_words, with_ends
from rectune.core.text.tables import NONE, Cell, Table, nested
from rectune.core.text.translation import ENGLISH, Translation

_FULL = "full"  # the protocol of the whole catalogue
_WEIGHED = ("prior", "fused", "lexical", "hybrid", "continuation", "continuation_hybrid")
_FIGURES = ("Hit@1", "Hit@5", "Hit@10", "MRR", "NDCG@10")
_KINDS = (
    "Few interactions: up to the median of the domain's test users. Cold and warm: targets among the 35 % "
    "of the domain's items that the fewest, or the most, train users liked."
)
_OWN = "Hit@1 on the cases' own candidates; brackets are 95 % intervals (Wilson)."
_BOOTSTRAP = "Brackets are 95 % intervals (bootstrap over users; Wilson for Hit@1 of a single draw)."


def ranking_tables(metrics: EvalMetrics, recipe: str, tr: Translation = ENGLISH) -> list[Table]:
    """The tables for what `eval` measured; those of what was not asked for are left out.

    Args:
        metrics: what it measured.
        recipe: the recipe's name, for the command.
        tr: the language of the tables.
    """
    command = made_by(recipe, "eval", tr)
    own = f"{tr(_OWN)} {command}"
    systems = metrics.systems
    domains = {name: one.domains for name, one in systems.items()}
    groups = {name: _named(one.groups, tr) for name, one in systems.items()}
    found = [
        _protocols(metrics, command, tr),
        _systems(tr("All figures"), metrics, systems, command, tr),
        _parts(tr("By domain and category"), own, domains, tr),
        _parts(tr("Kinds of users and items"), f"{tr(_KINDS)} {own}", groups, tr),
        *(
            _systems(tr("Protocol: {name}", name=name), one, one.systems, command, tr)
            for name, one in metrics.protocols.items()
        ),
        _pairs(metrics.pairs, command, tr),
        _weights(metrics.weights, command, tr),
        _position(metrics.position, command, tr),
        *(_memorisation(metrics.memorisation, command, tr) if metrics.memorisation else ()),
        *([_answers(metrics.answers, command, tr)] if metrics.answers else []),
    ]
    return [table for table in found if table.rows]


def _named(groups: Mapping[str, RankingFigures | None], tr: Translation) -> dict[str, RankingFigures | None]:
    return {tr.stored(name): one for name, one in groups.items()}


def _systems(
    title: str, among: Protocol, systems: Mapping[str, RankingFigures], command: str, tr: Translation
) -> Table:
    draws = any(one.hit_at_1_by_draw for one in systems.values())
    lines: list[Sequence[Cell]] = [
        (name, one.n, *_with_intervals(one), *([_draws(one.hit_at_1_by_draw)] if draws else []))
        for name, one in systems.items()
    ]
    protocol = tr.stored(among.protocol.strip().rstrip("."))
    note = tr(
        "{protocol}; up to {candidates} candidates, chance {chance}.",
        protocol=f"{protocol[:1].upper()}{protocol[1:]}",
        candidates=among.candidates,
        chance=figure(among.chance),
    )
    heads = (tr("system"), "n", *_FIGURES, *([tr("Hit@1 by draw")] if draws else []))
    return Table(heads, lines, title, f"{note} {tr(_BOOTSTRAP)} {command}")


def _protocols(metrics: EvalMetrics, command: str, tr: Translation) -> Table:
    """The rankers under each protocol, side by side: sampled and full candidates may order them otherwise."""
    drawn: dict[str, Mapping[str, RankingFigures]] = {
        tr("own candidates"): metrics.systems,
        **{
            tr("{protocol} candidates", protocol=name): one.systems
            for name, one in metrics.protocols.items()
            if name != _FULL
        },
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
    note = tr(
        "The same cases and histories under each protocol, whose tables are below: Hit@1 among few "
        "candidates, NDCG@10 among the whole catalogue."
    )
    heads = (
        tr("ranker"),
        "n",
        *(f"Hit@1, {name}" for name in drawn),
        *(["NDCG@10, full"] if full is not None else []),
    )
    rows = lines if len(heads) > 3 else []
    return Table(heads, rows, tr("Rankers by protocol"), f"{note} {tr(_BOOTSTRAP)} {command}")


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


def _parts(
    title: str, note: str, systems: Mapping[str, Mapping[str, RankingFigures | None]], tr: Translation
) -> Table:
    """Hit@1 of each system in parts of the cases: a column a part."""
    names = list(dict.fromkeys(name for parts in systems.values() for name in parts))
    lines = [(system, *(_part(parts[name]) for name in names)) for system, parts in systems.items()]
    return Table((tr("system"), *names), lines if names else [], title, note)


def _part(one: RankingFigures | None) -> str:
    return f"{with_ends(one.hit_at_1, one.interval)}, n = {one.n}" if one else f"{NONE}, n = 0"


def _pairs(pairs: Sequence[PairedDifference], command: str, tr: Translation) -> Table:
    lines = [
        (
            tr("{system} less {other}", system=row.system, other=row.against),
            row.n,
            with_ends(row.difference, row.interval, signed=True),
            f"{row.won} / {row.lost}",
            _p(row.p),
            _p(row.holm),
            with_ends(row.mrr_difference, row.mrr_interval, signed=True),
        )
        for row in pairs
    ]
    note = tr(
        "Differences on the same candidates of the same cases; brackets are 95 % intervals (bootstrap over "
        "users). Won and lost: cases whose target only the first, or only the second, ranks first; p: "
        "McNemar's exact test on them, corrected for the {pairs} pairs of this table (Holm). A difference "
        "counts where the corrected p is below 0.05.",
        pairs=len(pairs),
    )
    pair, hit, won, corrected, mrr = tr.each(
        "pair", "Hit@1 difference", "won / lost", "p, corrected", "MRR difference"
    )
    heads = (pair, "n", hit, won, "p", corrected, mrr)
    return Table(heads, lines, tr("Paired differences"), f"{note} {command}")


def _weights(weights: Mapping[str, FusionFigures], command: str, tr: Translation) -> Table:
    lines: list[Sequence[Cell]] = [
        (model, *(figure(getattr(one, name)) for name in _WEIGHED), one.cases)
        for model, one in weights.items()
        if one.cases
    ]
    note = tr(
        "How much of the likelihood without a history is taken off, and how much the model counts beside "
        "the embedding (fused), BM25 (lexical) or both (hybrid); likewise where it continues a list of "
        "titles (continuation, continuation_hybrid). Chosen by mean reciprocal rank on cases of users who "
        "are in no test."
    )
    heads = (tr("model"), *_WEIGHED, tr("chosen on cases"))
    return Table(heads, lines, tr("Weights of the ways"), f"{note} {command}")


def _position(systems: Mapping[str, PositionBias], command: str, tr: Translation) -> Table:
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
    picked = (tr("picked from {third}", third=tr.stored(third)) for third in THIRDS)
    hits = (tr("Hit@1, target in {third}", third=tr.stored(third)) for third in THIRDS)
    note = tr(
        "Each case's candidates were shown in several orders. Without bias a third of what is put first "
        "comes from each third of the list. Brackets are 95 % intervals of users, whose lists are much "
        "alike. Only systems called …/listed are shown candidates in an order; likelihoods are taken after "
        "a prompt that shows none."
    )
    heads = (*tr.each("system", "lists", "unread"), *picked, *hits)
    return Table(heads, lines, tr("Position bias"), f"{note} {command}")


def _memorisation(found: Memorisation, command: str, tr: Translation) -> Iterator[Table]:
    titles = found.titles
    parts: dict[str, TitleCompletion] = {tr("all domains"): titles} if titles else {}
    parts |= {nested(name): one for name, one in titles.domains.items()} if titles else {}
    lines = [
        (name, one.n, share_in_words(one.completed), share_in_words(one.control))
        for name, one in parts.items()
        if one.n
    ]
    note = tr(
        "The base model is given the first half of the most liked titles and writes on, greedily. "
        "Completed: its words begin with all words of the rest; control: with the rest of another title of "
        "the domain. Brackets are 95 % intervals (Wilson)."
    )
    heads = tr.each("domain", "titles", "completed", "control")
    yield Table(heads, lines, tr("Memorised: titles"), f"{note} {command}")
    note = tr(
        "Hit@1 of the base model's likelihood on the cases' own candidates when the history is as it is, "
        "shuffled, another test user's, or not given. As good without as with a history: the history plays "
        "no part. Brackets are 95 % intervals (Wilson)."
    )
    cells = [(tr.stored(name), one.n, share_in_words(one)) for name, one in found.next_item.hit_at_1.items()]
    heads = (*tr.each("history", "cases"), "Hit@1")
    yield Table(heads, cells, tr("Memorised: the next item"), f"{note} {command}")


def _answers(found: AnswerComparison, command: str, tr: Translation) -> Table:
    """What base, sft and dpo answer to the same prompts, from `rectune.evaluation.answers`."""
    columns = [one.by_json_name() for one in (*found.systems.values(), found.difference)]
    lines = [(name, *(mean_in_words(column[name]) for column in columns)) for name in found.figures]
    words = "; ".join(f"{name}: {tr.stored(meaning)}" for name, meaning in found.figures.items())
    note = tr(
        "All models answered the same {prompts} unseen prompts. {words}. Brackets are 95 % intervals "
        "(bootstrap over users).",
        prompts=found.prompts,
        words=words,
    )
    heads = (tr("figure"), *found.systems, tr.stored(found.difference_is))
    return Table(heads, lines, tr("Did preferences help"), f"{note} {command}")


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else figure(p)
