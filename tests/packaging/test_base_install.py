"""The wheel and its dependencies without any extra, really installed: it ranks, and says what is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = "torch transformers llama_cpp lancedb sentence_transformers matplotlib numba".split()

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def python(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel and what it depends on, in the pinned versions."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    python, wheel = home / "bin" / "python", next(built.glob("*.whl"))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--prefer-binary"]
    answer = subprocess.run(
        [*pip, "--constraint", str(ROOT / "constraints.txt"), str(wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-3000:]
    return python


def run(program: list[Path | str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A program in a folder of its own, with no trace of the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def works(python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the paths that need no extra return there."""
    folder = tmp_path_factory.mktemp("bare")
    answer = run([python, ROOT / "tests" / "core" / "without_extras.py", "installed", str(folder)], folder)
    assert answer.returncode == 0, answer.stderr[-3000:]
    found: dict[str, Any] = json.loads(answer.stdout)["works"]
    return found


def test_none_of_the_heavy_packages_is_installed(python: Path, tmp_path: Path) -> None:
    looking = f"from importlib.util import find_spec; print([n for n in {HEAVY} if find_spec(n)])"
    assert run([python, "-c", looking], tmp_path).stdout.strip() == "[]"


def test_rankers_rank(works: dict[str, Any]) -> None:
    for name in ("item_knn", "svd", "ease", "als"):
        assert sorted(works["rankers"][name]) == ["m1", "m2"]
    assert works["rankers"]["bm25"][0] == "m2"


def test_the_doctor_is_content_and_names_the_extras(works: dict[str, Any]) -> None:
    status, page = works["doctor"]
    assert status == 0, page
    assert "note extra llm" in page and "note extra train" in page and "make setup" not in page


def test_a_command_names_its_extra(python: Path, tmp_path: Path) -> None:
    answer = run([python.parent / "rectune", "run", "demo"], tmp_path)
    assert answer.returncode == 2 and "pip install 'rectune[train]'" in answer.stderr
    assert "Traceback" not in answer.stderr and not list((tmp_path / "runs").glob("data/*"))
