"""The server that `bench.kill_serve` kills: that of `rectune serve`, with a recommender that loads fast.

HTTP, keys, limits and database are those of `rectune serve`. BM25 ranks, so that nothing is embedded,
nothing is indexed ahead of the first query, and each server is forked from a process that has imported the
packages (multiprocessing's forkserver): a start then takes a second, where importing alone takes many.
"""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.process import BaseProcess
from pathlib import Path

from rectune.readers.catalogue import CatalogueOptions
from rectune.recommender.recommender import Recommender
from rectune.serving.config import ServerConfig
from rectune.serving.loading import Loaded
from rectune.serving.server import serve

_FILMS = Path(__file__).parents[1] / "samples" / "movielens" / "movies.csv"


def started(database: str, runs: Path, log: Path) -> BaseProcess:
    """A server in a process of its own, which writes to the log; it takes a free port."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "polars", "psycopg", "rectune.serving.app"])
    process = context.Process(target=_serve, args=(database, runs, log), daemon=True)
    process.start()
    return process


def _serve(database: str, runs: Path, log: Path) -> None:
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        serve(ServerConfig(port=0, database=database, catalogue=_FILMS, model="none", runs=runs), _films)


def _films(config: ServerConfig) -> Loaded:
    found = Recommender.from_catalogue(
        _FILMS,
        model=None,
        ranker="bm25",
        options=CatalogueOptions("movies"),
        runs=config.runs,
    )
    return Loaded(found)
