"""The filter on anybody's own table of responses."""

import math

import pandas as pd
import polars as pl
import pytest

from rectune.core.errors import UserError
from rectune.filters.responses import RULES, filter_responses

GOOD = (
    "You liked two slow thrillers about people who keep their secrets for years, and this one has the same "
    "patience: a quiet town, a missing brother, and a sister who will not stop asking about him."
)
LOOP = "it is great and " * 40


def test_good_text_stays_and_every_reason_is_named():
    found = filter_responses([{"response": GOOD}, {"response": LOOP}, {"response": GOOD}, {"response": ""}])
    assert found["kept"].to_list() == [True, False, False, False]
    assert "repetitive" in found["reasons"][1].to_list()
    assert found["copy_of"].to_list()[2] == 0 and found["copy_of"].to_list()[0] is None
    row = found.row(1, named=True)
    assert row["score"] == pytest.approx(math.log(row["tokens"]) * row["tokens"] / row["distinct"])
    assert found["score"].to_list()[3] is None


def test_pandas_goes_in_and_columns_stay():
    frame = pd.DataFrame({"mine": [1, 2], "response": [GOOD, LOOP]})
    found = filter_responses(frame, ["score"], threshold=15)
    assert isinstance(found, pl.DataFrame) and found["mine"].to_list() == [1, 2]
    assert found["reasons"].to_list() == [[], ["repetitive"]]


def test_the_target_and_the_prompt_are_used_where_they_are_given():
    rows = [
        {"response": f"{GOOD}\nMy recommendation: {title}", "target": "Moon Landing", "instruction": GOOD}
        for title in ("Moon Landing", "Galaxy War")
    ]
    found = filter_responses(rows, ["target", "prompt_copy"])
    assert ["target not named" in reasons for reasons in found["reasons"].to_list()] == [False, True]
    assert all("echoes the prompt" in reasons for reasons in found["reasons"].to_list())


def test_facts_are_compared_with_where_they_are_given():
    said = "A detective hunts a robber, and you liked spies in the rain."
    rows = [
        {"response": said, "facts": facts, "history": "Spies", "query": "rain"}
        for facts in ("A detective hunts a robber.", "A wizard keeps a dragon.", "", None)
    ]
    found = filter_responses(rows, ["unsupported"])["reasons"].to_list()
    assert found == [[], ["says what stands nowhere"], [], []]
    (without,) = filter_responses([{"response": said}])["reasons"].to_list()
    assert "says what stands nowhere" not in without


def test_no_rows_are_no_rows():
    assert filter_responses(pl.DataFrame({"response": []}, schema={"response": pl.String})).height == 0


@pytest.mark.parametrize(
    ("rows", "rules", "said"),
    [
        ([{"text": "x"}], None, "no column response"),
        ([{"response": "x"}], ["scor"], "no rule scor"),
        ([{"response": "x"}], ["target"], "needs a column target"),
        ([{"response": "x"}], ["unsupported"], "needs a column facts"),
        ([{"response": "x", "locale": "fr"}], None, "unknown locale fr"),
        (3, None, "cannot be read"),
    ],
)
def test_what_cannot_be_judged_is_refused(rows, rules, said):
    with pytest.raises(UserError, match=said):
        filter_responses(rows, rules)
    assert "score" in RULES
