"""Running the application: the port is taken first, all is loaded, and only then are requests taken."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.inference.service import EngineService
from rectune.recommender.recommender import Recommender
from rectune.serving.app import create_app
from rectune.serving.catalogue_worker import CatalogueWorker
from rectune.serving.config import ServerConfig, check_exposed
from rectune.serving.loading import Loaded, load_engine, load_prepared, load_verdict
from rectune.serving.recommending import RecommendService
from rectune.serving.store import api_keys
from rectune.serving.store.database import open_database

_BACKLOG = 128


def serve(config: ServerConfig, load: Callable[[ServerConfig], Loaded] = load_prepared) -> None:
    """Serve until SIGTERM or SIGINT, then end what is open.

    Args:
        config: of the server.
        load: gives what is served.

    Raises:
        UserError: the port is taken, the database cannot be opened, another machine could come in without a
            key, or what is recommended from cannot be read.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(_bound(config))
        database = stack.enter_context(open_database(config.database))
        with database.reading() as session:
            keys = [key for key in api_keys.list_all(session) if key.revoked is None]
        check_exposed(config, bool(keys))
        recommender, compared, images, foreign = load(config)
        verdict = load_verdict(recommender, config.runs)
        engine = load_engine(recommender, config.slots, verdict)
        if engine:
            stack.enter_context(engine)
        service = RecommendService(
            recommender, database, engine, config.limits, compared, images, config.search_url, verdict,
            config.use_profile,
        )  # fmt: skip
        worker = CatalogueWorker(service.catalogue, database, config.runs)
        worker.catch_up()
        say(_about(config, service, database.address.shown, len(keys)))
        listener.listen(_BACKLOG)
        say(f"listening on {_shown(listener)}")
        _run(create_app(service, config, worker, foreign), config, listener)


def _run(app: FastAPI, config: ServerConfig, listener: socket.socket) -> None:
    log = logging.getLogger("rectune.serving")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    settings = uvicorn.Config(
        app,
        access_log=False,  # it would write ids of users and words of queries
        log_level="warning",
        proxy_headers=bool(config.trusted_proxies),  # anybody could send them
        forwarded_allow_ips=list(config.trusted_proxies),
        server_header=False,
        timeout_graceful_shutdown=int(config.limits.drain_seconds),
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=64 * 1024,
    )
    try:
        _Server(settings).run(sockets=[listener])
    finally:
        log.removeHandler(handler)


class _Server(uvicorn.Server):
    """Ends with the status 0 where a signal ended it; uvicorn raises the signal again."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT end the server."""
        before = {
            number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _bound(config: ServerConfig) -> socket.socket:
    """The port, taken but not listened on.

    Raises:
        UserError: it is taken by another program, or the address is not this machine's.
    """
    where = f"{config.host}:{config.port}"
    try:
        found = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as problem:
        raise UserError(
            f"there is no such address ({problem.strerror})", where=where, hint="give --host 127.0.0.1"
        ) from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as problem:
        listener.close()
        raise UserError(
            f"this port cannot be taken ({problem.strerror})", where=where, hint="give another --port"
        ) from None
    return listener


def _shown(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _model_of(engine: EngineService) -> str:
    model = engine.model
    return model.name if isinstance(model, Path) else f"{model.name} at {model.address}"


def _about(config: ServerConfig, service: RecommendService, database: str, keys: int) -> str:
    """What the server is made of, in lines."""
    recommender, engine = service.recommender, service.engine
    ranks = recommender.ranker.name if recommender.ranker else "what the model writes"
    if recommender.model_ranking:
        ranks += f"; {recommender.model_ranking.describe()}"
    if service.comparison:
        ranks += f"; {service.comparison.second} for half of the users"
    words = "plain sentences"
    if engine:
        words = f"{_model_of(engine)}, {engine.slots} answers at a time"
        if recommender.generative and recommender.generative.untrusted:
            words += f"; plain sentences in {', '.join(sorted(recommender.generative.untrusted))}"
    elif recommender.generative:
        words += ": the model is not trusted with any language (rectune doctor --model)"
    days = config.keep_days
    kept = f"what users said is kept for {days} days" if days else "what users said is kept without end"
    needed = f"{keys} API keys" if keys else "no API key: whoever is on this machine may use it"
    return "\n".join(
        [
            f"catalogue: {len(recommender.items):,} items ({recommender.domain})",
            f"ranks: {ranks}",
            f"words the reasons: {words}",
            f"database: {database}; {kept}",
            f"access: {needed}",
            *([f"age, sex, occupation: {_used(recommender)}"] if config.use_profile else []),
        ]
    )


def _used(recommender: Recommender) -> str:
    """What a ranker knows of what users state, by name."""
    names = sorted({one.partition(": ")[0] for one in recommender.attributes_known})
    return f"count, by the names {', '.join(names)}" if names else "take no part: what ranks learnt from none"
