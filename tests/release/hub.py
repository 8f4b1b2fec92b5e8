"""A stand-in for the Hub on loopback: create, validate, pre-upload, LFS, commit, tag; just enough of each."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_ROUTES = (
    (r"/api/repos/create", "create"),
    (r"/api/validate-yaml", "validate"),
    (r"/api/(models|datasets)/([^/]+/[^/]+)/preupload/main", "preupload"),
    (r"/api/(models|datasets)/([^/]+/[^/]+)/commit/main", "commit"),
    (r"/api/(models|datasets)/([^/]+/[^/]+)/tag/main", "tag"),
    (r"/(?:datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", "batch"),
    (r"/verify", "verify"),
)


@dataclass
class Hub:
    """What was pushed. `fail` maps an action to the status it answers, once."""

    files: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    commits: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    tags: list[tuple[str, str]] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    puts: int = 0
    authorised: Counter[str] = field(default_factory=Counter)
    bodies: list[bytes] = field(default_factory=list)
    fail: dict[str, int] = field(default_factory=dict)
    url: str = ""

    def create(self, body: dict[str, Any]) -> tuple[int, Any]:
        self.created.append(body)
        return 200, {"url": f"{self.url}/{body['organization']}/{body['name']}"}

    def validate(self, body: dict[str, Any]) -> tuple[int, Any]:
        fine = body["content"].startswith("---\n")
        return (
            (200, {"errors": [], "warnings": []}) if fine else (400, {"errors": [{"message": "no metadata"}]})
        )

    def preupload(self, body: dict[str, Any], kind: str, repo: str) -> tuple[int, Any]:
        stored = self.files.get((kind, repo), {})
        return 200, {"files": [_mode(entry["path"], stored) for entry in body["files"]]}

    def batch(self, body: dict[str, Any], repo: str) -> tuple[int, Any]:
        return 200, {"transfer": "basic", "objects": [self._action(entry) for entry in body["objects"]]}

    def verify(self, body: dict[str, Any]) -> tuple[int, Any]:
        return 200, {}

    def commit(self, body: bytes, kind: str, repo: str) -> tuple[int, Any]:
        lines = [json.loads(line) for line in body.splitlines()]
        header, entries = lines[0]["value"], lines[1:]
        stored = self.files.setdefault((kind, repo), {})
        for entry in entries:
            value = entry["value"]
            whole = base64.b64decode(value["content"]) if entry["key"] == "file" else self.blobs[value["oid"]]
            stored[value["path"]] = whole
        self.commits.append((kind, header["summary"], tuple(entry["value"]["path"] for entry in entries)))
        return 200, {
            "commitUrl": f"{self.url}/{repo}/commit/{len(self.commits)}",
            "commitOid": f"{len(self.commits):040x}",
        }

    def tag(self, body: dict[str, Any], kind: str, repo: str) -> tuple[int, Any]:
        known = (kind, body["tag"]) in self.tags
        self.tags.append((kind, body["tag"]))
        return (409, {"error": "tag exists"}) if known else (200, {})

    def _action(self, entry: dict[str, Any]) -> dict[str, Any]:
        if entry["oid"] in self.blobs:
            return dict(entry)
        actions = {
            "upload": {"href": f"{self.url}/lfs/{entry['oid']}"},
            "verify": {"href": f"{self.url}/verify"},
        }
        return {**entry, "actions": actions}


def _mode(path: str, stored: dict[str, bytes]) -> dict[str, Any]:
    lfs = path.endswith((".safetensors", ".gguf", ".parquet", ".png"))
    answer: dict[str, Any] = {"path": path, "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
    if path in stored:
        whole = stored[path]
        answer["oid"] = hashlib.sha256(whole).hexdigest() if lfs else _git_oid(whole)
    return answer


def _git_oid(whole: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(whole) + whole).hexdigest()


def serve(hub: Hub) -> ThreadingHTTPServer:
    """Start answering on a free loopback port, in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            hub.bodies.append(body)
            found = ((re.fullmatch(route, self.path), name) for route, name in _ROUTES)
            match, name = next((pair for pair in found if pair[0]), (None, ""))
            hub.authorised[self.headers.get("Authorization", "nobody")] += 1
            if match is None:
                self._answer(404, {"error": f"no such place: {self.path}"})
            elif status := hub.fail.pop(name, 0):
                self._answer(status, {"error": "not now"})
            else:
                document = body if name == "commit" else json.loads(body or b"{}")
                self._answer(*getattr(hub, name)(document, *match.groups()))

        def do_PUT(self) -> None:
            hub.blobs[self.path.rsplit("/", 1)[1]] = self.rfile.read(int(self.headers["Content-Length"]))
            hub.puts += 1
            self._answer(200, {})

        def do_GET(self) -> None:  # the repository's latest commit, asked for when nothing has changed
            self._answer(200, {"id": "user/name", "sha": f"{len(hub.commits):040x}"})

        def _answer(self, status: int, document: Any) -> None:
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
