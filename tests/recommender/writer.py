"""A stand-in for the language model: its drafts and reasons are given, and what it was asked is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rectune.inference.requests import GenerationRequest, GenerationResult

REASONS = "will enjoy how it goes on from what you liked before."


class Writer:
    """Answers as `rectune.inference.generate.generate` does, without a model."""

    def __init__(self, draft: str, reasons: str = REASONS) -> None:
        self.draft, self.reasons, self.asked = draft, reasons, list[GenerationRequest]()

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
            GenerationResult(r.id, " " + self.reasons if r.prefill else self.draft, "stop", 9, 9)
            for r in requests
        ]
