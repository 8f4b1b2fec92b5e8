"""Records of figures: they come back from JSON as they were, and nothing else is taken for them."""

from __future__ import annotations

import inspect
import json
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

from rectune.core import figures
from rectune.core.errors import UserError
from rectune.core.figures import (
    STAGE_FIGURES,
    data,
    evaluation,
    grounding,
    models,
    preferences,
    publishing,
    served,
    statistics,
    training,
)
from rectune.core.figures.read_records import read_figures, read_listed
from rectune.core.figures.record import MeanInterval, Record, StageRecord, listed_json
from rectune.pipeline.stages import STAGES
from tests.core.filled import document, record, write_stage

MODULES: tuple[ModuleType, ...] = (
    data, evaluation, figures.record, grounding, models, preferences, publishing, served, statistics,
    training,
)  # fmt: skip
RECORDS = sorted(
    {
        one
        for module in MODULES
        for _, one in inspect.getmembers(module, inspect.isclass)
        if issubclass(one, Record) and one not in (Record, StageRecord)
    },
    key=lambda kind: kind.__name__,
)
FILES = [kind for kind in RECORDS if issubclass(kind, StageRecord) and hasattr(kind, "stage")]


def test_every_stage_has_a_record() -> None:
    assert list(STAGE_FIGURES) != [] and set(STAGE_FIGURES) == {stage.name for stage in STAGES}
    for stage in STAGES:
        module, _, function = stage.function.partition(":")
        made = inspect.signature(getattr(__import__(module, fromlist=[function]), function)).return_annotation
        assert made == STAGE_FIGURES[stage.name].__name__


@pytest.mark.parametrize("kind", RECORDS)
def test_every_record_comes_back_from_json_as_it_was(kind: type[Record]) -> None:
    made = record(kind)
    assert kind.model_validate_json(made.to_json()) == made
    assert kind.model_validate_json(json.dumps(made.document())) == made


@pytest.mark.parametrize("kind", RECORDS)
def test_every_figure_says_what_it_is(kind: type[Record]) -> None:
    assert kind.__doc__
    assert [name for name, field in kind.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("kind", RECORDS)
def test_no_figure_may_be_left_out(kind: type[Record]) -> None:
    whole = document(kind, {})
    for name in whole:
        with pytest.raises(ValidationError, match="Field required"):
            kind.model_validate_json(json.dumps({key: one for key, one in whole.items() if key != name}))


@pytest.mark.parametrize("kind", FILES)
def test_a_figure_that_is_missing_unknown_or_of_another_type_is_named(
    kind: type[StageRecord], tmp_path: Path
) -> None:
    def left(content: dict[str, Any]) -> str:
        if kind.file == "manifest.json":
            write_stage(tmp_path, record(kind))
            stored = json.loads((tmp_path / kind.file).read_text())
            (tmp_path / kind.file).write_text(json.dumps(stored | {"figures": content}))
        else:
            (tmp_path / kind.file).write_text(json.dumps(content))
        with pytest.raises(UserError) as refused:
            read_figures(kind, tmp_path)
        assert (
            refused.value.where == str(tmp_path / kind.file) and f"--from {kind.stage}" in refused.value.hint
        )
        assert f"the stage {kind.stage}" in refused.value.message
        return refused.value.message

    whole = document(kind, {})
    first = next(iter(whole))
    assert f"{first} is missing" in left({name: one for name, one in whole.items() if name != first})
    assert f"{first} is " in left(whole | {first: True})
    assert "renamed is not known" in left(whole | {"renamed": 1})


def test_a_figure_deep_inside_is_named_by_its_path_and_many_faults_are_counted(tmp_path: Path) -> None:
    kind = evaluation.EvalMetrics
    whole = document(kind, {"systems": {"dpo": {"n": 4}}})
    whole["systems"]["dpo"]["hit@1"] = "half"
    (tmp_path / kind.file).write_text(json.dumps(whole))
    with pytest.raises(UserError, match=r"systems\.dpo\.hit@1 is 'half': should be a valid number"):
        read_figures(kind, tmp_path)
    (tmp_path / kind.file).write_text("{}")
    with pytest.raises(UserError, match=r"protocol is missing; .* and \d+ more"):
        read_figures(kind, tmp_path)


@pytest.mark.parametrize("kind", FILES)
def test_figures_that_are_not_there_or_damaged_are_an_error(kind: type[StageRecord], tmp_path: Path) -> None:
    with pytest.raises(UserError):
        read_figures(kind, tmp_path)
    (tmp_path / kind.file).write_text('{"systems": ["')
    with pytest.raises(UserError):
        read_figures(kind, tmp_path)


def test_lists_of_records_are_read_whole_or_not_at_all(tmp_path: Path) -> None:
    kind = grounding.SamplePrompt
    two = (record(kind, domain="films"), record(kind, domain="music"))
    (tmp_path / kind.file).write_text(listed_json(two))
    assert read_listed(kind, tmp_path) == two
    (tmp_path / kind.file).write_text(json.dumps([two[0].document(), {"domain": "music"}]))
    with pytest.raises(UserError, match=r"1\.prompt_id is missing"):
        read_listed(kind, tmp_path)
    (tmp_path / kind.file).write_text(listed_json(()))
    assert read_listed(kind, tmp_path) == ()


def test_records_are_frozen_and_take_no_number_for_another() -> None:
    made = record(MeanInterval, mean=1.0)
    with pytest.raises(ValidationError, match="frozen"):
        made.mean = 2.0  # type: ignore[misc]
    for mean in ("1.0", None, True):
        with pytest.raises(ValidationError):
            MeanInterval(mean=mean, low=None, high=None)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        record(evaluation.FusionFigures, prior=1.5)


def test_what_is_no_number_stays_none() -> None:
    made = MeanInterval(mean=math.nan, low=None, high=None)
    assert math.isnan(MeanInterval.model_validate_json(made.to_json()).mean)


def test_shares_of_a_whole_name_every_part() -> None:
    whole = document(grounding.OutcomeShares, {})
    del whole["resolved"]["fuzzy"]
    with pytest.raises(ValidationError, match="it lacks fuzzy"):
        grounding.OutcomeShares.model_validate_json(json.dumps(whole))
