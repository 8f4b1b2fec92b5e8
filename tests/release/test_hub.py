"""Sending, through huggingface_hub's own protocol code, to a stand-in for the Hub on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rectune.core.errors import UserError
from rectune.core.figures import PushFigures
from rectune.core.recipe import parse_recipe
from rectune.release.push import run
from tests.release.conftest import KEYS, MACHINE_PATH
from tests.release.hub import PART, Hub
from tests.release.serving import Servers

TOKEN = "hf_" + "thisMustNeverLeaveTheHeader" * 2
RELEASE = {"repo": "user/name", "dry_run": False, "licence": "apache-2.0"}
ROOT = Path(__file__).parents[2]
PUSH = """
import json, sys
from pathlib import Path
from rectune.core.recipe import parse_recipe
from rectune.release.push import run
release, inputs, out = json.loads(sys.argv[1])
run(parse_recipe({"release": release}), {stage: Path(folder) for stage, folder in inputs.items()}, Path(out))
"""


@pytest.fixture()
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A Hub that huggingface_hub takes for the real one; waits are short."""
    state = Hub(token=TOKEN)
    servers = Servers(state)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", state.url)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    wait = time.sleep
    monkeypatch.setattr("time.sleep", lambda seconds: wait(min(seconds, 0.05)))
    yield state
    servers.close()


@pytest.fixture()
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "push" / "f.partial"
    folder.mkdir(parents=True)
    return folder


def pushed(finished: dict[str, Path], out: Path, **release: Any) -> PushFigures:
    return run(parse_recipe({"release": RELEASE | release}), finished, out)


def test_one_commit_a_kind_and_the_runs_key_as_tag(hub: Hub, finished: dict[str, Path], out: Path) -> None:
    done = pushed(finished, out)
    kinds = [(kind, summary.split()[0]) for kind, summary, _ in hub.summaries]
    assert kinds == [
        ("models", "adapter"),
        ("models", "merged"),
        ("models", "gguf"),
        ("datasets", "dataset"),
        ("datasets", "preferences"),
    ]
    for kind in ("models", "datasets"):
        repository = hub.repositories[kind, "user/name"]
        assert repository.tags == {KEYS["export"]: repository.commits[-1][0]}
    assert {entry["visibility"] for entry in hub.created} == {"private"}
    files = hub.files("models")
    assert files["model.safetensors"] == b"merged weights" * 1000
    assert files["gguf/model.gguf"] == (finished["export"] / "model.gguf").read_bytes()
    assert files["README.md"].decode() == (out / "README.md").read_text()
    assert "figures/loss.png" in files and "figures/filter_overlap.png" in hub.files("datasets")
    assert done.sent is not None and set(done.sent.commits) == {
        "adapter",
        "merged",
        "gguf",
        "dataset",
        "preferences",
    }
    assert not done.sent.strays


def test_the_token_is_in_the_header_and_nowhere_else(
    hub: Hub, finished: dict[str, Path], out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.trouble = {"commit": [500], "store": [503]}  # what is said about trouble counts too
    pushed(finished, out)
    said = "".join(capfd.readouterr())
    written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert "trying again" in said and TOKEN not in said and TOKEN.encode() not in written
    assert {one.authorization for one in hub.seen if one.port == "hub"} <= {f"Bearer {TOKEN}", ""}
    assert not any(one.authorization for one in hub.seen if one.port == "storage")
    assert not any(TOKEN in one.path or TOKEN.encode() in one.body for one in hub.seen)
    for kind in ("models", "datasets"):
        assert not any(TOKEN.encode() in content for content in hub.files(kind).values())


def test_machine_paths_and_what_training_left_are_not_sent(
    hub: Hub, finished: dict[str, Path], out: Path
) -> None:
    pushed(finished, out)
    files = hub.files("models")
    assert not any(MACHINE_PATH.encode() in content for content in files.values())
    written = json.loads(files["adapter/adapter_config.json"])
    assert written == {"r": 8, "base_model_name_or_path": "some-org/Base-7B"}
    assert not any("ref/" in name or name.endswith(".log") for name in files)


def test_pushing_again_sends_nothing_twice(hub: Hub, finished: dict[str, Path], out: Path) -> None:
    pushed(finished, out)
    commits, stored = len(hub.summaries), len(hub.stored)
    pushed(finished, out)
    assert (len(hub.summaries), len(hub.stored)) == (commits, stored)


def test_a_later_kind_of_the_same_run_moves_the_tag(hub: Hub, finished: dict[str, Path], out: Path) -> None:
    pushed(finished, out, artifacts=["adapter"])
    first = dict(hub.repositories["models", "user/name"].tags)
    pushed(finished, out, artifacts=["gguf"])
    repository = hub.repositories["models", "user/name"]
    assert repository.tags == {KEYS["export"]: repository.commits[-1][0]} != first


def test_files_of_an_earlier_run_are_named_and_left(hub: Hub, finished: dict[str, Path], out: Path) -> None:
    extra = finished["export"] / "model.Q4_K_M.gguf"
    extra.write_bytes(b"GGUF of another run")
    pushed(finished, out, artifacts=["gguf"])
    extra.unlink()
    assert pushed(finished, out, artifacts=["gguf"]).sent.strays == {"gguf": ("gguf/model.Q4_K_M.gguf",)}
    assert "gguf/model.Q4_K_M.gguf" in hub.files("models")


def test_large_files_go_in_parts(hub: Hub, finished: dict[str, Path], out: Path) -> None:
    content = os.urandom(3 * PART + 5)
    (finished["export"] / "model.gguf").write_bytes(content)
    pushed(finished, out, artifacts=["gguf"])
    assert hub.files("models")["gguf/model.gguf"] == content
    assert sum(name.count("/") for name in hub.stored) == 4


@pytest.mark.parametrize(
    "trouble",
    [
        {"commit": [409]},
        {"commit": [412, 500]},
        {"commit": [(429, {"Retry-After": "0"}), (429, {"Retry-After": "0"})]},
        {"create": [(429, {"Retry-After": "0"})]},
        {"whoami": [503]},
        {"tag": [502]},
        {"commit": ["drop"]},
    ],
)
def test_troubles_that_pass_are_waited_for(
    hub: Hub, finished: dict[str, Path], out: Path, trouble: dict[str, list[Any]]
) -> None:
    hub.trouble = trouble
    pushed(finished, out, artifacts=["gguf", "preferences"])
    assert not any(hub.trouble.values()) and len(hub.summaries) == 2
    assert hub.repositories["models", "user/name"].tags.keys() == {KEYS["export"]}


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({"commit": [403]}, "may write"),
        ({"commit": [(429, {"Retry-After": "86400"})]}, "wait a few minutes"),
        ({"commit": [409] * 9}, "somebody else is writing"),
        ({"create": [404]}, "must exist"),
        ({"store": [403]}, "may write"),
    ],
)
def test_a_refusal_is_explained_and_the_next_push_goes_on(
    hub: Hub, finished: dict[str, Path], out: Path, trouble: dict[str, list[Any]], said: str
) -> None:
    hub.trouble = trouble
    with pytest.raises(UserError, match=said) as caught:
        pushed(finished, out, artifacts=["gguf", "preferences"])
    assert TOKEN not in str(caught.value)
    hub.trouble = {}
    stored = list(hub.stored)
    pushed(finished, out, artifacts=["gguf", "preferences"])
    assert len(hub.summaries) == 2 and hub.stored[: len(stored)] == stored
    assert len(hub.stored) == len(set(hub.stored))


def test_a_token_that_may_only_read_is_refused_before_anything_is_sent(
    hub: Hub, finished: dict[str, Path], out: Path
) -> None:
    hub.role = "read"
    with pytest.raises(UserError, match="may only read"):
        pushed(finished, out)
    assert not hub.created and not hub.stored


def test_a_hub_that_is_not_there_is_named(
    hub: Hub, finished: dict[str, Path], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="broke off"):
        pushed(finished, out)


@pytest.mark.slow
def test_killed_in_the_middle_of_an_upload_the_next_push_sends_only_the_rest(
    hub: Hub, finished: dict[str, Path], out: Path
) -> None:
    for number in range(6):
        (finished["export"] / "merged" / f"model-0000{number}.safetensors").write_bytes(os.urandom(PART // 2))
    hub.trouble = {"store": [None, None, None, *["hang"] * 9]}
    folders = {stage: str(folder) for stage, folder in finished.items()}
    names = {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(out.parent / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    with (out.parent / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", PUSH, json.dumps([RELEASE, folders, str(out)])],
            env={**os.environ, **names},
            cwd=ROOT,
            stdout=said,
            stderr=said,
        )
        assert hub.hung.wait(60)
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert TOKEN not in (out.parent / "said").read_text()
    before = list(hub.stored)
    assert before and not any("merged" in summary for _, summary, _ in hub.summaries)
    hub.trouble = {}
    pushed(finished, out)
    assert len(hub.stored) == len(set(hub.stored)) and hub.stored[: len(before)] == before
    assert len(hub.summaries) == 5
