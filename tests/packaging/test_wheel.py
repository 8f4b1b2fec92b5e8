"""The installed package: sdist and wheel hold the package and its data, and work beside a user's files."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def tracked() -> set[str]:
    """Files of the package in git, by their paths below it; git knows the linked folders at the root."""
    said = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    linked = {link.name for link in (ROOT / "rectune").iterdir() if link.is_symlink()}
    own = {line.removeprefix("rectune/") for line in said.splitlines() if line.startswith("rectune/")}
    own |= {line for line in said.splitlines() if line.split("/")[0] in linked}
    return {name for name in own - linked if not _writes_samples(name)}


def _writes_samples(name: str) -> bool:
    """What only the program that writes the samples needs."""
    folder, _, rest = name.partition("/")
    return folder == "samples" and (rest.endswith((".py", ".gitattributes")) or rest.startswith("facts/"))


def test_the_wheel_holds_the_package_its_data_and_nothing_else(built: Path) -> None:
    names = zipfile.ZipFile(next(built.glob("*.whl"))).namelist()
    assert {name.split("/")[0] for name in names} == {"rectune", "rectune-0.1.0.dist-info"}
    assert {name.removeprefix("rectune/") for name in names if name.startswith("rectune/")} == tracked()


def test_the_sdist_holds_folders_where_git_has_links(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        members = archive.getmembers()
    assert not [member.name for member in members if member.issym() or member.islnk()]
    inside = {"/".join(member.name.split("/")[1:]) for member in members}
    assert {f"rectune/{name}" for name in tracked()} <= inside


@pytest.fixture(scope="module")
def python(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has the wheel; what the wheel depends on it takes from ours."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    python = home / "bin" / "python"
    wheel = str(next(built.glob("*.whl")))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*pip, wheel], check=True)
    ours = sysconfig.get_paths()["purelib"]
    packages = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    (Path(packages) / "dependencies.pth").write_text(
        ours + "\n"
    )  # a plain path: our editable install is not read
    (home / "share").mkdir(exist_ok=True)
    (home / "share" / "llama.cpp").symlink_to(Path(sys.prefix) / "share" / "llama.cpp")
    return python


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's own folder, whose names are as common as ours; whoever imports one of them learns of it."""
    folder = tmp_path_factory.mktemp("project")
    trap = "raise SystemExit('a file of the user was imported: ' + __file__)\n"
    for name in (
        "models",
        "train",
        "filters",
        "align",
        "prompts",
        "release",
        "inference",
        "retrieval",
        "pipeline",
    ):
        (folder / f"{name}.py").write_text(trap)
    (folder / "datagen").mkdir()
    (folder / "datagen" / "__init__.py").write_text(trap)
    rows = (
        "title,genre\nAlien (1979),horror\nHeat (1995),crime\nRan (1985),drama\n"
        "Blade Runner (1982),science fiction\n"
    )
    (folder / "items.csv").write_text(rows)
    return folder


def typed(python: Path, project: Path, *command: str) -> str:
    """What a command prints in that folder, with no trace of the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    program = [str(python.parent / command[0]), *command[1:]]
    answer = subprocess.run(
        program,
        cwd=project,
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout[-2000:] + answer.stderr[-3000:]
    return answer.stdout


def test_it_is_the_wheel_that_is_imported(python: Path, project: Path) -> None:
    said = typed(python, project, "python", "-c", "import rectune; print(rectune.__file__)")
    assert Path(said.strip()).is_relative_to(python.parents[1])


def test_the_doctor_finds_nothing_to_mend(python: Path, project: Path) -> None:
    assert "MEND" not in typed(python, project, "rectune", "doctor")


def test_a_recipe_that_comes_along_is_planned_by_name(python: Path, project: Path) -> None:
    lines = typed(python, project, "rectune", "plan", "demo").splitlines()
    assert lines[1].split()[:3] == ["data", "would", "run"] and len(lines) == 17


def test_a_catalogue_of_ones_own_is_recommended_from(python: Path, project: Path) -> None:
    history = "Alien (1979); Blade Runner (1982)"
    said = typed(python, project, "rectune", "recommend", "--catalogue", "items.csv", "--history", history)
    assert "\n1. " in f"\n{said}" and ("Heat" in said or "Ran" in said)


def test_the_tiny_recipe_trains(python: Path, project: Path) -> None:
    said = typed(python, project, "rectune", "run", "tiny", "--until", "sft")
    assert (project / said.split(": ", 1)[1].strip() / "adapter" / "adapter_model.safetensors").is_file()
    planned = typed(python, project, "rectune", "plan", "tiny", "--until", "sft").splitlines()[1:]
    assert len(planned) == 6 and all("up to date" in line and "changed" not in line for line in planned)


def test_the_response_score_is_imported_from_its_public_place(python: Path, project: Path) -> None:
    program = "from rectune.filters.score import response_score; print(response_score([1, 2, 3, 4]))"
    assert float(typed(python, project, "python", "-c", program)) == pytest.approx(1.3862943611198906)
