"""What must not leave is found in every kind of file, and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from rectune.core.errors import UserError
from rectune.release.secret_scan import ScanResult

# Made up for these tests; parted so that no scanner of this repository takes them for real ones.
SECRETS = {
    "a Hugging Face token": "hf_" + "aB3" * 12,
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE",
    "an AWS access key": "AKIA" + "ABCDEFGHIJKLMNOP",
    "a GitHub token": "ghp_" + "x1" * 18,
    "an API key": "sk-" + "proj-" + "a1B2" * 8,
    "a Slack token": "xoxb-" + "123456789012-" + "abcdefABCDEF123",
    "a signed web token": "eyJ"
    + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
}


def refused(scan: ScanResult) -> str:
    with pytest.raises(UserError) as caught:
        scan.refuse()
    return str(caught.value)


@pytest.mark.parametrize(("kind", "secret"), SECRETS.items())
@pytest.mark.parametrize("name", ["config.json", "model.gguf"])
def test_secrets_are_found_and_not_shown(tmp_path: Path, kind: str, secret: str, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00\xff GGUF " + secret.encode() + b" \xfe\x00")
    scan = ScanResult()
    scan.file(name, tmp_path / name)
    said = refused(scan)
    assert kind in said and name in said and secret not in said


@pytest.mark.parametrize(
    "text",
    [
        "hf_short",
        "the sk-i lift",
        "task-" + "a" * 40,
        "eyJ is how it begins",
        "BEGIN PUBLIC KEY",
        "2019-2020 at 8 ½",
    ],
)
def test_ordinary_text_is_let_through(text: str) -> None:
    scan = ScanResult()
    scan.text("row 1", text)
    scan.refuse()


@pytest.mark.parametrize(
    "text", ["write to mina@firm.example", "call +82 10-1234-5678", "see https://x.example/me"]
)
def test_personal_data_is_found_outside_titles_only(text: str) -> None:
    scan = ScanResult()
    scan.text("row 1, column response", f"I like {text} most", [text])
    scan.refuse()
    scan.text("row 1, column response", f"I like {text} most", ["something else"])
    assert "personal data" in refused(scan) and text not in refused(scan)


def test_this_machines_token_is_found_whatever_its_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECTUNE_API_KEY", "correct horse battery")
    (tmp_path / "notes.txt").write_text("use correct horse battery for it")
    scan = ScanResult()
    scan.file("notes.txt", tmp_path / "notes.txt")
    assert "a token of this machine" in refused(scan) and "horse" not in refused(scan)


def test_paths_of_this_machine_are_found(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"from": "/somewhere/here/runs/base"}')
    scan = ScanResult(paths=("/somewhere/here",))
    scan.file("config.json", tmp_path / "config.json")
    assert "a path of this machine" in refused(scan)


def test_many_places_are_counted_and_five_named() -> None:
    scan = ScanResult()
    for row in range(9):
        scan.text(f"row {row}", "me@firm.example")
    said = refused(scan)
    assert said.count("row ") == 5 and "and 4 more" in said
