"""Without the optional packages everything that needs none works, and everything else names its extra."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rectune.core.errors import MissingExtra
from rectune.core.extras import EXTRAS, INCLUDES, absent_modules, extra_of, is_installed, needs_extra, require
from rectune.core.package_data import WITH_SET_UP
from tests.core.without_extras import RANKERS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = {"rectune", "tests", "bench", "samples", "scripts"}
# Modules that are not called as the package that brings them.
MODULES = {"ruamel_yaml": "ruamel", "llama_cpp_python": "llama_cpp", "markdown_it_py": "markdown_it"}


def module_of(requirement: str) -> str:
    name = re.split(r"[<>=~!\[; ]", requirement)[0].lower()
    return MODULES.get(plain := re.sub(r"[-.]", "_", name), plain)


def stated(extra: str) -> tuple[set[str], set[str]]:
    """Modules that pyproject.toml states for an extra, and the extras that it includes."""
    lines = PROJECT["optional-dependencies"][extra]
    included = {name for line in lines if line.startswith("rectune[") for name in line[8:-1].split(",")}
    return {module_of(line) for line in lines if not line.startswith("rectune[")}, included


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_table_of_modules_is_that_of_the_project_file(extra: str) -> None:
    assert stated(extra) == (set(EXTRAS[extra]), set(INCLUDES.get(extra, ())))


def test_all_is_what_set_up_installs_and_dev_is_everything() -> None:
    assert stated("all") == (set(), set(WITH_SET_UP))
    assert stated("dev")[1] == {"all", "ray", "postgres"}
    assert "EXTRAS=${EXTRAS:-all}" in (ROOT / "scripts" / "setup.sh").read_text()


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level modules that a file imports when it runs; what only a type checker reads is left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]
        yield from imported(node)


def test_whatever_is_imported_is_declared() -> None:
    files = [
        path
        for top in ("rectune", "datagen", "filters", "train", "align")
        for path in (ROOT / top).rglob("*.py")
    ]
    found = {name for path in files for name in imported(ast.parse(path.read_text()))}
    base = {module_of(line) for line in PROJECT["dependencies"]} | {"pydantic_core"}
    assert {name for name in found - OWN - base - set(sys.stdlib_module_names) if not extra_of(name)} == set()
    assert {"torch", "polars"} <= found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process prints in which no module of any extra can be found."""
    folder = tmp_path_factory.mktemp("bare")
    program = [sys.executable, "-m", "tests.core.without_extras", "refuse", str(folder)]
    answer = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-3000:]
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_reading_ranking_scoring_and_planning_need_no_extra(told: dict[str, Any]) -> None:
    works = told["works"]
    assert works["catalogue"][:2] == ["Alien", "Aliens"] and len(works["catalogue"]) == 6
    assert works["score"] == pytest.approx(2.772588722)  # ln(4) * 4 / 2
    assert set(works["rankers"]) == set(RANKERS)
    for name in ("item_knn", "svd", "ease", "als"):
        assert sorted(works["rankers"][name]) == ["m1", "m2"]  # liked together with the first
    assert works["rankers"]["bm25"][0] == "m2"  # the only other title with the word Alien
    assert works["korean"] == ["a", "b", 1]  # by pairs of letters, which is said once
    assert works["recommended"] == ["m2"] and works["public"] == []
    status, page = works["help"]
    assert status == 0 and "leave-one-domain-out" in page
    status, page = works["plan"]
    assert status == 0 and page.splitlines()[1].split()[:3] == ["data", "would", "run"]
    assert works["loaded"] == []


def test_the_doctor_says_which_extras_are_there(told: dict[str, Any]) -> None:
    _, page = told["works"]["doctor"]
    for extra in EXTRAS:
        assert re.search(rf"(MEND|note) extra {extra} +absent: ", page)
        assert f"pip install 'rectune[{extra}]'" in page


@pytest.mark.parametrize(
    ("subject", "extra"),
    [
        ("embedding_mean", "llm"), ("Engine", "llm"), ("filter_responses", "llm"), ("RayBackend", "ray"),
        ("sft", "train"), ("report", "train"), ("rectune run", "train"), ("rectune tag", "train"),
        ("rectune score", "llm"), ("rectune recommend", "llm"), ("rectune plan --show-deepspeed", "llm"),
        ("rectune plan --estimate", "train"),
    ],
)  # fmt: skip
def test_what_needs_an_extra_names_it(told: dict[str, Any], subject: str, extra: str) -> None:
    ended, words = told["refused"][subject]
    assert ended == (2 if subject.startswith("rectune ") else "MissingExtra")
    assert f"needs the extra {extra}, which is not installed" in words
    assert f"pip install 'rectune[{extra}]'" in words and "Traceback" not in words


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No module of any extra, whatever is installed; a test puts in what it wants."""
    for modules in EXTRAS.values():
        for module in modules:
            monkeypatch.setitem(sys.modules, module, None)
    return monkeypatch


def test_only_a_module_of_an_absent_extra_becomes_that_error(without: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(MissingExtra, match="the index needs the extra llm") as caught,
        needs_extra("the index"),
    ):
        import lancedb  # noqa: F401
    assert caught.value.extra == "llm"
    with pytest.raises(ModuleNotFoundError), needs_extra("the index"):
        import no_such_package  # type: ignore[import-not-found]  # noqa: F401
    without.setitem(sys.modules, "torch", ModuleType("torch"))  # installed, but without this part
    with pytest.raises(ModuleNotFoundError), needs_extra("the index"):
        import torch.no_such_part  # type: ignore[import-not-found]  # noqa: F401


def test_what_is_looked_for_at_once_names_the_extra_that_brings_all(without: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingExtra, match=r"b needs the extra train"):
        require([("torch", "a"), ("trl", "b")])
    without.setitem(sys.modules, "trl", ModuleType("trl"))
    with pytest.raises(MissingExtra, match=r"a needs the extra llm"):
        require([("torch", "a"), ("trl", "b")])
    require([("trl", "b")])
    assert not is_installed("torch") and is_installed("trl")
    assert "torch" in absent_modules("train") and "trl" not in absent_modules("train")
