"""`python -m scripts.licence_table docs/licences.md`: its table, generated from the dataset registry."""

from __future__ import annotations

import sys
from pathlib import Path

from rectune.datagen.datasets.entry import Dataset, Edition
from rectune.datagen.datasets.registry import DATASETS

BEGIN = "<!-- made by: make docs -->"
END = "<!-- end -->"


def table() -> str:
    """One row per dataset, and one more for each edition whose terms differ."""
    lines = [
        "| dataset | edition | domain | licence, in short | rows may be passed on | says who |",
        "|---|---|---|---|---|---|",
    ]
    for one in DATASETS:
        own = [edition for edition in one.editions if edition.licence or edition.redistributable is not None]
        rest = [edition.name for edition in one.editions if edition not in own]
        lines.append(_row(one, ", ".join(rest) if own else "all", one.licence, one.redistributable))
        lines += [_row(one, edition.name, _terms(one, edition), one.may_pass_on(edition)) for edition in own]
    return "\n".join(lines)


def _terms(one: Dataset, edition: Edition) -> str:
    return edition.licence or one.licence


def _row(one: Dataset, editions: str, licence: str, may: bool) -> str:
    said = f"[{one.publisher.partition(';')[0].partition(' (')[0]}]({one.home})"
    cells = [one.name, editions, one.domain, licence.replace("|", "\\|"), "yes" if may else "no", said]
    return f"| {' | '.join(cells)} |"


def put(text: str) -> str:
    """The page with this table between its markers.

    Raises:
        ValueError: the markers are missing.
    """
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"no {BEGIN} … {END} in the page")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(put(page.read_text(encoding="utf-8")), encoding="utf-8")
