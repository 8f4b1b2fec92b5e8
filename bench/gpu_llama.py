"""Generating with a random GGUF model that has the dimensions of a 7B one (Q4_0), all on an accelerator.

The engine with 1, 8, 32 and 128 sequences at once, and llama-cpp-python's `Llama` with one after the other,
on prompts of `bench.gpu_rows` and 64 tokens written to each. `overhead` is the share of the time that is
neither llama.cpp's evaluation nor its sampling.
"""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.generation import Run, Watched, ours, rival
from bench.gpu_part import Part, asked
from bench.gpu_rows import KEPT
from bench.model_dims import TINY, Shape, write
from rectune.core.settings import EngineConfig, SamplingConfig
from rectune.inference.requests import GenerationRequest

_CONTEXT, _WRITTEN = 1024, 64  # tokens a sequence, and of an answer


def measure(part: Part) -> None:
    """Every number of sequences that there is time for; prints and writes each as it is done.

    Raises:
        SystemExit: llama.cpp sees no accelerator here.
    """
    from rectune.inference.context_size import device_memory

    if not device_memory() and not part.tiny:
        raise SystemExit("no accelerator: this llama-cpp-python was built without one, or none is in sight")
    figures: dict[str, Any] = {"runs": {}}
    counts = (1, 2) if part.tiny else (1, 8, 32, 128)
    requests = _requests(part.rows, 2 * counts[-1], 8 if part.tiny else _WRITTEN)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "random.gguf"
        write(model, TINY if part.tiny else Shape())
        print(
            f"{'sequences':<26}{'requests':>9}{'seconds':>9}{'prompt tok/s':>14}{'written tok/s':>15}"
            f"{'overhead':>10}",
            flush=True,
        )
        for count in counts:
            if part.left < 10:
                print(f"{count}: no time left", flush=True)
                break
            asked_now = requests[: max(8, 2 * count)]
            with Watched(model, _engine(count)) as engine:
                ours(engine, requests[:1])  # warm
                _note(part, figures, str(count), ours(engine, asked_now))
                if count == 1:
                    _note(part, figures, "one after the other (Llama)", _one_by_one(model, engine, asked_now))


def _engine(count: int) -> EngineConfig:
    return EngineConfig(context=_CONTEXT, max_num_seqs=count, gpu_layers=-1)


def _one_by_one(model: Path, engine: Watched, requests: list[GenerationRequest]) -> Run:
    import llama_cpp

    llama = llama_cpp.Llama(str(model), n_ctx=_CONTEXT, n_gpu_layers=-1, verbose=False)
    rival(llama, [engine.tokens(requests[0])], requests[:1])  # warm
    return rival(llama, [engine.tokens(request) for request in requests], requests)


def _requests(rows: Path, count: int, written: int) -> list[GenerationRequest]:
    """Prompts of the examples, which are repeated if too few."""
    from rectune.core.rows import read_rows
    from rectune.core.types import Example

    sampling = SamplingConfig(max_tokens=written, temperature=0.7)
    prompts = [example.prompt for example in read_rows(rows / KEPT, Example)]
    found = [
        GenerationRequest("", (("system", one.system), ("user", one.instruction)), sampling, 0)
        for one in itertools.islice(itertools.cycle(prompts), count)
    ]
    return [replace(request, id=str(number), seed=number) for number, request in enumerate(found)]


def _note(part: Part, figures: dict[str, Any], name: str, run: Run) -> None:
    count = len(run.texts)
    figures["runs"][name] = {
        "requests": count,
        "seconds": run.seconds,
        "prompt_tokens": run.prompt,
        "written_tokens": run.written,
        "overhead": run.overhead,
    }
    part.write(figures)
    rates = f"{run.prompt / run.seconds:>14.0f}{run.written / run.seconds:>15.1f}"
    print(f"{name:<26}{count:>9}{run.seconds:>9.1f}{rates}{run.overhead:>10.1%}", flush=True)


if __name__ == "__main__":
    measure(asked("llama", __doc__))
