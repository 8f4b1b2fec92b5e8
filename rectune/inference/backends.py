"""The common interface of the backends: the engine in this process, a server, or a cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Self

from rectune.inference.requests import GenerationRequest, GenerationResult


class Backend(ABC):
    """Answers requests."""

    @abstractmethod
    def generate(
        self, requests: Sequence[GenerationRequest], on_answer: Callable[[GenerationResult], None]
    ) -> None:
        """Answer every request once, in any order; `on_answer` is called in this thread as each one ends.

        What cannot be answered is an answer with `finish` "error" that says why.

        Args:
            requests: with ids that differ.
            on_answer: keeps an answer; what it raises ends the work.

        Raises:
            UserError: nothing can be answered.
        """

    @abstractmethod
    def close(self) -> None:
        """Free the model; doing it twice does no harm."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
