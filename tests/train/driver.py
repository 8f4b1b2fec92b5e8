"""Runs one training stage as the launcher does: `driver.py FILE`; FILE names stage, sections and folders."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

from rectune.core.recipe import parse_recipe


def main() -> None:
    """Call the stage in this process and leave its figures beside its folder."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    out = Path(job["out"])
    out.mkdir(parents=True, exist_ok=True)
    stage = importlib.import_module(job["stage"])
    inputs = {name: Path(folder) for name, folder in job["inputs"].items()}
    figures = stage.run(parse_recipe(job["sections"]), inputs, out)
    if os.environ.get("RANK", "0") == "0":
        out.with_suffix(".json").write_text(json.dumps(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
