"""Rows: what is written is read back equal, ids follow content, and other files are refused."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.core.errors import UserError
from rectune.core.rows import count_rows, read_batches, read_rows, scan_rows, write_batches, write_rows
from rectune.core.types import (
    Candidate,
    Example,
    Prompt,
    Provenance,
    Ranking,
    Verdict,
    answer_hash,
    prompt_hash,
    with_id,
)

text = st.text(alphabet=st.characters(codec="utf-8"), max_size=20)
provenances = st.builds(
    Provenance, text, text, text, st.integers(0, 2**31), text, st.sampled_from(["", "model"])
)
prompts = st.builds(
    Prompt,
    id=text,
    domain=text,
    scenario=st.sampled_from(["passive", "active"]),
    form=st.sampled_from(["direct", "listwise"]),
    locale=st.sampled_from(["en", "ko"]),
    split=st.sampled_from(["train", "test"]),
    user=text,
    system=text,
    instruction=text,
    history=st.lists(text, max_size=3).map(tuple),
    candidates=st.lists(text, max_size=3).map(tuple),
    target=text,
    query=text,
    template=text,
    cutoff=st.none() | st.integers(0, 2**40),
)
examples = st.builds(Example, text, prompts, text, provenances)


@given(st.lists(examples, max_size=4))
def test_nested_rows_come_back_equal(tmp_path_factory: pytest.TempPathFactory, rows: list[Example]) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    assert write_rows(path, rows, Example) == len(rows)
    assert read_rows(path, Example) == rows == list(scan_rows(path, Example))


def test_optional_and_repeated_fields_come_back_equal(tmp_path: Path) -> None:
    verdicts = [
        Verdict("a", "d", "", None, 0, 0, False, ("empty",)),
        Verdict("b", "d", "c", 2.5, 3, 2, True, ()),
    ]
    rankings = [Ranking("p", "s", ("x", "y"), (0.5, -1.0), ("title", "title"))]
    write_rows(tmp_path / "v", verdicts, Verdict)
    write_rows(tmp_path / "r", rankings, Ranking)
    assert read_rows(tmp_path / "v", Verdict) == verdicts
    assert read_rows(tmp_path / "r", Ranking) == rankings


@given(prompts, text)
def test_ids_follow_the_content_and_not_the_old_id(prompt: Prompt, other: str) -> None:
    assert with_id(prompt) == with_id(replace(prompt, id=other))
    assert with_id(prompt).id != with_id(replace(prompt, instruction=prompt.instruction + "x")).id


@given(prompts, text, text)
def test_tag_hashes_follow_what_is_read_and_nothing_else(prompt: Prompt, user: str, answer: str) -> None:
    assert prompt_hash(prompt) == prompt_hash(replace(prompt, id="other", user=user))
    assert prompt_hash(prompt) != prompt_hash(replace(prompt, system=prompt.system + "x"))
    assert answer_hash(answer) != answer_hash(answer + " ")


def test_other_types_and_broken_files_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_rows(path, [], Candidate)
    with pytest.raises(UserError, match=rf"rows\.parquet: holds Candidate/1, wanted Prompt/{Prompt.schema}"):
        read_rows(path, Prompt)
    path.write_bytes(b"not parquet")
    with pytest.raises(UserError, match="not a readable Parquet file"):
        read_rows(path, Prompt)
    with pytest.raises(UserError, match="no such file"):
        read_rows(tmp_path / "absent", Prompt)


def test_columns_in_batches_are_the_rows(tmp_path: Path) -> None:
    rows = [Verdict(str(n), "d", "", None, n, 0, n % 2 == 0, ()) for n in range(10)]
    write_rows(tmp_path / "v", rows, Verdict)
    assert count_rows(tmp_path / "v", Verdict) == 10
    batches = list(read_batches(tmp_path / "v", Verdict, 4))
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
    kept = (batch.filter(batch.column("kept")) for batch in batches)
    assert write_batches(tmp_path / "w", Verdict, kept) == 5
    assert read_rows(tmp_path / "w", Verdict) == rows[::2]
    assert write_batches(tmp_path / "w", Verdict, []) == 0 and read_rows(tmp_path / "w", Verdict) == []
    with pytest.raises(UserError, match="holds Verdict"):
        next(read_batches(tmp_path / "v", Example))
