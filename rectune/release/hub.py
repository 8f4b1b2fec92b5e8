"""Sending: one commit a kind, the run's key as a tag, and patience where the Hub asks for it.

huggingface_hub stores large files by their content (Xet chunks, or LFS objects), so what an interrupted push
has uploaded is not sent again. The token goes from its login or the environment into the Authorization
header; it is never seen here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rectune.core.errors import UserError
from rectune.core.figures.publishing import PushResult
from rectune.core.progress import progress, say
from rectune.core.settings import ReleaseConfig

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Result = TypeVar("Result")

_TRIES = 6
_LONGEST = 60.0  # seconds between two tries, unless the Hub names a time
_PATIENCE = 900.0  # seconds that the Hub may ask us to wait at once
# A conflict with another commit, a branch that moved on, too many requests, and troubles of the Hub's own.
_PASSING = frozenset({408, 409, 412, 429, 500, 502, 503, 504})
# Where in a repository the files of a kind lie that an earlier push may have left there.
_PLACES: Mapping[str, tuple[str, ...]] = {
    "adapter": ("adapter/",),
    "merged": ("model.safetensors", "model-"),
    "gguf": ("gguf/",),
    "dataset": ("default/",),
    "preferences": ("preferences/",),
}


@dataclass(frozen=True)
class Upload:
    """One commit: the files of one kind by their path in the repository; `repo_type` is model or dataset."""

    kind: str
    repo_type: str
    files: Mapping[str, Path]


def send(release: ReleaseConfig, uploads: Sequence[Upload], tag: str) -> PushResult:
    """Upload: one commit a kind, then the tag. Files that the Hub has already are not sent again.

    Raises:
        UserError: the Hub refused, or could not be reached any more.
    """
    import httpx2  # what huggingface_hub speaks HTTP with
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    try:
        return _sent(api, release, uploads, tag)
    except HfHubHTTPError as refused:
        raise _refusal(refused, release.repo) from None
    except (httpx2.HTTPError, RuntimeError, ValueError, OSError) as broken:
        cause = broken.__cause__
        if isinstance(cause, HfHubHTTPError):  # one file of a commit was refused
            raise _refusal(cause, release.repo) from None
        raise UserError(
            f"the upload broke off ({type(broken).__name__})",
            where=api.endpoint,
            hint="run the same command again: what is uploaded is not sent again",
        ) from None


def _sent(api: HfApi, release: ReleaseConfig, uploads: Sequence[Upload], tag: str) -> PushResult:
    _check_role(api)
    types = list(dict.fromkeys(upload.repo_type for upload in uploads))
    made = partial(api.create_repo, release.repo, private=release.private, exist_ok=True)
    for repo_type in types:
        patiently(partial(made, repo_type=repo_type))
    commits = {}
    with progress("push", len(uploads), "commits") as advance:
        for upload in uploads:
            commits[upload.kind] = patiently(partial(_commit, api, release.repo, upload, tag))
            advance(1)
    strays = {upload.kind: _strays(api, release.repo, upload) for upload in uploads}
    for repo_type in types:
        patiently(partial(_tag, api, release.repo, repo_type, tag))
    return PushResult(commits=commits, strays={kind: tuple(names) for kind, names in strays.items() if names})


def _check_role(api: HfApi) -> None:
    """A token that may only read is refused before gigabytes are sent."""
    about = patiently(api.whoami)
    role = ((about.get("auth") or {}).get("accessToken") or {}).get("role")
    if role == "read":
        raise UserError(
            "the Hub token may only read", hint="log in with a token that may write: .venv/bin/hf auth login"
        )


def _commit(api: HfApi, repo: str, upload: Upload, tag: str) -> str:
    """One try at one commit. The operations are made anew: they remember what the repository had when they
    were asked.
    """
    from huggingface_hub import CommitOperationAdd

    files = [CommitOperationAdd(name, path) for name, path in upload.files.items()]
    done = api.create_commit(
        repo, files, repo_type=upload.repo_type, commit_message=f"{upload.kind} of run {tag}"
    )
    return str(done.commit_url)


def _strays(api: HfApi, repo: str, upload: Upload) -> list[str]:
    """Files of an earlier push beside those of this one; they are named, not deleted."""
    there = patiently(partial(api.list_repo_files, repo, repo_type=upload.repo_type))
    places = _PLACES[upload.kind]
    found = sorted(name for name in there if name.startswith(places) and name not in upload.files)
    if found:
        say(f"  not of this run, and still in {repo}: {', '.join(found)}")
    return found


def _tag(api: HfApi, repo: str, repo_type: str, tag: str) -> None:
    """Put the tag onto the newest commit, where a push of further kinds of the same run moves it."""
    refs = api.list_repo_refs(repo, repo_type=repo_type)
    newest = next((branch.target_commit for branch in refs.branches if branch.name == "main"), None)
    tagged = next((one.target_commit for one in refs.tags if one.name == tag), None)
    if tagged is not None and tagged == newest:
        return
    if tagged is not None:
        api.delete_tag(repo, tag=tag, repo_type=repo_type)
    api.create_tag(repo, tag=tag, repo_type=repo_type, exist_ok=True)


def patiently(call: Callable[[], Result]) -> Result:
    """Call again, after the time that the Hub asks for or else ever longer, while it says that the trouble
    will pass.

    Raises:
        huggingface_hub.errors.HfHubHTTPError, httpx2.HTTPError, RuntimeError: what the last try raised.
    """
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    for tried in range(_TRIES):
        try:
            return call()
        except (HfHubHTTPError, httpx2.HTTPError, RuntimeError) as trouble:
            wait = _wait(trouble, tried)
            if wait is None or tried == _TRIES - 1:
                raise
            say(f"  {_words(trouble)}; trying again in {wait:.0f} s")
        time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def _wait(trouble: Exception, tried: int) -> float | None:
    """Seconds until the next try; None where it would be no use."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    cause = trouble.__cause__ if isinstance(trouble, RuntimeError) and trouble.__cause__ else trouble
    if isinstance(cause, HfHubHTTPError):
        if cause.response.status_code not in _PASSING:
            return None
        asked = _asked(cause.response.headers)
        if asked is not None:
            return asked if asked <= _PATIENCE else None
    elif not isinstance(cause, httpx2.TransportError):
        return None
    return float(min(2.0**tried, _LONGEST))


def _asked(headers: Mapping[str, str]) -> float | None:
    """Seconds in Retry-After; None without it, or where it names a date."""
    try:
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None


def _words(trouble: Exception) -> str:
    response = getattr(trouble, "response", None) or getattr(trouble.__cause__, "response", None)
    return f"the Hub answered {response.status_code}" if response is not None else "the connection broke off"


def _refusal(error: Any, repo: str) -> UserError:
    """The Hub's answer in words; request headers are never part of it."""
    status = error.response.status_code if error.response is not None else 0
    hints = {
        401: "log in again with: .venv/bin/hf auth login",
        403: "use a token that may write to this repository",
        404: "check release.repo; the user or organisation must exist",
        409: "somebody else is writing to the repository; wait, then run the same command again",
        429: "wait a few minutes, then run the same command again: what is uploaded is not sent again",
    }
    said = error.server_message or "no explanation"
    return UserError(
        f"the Hub refused with {status}: {said}",
        where=repo,
        hint=hints.get(status, "run the same command again"),
    )
