"""The push against a Hub on loopback, through huggingface_hub's own protocol code."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rectune import progress
from rectune.errors import UserError
from rectune.recipe import parse_recipe
from rectune.rows import read_rows
from rectune.types import Example, Preference
from release.push import run
from tests.release.conftest import KEYS, MACHINE_PATH
from tests.release.hub import Hub, serve

TOKEN = "hf_thisMustNeverLeaveTheHeader"
_PUSH = """
import json, sys
from pathlib import Path
from rectune.errors import UserError
from rectune.recipe import parse_recipe
from release.push import run
release, inputs, out = json.loads(sys.argv[1])
try:
    folders = {stage: Path(folder) for stage, folder in inputs.items()}
    print(json.dumps(run(parse_recipe({"release": release}), folders, Path(out))))
except UserError as refused:
    print(refused)
    sys.exit(2)
"""


@pytest.fixture()
def hub() -> Iterator[Hub]:
    state = Hub()
    server = serve(state)
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture()
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "push" / "f.partial"
    folder.mkdir(parents=True)
    return folder


def pushed(
    hub: Hub, finished: dict[str, Path], out: Path, token: str = TOKEN
) -> subprocess.CompletedProcess[str]:
    """Push in a process of its own: huggingface_hub reads its endpoint and token when it is imported."""
    release = {"repo": "user/name", "dry_run": False, "licence": "apache-2.0"}
    arguments = json.dumps([release, {k: str(v) for k, v in finished.items()}, str(out)])
    names = {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": token,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(out.parent / "hf"),
    }
    environment = {
        **os.environ,
        **names,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    root = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-c", _PUSH, arguments],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_one_commit_a_kind_and_the_runs_key_as_tag(hub: Hub, finished: dict[str, Path], out: Path) -> None:
    done = pushed(hub, finished, out)
    assert done.returncode == 0, done.stderr
    kinds = [(kind, summary.split()[0]) for kind, summary, _ in hub.commits]
    assert kinds == [
        ("models", "adapter"),
        ("models", "merged"),
        ("models", "gguf"),
        ("datasets", "dataset"),
        ("datasets", "preferences"),
    ]
    assert sorted(hub.tags) == [("datasets", KEYS["export"]), ("models", KEYS["export"])]
    assert {entry["visibility"] for entry in hub.created} == {"private"}
    model = hub.files["models", "user/name"]
    assert model["model.safetensors"] == b"merged weights" * 1000
    assert model["gguf/model.gguf"] == (finished["export"] / "model.gguf").read_bytes()
    assert model["README.md"].decode() == (out / "README.md").read_text()
    assert hub.authorised.keys() == {f"Bearer {TOKEN}"}


def test_token_and_machine_paths_are_nowhere(hub: Hub, finished: dict[str, Path], out: Path) -> None:
    done = pushed(hub, finished, out)
    places = [
        done.stdout,
        done.stderr,
        *(p.read_bytes().decode(errors="replace") for p in out.rglob("*") if p.is_file()),
    ]
    assert not any(TOKEN in place for place in places)
    assert not any(TOKEN.encode() in body for body in hub.bodies)
    model = hub.files["models", "user/name"]
    assert not any(MACHINE_PATH.encode() in content for content in model.values())
    assert json.loads(model["adapter/adapter_config.json"]) == {
        "r": 8,
        "base_model_name_or_path": "some-org/Base-7B",
    }
    assert not any("ref/" in name or name.endswith(".log") for name in model)


def test_pushing_again_sends_nothing_twice(hub: Hub, finished: dict[str, Path], out: Path) -> None:
    assert pushed(hub, finished, out).returncode == 0
    commits, puts = len(hub.commits), hub.puts
    assert pushed(hub, finished, out).returncode == 0
    assert (len(hub.commits), hub.puts) == (commits, puts)


@pytest.mark.parametrize(
    ("action", "status", "hint"), [("commit", 403, "may write"), ("commit", 429, "wait a few minutes")]
)
def test_a_refusal_is_explained_and_the_next_push_goes_on(
    hub: Hub, finished: dict[str, Path], out: Path, action: str, status: int, hint: str
) -> None:
    hub.fail[action] = status
    refused = pushed(hub, finished, out)
    assert refused.returncode == 2
    assert (
        str(status) in refused.stdout
        and hint in refused.stdout
        and TOKEN not in refused.stdout + refused.stderr
    )
    puts = hub.puts
    assert pushed(hub, finished, out).returncode == 0
    uploaded_before = [
        name for name in ("adapter/adapter_model.safetensors",) if name in hub.files["models", "user/name"]
    ]
    assert uploaded_before and puts >= 1


def test_dry_run_lists_files_and_uploads_nothing(
    finished: dict[str, Path], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(progress, "_stream", shown)
    monkeypatch.setattr("release.push.send", lambda *_: pytest.fail("a dry run must not upload"))
    stats = run(parse_recipe({"release": {}}), finished, out)
    listing = json.loads((out / "files.json").read_text())
    sizes = {f["path"]: f["bytes"] for upload in listing["uploads"] for f in upload["files"]}
    assert (
        sizes["gguf/model.gguf"] == 5004
        and "5.004 kB" in shown.getvalue()
        and "nothing was uploaded" in shown.getvalue()
    )
    assert stats["bytes"] > 5004 and listing["left_out"] == {"shop": 3}
    assert (out / "README.md").read_text().startswith("---\n")


def test_only_redistributable_rows_without_user_ids(finished: dict[str, Path], out: Path) -> None:
    run(parse_recipe({"release": {}}), finished, out)
    rows = read_rows(out / "dataset" / "default" / "train.parquet", Example)
    pairs = read_rows(out / "dataset" / "preferences" / "train.parquet", Preference)
    assert [row.prompt.domain for row in rows] == ["films"] * 3 and [p.prompt.domain for p in pairs] == [
        "films"
    ]
    assert {row.prompt.user for row in rows} == {""} and {p.annotator for p in pairs} == {"simulated"}


def test_domains_nobody_vouches_for_stay_here(finished: dict[str, Path], out: Path) -> None:
    edit_data(finished, {})
    run(parse_recipe({"release": {}}), finished, out)
    listing = json.loads((out / "files.json").read_text())
    assert listing["left_out"] == {"films": 4, "shop": 3}
    assert [upload["kind"] for upload in listing["uploads"]] == ["adapter", "merged", "gguf"]


def edit_data(finished: dict[str, Path], datasets: dict[str, object]) -> None:
    path = finished["data"] / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"figures": {"datasets": datasets}}))


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ({"dry_run": False}, "release.repo is empty"),
        ({"repo": "nobody"}, "not user/name"),
        ({"licence": " "}, "release.licence is empty"),
        ({"dry_run": False, "repo": "user/name"}, "no Hub token"),
    ],
)
def test_refusals(
    finished: dict[str, Path],
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    release: dict[str, object],
    said: str,
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(UserError, match=said):
        run(parse_recipe({"release": release}), finished, out)


def test_refuses_redistributable_data_without_a_licence(finished: dict[str, Path], out: Path) -> None:
    edit_data(finished, {"open": {"domain": "films", "redistributable": True}})
    with pytest.raises(UserError, match=r"open .* no licence"):
        run(parse_recipe({"release": {}}), finished, out)


@pytest.mark.parametrize("parity", [{"passed": False, "failed": ["it splits '8 ½'"]}, {}])
def test_refuses_what_did_not_pass_its_checks_but_not_to_show_the_files(
    finished: dict[str, Path], out: Path, monkeypatch: pytest.MonkeyPatch, parity: dict[str, object]
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: TOKEN)
    monkeypatch.setattr("release.push.send", lambda *_: pytest.fail("must not upload"))
    path = finished["export"] / "manifest.json"
    stored = json.loads(path.read_text())
    path.write_text(json.dumps(stored | {"figures": stored["figures"] | {"parity": parity}}))
    with pytest.raises(UserError, match="8 ½" if parity else "no record"):
        run(parse_recipe({"release": {"dry_run": False, "repo": "user/name"}}), finished, out)
    run(parse_recipe({"release": {}}), finished, out)
    assert ("it splits '8 ½'" in (out / "README.md").read_text()) == bool(parity)


def test_every_gguf_file_and_the_adapters_own_go_out_and_no_other(
    finished: dict[str, Path], out: Path
) -> None:
    for name in ("model.Q4_K_M.gguf", "adapter.gguf", "other.gguf", "model.gguf.partial"):
        (finished["export"] / name).write_bytes(b"GGUF")
    run(parse_recipe({"release": {}}), finished, out)
    uploads = json.loads((out / "files.json").read_text())["uploads"]
    sent = {file["path"] for upload in uploads for file in upload["files"]}
    assert {name for name in sent if "gguf" in name} == {
        "gguf/model.gguf",
        "gguf/model.Q4_K_M.gguf",
        "gguf/adapter.gguf",
    }
