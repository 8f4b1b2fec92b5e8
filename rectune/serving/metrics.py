"""What the server counts, in the text format of Prometheus. No label holds what a client wrote."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from rectune.inference.service_state import EngineSnapshot
from rectune.serving.store.feedback_rates import StrategyRate

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 180.0)  # seconds

_Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counters of one server; any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[_Labels] = Counter()
        self._seconds: dict[_Labels, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS) + 1))
        self._sums: Counter[_Labels] = Counter()
        self._reasons: Counter[_Labels] = Counter()
        self._answers: Counter[_Labels] = Counter()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request has ended; `route` is the template, as `/api/v1/users/{user_id}`."""
        own = (("method", method), ("route", route))
        with self._lock:
            self._requests[(*own, ("status", str(status)))] += 1
            at = next((at for at, most in enumerate(BUCKETS) if seconds <= most), len(BUCKETS))
            self._seconds[own][at] += 1
            self._sums[own] += seconds  # type: ignore[assignment]

    def answer(self, strategy: str, reasons_by: Iterable[str | None]) -> None:
        """A recommendation went out."""
        with self._lock:
            self._answers[(("strategy", strategy),)] += 1
            for by in reasons_by:
                if by:
                    self._reasons[(("by", by),)] += 1

    def by_status(self) -> dict[int, int]:
        """Requests that have ended, by their status; 499 is a client that left."""
        found: Counter[int] = Counter()
        with self._lock:
            for labels, count in self._requests.items():
                found[int(dict(labels)["status"])] += count
        return dict(found)

    def text(self, engine: EngineSnapshot | None, items: int, rates: Sequence[StrategyRate] = ()) -> str:
        """All of it.

        Args:
            engine: of the engine service; None where there is none.
            items: of the catalogue.
            rates: of positive feedback.
        """
        with self._lock:
            lines = [
                *_counter("rectune_requests_total", "Requests that have ended.", self._requests),
                *self._histogram(),
                *_counter("rectune_answers_total", "Recommendations, by strategy.", self._answers),
                *_counter(
                    "rectune_reasons_total", "Reasons that went out, by who wrote them.", self._reasons
                ),
                *_unavailable(self._requests),
            ]
        lines += _gauge("rectune_catalogue_items", "Items of the catalogue.", items)
        lines += _positive_feedback(rates)
        return "\n".join([*lines, *(_engine(engine) if engine else ())]) + "\n"

    def _histogram(self) -> Iterator[str]:
        name = "rectune_request_seconds"
        yield from _head(name, "How long requests took, streams to their end.", "histogram")
        for labels, counts in sorted(self._seconds.items()):
            total = 0
            for most, count in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                total += count
                yield f"{name}_bucket{_shown((*labels, ('le', most)))} {total}"
            yield f"{name}_sum{_shown(labels)} {self._sums[labels]:.6f}"
            yield f"{name}_count{_shown(labels)} {total}"


def _unavailable(requests: Mapping[_Labels, int]) -> Iterator[str]:
    count = sum(number for labels, number in requests.items() if ("status", "503") in labels)
    yield from _counter("rectune_unavailable_total", "Requests that were answered with 503.", {(): count})


def _positive_feedback(rates: Sequence[StrategyRate]) -> Iterator[str]:
    """Gauges, since answers and feedback are deleted too."""
    gauges: dict[str, tuple[str, Callable[[StrategyRate], float]]] = {
        "answers": ("Answers to users that are kept.", lambda one: one.answers),
        "positive_answers": ("Those with a like or click that names them.", lambda one: one.positive),
        "rate": ("The share of answers that were positive.", lambda one: one.rate),
        "rate_low": ("The lower end of its 95 % interval.", lambda one: one.interval[0]),
        "rate_high": ("The upper end of its 95 % interval.", lambda one: one.interval[1]),
    }
    for name, (what, value) in gauges.items():
        yield from _head(f"rectune_positive_feedback_{name}", what, "gauge")
        for one in rates:
            labels = _shown((("strategy", one.strategy),))
            yield f"rectune_positive_feedback_{name}{labels} {value(one):.6g}"


def _engine(state: EngineSnapshot) -> Iterator[str]:
    gauges = {
        "slots": ("Answers that are written together.", state.slots),
        "active": ("Requests that have a slot.", state.active),
        "queue": ("Requests that wait for a slot.", state.waiting),
        "failed": ("1 where the engine has failed.", int(bool(state.failure))),
    }
    for name, (what, value) in gauges.items():
        yield from _gauge(f"rectune_engine_{name}", what, value)
    counters = {
        "accepted": ("Requests that the engine took.", state.accepted),
        "refused": ("Requests that were turned away because the queue was full.", state.refused),
        "prompt_tokens": ("Tokens of the prompts of finished requests.", state.prompt_tokens),
        "evaluated_prompt_tokens": (
            "Tokens of prompts that were evaluated; what several prompts share counts once.",
            state.evaluated_prompt_tokens,
        ),
        "tokens": ("Tokens written by finished requests.", state.tokens),
    }
    for name, (what, value) in counters.items():
        yield from _counter(f"rectune_engine_{name}_total", what, {(): value})
    outcomes: dict[_Labels, int] = {
        (("outcome", outcome),): count for outcome, count in state.finished.items()
    }
    yield from _counter("rectune_engine_finished_total", "Requests that have ended.", outcomes)


def _counter(name: str, what: str, values: Mapping[_Labels, int]) -> Iterator[str]:
    yield from _head(name, what, "counter")
    for labels, value in sorted(values.items()):
        yield f"{name}{_shown(labels)} {value}"


def _gauge(name: str, what: str, value: float) -> Iterator[str]:
    yield from _head(name, what, "gauge")
    yield f"{name} {value:g}"


def _head(name: str, what: str, kind: str) -> Iterator[str]:
    yield f"# HELP {name} {what}"
    yield f"# TYPE {name} {kind}"


def _shown(labels: _Labels) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{','.join(pairs)}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
