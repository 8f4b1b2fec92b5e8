"""What was pushed loads again, by the very code that the cards show."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rectune.core.figures import BaseFigures
from rectune.core.rows import read_rows
from rectune.core.types import Example
from tests.core.filled import record, write_stage
from tests.models.tiny import tiny_checkpoint
from tests.release import small
from tests.release.conftest import KEYS
from tests.release.hub import Hub
from tests.release.test_hub import ROOT, TOKEN, hub, out, pushed  # noqa: F401 (fixtures)

CHECKS = """
import json, sys
blocks, facts = json.loads(sys.argv[1])
seen = {}
for block in blocks:
    exec(block, seen)
rows, pairs = seen["rows"], seen["pairs"]
print(json.dumps({
    "rows": [row["response"] for row in rows],
    "users": sorted({row["prompt"]["user"] for row in rows}),
    "pairs": [pair["rejected"] for pair in pairs],
    "model": type(seen["base"]).__name__,
    "adapter": sum(float(w.abs().sum()) for n, w in seen["tuned"].named_parameters() if "lora_B" in n),
    "said": facts,
}))
"""


@pytest.mark.slow
def test_the_code_in_the_cards_runs_as_printed(
    hub: Hub,  # noqa: F811
    finished: dict[str, Path],
    out: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    _real_models(finished)
    pushed(finished, out)
    for repository in hub.repositories.values():  # revision= in the code names the tag
        assert repository.tags == {KEYS["export"]: repository.commits[-1][0]}
    cards = [hub.files("models")["README.md"].decode(), hub.files("datasets")["README.md"].decode()]
    blocks = [_runnable(block) for card in cards for block in re.findall(r"```python\n(.*?)```", card, re.S)]
    assert len(blocks) == 4
    found = _in_a_process_of_its_own(hub, blocks, tmp_path)
    kept = read_rows(out / "dataset/default/train.parquet", Example)
    assert found["rows"] == [row.response for row in kept] and found["users"] == [""]
    assert found["pairs"] == ["rejected 1"] and found["model"] == "LlamaForCausalLM"
    assert found["adapter"] > 1.0


def _real_models(finished: dict[str, Path]) -> None:
    """Tiny ones in place of the fixture's made-up bytes."""
    merged, adapter = finished["export"] / "merged", finished["dpo"] / "adapter"
    for folder in (merged, adapter):
        shutil.rmtree(folder)
    shutil.copytree(tiny_checkpoint(), merged)
    shutil.copytree(small.adapter(False), adapter)
    (finished["export"] / "model.gguf").unlink()
    shutil.copyfile(small.exact_gguf(), finished["export"] / "model.gguf")
    write_stage(finished["base"], record(BaseFigures, model="tiny", kind="tiny"))


def _runnable(block: str) -> str:
    """The card's code, with the base where the run prepared it; the adapter model keeps its own name."""
    named = block.replace("path/to/base", str(tiny_checkpoint()))
    return named.replace("model = PeftModel", "tuned = PeftModel")


def _in_a_process_of_its_own(hub: Hub, blocks: list[str], tmp_path: Path) -> dict[str, object]:  # noqa: F811
    names = {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", CHECKS, json.dumps([blocks, ""])],
        env={**os.environ, **names},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert TOKEN not in done.stdout + done.stderr
    document: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return document
