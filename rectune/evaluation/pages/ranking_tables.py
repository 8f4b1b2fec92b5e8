"""What the stage `eval` measured, as tables of words: every figure with its interval, its protocol and its command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rectune.core.shipped import recipe_argument
from rectune.evaluation.pages.data_tables import Line, Table
from rectune.evaluation.pages.values import NONE, figure, mapping, number, rows, triple, with_ends
from rectune.rankers.ways import BESIDE

_FIGURES = ("hit@1", "hit@5", "hit@10", "mrr", "ndcg@10")
_NAMES = {"hit@1": "Hit@1", "hit@5": "Hit@5", "hit@10": "Hit@10", "mrr": "MRR", "ndcg@10": "NDCG@10"}
_KINDS = (
    "Few interactions: up to the median of the domain's test users. Cold and warm: targets among the 35 % of the "
    "domain's items that the fewest, or the most, train users liked."
)
_ORDERLESS = (
    "Only systems called …/listed are shown candidates in an order; likelihoods are taken after a prompt that "
    "shows none."
)


def ranking_tables(document: Any, recipe: str) -> list[Table]:
    """The tables for metrics.json; what is missing in it is left out.

    Args:
        document: what metrics.json holds.
        recipe: the recipe's name, for the command.
    """
    metrics = mapping(document)
    command = f"Made by: rectune run {recipe_argument(recipe)} --until eval."
    bootstrap = "Brackets are 95 % intervals (bootstrap over users; Wilson for Hit@1 of a single draw)."
    own = f"Hit@1 on the cases' own candidates; brackets are 95 % intervals (Wilson). {command}"
    found = [
        _systems("All figures", f"{_words(metrics.get('protocol'))}. {bootstrap} {command}", metrics),
        _parts("domains", "By domain and category", own, metrics),
        _parts("groups", "Kinds of users and items", f"{_KINDS} {own}", metrics),
    ]
    for name, entry in mapping(metrics.get("protocols")).items():
        among = mapping(entry)
        note = (
            f"{_words(among.get('protocol'))}; up to {among.get('candidates')} candidates, chance "
            f"{figure(among.get('chance'))}. {bootstrap} {command}"
        )
        found.append(_systems(f"Protocol: {name}", note, among))
    found += [_pairs(metrics, command), _weights(metrics, command)]
    found += [_position(metrics, command), *_memorisation(metrics, command)]
    found.append(_answers(mapping(metrics.get("answers")), command))
    return [table for table in found if table.lines]


def _systems(title: str, note: str, metrics: Mapping[str, Any]) -> Table:
    systems = {name: mapping(entry) for name, entry in mapping(metrics.get("systems")).items()}
    # An older run has no interval for each figure; its main table says all there is.
    shown = {name: entry for name, entry in systems.items() if "hit@5_interval" in entry}
    draws = any("hit@1_by_draw" in entry for entry in shown.values())
    heads = ("n", *(_NAMES[name] for name in _FIGURES), *(("Hit@1 by draw",) if draws else ()))
    lines = []
    for name, entry in shown.items():
        cells = [str(entry.get("n", NONE)), *(_with_interval(entry, name) for name in _FIGURES)]
        if draws:
            cells.append(", ".join(map(figure, entry.get("hit@1_by_draw", []))) or NONE)
        lines.append(Line(str(name), False, tuple(cells)))
    return Table(title, note, heads, tuple(lines))


def _parts(key: str, title: str, note: str, metrics: Mapping[str, Any]) -> Table:
    """Hit@1 of each system in parts of the cases: a column for each entry that systems have under `key`."""
    systems = {name: mapping(entry) for name, entry in mapping(metrics.get("systems")).items()}
    names = list(dict.fromkeys(part for entry in systems.values() for part in mapping(entry.get(key))))
    lines = []
    for system, entry in systems.items():
        parts = mapping(entry.get(key))
        cells = (
            f"{_with_interval(mapping(parts.get(name)), 'hit@1')}, n = {mapping(parts.get(name)).get('n', 0)}"
            for name in names
        )
        lines.append(Line(str(system), False, tuple(cells)))
    shown = bool(names) and any("hit@5_interval" in entry for entry in systems.values())
    return Table(title, note, tuple(map(str, names)), tuple(lines) if shown else ())


def _pairs(metrics: Mapping[str, Any], command: str) -> Table:
    pairs = rows(metrics.get("pairs"))
    lines = tuple(
        Line(
            f"{row.get('system')} less {row.get('against')}",
            False,
            (
                str(row.get("n", NONE)),
                _with_interval(row, "difference", signed=True),
                f"{row.get('won', NONE)} / {row.get('lost', NONE)}",
                _p(row.get("p")),
                _p(row.get("holm")),
                _with_interval(row, "mrr_difference", signed=True),
            ),
        )
        for row in pairs
    )
    note = (
        "Differences on the same candidates of the same cases; brackets are 95 % intervals "
        "(bootstrap over users). Won and lost: "
        "cases whose target only the first, or only the second, ranks first; p: McNemar's exact "
        "test on them, corrected for the "
        f"{len(pairs)} pairs of this table (Holm). A difference counts where the corrected p is "
        f"below 0.05. {command}"
    )
    heads = ("n", "Hit@1 difference", "won / lost", "p", "p, corrected", "MRR difference")
    return Table("Paired differences", note, heads, lines)


def _weights(metrics: Mapping[str, Any], command: str) -> Table:
    ways = ("prior", *BESIDE)
    lines = tuple(
        Line(
            str(model),
            False,
            (
                *(figure(mapping(entry).get(way)) for way in ways),
                str(mapping(entry).get("cases")),
            ),
        )
        for model, entry in mapping(metrics.get("weights")).items()
        if mapping(entry).get("cases")
    )
    note = (
        "How much of the likelihood without a history is taken off, and how much the model counts "
        "beside the embedding (fused), BM25 (lexical) or both (hybrid); chosen by "
        f"mean reciprocal rank on cases of users who are in no test. {command}"
    )
    return Table("Weights of the ways", note, (*ways, "chosen on cases"), lines)


def _position(metrics: Mapping[str, Any], command: str) -> Table:
    lines = []
    heads: tuple[str, ...] = ()
    for system, entry in mapping(metrics.get("position")).items():
        picked, hits = mapping(mapping(entry).get("picked")), mapping(mapping(entry).get("hit@1"))
        heads = (
            "lists",
            "unread",
            *(f"picked from {t}" for t in picked),
            *(f"Hit@1, target in {t}" for t in hits),
        )
        shares = [triple(share) for share in (*picked.values(), *hits.values())]
        cells = (str(mapping(entry).get("n")), figure(mapping(entry).get("unread")), *shares)
        lines.append(Line(str(system), False, cells))
    note = (
        "Each case's candidates were shown in several orders. Without bias a third of what is put "
        "first comes from each third of the "
        f"list. Brackets are 95 % intervals (Wilson). {_ORDERLESS} {command}"
    )
    return Table("Position bias", note, heads, tuple(lines))


def _memorisation(metrics: Mapping[str, Any], command: str) -> Iterator[Table]:
    found = mapping(metrics.get("memorisation"))
    titles, following = mapping(found.get("titles")), mapping(found.get("next_item"))
    parts = {"all domains": titles, **mapping(titles.get("domains"))}
    lines = tuple(
        Line(
            str(name),
            place > 0,
            (str(entry.get("n")), triple(entry.get("completed")), triple(entry.get("control"))),
        )
        for place, (name, entry) in enumerate((name, mapping(entry)) for name, entry in parts.items())
        if entry.get("n")
    )
    note = (
        "The base model is given the first half of the most liked titles and writes on, greedily. "
        "Completed: its words begin with all "
        "words of the rest; control: with the rest of another title of the domain. Brackets are 95 "
        "% intervals (Wilson). " + command
    )
    yield Table("Memorised: titles", note, ("titles", "completed", "control"), lines)
    shares = mapping(following.get("hit@1"))
    lines = tuple(
        Line(str(name), False, (str(following.get("n")), triple(share))) for name, share in shares.items()
    )
    note = (
        "Hit@1 of the base model's likelihood on the cases' own candidates when the history is as "
        "it is, shuffled, another test user's, "
        f"or not given. As good without as with a history: the history plays no part. Brackets are "
        f"95 % intervals (Wilson). {command}"
    )
    yield Table("Memorised: the next item", note, ("cases", "Hit@1"), lines)


def _answers(found: Mapping[str, Any], command: str) -> Table:
    """What sft and dpo answer to the same prompts, from `rectune.evaluation.answers`."""
    systems = {str(name): mapping(entry) for name, entry in mapping(found.get("systems")).items()}
    columns = {**systems, str(found.get("difference_is", "difference")): mapping(found.get("difference"))}
    meanings = mapping(found.get("figures"))
    lines = tuple(
        Line(str(name), False, tuple(_mean(column.get(name)) for column in columns.values()))
        for name in (meanings if systems else ())
    )
    words = "; ".join(f"{name}: {meaning}" for name, meaning in meanings.items())
    note = (
        f"Both models answered the same {found.get('prompts')} unseen prompts. {words}. Brackets are 95 % intervals "
        f"(bootstrap over users). {command}"
    )
    return Table("Did preferences help", note, tuple(columns), lines)


def _mean(value: Any) -> str:
    entry = mapping(value)
    return triple([entry.get("mean"), entry.get("low"), entry.get("high")])


def _with_interval(entry: Mapping[str, Any], name: str, *, signed: bool = False) -> str:
    names = {"hit@1": "interval", "difference": "interval", "mrr_difference": "mrr_interval"}
    interval = entry.get(names.get(name, f"{name}_interval"))
    return with_ends(entry.get(name), interval, signed=signed)


def _p(value: Any) -> str:
    p = number(value)
    return "< 0.001" if p is not None and p < 0.001 else figure(p)


def _words(value: Any) -> str:
    text = str(value or "").strip().rstrip(".")
    return text[:1].upper() + text[1:]
