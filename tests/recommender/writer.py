"""A stand-in for the language model: its drafts and reasons are given, and what it was asked is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rectune.inference.requests import GenerationRequest, GenerationResult

REASONS = "will enjoy another work of science fiction."


def from_facts(request: GenerationRequest) -> str:
    """Reasons that say what the prompt says of the item in brackets, in other words."""
    said = request.facts.partition("(")[2].partition(")")[0].replace(":", "").replace(", ", " and ")
    return f"will enjoy this for its {said}."


class Writer:
    """Answers as `rectune.inference.generate.generate` does, without a model."""

    def __init__(self, draft: str, reasons: str | Callable[[GenerationRequest], str] = REASONS) -> None:
        self.draft, self.asked = draft, list[GenerationRequest]()
        self.reasons = reasons if callable(reasons) else lambda _: reasons

    def __call__(
        self,
        model: Path,
        requests: Sequence[GenerationRequest],
        engine: object,
        generation_cache: Path,
        label: str,
        failures: float = 1.0,
    ) -> list[GenerationResult]:
        self.asked += requests
        return [
            GenerationResult(r.id, " " + self.reasons(r) if r.prefill else self.draft, "stop", 9, 9)
            for r in requests
        ]
