"""Stage `push`: adapter, merged model, GGUF, tuning rows and preferences to the Hub. Dry by default."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rectune.errors import UserError
from rectune.manifest import read_manifests
from rectune.progress import progress, say
from rectune.recipe import Recipe
from rectune.runs import write_atomically
from rectune.settings import Release
from release.bundle import KINDS, Upload, bundle

_REPO = re.compile(r"^[\w.-]+/[\w.-]+$")


def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Write the cards and the list of files; upload them unless `release.dry_run` is on.

    Args:
        config: section `release`.
        inputs: the folders of base, data, filter, tag, sft, dpo, export and report.
        out: receives `README.md` (the model card), `files.json`, and what was rewritten for publication.

    Raises:
        UserError: no licence, or none for data that may be passed on; when it is not a dry run also: no
            repository or token, an export that failed its parity check, or a refusal by the Hub.
    """
    return push(config.release, inputs, out, KINDS)


def push(release: Release, inputs: Mapping[str, Path], out: Path, kinds: Sequence[str]) -> dict[str, Any]:
    """`run` for some of the kinds only."""
    _refuse(release)
    uploads, left_out = bundle(release, inputs, out, kinds)
    tag = _checked_export(inputs, release)
    listing: dict[str, Any] = {
        "repo": release.repo,
        "private": release.private,
        "dry_run": release.dry_run,
        "tag": tag,
        "left_out": dict(left_out),
        "uploads": [_described(upload) for upload in uploads],
    }
    write_atomically(out / "files.json", json.dumps(listing, ensure_ascii=False, indent=1))
    _show(listing, out)
    if not release.dry_run:
        send(release, uploads, tag)
    return listing | {
        "bytes": sum(file["bytes"] for upload in listing["uploads"] for file in upload["files"])
    }


def send(release: Release, uploads: Sequence[Upload], tag: str) -> None:
    """Upload: one commit a kind, then the run's key as a tag. Files the Hub has already are not sent again.

    The token is read by huggingface_hub from its login or the environment; it is never seen here.
    """
    import httpx2  # what huggingface_hub speaks HTTP with
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    try:
        with progress("push", len(uploads), "commits") as advance:
            for repo_type in dict.fromkeys(upload.repo_type for upload in uploads):
                api.create_repo(release.repo, repo_type=repo_type, private=release.private, exist_ok=True)
            for upload in uploads:
                files = [CommitOperationAdd(name, path) for name, path in upload.files.items()]
                api.create_commit(
                    release.repo,
                    files,
                    repo_type=upload.repo_type,
                    commit_message=f"{upload.kind} of run {tag}",
                )
                advance(1)
            for repo_type in dict.fromkeys(upload.repo_type for upload in uploads):
                api.create_tag(release.repo, tag=tag, repo_type=repo_type, exist_ok=True)
    except HfHubHTTPError as refused:
        raise _refusal(refused, release.repo) from None
    except (
        httpx2.HTTPError,
        RuntimeError,
    ) as broken:  # RuntimeError: one file of a commit did not get through
        raise UserError(
            f"the upload broke off ({type(broken).__name__})",
            where=api.endpoint,
            mend="run the same command again: what is uploaded is not sent again",
        ) from None


def _refuse(release: Release) -> None:
    """What must be there before anything is read or sent."""
    if not release.licence.strip():
        raise UserError(
            "release.licence is empty", mend="name the licence of the weights, for example apache-2.0"
        )
    if release.repo and not _REPO.match(release.repo):
        raise UserError(f"release.repo is {release.repo!r}, not user/name", mend="set release.repo=user/name")
    if release.dry_run:
        return
    if not release.repo:
        raise UserError(
            "release.repo is empty", mend="set release.repo=user/name, or leave release.dry_run on"
        )
    from huggingface_hub import get_token

    if not get_token():
        raise UserError(
            "no Hub token was found", mend="log in with: .venv/bin/hf auth login, or set HF_TOKEN"
        )


def _checked_export(inputs: Mapping[str, Path], release: Release) -> str:
    """The key of the exported model, which hashes everything that led to it and becomes the tag."""
    exported = read_manifests({"export": inputs["export"]}).get("export")
    if exported is None or not exported.key:
        raise UserError(
            "the export has no manifest", where=str(inputs["export"]), mend="run the stage export first"
        )
    parity = exported.figures.get("parity") or {}
    if not release.dry_run and not parity.get("passed"):
        reasons = parity.get("failed") or ["it has no record of them"]
        raise UserError(
            f"the export did not pass its checks: {'; '.join(map(str, reasons))}",
            where=str(inputs["export"]),
            mend="choose other release.quantisations or another base, and run the stage export again",
        )
    return exported.key


def _described(upload: Upload) -> dict[str, Any]:
    files = [{"path": name, "bytes": path.stat().st_size} for name, path in sorted(upload.files.items())]
    return {"kind": upload.kind, "repo_type": upload.repo_type, "files": files}


def _show(listing: Mapping[str, Any], out: Path) -> None:
    """Print the list of files; with `dry_run`, also say that nothing leaves."""
    shown: set[tuple[str, str]] = set()  # the card goes with every kind
    for upload in listing["uploads"]:
        for file in upload["files"]:
            if (place := (upload["repo_type"], file["path"])) not in shown:
                shown.add(place)
                say(f"  {upload['kind']:<12} {_size(file['bytes']):>10}  {file['path']}")
    for domain, count in listing["left_out"].items():
        say(f"  left out for its licence: {count} rows of {domain}")
    if listing["dry_run"]:
        say(f"  dry run: nothing was uploaded; the card is {out.name.partition('.')[0]}/README.md")


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.4g} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _refusal(error: Any, repo: str) -> UserError:
    """The Hub's answer in words; request headers are never part of it."""
    status = error.response.status_code if error.response is not None else 0
    mends = {
        401: "log in again with: .venv/bin/hf auth login",
        403: "use a token that may write to this repository",
        404: "check release.repo; the user or organisation must exist",
        429: "wait a few minutes, then run the same command again: what is uploaded is not sent again",
    }
    said = error.server_message or "no explanation"
    return UserError(
        f"the Hub refused with {status}: {said}",
        where=repo,
        mend=mends.get(status, "run the same command again"),
    )
