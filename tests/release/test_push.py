"""The stage without a Hub: what would be sent, what is withheld, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rectune.core.errors import UserError
from rectune.core.figures import DataFigures, ExportFigures, PushFigures, TagFigures
from rectune.core.figures.publishing import PushListing
from rectune.core.figures.read_records import read_figures, read_record
from rectune.core.figures.record import StageRecord
from rectune.core.recipe import parse_recipe
from rectune.core.rows import read_rows, write_rows
from rectune.core.types import Example, Preference
from rectune.release.push import run
from tests.core.filled import record, write_stage
from tests.release.conftest import example, preference

TOKEN = "hf_" + "neverSeenOutsideTheHeader" * 2


@pytest.fixture()
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "push" / "f.partial"
    folder.mkdir(parents=True)
    return folder


def dry(finished: dict[str, Path], out: Path, **release: Any) -> PushFigures:
    return run(parse_recipe({"release": release}), finished, out)


def edit(folder: Path, kind: type[StageRecord], **figures: object) -> None:
    write_stage(folder, record(kind, **dict(read_figures(kind, folder)) | figures))


def test_a_dry_run_lists_files_and_uploads_nothing(
    finished: dict[str, Path], out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # nothing can be uploaded
    stats = dry(finished, out)
    listing = read_record(PushListing, "push", out / "files.json")
    sizes = {file.path: file.bytes for upload in listing.uploads for file in upload.files}
    assert sizes["gguf/model.gguf"] == 5004 and "5.004 kB" in (shown := capsys.readouterr().err)
    assert "nothing was uploaded" in shown
    assert stats.bytes > 5004 and listing.left_out == {"shop": 3} and stats.sent is None
    assert (out / "README.md").read_text().startswith("---\n")
    assert (out / "dataset/README.md").read_text().startswith("---\n")


def test_only_redistributable_rows_go_out_without_people_times_and_servers(
    finished: dict[str, Path], out: Path
) -> None:
    dry(finished, out)
    rows = read_rows(out / "dataset" / "default" / "train.parquet", Example)
    pairs = read_rows(out / "dataset" / "preferences" / "train.parquet", Preference)
    assert [row.prompt.domain for row in rows] == ["films"] * 3
    assert [pair.prompt.domain for pair in pairs] == ["films"]
    assert {(row.prompt.user, row.prompt.cutoff) for row in (*rows, *pairs)} == {("", None)}
    assert {row.provenance.model for row in rows} == {"teacher"} and {p.annotator for p in pairs} == {
        "simulated"
    }
    assert [row.response for row in rows] == ["answer 1", "answer 2", "answer 3"]


def test_a_history_of_a_source_that_is_closed_keeps_its_row_here(
    finished: dict[str, Path], out: Path
) -> None:
    write_rows(
        finished["filter"] / "kept.parquet", [example("films", 1, "shop"), example("films", 2)], Example
    )
    assert dry(finished, out, artifacts=["dataset"]).left_out == {"shop": 1}
    rows = read_rows(out / "dataset" / "default" / "train.parquet", Example)
    assert [row.prompt.history_domain for row in rows] == ["films"]


def test_domains_nobody_vouches_for_stay_here(finished: dict[str, Path], out: Path) -> None:
    edit(finished["data"], DataFigures, datasets={})
    listing = dry(finished, out)
    assert listing.left_out == {"films": 4, "shop": 3}
    assert [upload.kind for upload in listing.uploads] == ["adapter", "merged", "gguf"]
    assert not (out / "dataset" / "default" / "train.parquet").exists()
    with pytest.raises(UserError, match="nothing to push: 5 rows"):
        dry(finished, out, artifacts=["dataset"])


def test_only_the_kinds_asked_for(finished: dict[str, Path], out: Path) -> None:
    listing = dry(finished, out, artifacts=["gguf", "preferences"])
    assert [upload.kind for upload in listing.uploads] == ["gguf", "preferences"]
    assert "PeftModel" not in (out / "README.md").read_text()


def test_every_gguf_file_and_the_adapters_own_go_out_and_no_other(
    finished: dict[str, Path], out: Path
) -> None:
    for name in ("model.Q4_K_M.gguf", "adapter.gguf", "other.gguf", "model.gguf.partial"):
        (finished["export"] / name).write_bytes(b"GGUF")
    sent = {file.path for upload in dry(finished, out).uploads for file in upload.files}
    wanted = {"gguf/model.gguf", "gguf/model.Q4_K_M.gguf", "gguf/adapter.gguf"}
    assert {name for name in sent if "gguf" in name} == wanted


@pytest.mark.parametrize(
    ("release", "said"),
    [
        ({"dry_run": False}, "release.repo is empty"),
        ({"repo": "nobody"}, "not user/name"),
        ({"repo": "user/name\n"}, "not user/name"),
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
        dry(finished, out, **release)


def test_refuses_redistributable_data_without_a_licence(finished: dict[str, Path], out: Path) -> None:
    edit(finished["data"], DataFigures, datasets={"open": {"domain": "films", "redistributable": True}})
    with pytest.raises(UserError, match=r"open .* no licence"):
        dry(finished, out)
    dry(finished, out, artifacts=["gguf"])


def test_refuses_what_did_not_pass_its_checks_but_not_to_show_the_files(
    finished: dict[str, Path], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # nothing can be uploaded
    edit(finished["export"], ExportFigures, parity={"passed": False, "failed": ["it splits '8 ½'"]})
    with pytest.raises(UserError, match="8 ½"):
        dry(finished, out, dry_run=False, repo="user/name")
    dry(finished, out)
    assert "it splits '8 ½'" in (out / "README.md").read_text()


def test_refuses_simulated_tags_that_the_record_gives_to_a_person(
    finished: dict[str, Path], out: Path
) -> None:
    edit(finished["tag"], TagFigures, annotators=["mina"])
    with pytest.raises(UserError, match="simulated annotator"):
        dry(finished, out, artifacts=["merged"])
    (finished["tag"] / "config.yaml").unlink()  # the rows alone give it away
    with pytest.raises(UserError, match="simulated annotator"):
        dry(finished, out, artifacts=["merged"])


def test_refuses_simulated_tags_that_a_row_does_not_name(finished: dict[str, Path], out: Path) -> None:
    from dataclasses import replace

    pairs = [preference("films", 1), replace(preference("films", 2), annotator="mina")]
    write_rows(finished["tag"] / "preferences.parquet", pairs, Preference)
    with pytest.raises(UserError, match="do not name it"):
        dry(finished, out)


@pytest.mark.parametrize(
    ("text", "said"), [("mail mina@firm.example", "personal data"), (f"use {TOKEN}", "Hugging Face token")]
)
def test_refuses_rows_with_personal_data_or_secrets(
    finished: dict[str, Path], out: Path, text: str, said: str
) -> None:
    from dataclasses import replace

    bad = replace(example("films", 1), response=text)
    write_rows(finished["filter"] / "kept.parquet", [example("films", 2), bad], Example)
    with pytest.raises(UserError, match=said) as caught:
        dry(finished, out)
    assert bad.id in str(caught.value) and text not in str(caught.value)
    dry(finished, out, artifacts=["merged"])


def test_rows_that_a_person_looked_at_are_left_out_and_counted(finished: dict[str, Path], out: Path) -> None:
    from dataclasses import replace

    bad = replace(example("films", 1), response="mail mina@firm.example")
    write_rows(finished["filter"] / "kept.parquet", [example("films", 2), bad], Example)
    with pytest.raises(UserError, match=r"refused.json") as caught:
        dry(finished, out, artifacts=["dataset"])
    assert "release.exclude_ids" in str(caught.value) and bad.id in (out / "refused.json").read_text()
    assert dry(finished, out, artifacts=["dataset"], exclude_ids=[bad.id]).by_hand == 1
    rows = read_rows(out / "dataset" / "default" / "train.parquet", Example)
    assert [row.response for row in rows] == ["answer 2"]
    assert "A person left out 1 more." in (out / "dataset/README.md").read_text()


def test_what_is_withheld_may_hold_anything(finished: dict[str, Path], out: Path) -> None:
    from dataclasses import replace

    withheld = replace(example("shop", 1), response="mail mina@firm.example")
    write_rows(finished["filter"] / "kept.parquet", [example("films", 2), withheld], Example)
    assert dry(finished, out, artifacts=["dataset"]).left_out == {"shop": 1}


def test_refuses_a_token_in_a_file(finished: dict[str, Path], out: Path) -> None:
    (finished["export"] / "merged" / "generation_config.json").write_text(json.dumps({"token": TOKEN}))
    with pytest.raises(UserError, match=r"generation_config.json: a Hugging Face token") as caught:
        dry(finished, out)
    assert TOKEN not in str(caught.value)


def test_names_the_file_that_is_missing(finished: dict[str, Path], out: Path) -> None:
    (finished["dpo"] / "adapter" / "adapter_model.safetensors").unlink()
    with pytest.raises(UserError, match="no such file"):
        dry(finished, out)
