"""Annotation tasks: prompts with their candidate answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rectune.align.decisions import Subject, subject_of
from rectune.core.errors import UserError
from rectune.core.rows import read_rows
from rectune.core.types import Candidate, Prompt, answer_hash, prompt_hash

CANDIDATES_FILE = "candidates.parquet"
PROMPTS_FILE = "prompts.parquet"
ITEMS_FILE = "items.parquet"


@dataclass(frozen=True, slots=True)
class AnnotationTask:
    """One prompt and its answers in the order they were sampled; `hashes` run alongside `answers`.

    `systems` is empty, or runs alongside too and names the model behind each answer: then models are
    compared.
    """

    prompt: Prompt
    key: str
    answers: tuple[str, ...]
    hashes: tuple[str, ...]
    systems: tuple[str, ...] = ()

    @property
    def subject(self) -> Subject:
        """The subject under which decisions on it are stored."""
        return subject_of(self.key, self.hashes, self.systems)

    def text(self, answer: str) -> str:
        """The answer with this hash."""
        return self.answers[self.hashes.index(answer)]


def make_task(prompt: Prompt, answers: tuple[str, ...], systems: tuple[str, ...] = ()) -> AnnotationTask:
    """A task from its texts, and the models that wrote them where models are compared."""
    return AnnotationTask(prompt, prompt_hash(prompt), answers, tuple(map(answer_hash, answers)), systems)


def load_tasks(candidates: Path, prompts: Path) -> list[AnnotationTask]:
    """Read what is to be tagged, in the order of the prompts.

    Args:
        candidates: the folder of the candidates stage.
        prompts: the folder of the queries stage.

    Raises:
        UserError: a file is missing or damaged, or a candidate belongs to no prompt.
    """
    rows = sorted(read_rows(candidates / CANDIDATES_FILE, Candidate), key=lambda row: row.index)
    answers: dict[str, list[str]] = {}
    for row in rows:
        answers.setdefault(row.prompt_id, []).append(row.text)
    asked = [prompt for prompt in read_rows(prompts / PROMPTS_FILE, Prompt) if prompt.id in answers]
    unknown = len(answers) - len(asked)
    if unknown:
        raise UserError(
            f"{unknown} prompts of the candidates are not among {prompts / PROMPTS_FILE}",
            where=str(candidates / CANDIDATES_FILE),
            hint="both must come from one run: rectune run RECIPE --until candidates",
        )
    return [make_task(prompt, tuple(answers[prompt.id])) for prompt in asked]
