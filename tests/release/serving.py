"""The stand-in behind two loopback ports: the API, and the storage."""

from __future__ import annotations

import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.release.hub import LARGE, Hub, Seen, oid_of

_REPO = r"/api/(models|datasets)/([^/]+/[^/]+)"
_ROUTES = (
    ("GET", r"/api/whoami-v2", "whoami"),
    ("POST", r"/api/repos/create", "create"),
    ("POST", r"/api/validate-yaml", "validate"),
    ("POST", _REPO + r"/preupload/([^/]+)", "preupload"),
    ("POST", _REPO + r"/commit/([^/]+)", "commit"),
    ("POST", _REPO + r"/tag/([^/]+)", "tag"),
    ("DELETE", _REPO + r"/tag/([^/]+)", "untag"),
    ("GET", _REPO + r"/refs", "refs"),
    ("GET", _REPO + r"/tree/([^/]+)(?:/(.*))?", "tree"),
    ("POST", _REPO + r"/paths-info/([^/]+)", "paths"),
    ("GET", _REPO + r"/revision/([^/]+)", "about"),
    ("GET", _REPO, "about"),
    ("POST", r"/(?:datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", "batch"),
    ("POST", r"/verify", "verify"),
    ("POST", r"/complete/(\w+)", "complete"),
)
_RESOLVE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


class Servers:
    """Both ports, answering in threads until `close`."""

    def __init__(self, hub: Hub) -> None:
        self._servers = [
            ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub, port)) for port in ("hub", "storage")
        ]
        hub.url, hub.storage = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


def _handler(hub: Hub, port: str) -> type[BaseHTTPRequestHandler]:
    class Bound(_Handler):
        state, side = hub, port

    return Bound


class _Handler(BaseHTTPRequestHandler):
    state: Hub
    side: str
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._storage_get() if self.side == "storage" else self._api("GET")

    def do_HEAD(self) -> None:
        self._api("HEAD")

    def do_DELETE(self) -> None:
        self._api("DELETE")

    def do_POST(self) -> None:
        self._api("POST")

    def do_PUT(self) -> None:
        """Part or whole of a large file, on the storage's port."""
        if self._troubled("store"):
            return
        _, oid, *number = urlsplit(self.path).path.split("/")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._note("PUT", b"")
        self.state.stored.append("/".join([oid, *number]))
        if number:
            self.state.parts.setdefault(oid, {})[int(number[0])] = body
        else:
            self.state.blobs[oid] = body
        self._answer(200, b"{}", {"ETag": f'"{oid}"'})

    def _storage_get(self) -> None:
        self._note("GET", b"")
        self._answer(200, self.state.blobs[urlsplit(self.path).path.strip("/")])

    def _api(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._note(method, body)
        path = urlsplit(self.path).path
        free = path.startswith("/complete/")  # like the storage's links it is its own permission
        if not free and self.headers.get("Authorization") != f"Bearer {self.state.token}":
            return self._answer(401, b'{"error": "who are you?"}')
        if resolved := _RESOLVE.fullmatch(path):
            return self._resolve(method, *resolved.groups())
        for wanted, route, action in _ROUTES:
            match = re.fullmatch(route, path)
            if match and wanted == method:
                return self._act(action, body, [unquote(part) for part in match.groups() if part is not None])
        return self._answer(404, json.dumps({"error": f"no such place: {path}"}).encode())

    def _act(self, action: str, body: bytes, parts: list[str]) -> None:
        if self._troubled(action):
            return
        document: Any = body
        if action == "tree":
            query = parse_qs(urlsplit(self.path).query)
            document = "recursive" if query.get("recursive") in (["true"], ["True"]) else ""
        elif action == "paths":
            document = parse_qs(body.decode())
        elif action != "commit":
            document = json.loads(body or b"{}")
        status, answer = getattr(self.state, action)(document, *parts)
        code = (
            {"X-Error-Code": answer["error"]} if status == 404 and isinstance(answer, dict) and answer else {}
        )
        self._answer(status, json.dumps(answer).encode(), code)

    def _resolve(self, method: str, datasets: str | None, repo: str, revision: str, name: str) -> None:
        repository = self.state.repositories.get(("datasets" if datasets else "models", repo))
        found = repository.at(unquote(revision)) if repository else None
        if found is None:
            return self._answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        commit, files = found
        path = unquote(name)
        if path not in files:
            return self._answer(404, b"{}", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        content, oid = files[path], oid_of(path, files[path])
        headers = {"X-Repo-Commit": commit, "ETag": f'"{oid}"'}
        if path.endswith(LARGE):
            headers |= {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{oid}"',
                        "Location": f"{self.state.storage}/{oid}"}  # fmt: skip
            return self._answer(302, b"", headers)
        return self._answer(200, content, headers)

    def _troubled(self, action: str) -> bool:
        """Do what was planned instead of the action, if anything was; a trouble of None lets one request
        pass.
        """
        planned = self.state.trouble.get(action)
        trouble = planned.pop(0) if planned else None
        if trouble is None:
            return False
        if trouble == "hang":
            self.state.hung.set()
            threading.Event().wait(120)
            return True
        if trouble == "drop":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return True
        status, headers = trouble if isinstance(trouble, tuple) else (trouble, {})
        self.rfile.read(int(self.headers.get("Content-Length") or 0)) if action == "store" else None
        self._answer(status, b'{"error": "not now"}', headers)
        return True

    def _note(self, method: str, body: bytes) -> None:
        sent = self.headers.get("Authorization", "")
        self.state.seen.append(Seen(self.side, method, self.path, sent, body))

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests stay quiet."""
