"""`make bench-generation`: the engine with its default slots against llama-cpp-python's `Llama`.

Both get the same prompts, made from the sample data as the stages make them, with the sampling of
recipes/demo.yaml, in the same process and with the same number of threads. The rival gets them as ready token
ids, so the time that rendering takes counts against us alone. Its prefix cache is the one built into `Llama`:
it keeps the last prompt's cache and evaluates only what differs, which is faster here than `LlamaRAMCache`,
which copies the whole state besides.

Both are measured on the model's own weights too, and on the copy in a faster type that the engine uses if the
model's type has no batched kernels on the CPU, so that the gains of batching and of the copy are separate.

`overhead` is the share of our time that is neither llama.cpp's evaluation nor its sampling.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rectune.core.settings import EngineConfig, GenerateConfig, SamplingConfig
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationRequest, GenerationResult

CONTEXT = 1536  # tokens a sequence, as in the recipe
_BARS, _WIDTH = "▁▂▃▄▅▆▇█", 60


@dataclass(frozen=True, slots=True)
class Work:
    """Requests of the two kinds."""

    queries: list[GenerationRequest]
    rationales: list[GenerationRequest]

    def kinds(self) -> dict[str, list[GenerationRequest]]:
        """By name, without kinds that have none."""
        return {
            name: each for name, each in (("queries", self.queries), ("rationales", self.rationales)) if each
        }


@dataclass(frozen=True, slots=True)
class Run:
    """One pass over requests: seconds, tokens, texts by id; the last three are of our engine alone.

    `overhead` is a share of the seconds, `saved` counts prompt tokens that were shared, `slots` holds
    (seconds of a step, slots in use).
    """

    seconds: float
    prompt: int
    written: int
    texts: dict[str, str]
    overhead: float = 0.0
    saved: int = 0
    slots: tuple[tuple[float, int], ...] = ()


class Watched(LlamaEngine):
    """An engine that records the time in llama.cpp and the slots in use."""

    def __init__(self, model: Path, engine: EngineConfig) -> None:
        super().__init__(model, engine)
        self.inside = 0.0
        self.used: list[tuple[float, int]] = []
        for name in ("evaluate", "sample"):
            setattr(self._context, name, self._timed(getattr(self._context, name)))

    def step(self) -> None:
        """The engine's step, recorded."""
        begun, before = time.perf_counter(), self.active
        super().step()
        self.used.append((time.perf_counter() - begun, max(before, self.active)))

    def _timed(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            begun = time.perf_counter()
            try:
                return work(*arguments)
            finally:
                self.inside += time.perf_counter() - begun

        return timed


def work(queries: int, rationales: int) -> Work:
    """Requests as the stages make them, from cases of the sample data, which are repeated if too few."""
    from rectune.core.catalogue import load_catalogue
    from rectune.core.recipe import load_recipe
    from rectune.core.rows import read_rows
    from rectune.core.types import Case
    from rectune.datagen.build import run

    recipe = load_recipe(Path(__file__).parents[1] / "recipes/demo.yaml", [])
    with tempfile.TemporaryDirectory() as out:
        run(recipe.only(("data",)), {}, Path(out))
        cases = read_rows(Path(out) / "cases.parquet", Case)
        catalogue = load_catalogue(Path(out) / "items.parquet")
    cases.sort(key=lambda case: case.id)
    settings = recipe.generate
    return Work(
        [_query(cases[n % len(cases)], catalogue, settings, n) for n in range(queries)],
        [_rationale(cases[-1 - n % len(cases)], catalogue, settings, n) for n in range(rationales)],
    )


def _query(case: Any, catalogue: Any, settings: GenerateConfig, number: int) -> GenerationRequest:
    from rectune.prompts.teacher_prompts import query_messages

    messages = query_messages(catalogue.get(case.domain, case.target), "en")
    return GenerationRequest(f"query {number}", messages, settings.query, number, ("\n",))


def _rationale(case: Any, catalogue: Any, settings: GenerateConfig, number: int) -> GenerationRequest:
    from rectune.prompts.teacher_prompts import rationale_messages, rationale_opening

    target = catalogue.get(case.domain, case.target)
    history = [catalogue.get(case.history_domain, item) for item in case.history]
    messages = rationale_messages(target, history, "", "en")
    opening = rationale_opening([item.title for item in history], "", "en", number)
    return GenerationRequest(f"rationale {number}", messages, settings.rationale, number, (), opening)


def ours(engine: Watched, requests: Sequence[GenerationRequest]) -> Run:
    """Our engine on these requests."""
    answers: list[GenerationResult] = []
    engine.inside, saved = 0.0, engine.saved
    engine.used.clear()
    begun = time.perf_counter()
    engine.generate(requests, answers.append)
    seconds = time.perf_counter() - begun
    failed = [answer.error for answer in answers if answer.finish == "error"]
    if failed:
        raise SystemExit(f"{len(failed)} requests failed, the first because: {failed[0]}")
    return Run(
        seconds,
        sum(answer.prompt_tokens for answer in answers),
        sum(answer.tokens for answer in answers),
        {answer.id: answer.text for answer in answers},
        1 - engine.inside / seconds,
        engine.saved - saved,
        tuple(engine.used),
    )


def rival(llama: Any, prompts: Sequence[list[int]], requests: Sequence[GenerationRequest]) -> Run:
    """`Llama.create_completion` on the same prompts, one after another."""
    texts, prompt, written = {}, 0, 0
    llama.reset()  # as ours, it begins with an empty cache
    begun = time.perf_counter()
    for tokens, request in zip(prompts, requests, strict=True):
        how = request.sampling.model_dump(exclude={"max_tokens", "seed"})
        made = llama.create_completion(
            tokens, max_tokens=request.sampling.max_tokens, seed=request.seed, stop=list(request.stop), **how
        )
        texts[request.id] = made["choices"][0]["text"]
        prompt += made["usage"]["prompt_tokens"]
        written += made["usage"]["completion_tokens"]
    return Run(time.perf_counter() - begun, prompt, written, texts)


def compare(given: Work, rounds: int, threads: int) -> Iterator[str]:
    """All systems on all kinds, in turn; the median round of each by seconds, printed as measured."""
    from rectune.inference.context_size import cores
    from rectune.models.reference import gguf_file

    model, threads = gguf_file("embedded"), threads or cores()
    with Watched(model, EngineConfig(context=CONTEXT, max_num_seqs=0, threads=threads)) as engine:
        yield f"{threads} threads; {engine.slots} slots; weights {engine.weights.name}"
        systems = {"engine": _runs_ours(engine), "Llama": _runs_rival(model, threads, engine)}
        with Watched(
            model, EngineConfig(context=CONTEXT, max_num_seqs=0, threads=threads, weights="file")
        ) as as_is:
            if engine.weights != model:
                systems["engine, file's weights"] = _runs_ours(as_is)
                systems["Llama, engine's weights"] = _runs_rival(engine.weights, threads, engine)
            for name, requests in given.kinds().items():
                for system in systems.values():
                    system(requests[:1])  # warm
                runs = {label: list[Run]() for label in systems}
                for _ in range(rounds):
                    for label, system in systems.items():
                        runs[label].append(system(requests))
                yield from ["", *_table(name, {label: _median(each) for label, each in runs.items()})]
    yield from ["", *_greedy(model, given, threads)]


def _runs_ours(engine: Watched) -> Callable[[Sequence[GenerationRequest]], Run]:
    return lambda requests: ours(engine, requests)


def _runs_rival(model: Path, threads: int, engine: Watched) -> Callable[[Sequence[GenerationRequest]], Run]:
    import llama_cpp

    llama = llama_cpp.Llama(
        str(model), n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads, verbose=False
    )
    return lambda requests: rival(llama, [engine.tokens(request) for request in requests], requests)


def _median(runs: Sequence[Run]) -> Run:
    return sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]


def _table(name: str, runs: dict[str, Run]) -> list[str]:
    """One kind's figures, with rates, since the same seeds do not give the same number of tokens."""
    mine, theirs = runs["engine"], runs["Llama"]
    count = len(mine.texts)
    head = (
        f"{f'{count} {name}':<25}{'seconds':>9}{'a second':>10}{'prompt tok/s':>14}{'written tok/s':>15}"
        f"{'times Llama':>13}{'by tokens':>11}"
    )
    rows = [
        f"{label:<25}{run.seconds:>9.1f}{count / run.seconds:>10.2f}{run.prompt / run.seconds:>14.0f}"
        f"{run.written / run.seconds:>15.1f}{theirs.seconds / run.seconds:>13.2f}"
        f"{run.written / run.seconds / (theirs.written / theirs.seconds):>11.2f}"
        for label, run in runs.items()
    ]
    return [
        head,
        *rows,
        f"overhead {mine.overhead:.1%}; prefix tokens saved {mine.saved} of {mine.prompt}",
        f"slots in use {sparkline(mine.slots)} {_mean(mine.slots):.1f} on average",
    ]


def sparkline(steps: Sequence[tuple[float, int]]) -> str:
    """Slots in use over time as a row of bars; the tallest is the maximum."""
    total, most = sum(seconds for seconds, _ in steps), max((used for _, used in steps), default=0)
    if not total or not most:
        return ""
    shares, passed = [0.0] * _WIDTH, 0.0
    for seconds, used in steps:
        first, last = passed / total * _WIDTH, (passed + seconds) / total * _WIDTH
        for place in range(int(first), min(_WIDTH, int(last) + 1)):
            shares[place] += used * max(0.0, min(last, place + 1) - max(first, place))
        passed += seconds
    return "".join(_BARS[min(len(_BARS) - 1, int(share / most * len(_BARS)))] for share in shares)


def _mean(steps: Sequence[tuple[float, int]]) -> float:
    return sum(seconds * used for seconds, used in steps) / max(1e-9, sum(seconds for seconds, _ in steps))


def _greedy(model: Path, given: Work, threads: int, most: int = 40) -> list[str]:
    """How many greedy answers are the same with many slots as with one."""
    lines = []
    for name, requests in given.kinds().items():
        asked = [
            replace(request, sampling=SamplingConfig(max_tokens=request.sampling.max_tokens, temperature=0.0))
            for request in requests[:most]
        ]
        found = []
        for slots in (0, 1):
            with Watched(model, EngineConfig(context=CONTEXT, max_num_seqs=slots, threads=threads)) as engine:
                found.append(ours(engine, asked).texts)
        many, one = found
        same = sum(many[key] == one[key] for key in one)
        lines.append(
            f"greedy {name}: {same} of {len(one)} are the same to the letter with many slots and with one"
        )
    return lines


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.generation", description=__doc__)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--rationales", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="0: the engine's own choice, for both")
    given = parser.parse_args()
    for line in compare(work(given.queries, given.rationales), given.rounds, given.threads):
        print(line, flush=True)


if __name__ == "__main__":
    main()
