"""After kills, and with two stages at one generation cache, answers are those of one run, made once."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

COUNT, KILLS = 60, 10
PROGRAM = """
import json, sys
from pathlib import Path
from rectune.inference.generate import generate
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.requests import GenerationRequest
from rectune.models.reference import gguf_file
from rectune.core.settings import EngineConfig, SamplingConfig

made = []
original = LlamaEngine.generate
def counted(self, requests, on_answer):
    made.extend(requests)
    original(self, requests, on_answer)
LlamaEngine.generate = counted

sampling = SamplingConfig(max_tokens=12, temperature=0.8)
wanted = range(int(sys.argv[2]), int(sys.argv[3]))
requests = [GenerationRequest(str(n), (("user", f"Film {n}?"),), sampling, n) for n in wanted]
engine = EngineConfig(context=128, max_num_seqs=1, threads=1)
answers = generate(gguf_file("embedded"), requests, engine, Path(sys.argv[1]), "killed")
print(json.dumps({"made": len(made), "texts": [[answer.id, answer.text] for answer in answers]}))
"""

pytestmark = pytest.mark.slow


def start(generation_cache: Path, first: int = 0, last: int = COUNT) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(generation_cache), str(first), str(last)],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def result(process: subprocess.Popen[str]) -> Any:
    printed, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(printed)


def count(generation_cache: Path) -> int:
    """Answers in the generation cache, 0 before it is made."""
    if not generation_cache.exists():
        return 0
    base = sqlite3.connect(generation_cache)
    try:
        return int(base.execute("SELECT count(*) FROM answers").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        base.close()


def wait_for(generation_cache: Path, wanted: int, process: subprocess.Popen[str]) -> None:
    while count(generation_cache) < wanted and process.poll() is None:
        time.sleep(0.01)


def test_killed_at_ten_random_moments_the_answers_are_those_of_a_quiet_run(tmp_path: Path) -> None:
    quiet, generation_cache, rng = tmp_path / "quiet.sqlite", tmp_path / "killed.sqlite", random.Random(20)
    begun = time.monotonic()
    process = start(quiet)
    wait_for(quiet, 1, process)
    loading, begun = time.monotonic() - begun, time.monotonic()
    whole = result(process)
    writing = time.monotonic() - begun
    assert whole["made"] == COUNT
    for number in range(KILLS):
        process, before = start(generation_cache), count(generation_cache)
        if number % 2:
            wait_for(generation_cache, before + 1, process)
        time.sleep(rng.uniform(0, writing / KILLS if number % 2 else loading))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert count(generation_cache) >= before + number % 2
    left = COUNT - count(generation_cache)
    assert 0 < left <= COUNT - KILLS // 2
    resumed = result(start(generation_cache))
    assert resumed == {"made": left, "texts": whole["texts"]}  # with one slot, to the letter
    assert count(generation_cache) == COUNT


def test_two_stages_at_one_cache_at_the_same_time_get_the_same_texts(tmp_path: Path) -> None:
    generation_cache, third = tmp_path / "shared.sqlite", COUNT // 3
    stages = [start(generation_cache, 0, 2 * third), start(generation_cache, third, COUNT)]
    one, other = map(result, stages)
    assert one["texts"][third:] == other["texts"][:third]
    assert count(generation_cache) == COUNT
    alone = result(start(generation_cache))
    assert alone == {"made": 0, "texts": one["texts"] + other["texts"][third:]}
