"""The notebook runs in Jupyter's kernel, where an event loop runs already; it is kept without outputs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs/quickstart.ipynb"


def test_it_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code and all(not cell["outputs"] and cell["execution_count"] is None for cell in code)


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path]))
    monkeypatch.setenv("JUPYTER_PATH", str(_kernel(tmp_path)))
    shutil.copy(NOTEBOOK, tmp_path)
    notebook = nbformat.read(tmp_path / NOTEBOOK.name, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=900, kernel_name="rectune-test", resources=resources).execute()
    made = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    shown = [output["data"] for output in made if "data" in output]
    assert any("image/png" in data for data in shown)
    tables = "".join(data.get("text/plain", "") for data in shown)
    assert "item_id" in tables and "repetitive" in tables
    said = "".join(output.get("text", "") for output in made)
    assert "73 items" in said and ("(model)" in said or "(template)" in said)


def _kernel(folder: Path) -> Path:
    """A kernel of the Python that runs the tests, whatever is installed as python3."""
    place = folder / "jupyter/kernels/rectune-test"
    place.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "rectune", "language": "python"}
    (place / "kernel.json").write_text(json.dumps(spec))
    return folder / "jupyter"
