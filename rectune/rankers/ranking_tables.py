"""The figures of the stage `eval` as tables for report and card, with intervals, protocols and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rectune.core.package_data import recipe_argument
from rectune.core.text.figures import figure, mapping, number, rows, triple, with_ends
from rectune.core.text.tables import NONE, Table, nested

_FIGURES = {"hit@1": "Hit@1", "hit@5": "Hit@5", "hit@10": "Hit@10", "mrr": "MRR", "ndcg@10": "NDCG@10"}
_KINDS = (
    "Few interactions: up to the median of the domain's test users. Cold and warm: targets among the 35 % "
    "of the domain's items that the fewest, or the most, train users liked."
)
_ORDERLESS = (
    "Only systems called …/listed are shown candidates in an order; likelihoods are taken after a prompt "
    "that shows none."
)
_BOOTSTRAP = "Brackets are 95 % intervals (bootstrap over users; Wilson for Hit@1 of a single draw)."


def ranking_tables(document: Any, recipe: str) -> list[Table]:
    """The tables for metrics.json; what is missing in it is left out.

    Args:
        document: what metrics.json holds.
        recipe: the recipe's name, for the command.
    """
    metrics = mapping(document)
    command = f"Made by: rectune run {recipe_argument(recipe)} --until eval."
    own = f"Hit@1 on the cases' own candidates; brackets are 95 % intervals (Wilson). {command}"
    found = [
        _systems("All figures", metrics, command),
        _parts("domains", "By domain and category", own, metrics),
        _parts("groups", "Kinds of users and items", f"{_KINDS} {own}", metrics),
        *(_systems(f"Protocol: {name}", among, command) for name, among in _named(metrics, "protocols")),
        _pairs(metrics, command),
        _weights(metrics, command),
        _position(metrics, command),
        *_memorisation(metrics, command),
        _answers(mapping(metrics.get("answers")), command),
    ]
    return [table for table in found if table.rows]


def _named(found: Mapping[str, Any], key: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """The entries under `key`; an entry that is no mapping is empty."""
    return [(str(name), mapping(entry)) for name, entry in mapping(found.get(key)).items()]


def _systems(title: str, metrics: Mapping[str, Any], command: str) -> Table:
    systems = _named(metrics, "systems")
    draws = any("hit@1_by_draw" in entry for _, entry in systems)
    lines = [
        (
            name,
            entry.get("n"),
            *(_with_interval(entry, one) for one in _FIGURES),
            *([_draws(entry.get("hit@1_by_draw"))] if draws else []),
        )
        for name, entry in systems
    ]
    protocol = str(metrics.get("protocol") or "").strip().rstrip(".")
    note = (
        f"{protocol[:1].upper()}{protocol[1:]}; up to {metrics.get('candidates')} candidates, chance "
        f"{figure(metrics.get('chance'))}. {_BOOTSTRAP} {command}"
    )
    heads = ("system", "n", *_FIGURES.values(), *(["Hit@1 by draw"] if draws else []))
    return Table(heads, lines, title, note)


def _draws(values: Any) -> str:
    return (", ".join(map(figure, values)) if isinstance(values, list) else "") or NONE


def _parts(key: str, title: str, note: str, metrics: Mapping[str, Any]) -> Table:
    """Hit@1 of each system in parts of the cases: a column for each entry that systems have under `key`."""
    systems = [(name, dict(_named(entry, key))) for name, entry in _named(metrics, "systems")]
    names = list(dict.fromkeys(name for _, parts in systems for name in parts))

    def cell(part: Mapping[str, Any]) -> str:
        return f"{_with_interval(part, 'hit@1')}, n = {part.get('n', 0)}"

    lines = [(system, *(cell(parts.get(name, {})) for name in names)) for system, parts in systems]
    return Table(("system", *names), lines if names else [], title, note)


def _pairs(metrics: Mapping[str, Any], command: str) -> Table:
    pairs = rows(metrics.get("pairs"))
    lines = [
        (
            f"{row.get('system')} less {row.get('against')}",
            row.get("n"),
            _with_interval(row, "difference", signed=True),
            f"{row.get('won', NONE)} / {row.get('lost', NONE)}",
            _p(row.get("p")),
            _p(row.get("holm")),
            _with_interval(row, "mrr_difference", signed=True),
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


def _weights(metrics: Mapping[str, Any], command: str) -> Table:
    chosen = [(model, entry) for model, entry in _named(metrics, "weights") if entry.get("cases")]
    methods = list(dict.fromkeys(method for _, entry in chosen for method in entry if method != "cases"))
    lines = [
        (model, *(figure(entry.get(method)) for method in methods), entry["cases"]) for model, entry in chosen
    ]
    note = (
        "How much of the likelihood without a history is taken off, and how much the model counts beside "
        "the embedding (fused), BM25 (lexical) or both (hybrid); chosen by mean reciprocal rank on cases "
        f"of users who are in no test. {command}"
    )
    return Table(("model", *methods, "chosen on cases"), lines, "Weights of the ways", note)


def _position(metrics: Mapping[str, Any], command: str) -> Table:
    systems = _named(metrics, "position")
    thirds = [
        list(dict.fromkeys(third for _, entry in systems for third in mapping(entry.get(kind))))
        for kind in ("picked", "hit@1")
    ]
    heads = [f"picked from {third}" for third in thirds[0]] + [
        f"Hit@1, target in {third}" for third in thirds[1]
    ]
    lines = []
    for system, entry in systems:
        picked, hits = mapping(entry.get("picked")), mapping(entry.get("hit@1"))
        shares = [triple(picked.get(third)) for third in thirds[0]] + [
            triple(hits.get(third)) for third in thirds[1]
        ]
        lines.append((system, entry.get("n"), figure(entry.get("unread")), *shares))
    note = (
        "Each case's candidates were shown in several orders. Without bias a third of what is put first "
        f"comes from each third of the list. Brackets are 95 % intervals (Wilson). {_ORDERLESS} {command}"
    )
    return Table(("system", "lists", "unread", *heads), lines if heads else [], "Position bias", note)


def _memorisation(metrics: Mapping[str, Any], command: str) -> Iterator[Table]:
    found = mapping(metrics.get("memorisation"))
    titles, following = mapping(found.get("titles")), mapping(found.get("next_item"))
    parts = [("all domains", titles), *((nested(name), entry) for name, entry in _named(titles, "domains"))]
    lines = [
        (name, entry["n"], triple(entry.get("completed")), triple(entry.get("control")))
        for name, entry in parts
        if entry.get("n")
    ]
    note = (
        "The base model is given the first half of the most liked titles and writes on, greedily. "
        "Completed: its words begin with all words of the rest; control: with the rest of another title of "
        f"the domain. Brackets are 95 % intervals (Wilson). {command}"
    )
    yield Table(("domain", "titles", "completed", "control"), lines, "Memorised: titles", note)
    shares = mapping(following.get("hit@1"))
    note = (
        "Hit@1 of the base model's likelihood on the cases' own candidates when the history is as it is, "
        "shuffled, another test user's, or not given. As good without as with a history: the history plays "
        f"no part. Brackets are 95 % intervals (Wilson). {command}"
    )
    cells = [(str(name), following.get("n"), triple(share)) for name, share in shares.items()]
    yield Table(("history", "cases", "Hit@1"), cells, "Memorised: the next item", note)


def _answers(found: Mapping[str, Any], command: str) -> Table:
    """What sft and dpo answer to the same prompts, from `rectune.evaluation.answers`."""
    systems, meanings = _named(found, "systems"), mapping(found.get("figures"))
    columns = [*systems, (str(found.get("difference_is", "difference")), mapping(found.get("difference")))]
    lines = [
        (str(name), *(_mean(column.get(name)) for _, column in columns))
        for name in (meanings if systems else ())
    ]
    words = "; ".join(f"{name}: {meaning}" for name, meaning in meanings.items())
    note = (
        f"Both models answered the same {found.get('prompts')} unseen prompts. {words}. Brackets are 95 % "
        f"intervals (bootstrap over users). {command}"
    )
    return Table(("figure", *(name for name, _ in columns)), lines, "Did preferences help", note)


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
