"""Tags for Label Studio and Argilla have the shape that these document."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import jsonschema

from rectune.align.assignment import in_order
from rectune.align.formats import Judged, document, judged, user_id
from rectune.align.prompt_view import PromptView
from rectune.align.session import AnnotationSession
from rectune.align.tags import TagStore
from tests.align.examples import make_tasks, session

TASKS = make_tasks(4)

# "Label Studio JSON format of annotated tasks", labelstud.io/guide/task_format, and the results of the tags
# Choices and TextArea, labelstud.io/tags.
TEXT = {"type": "string", "minLength": 1}
RESULT = {
    "type": "object",
    "required": ["id", "from_name", "to_name", "type", "value"],
    "properties": {"id": TEXT, "from_name": TEXT, "to_name": {"const": "prompt"}},
    "oneOf": [
        {
            "properties": {
                "type": {"const": kind},
                "value": {"required": [key], "properties": {key: {"items": TEXT}}},
            }
        }
        for kind, key in (("choices", "choices"), ("textarea", "text"))
    ],
}  # fmt: skip
LABEL_STUDIO = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["data", "annotations"],
        "properties": {
            "data": {"type": "object", "required": ["prompt", "answers", "numbers"]},
            "annotations": {
                "type": "array",
                "items": {
                    "required": ["result", "lead_time", "was_cancelled"],
                    "properties": {
                        "result": {"type": "array", "items": RESULT},
                        "lead_time": {"type": "number"},
                        "was_cancelled": {"type": "boolean"},
                    },
                },
            },
        },
    },
}
# `Record.from_dict` of Argilla 2: fields and metadata by name, responses by question.
ARGILLA = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "fields", "metadata", "responses", "suggestions", "vectors"],
        "properties": {
            "id": TEXT,
            "fields": {"type": "object", "additionalProperties": {"type": "string"}},
            "metadata": {"type": "object"},
            "suggestions": {"const": {}},
            "vectors": {"const": {}},
            "responses": {
                "type": "object",
                "additionalProperties": {
                    "type": "array",
                    "items": {
                        "required": ["value", "user_id"],
                        "additionalProperties": False,
                        "properties": {"value": TEXT, "user_id": TEXT},
                    },
                },
            },
        },
    },
}


def rows(store: TagStore) -> list[Judged]:
    """Kim tags, ties and skips the first three of four; Lee tags the first and comments on it."""
    at = session(store, TASKS)
    at.decide(0, 1)
    at.settle("tie")
    at.settle("skip")
    other = session(store, TASKS, "이 영희")
    other.write_note('말투가 "이상" \u2028 <b>')
    other.decide(2, 3)
    return judged(TASKS, store.decisions(), store.marks())


def picked(task: int, number: str) -> str:
    return TASKS[task].answers[int(number) - 1]


def test_label_studio_tasks_have_data_and_annotations(store: TagStore) -> None:
    text = document(rows(store), "label-studio")
    tasks = json.loads(text)
    jsonschema.validate(tasks, LABEL_STUDIO)
    assert [task["data"]["prompt_id"] for task in tasks] == [task.prompt.id for task in TASKS[:3]]
    assert [answer["body"] for answer in tasks[0]["data"]["answers"]] == list(TASKS[0].answers)
    assert [row["value"] for row in tasks[0]["data"]["numbers"]] == ["1", "2", "3", "4", "5"]

    def said(annotation: dict[str, Any]) -> dict[str, str]:
        return {row["from_name"]: next(iter(row["value"].values()))[0] for row in annotation["result"]}

    kim, lee = map(said, tasks[0]["annotations"])
    kept = {tag.annotator: tag for tag in store.tags()}
    for found, name in ((kim, "kim"), (lee, "이 영희")):
        assert (found["verdict"], found["annotator"]) == ("tag", name)
        assert picked(0, found["best"]) == TASKS[0].text(kept[name].best)
        assert picked(0, found["worst"]) == TASKS[0].text(kept[name].worst)
    assert "note" not in kim and lee["note"] == '말투가 "이상" <b>'
    ids = [row["id"] for annotation in tasks[0]["annotations"] for row in annotation["result"]]
    assert len(ids) == len(set(ids))
    assert said(tasks[1]["annotations"][0]) == {"verdict": "tie", "annotator": "kim"}
    assert [task["annotations"][0]["was_cancelled"] for task in tasks] == [False, False, True]


def test_argilla_records_have_fields_responses_and_metadata(store: TagStore) -> None:
    records = json.loads(document(rows(store), "argilla"))
    jsonschema.validate(records, ARGILLA)
    first = records[0]
    assert first["fields"]["prompt"] == TASKS[0].prompt.instruction
    assert [first["fields"][f"answer_{n}"] for n in range(1, 6)] == list(TASKS[0].answers)
    assert first["metadata"] == {"domain": "movies", "annotators": ["kim", "이 영희"]}
    by_user = {row["user_id"]: row["value"] for row in first["responses"]["best"]}
    kept = {tag.annotator: tag for tag in store.tags()}
    assert {picked(0, number) for number in by_user.values()} == {
        TASKS[0].text(t.best) for t in kept.values()
    }
    assert picked(0, by_user[user_id("kim")]) == TASKS[0].text(kept["kim"].best)
    assert records[1]["responses"] == {"verdict": [{"value": "tie", "user_id": user_id("kim")}]}
    assert {UUID(user_id(name)).version for name in kept} == {5}
    for record in records:
        for answers in record["responses"].values():  # Argilla takes one answer of a user to a question
            assert len({row["user_id"] for row in answers}) == len(answers)


def test_what_does_not_count_is_left_out(store: TagStore) -> None:
    requests = {task.prompt.id: PromptView(task.prompt, "") for task in TASKS}
    at = AnnotationSession(in_order(TASKS, "kim", 0.5), store, "kim", requests)
    for _ in at.slots:
        at.decide(0, 1)
    assert len(store.standing()) == 6
    at.go(0)
    at.decide(2, 3)
    at.undo()
    found = judged(TASKS, store.decisions(), store.marks())
    assert [len(about) for _, about, _ in found] == [1, 1, 1, 1]
    first = next(tag for tag in store.tags() if tag.prompt == TASKS[0].key)
    assert found[0][1] == [first]
