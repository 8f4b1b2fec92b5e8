"""A stand-in server with /v1/models and /v1/chat/completions, whose faults a test chooses."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "teacher-7b"


@dataclass(frozen=True)
class Seen:
    """A request as it arrived. `number` counts conversations with the same last message, from 1."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    number: int
    time: float

    @property
    def text(self) -> str:
        """The last thing that a user said."""
        said = [m["content"] for m in self.body.get("messages", []) if m["role"] == "user"]
        return said[-1] if said else ""


@dataclass(frozen=True)
class Say:
    """A reply. `cut` bytes are not sent; with `hang_up` nothing is; `drip`: seconds a byte."""

    status: int = 200
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drip: float = 0.0
    cut: int = 0
    hang_up: bool = False


def completion(text: Any, finish: Any = "stop", prompt_tokens: int = 7, tokens: int = 3) -> Say:
    """A well-formed reply."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": tokens}
    return Say(content={"object": "chat.completion", "choices": [choice], "usage": usage})


def refusal(status: int, message: str, **headers: str) -> Say:
    """An error as OpenAI words it."""
    return Say(status, {"error": {"message": message, "type": "invalid_request_error"}}, headers)


def echo(seen: Seen) -> Say:
    """The right answer: what was asked, in capitals."""
    return completion(seen.text.upper())


class StandIn:
    """The server. `chat` decides what is replied to completions, `pages` what to everything else, by path.

    Attributes:
        seen: all requests, in the order of arrival.
        most: the largest number of completions that were in work at once.
    """

    def __init__(
        self, chat: Callable[[Seen], Say] = echo, pages: Mapping[str, Say] | None = None, port: int = 0
    ) -> None:
        self.chat = chat
        listed = {
            "object": "list",
            "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "us"}],
        }
        self.pages = {"/v1/models": Say(content=listed)} | dict(pages or {})
        self.seen: list[Seen] = []
        self.most = self._working = 0
        self._gone = False
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.address = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Be gone: nobody listens at the port afterwards, and open connections are not served."""
        self._gone = True
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def asked(self) -> list[Seen]:
        """The completions among the requests."""
        return [seen for seen in self.seen if seen.path == "/v1/chat/completions"]

    def reply(self, method: str, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> Say:
        with self._lock:
            earlier = [seen for seen in self.asked if seen.body.get("messages") == body.get("messages")]
            seen = Seen(method, path, headers, body, len(earlier) + 1, time.monotonic())
            self.seen.append(seen)
            self._working += 1
            self.most = max(self.most, self._working)
        try:
            if path != "/v1/chat/completions":
                return self.pages.get(path, refusal(404, "no such page"))
            said = self.chat(seen)
            time.sleep(said.delay)
            return Say(hang_up=True) if self._gone else said
        finally:
            with self._lock:
                self._working -= 1


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._speak({})

        def do_POST(self) -> None:
            self._speak(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _speak(self, body: dict[str, Any]) -> None:
            said = stand_in.reply(self.command, self.path, dict(self.headers), body)
            if said.hang_up:
                self.close_connection = True
                return
            content = said.content if isinstance(said.content, bytes) else json.dumps(said.content).encode()
            self.send_response_only(said.status)
            for name, value in ({"Content-Length": str(len(content))} | dict(said.headers)).items():
                self.send_header(name, value)
            self.end_headers()
            sent = content[: len(content) - said.cut]
            with suppress(OSError):  # the client need not wait for the end
                for piece in (
                    (sent[place : place + 1] for place in range(len(sent))) if said.drip else (sent,)
                ):
                    self.wfile.write(piece)
                    time.sleep(said.drip)
            self.close_connection = self.close_connection or bool(said.cut)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
