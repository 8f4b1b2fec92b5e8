"""`python -m bench.generation_cache`: time and memory of finding 100,000 answers in the generation cache.

The requests are queries as the stage `queries` asks for them, seven shots each, half in English and half in
Korean, on made-up items. Their answers are put into a generation cache; then a fresh process makes the same
requests again and calls `generate`, which finds all of them there and loads no model.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from pathlib import Path

from bench.measure_process import measure
from rectune.core.digests import DigestCache
from rectune.core.settings import EngineConfig, SamplingConfig
from rectune.core.types import Item
from rectune.inference.generate import generate
from rectune.inference.generation_cache import GenerationCache, request_key
from rectune.inference.requests import GenerationRequest
from rectune.prompts.teacher_prompts import query_messages

COUNT = 100_000
_ABOUT = (
    "A story of people who meet by chance, told over one long summer in a town by the sea, "
    "and of what is left of it. "
)
_ANSWER = "Something quiet to watch on a rainy evening. " * 10


def requests(count: int) -> list[GenerationRequest]:
    """Seven-shot requests that differ in the item asked about, the locale and the seed."""
    sampling = SamplingConfig()
    made: list[GenerationRequest] = []
    for number in range(count):
        item = Item(
            "films", str(number), f"Made-up Title {number}", ("Drama", "Film"), _ABOUT, 1950 + number % 75
        )
        messages = query_messages(item, "ko" if number % 2 else "en")
        made.append(GenerationRequest(str(number), messages, sampling, number, ("\n",)))
    return made


def fill(root: Path, count: int) -> None:
    """Write a stand-in for a model, and the generation cache with an answer to each request."""
    (root / "model.gguf").write_bytes(b"GGUF")
    GenerationCache(root / "generations.sqlite").close()
    digest = DigestCache(root).digest(root / "model.gguf")
    rows = ((request_key(digest, request), _ANSWER) for request in requests(count))
    base = sqlite3.connect(root / "generations.sqlite")
    with base:
        base.executemany(
            "INSERT INTO answers (key, text, finish, prompt_tokens, tokens) VALUES (?, ?, 'stop', 300, 90)",
            rows,
        )
    base.close()


def resume(root: Path, count: int) -> None:
    """The measured part; writes the seconds of `generate`."""
    asked = requests(count)
    begun = time.monotonic()
    answers = generate(
        root / "model.gguf", asked, EngineConfig(), root / "generations.sqlite", "generation cache"
    )
    seconds = time.monotonic() - begun
    if [answer.id for answer in answers] != [request.id for request in asked]:
        raise SystemExit("the generation cache does not hold every answer")
    (root / "seconds.json").write_text(json.dumps(seconds))


def main() -> None:
    """The command line; `--resume` is what its own child process runs."""
    parser = argparse.ArgumentParser(prog="python -m bench.generation_cache", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--resume", type=Path)
    given = parser.parse_args()
    if given.resume:
        resume(given.resume, given.count)
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        fill(root, given.count)
        found = measure("bench.generation_cache", ["--resume", str(root), "--count", str(given.count)])
        seconds = json.loads((root / "seconds.json").read_text())
        size = (root / "generations.sqlite").stat().st_size / 2**20
    print(f"{given.count:,} finished requests, cache of {size:.0f} MiB: found in {seconds:.1f} s;")
    print(
        f"the process, requests and imports included: {found.seconds:.1f} s, "
        f"peak {found.memory * 1024:.0f} MiB"
    )


if __name__ == "__main__":
    main()
