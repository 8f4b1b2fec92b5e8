"""A stand-in for the Hub on loopback: what was pushed, and the protocol's answers. `serve` puts it behind two
ports.

One port speaks the API (create, validate, pre-upload, LFS batch, commit, tags, refs, tree, resolve), which
wants the token; the other stores the large files, as the Hub's storage does on another host, and must never
see the token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from typing import Any

PART = 64 << 10  # bytes a part of an upload in several parts
LARGE = (".safetensors", ".gguf", ".parquet", ".png")

Answer = tuple[int, Any]
Files = dict[str, bytes]


@dataclass
class Repository:
    """Files at each commit, newest last, and the tags."""

    commits: list[tuple[str, Files]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> Files:
        """The newest files."""
        return self.commits[-1][1] if self.commits else {}

    def at(self, revision: str) -> tuple[str, Files] | None:
        """Commit and files of a branch, tag or commit."""
        wanted = self.tags.get(revision, revision)
        found = [one for one in self.commits if one[0].startswith(wanted)]
        if revision == "main":
            return self.commits[-1] if self.commits else ("0" * 40, {})
        return found[-1] if found else None


@dataclass
class Seen:
    """A request: on which port, and with which Authorization header ("" for none)."""

    port: str
    method: str
    path: str
    authorization: str
    body: bytes = b""


@dataclass
class Hub:
    """What was pushed. `trouble` maps an action to what happens instead of it, one entry a request.

    A trouble is a status, a status with headers, `drop` (the connection closes half-way), or `hang` (no
    answer ever; `hung` is set).
    """

    token: str = ""
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    summaries: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    stored: list[str] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    trouble: dict[str, list[Any]] = field(default_factory=dict)
    hung: threading.Event = field(default_factory=threading.Event)
    role: str = "write"
    url: str = ""
    storage: str = ""

    def files(self, kind: str, repo: str = "user/name") -> Files:
        """The newest files of a repository; `kind` is models or datasets."""
        return self.repositories[kind, repo].files

    def whoami(self, body: dict[str, Any]) -> Answer:
        return 200, {"name": "user", "type": "user", "auth": {"accessToken": {"role": self.role}}}

    def create(self, body: dict[str, Any]) -> Answer:
        repo = f"{body['organization']}/{body['name']}"
        place = (f"{body.get('type', 'model')}s", repo)
        if place in self.repositories:
            return 409, {"error": "You already created this repo", "url": f"{self.url}/{repo}"}
        self.repositories[place] = Repository()
        self.created.append(body)
        return 200, {"url": f"{self.url}/{repo}"}

    def validate(self, body: dict[str, Any]) -> Answer:
        fine = body["content"].startswith("---\n")
        problem = {"errors": [] if fine else [{"message": "no metadata"}], "warnings": []}
        return (200 if fine else 400), problem

    def preupload(self, body: dict[str, Any], kind: str, repo: str, revision: str) -> Answer:
        files = self.repositories[kind, repo].files
        return 200, {"files": [_mode(entry["path"], files) for entry in body["files"]]}

    def batch(self, body: dict[str, Any], repo: str) -> Answer:
        return 200, {"transfer": "multipart", "objects": [self._action(entry) for entry in body["objects"]]}

    def verify(self, body: dict[str, Any]) -> Answer:
        blob = self.blobs.get(body["oid"])
        return (200, {}) if blob is not None and len(blob) == body["size"] else (422, {"error": "not here"})

    def commit(self, body: bytes, kind: str, repo: str, revision: str) -> Answer:
        lines = [json.loads(line) for line in body.splitlines()]
        header, entries = lines[0]["value"], [line["value"] for line in lines[1:]]
        repository = self.repositories[kind, repo]
        files = dict(repository.files)
        for entry in entries:
            small = base64.b64decode(entry["content"]) if "content" in entry else None
            files[entry["path"]] = self.blobs[entry["oid"]] if small is None else small
        oid = hashlib.sha1(f"{kind}{repo}{len(repository.commits)}".encode()).hexdigest()
        repository.commits.append((oid, files))
        self.summaries.append((kind, header["summary"], tuple(entry["path"] for entry in entries)))
        return 200, {"commitUrl": f"{self.url}/{repo}/commit/{oid}", "commitOid": oid}

    def tag(self, body: dict[str, Any], kind: str, repo: str, revision: str) -> Answer:
        repository = self.repositories[kind, repo]
        if body["tag"] in repository.tags:
            return 409, {"error": "tag exists"}
        found = repository.at(revision)
        repository.tags[body["tag"]] = found[0] if found else ""
        return 200, {}

    def untag(self, body: dict[str, Any], kind: str, repo: str, name: str) -> Answer:
        return (200, {}) if self.repositories[kind, repo].tags.pop(name, None) else (404, {})

    def refs(self, body: dict[str, Any], kind: str, repo: str) -> Answer:
        repository = self.repositories[kind, repo]
        heads = [_ref("main", "heads", repository.commits[-1][0])] if repository.commits else []
        tags = [_ref(name, "tags", oid) for name, oid in repository.tags.items()]
        return 200, {"branches": heads, "converts": [], "tags": tags}

    def about(self, body: dict[str, Any], kind: str, repo: str, revision: str = "main") -> Answer:
        found = self._at(kind, repo, revision)
        if isinstance(found[0], int):
            return found  # type: ignore[return-value]
        oid, files = found
        siblings = [{"rfilename": name} for name in sorted(files)]
        return 200, {"id": repo, "sha": oid, "private": True, "gated": False, "disabled": False,
                     "downloads": 0, "likes": 0, "tags": [], "siblings": siblings}  # fmt: skip

    def tree(self, body: Any, kind: str, repo: str, revision: str, path: str = "") -> Answer:
        found = self._at(kind, repo, revision)
        if isinstance(found[0], int):
            return found  # type: ignore[return-value]
        files, prefix = found[1], f"{path}/" if path else ""
        inside = [name for name in sorted(files) if name.startswith(prefix)]
        if path and not inside:
            return 404, {"error": "EntryNotFound"}
        entries = [_entry(name, files[name]) for name in inside if "/" not in name[len(prefix) :]]
        folders = {
            prefix + name[len(prefix) :].split("/")[0] for name in inside if "/" in name[len(prefix) :]
        }
        if body == "recursive":
            entries = [_entry(name, files[name]) for name in inside]
        inner = [{"type": "directory", "path": one, "oid": "0" * 40, "size": 0} for one in sorted(folders)]
        return 200, [*inner, *entries]

    def paths(self, body: dict[str, list[str]], kind: str, repo: str, revision: str) -> Answer:
        found = self._at(kind, repo, revision)
        if isinstance(found[0], int):
            return found  # type: ignore[return-value]
        files = found[1]
        known = [_entry(name, files[name]) for name in body.get("paths", []) if name in files]
        folders = [name for name in body.get("paths", []) if any(one.startswith(f"{name}/") for one in files)]
        return 200, [
            *known,
            *({"type": "directory", "path": one, "oid": "0" * 40, "size": 0} for one in folders),
        ]

    def _at(self, kind: str, repo: str, revision: str) -> tuple[Any, Any]:
        repository = self.repositories.get((kind, repo))
        if repository is None:
            return 404, {"error": "RepoNotFound"}
        return repository.at(revision) or (404, {"error": "RevisionNotFound"})

    def _action(self, entry: dict[str, Any]) -> dict[str, Any]:
        oid, size = entry["oid"], entry["size"]
        if oid in self.blobs:
            return {"oid": oid, "size": size}
        verify = {"href": f"{self.url}/verify"}
        upload: dict[str, Any] = {"href": f"{self.storage}/{oid}"}
        if size > PART:
            numbers = range(1, -(-size // PART) + 1)
            links = {str(number): f"{self.storage}/{oid}/{number}" for number in numbers}
            upload = {"href": f"{self.url}/complete/{oid}", "header": {"chunk_size": str(PART), **links}}
        return {"oid": oid, "size": size, "actions": {"upload": upload, "verify": verify}}

    def complete(self, body: dict[str, Any], oid: str) -> Answer:
        parts = self.parts.pop(oid)
        self.blobs[oid] = b"".join(parts[number] for number in sorted(parts))
        return 200, {}


def oid_of(path: str, content: bytes) -> str:
    """What the Hub calls a file's content: sha256 of large ones, git's blob id of the others."""
    if path.endswith(LARGE):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _mode(path: str, files: Files) -> dict[str, Any]:
    mode = "lfs" if path.endswith(LARGE) else "regular"
    known = {"oid": oid_of(path, files[path])} if path in files else {}
    return {"path": path, "uploadMode": mode, "shouldIgnore": False, **known}


def _entry(path: str, content: bytes) -> dict[str, Any]:
    oid = oid_of(path, content)
    large = {"lfs": {"oid": oid, "size": len(content), "pointerSize": 130}} if path.endswith(LARGE) else {}
    return {"type": "file", "path": path, "size": len(content), "oid": oid[:40], **large}


def _ref(name: str, kind: str, oid: str) -> dict[str, str]:
    return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": oid}
