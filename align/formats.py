"""Tags with their texts as the annotation tools Label Studio and Argilla import them.

Both get a prompt with its answers, numbered as they were sampled, and the decision of each annotator. The
mapping of fields is in `docs/tagging.md`. Decisions that do not count are left out: those undone or replaced,
repeats, and comparisons of models.

Sources: "Label Studio JSON format of annotated tasks" (labelstud.io/guide/task_format) and `Record.to_dict`
of Argilla 2 (docs.argilla.io, rg.Record), whose `dataset.records.from_json` reads a list of them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from rectune.align.decisions import Decision, PromptNote, attached, by_prompt, subject_of
from rectune.align.tasks import AnnotationTask

Judged = tuple[AnnotationTask, Sequence[Decision], Mapping[str, str]]  # with the notes on it, by annotator

_USERS = uuid.UUID("6a1f4c0e-2f0b-5d0c-9c53-7d9f3a1f0b57")  # the namespace of the ids that annotators get


def judged(
    tasks: Sequence[AnnotationTask], decisions: Iterable[Decision], marks: Iterable[PromptNote]
) -> list[Judged]:
    """The tasks with a decision, in their order.

    Args:
        decisions: those that count, oldest first.
        marks: the current notes and flags.
    """
    decided = by_prompt(decisions)
    notes: dict[object, dict[str, str]] = {}
    for mark in marks:
        if mark.kind == "note":
            notes.setdefault(subject_of(mark.prompt, mark.answers), {})[mark.annotator] = mark.text
    found = [(task, attached(decided.get(task.key, ()), task.hashes)) for task in tasks]
    return [(task, about, notes.get(task.subject, {})) for task, about in found if about]


def label_studio(rows: Iterable[Judged]) -> list[dict[str, Any]]:
    """Tasks with `data`, and an annotation in `annotations` for each annotator."""
    return [
        {
            "data": {
                "prompt_id": task.prompt.id,
                "domain": task.prompt.domain,
                "system": task.prompt.system,
                "prompt": task.prompt.instruction,
                "answers": [
                    {"id": key, "title": str(number), "body": text}
                    for number, (key, text) in enumerate(zip(task.hashes, task.answers, strict=True), start=1)
                ],
                "numbers": [{"value": str(number)} for number in range(1, len(task.answers) + 1)],
            },
            "annotations": [_annotation(task, decision, notes) for decision in decisions],
        }
        for task, decisions, notes in rows
    ]


def argilla(rows: Iterable[Judged]) -> list[dict[str, Any]]:
    """Records with `fields`, `metadata`, and `responses` by question, one of each annotator."""
    return [
        {
            "id": task.prompt.id,
            "fields": {
                "system": task.prompt.system,
                "prompt": task.prompt.instruction,
                **{f"answer_{number}": text for number, text in enumerate(task.answers, start=1)},
            },
            "metadata": {
                "domain": task.prompt.domain,
                "annotators": [decision.annotator for decision in decisions],
            },
            "suggestions": {},
            "responses": _responses(task, decisions, notes),
            "vectors": {},
        }
        for task, decisions, notes in rows
    ]


def user_id(annotator: str) -> str:
    """The id (a version 5 UUID) of an annotator in Argilla records, derived from the name."""
    return str(uuid.uuid5(_USERS, annotator))


FORMATS: Mapping[str, Callable[[Iterable[Judged]], list[dict[str, Any]]]] = {
    "argilla": argilla,
    "label-studio": label_studio,
}


def document(rows: Iterable[Judged], form: str) -> str:
    """A JSON file of the format with this name in `FORMATS`."""
    return json.dumps(FORMATS[form](rows), ensure_ascii=False, indent=1) + "\n"


def _said(task: AnnotationTask, decision: Decision, note: str) -> dict[str, str]:
    """An annotator's responses by question; best and worst as the answers' numbers."""
    said = {"verdict": decision.kind, "annotator": decision.annotator, "note": note}
    if decision.kind == "tag":
        said["best"] = str(task.hashes.index(decision.best) + 1)
        said["worst"] = str(task.hashes.index(decision.worst) + 1)
    return {question: answer for question, answer in said.items() if answer}


def _annotation(task: AnnotationTask, decision: Decision, notes: Mapping[str, str]) -> dict[str, Any]:
    said = _said(task, decision, notes.get(decision.annotator, ""))
    texts = ("annotator", "note")
    return {
        "result": [
            {
                "id": f"{task.key}-{question}-{user_id(decision.annotator)[:8]}",
                "from_name": question,
                "to_name": "prompt",
                "type": "textarea" if question in texts else "choices",
                "value": {"text" if question in texts else "choices": [answer]},
            }
            for question, answer in said.items()
        ],
        "lead_time": decision.seconds,
        "was_cancelled": decision.kind == "skip",
    }


def _responses(
    task: AnnotationTask, decisions: Iterable[Decision], notes: Mapping[str, str]
) -> dict[str, Any]:
    found: dict[str, list[dict[str, str]]] = {}
    for decision in decisions:
        said = _said(task, decision, notes.get(decision.annotator, ""))
        del said["annotator"]
        for question, answer in said.items():
            found.setdefault(question, []).append({"value": answer, "user_id": user_id(decision.annotator)})
    return found
