"""Tables out of metrics.json: known rows by construction, nested protocols, and nothing that makes it stumble."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rectune.release.tables import evaluation_tables, headline
from tests.release.conftest import METRICS

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


def test_a_row_a_system_and_a_table_by_domain() -> None:
    first, second = evaluation_tables(METRICS)
    assert first.heads == ("system", "n", "hit@1", "mrr")
    assert first.rows[1] == ("dpo", "24", "0.375 [0.200, 0.600]", "0.500 [0.400, 0.600]")
    assert first.notes == ("one target among the case's candidates", "candidates: 20", "chance: 0.050")
    assert (second.title, second.heads) == ("hit@1 by domains", ("domains", "random", "dpo"))
    assert second.rows == (("films", "0.042", "0.375 [0.200, 0.600]"),)


def test_every_protocol_has_its_tables_and_notes() -> None:
    other = {"protocol": "all items", "systems": {"dpo": {"n": 3, "hit@10": 0.5}}}
    tables = evaluation_tables({"protocols": {"sampled": METRICS, "full_catalogue": other}})
    assert [table.title for table in tables] == [
        "protocols: sampled",
        "protocols: sampled: hit@1 by domains",
        "protocols: full catalogue",
    ]
    assert tables[2].notes == ("all items",) and tables[2].rows == (("dpo", "3", "0.500"),)


def test_lists_of_mappings_are_tables_too() -> None:
    found = evaluation_tables(
        {"differences": [{"name": "dpo - sft", "difference": 0.1, "interval": [0.0, 0.2]}]}
    )
    assert found[0].rows == (("dpo - sft", "0.100", "[0.000, 0.200]"),)


def test_groups_under_a_common_name_are_tables_each() -> None:
    short, long = {"n": 2, "hit@1": 0.5}, {"n": 1, "hit@1": 0.0}
    found = evaluation_tables(
        {"systems": {"dpo": {"n": 3, "groups": {"history": {"short": short, "long": long}}}}}
    )
    assert found[1].heads == ("history", "dpo") and found[1].rows == (("long", "0.000"), ("short", "0.500"))


def test_many_systems_stand_in_rows() -> None:
    figures = {
        "n": 1,
        "hit@1": 0.5,
        "domains": {"films": {"n": 1, "hit@1": 0.5}, "books": {"n": 1, "hit@1": 1.0}},
    }
    wide = evaluation_tables({"systems": {f"system {number}": figures for number in range(7)}})[1]
    assert wide.heads == ("domains", "books", "films") and len(wide.rows) == 7
    assert wide.rows[0] == ("system 0", "1.000", "0.500")


def test_the_headline_is_found_wherever_it_is() -> None:
    assert headline({"protocols": {"sampled": METRICS}}, "dpo")["hit@1"] == 0.375
    assert headline(METRICS, "absent") == {} and headline({}, "dpo") == {}


@given(documents)
def test_any_document_gives_rows_as_long_as_their_heads(document: Any) -> None:
    for table in evaluation_tables(document if isinstance(document, dict) else {"systems": document}):
        assert all(len(row) == len(table.heads) for row in table.rows)
