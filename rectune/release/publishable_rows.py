"""The rows that may be published: of sources that may be passed on, without users' ids and times."""

from __future__ import annotations

import re
import typing
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rectune.core.errors import UserError
from rectune.core.figures.data import DatasetFigures
from rectune.core.rows import read_batches, write_batches
from rectune.core.types import Example, Preference
from rectune.release.secret_scan import ScanResult

if typing.TYPE_CHECKING:
    import pyarrow as pa

_BLANK: Mapping[str, Any] = {"user": "", "cutoff": None}  # what of a prompt leads back to a person
_SERVER = re.compile(
    r"@(?![0-9a-f]{16,}$).*"
)  # after a teacher's name: the address of its server, and no digest
_TEXTS: Mapping[type, tuple[str, ...]] = {
    Example: ("response",),
    Preference: ("chosen", "rejected", "annotator"),
}


@dataclass
class PublishedRows:
    """Rows of one configuration as they go out.

    `left_out` counts those that do not, by the domain whose source forbids it; `by_hand` those that a person
    left out.
    """

    file: Path
    rows: int = 0
    domains: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    by_hand: int = 0
    locales: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class PublishFilter:
    """Which rows go out: those of `allowed` domains whose ids are not `refused`."""

    allowed: frozenset[str]
    refused: frozenset[str] = frozenset()


def publish(source: Path, kind: type, gate: PublishFilter, file: Path, scan: ScanResult) -> PublishedRows:
    """Write the rows of `source` (Example or Preference) that may go out to `file`, looking at what each
    says.

    A row goes out only if the domains of both its items and its history are allowed. User ids, times and the
    addresses of servers are blanked. Without a row that may go out there is no file.

    Args:
        scan: notes what must not be published; it raises nothing here.
    """
    found = PublishedRows(file)
    file.parent.mkdir(parents=True, exist_ok=True)

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in read_batches(source, kind):
            kept = _allowed(batch, gate, found)
            _look(kept, kind, scan)
            yield _without_servers(_replaced(kept, "prompt", _BLANK))

    found.rows = write_batches(file, kind, batches())
    if not found.rows:
        file.unlink()
    return found


def publishable(datasets: Mapping[str, DatasetFigures]) -> frozenset[str]:
    """Domains of which every dataset may be passed on. What the data stage said nothing about may not.

    Raises:
        UserError: a dataset is marked as redistributable and has no licence on record.
    """
    forbidden = {one.domain for one in datasets.values() if not one.redistributable}
    allowed = {one.domain: name for name, one in datasets.items()}
    for name, one in datasets.items():
        if one.domain not in forbidden and not one.licence:
            raise UserError(
                f"the dataset {name} is marked as redistributable but has no licence on record",
                hint="name its licence in the dataset registry, or push without dataset and preferences",
            )
    return frozenset(allowed) - forbidden


def _allowed(batch: pa.RecordBatch, gate: PublishFilter, found: PublishedRows) -> pa.RecordBatch:
    import pyarrow as pa

    wanted = [row not in gate.refused for row in batch.column("id").to_pylist()]
    found.by_hand += wanted.count(False)
    batch = batch.filter(pa.array(wanted, pa.bool_()))
    prompt = batch.column("prompt")
    domains, known = (prompt.field(name).to_pylist() for name in ("domain", "history_domain"))
    refused = [_first_forbidden(pair, gate.allowed) for pair in zip(domains, known, strict=True)]
    found.left_out.update(name for name in refused if name is not None)
    kept = batch.filter(pa.array([name is None for name in refused], pa.bool_()))
    found.domains.update(kept.column("prompt").field("domain").to_pylist())
    found.locales.update(kept.column("prompt").field("locale").to_pylist())
    return kept


def _first_forbidden(domains: Sequence[str], allowed: frozenset[str]) -> str | None:
    return next((domain for domain in domains if domain not in allowed), None)


def _without_servers(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with bare model names in its provenance, if it has one: server addresses are private."""
    if "provenance" not in batch.schema.names:
        return batch
    models = batch.column("provenance").field("model").to_pylist()
    return _replaced(batch, "provenance", {"model": [_SERVER.sub("", model) for model in models]})


def _replaced(batch: pa.RecordBatch, column: str, values: Mapping[str, Any]) -> pa.RecordBatch:
    """The batch with other values in fields of a struct column: a list of them, or one for all rows."""
    import pyarrow as pa

    old, place = batch.column(column), batch.schema.get_field_index(column)
    fields = list(old.type)
    columns = [old.field(one.name) for one in fields]
    for at, one in enumerate(fields):
        if one.name in values:
            value = values[one.name]
            columns[at] = pa.array(value if isinstance(value, list) else [value] * len(old), one.type)
    return batch.set_column(
        place, batch.schema.field(column), pa.StructArray.from_arrays(columns, fields=fields)
    )


def _look(batch: pa.RecordBatch, kind: type, scan: ScanResult) -> None:
    """Give the scan every text that a person or a model wrote, and the titles that may stand in it."""
    prompt = batch.column("prompt")
    ids = batch.column("id").to_pylist()
    named = scan.titles_of(prompt)
    columns = {name: batch.column(name).to_pylist() for name in _TEXTS[kind]}
    columns["query"] = prompt.field("query").to_pylist()
    for name, texts in columns.items():
        for row, text, titles in zip(ids, texts, named, strict=True):
            scan.text(f"row {row}, column {name}", text, titles)
