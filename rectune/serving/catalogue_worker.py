"""The thread that makes the catalogue of the store the one that is served, in the background.

What is served is a function of what the server was started with and of the store's items, in one version: a
process that is killed at any point ends with the same catalogue when it is started again. Each of several
servers of one database does so for itself; the job of a change is done when the one that took it serves it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from rectune.core.errors import UserError
from rectune.rankers.domain_data import DomainData
from rectune.rankers.new_items import with_items
from rectune.recommender.build import catalogue_folder
from rectune.recommender.recommender import Recommender
from rectune.retrieval.index_maintenance import copy_index
from rectune.serving.catalogue import LiveCatalogue
from rectune.serving.catalogue_changes import KIND, STEPS, images_of, merged
from rectune.serving.loading import prepare
from rectune.serving.problems import LOG, log_fault
from rectune.serving.store import items, jobs
from rectune.serving.store.database import Database
from rectune.serving.store.tables import Job

_LOOK = 1.0  # seconds between looks into the store: another server may have changed it
_BEAT = 10.0  # seconds between signs of life
_REQUEUE = 30.0  # seconds between looks for jobs whose process has ended
_LEFT = 600.0  # seconds for which the index of an earlier catalogue stays, for answers that are being made
_FAULT = "the server failed; its log says where"

Report = Callable[[int], None]


class CatalogueWorker:
    """Serves what the store says. `catch_up` does so at once, `start` in a thread, again and again.

    Args:
        catalogue: what is served.
        database: the store.
        runs: the artifact store; indexes lie in its folder `catalogues/changed`.
    """

    def __init__(self, catalogue: LiveCatalogue, database: Database, runs: Path) -> None:
        self.catalogue, self._database = catalogue, database
        self._folder = runs / "catalogues" / "changed"
        self._data: DomainData | None = None
        self._failed = -1  # the version that could not be served
        self._place: Path | None = None  # of the index that is served
        self._old: dict[Path, float] = {}  # of those before it, and since when they are not
        self._looked = 0.0
        self._wake, self._end = Event(), Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._end.clear()
        self._thread = Thread(target=self._run, name="catalogue", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is something to do."""
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """End; what is being made has so long to be finished, else the next start makes it."""
        self._end.set()
        self._wake.set()
        if self._thread:
            self._thread.join(seconds)

    def catch_up(self, report: Report = lambda step: None) -> None:
        """Serve what the store has now, unless it is served already.

        Raises:
            UserError: it cannot be served; what was served still is.
        """
        live = self.catalogue
        with self._database.reading() as session:
            if items.version(session) == live.current.version:
                return
            stored = items.changes_since(session, 0)
        base = live.base
        wanted = merged(base.items, stored.items, base.domain)
        report(1)
        embedder = base.retrieval.embedder
        before = self._data or DomainData(base.domain, list(base.items.values()), None, embedder)
        data = before.with_items(wanted)
        place = self._folder / catalogue_folder(wanted, embedder, Path()).name
        self._copy(live.current.recommender, place / "index")
        made = base.with_items(wanted, data, place / "index")
        compared = with_items(live.compared, data) if live.compared else None
        prepare(made, compared)
        report(2)
        live.swap(made, stored.version, compared, images_of(live.base_images, stored.items))
        self._data = data
        self._forget(place)

    def _run(self) -> None:
        silent = 0 if self._database.is_sqlite else jobs.ABANDONED_MS  # no other process has this file
        while not self._end.is_set():
            try:
                self._look(silent)
                silent = jobs.ABANDONED_MS
            except Exception as error:  # the store may be back at the next look
                log_fault(error)
            self._wake.wait(_LOOK)
            self._wake.clear()

    def _look(self, silent: int) -> None:
        """Do what is to be done now; all jobs that wait are one."""
        taken = self._taken(silent)
        with self._database.reading() as session:
            version = items.version(session)
        if not taken and version in (self.catalogue.current.version, self._failed):
            return
        with self._beating(taken):
            try:
                self.catch_up(lambda step: self._tell(taken, step))
                self._finish(taken, "")
            except Exception as error:
                log_fault(error)
                self._failed = version
                self._finish(taken, str(error) if isinstance(error, UserError) else _FAULT)

    def _taken(self, silent: int) -> list[Job]:
        again = time.monotonic() - self._looked > _REQUEUE or not silent
        with self._database.reading() as session:
            waiting = jobs.is_waiting(session, KIND)
        if not (again or waiting):
            return []
        found: list[Job] = []
        with self._database.writing() as session:
            if again:
                jobs.requeue_abandoned(session, silent_ms=silent)
                self._looked = time.monotonic()
            while job := jobs.take_next(session, (KIND,)):
                found.append(job)
        return found

    def _tell(self, taken: Sequence[Job], step: int) -> None:
        with self._database.writing() as session:
            for job in taken:
                jobs.heartbeat(session, job, progress=step, total=STEPS)

    def _finish(self, taken: Sequence[Job], error: str) -> None:
        if not taken:
            return
        with self._database.writing() as session:
            for job in taken:
                if error:
                    jobs.fail(session, job, error)
                else:
                    jobs.heartbeat(session, job, progress=STEPS, total=STEPS)
                    jobs.finish(session, job)
        LOG.info(
            "catalogue %d: %d jobs %s",
            self.catalogue.current.version,
            len(taken),
            "failed" if error else "done",
        )

    @contextmanager
    def _beating(self, taken: Sequence[Job]) -> Iterator[None]:
        """Signs of life within: an index may take longer than a job may be silent."""
        done = Event()

        def beat() -> None:
            while not done.wait(_BEAT):
                with suppress(UserError), self._database.writing() as session:
                    for job in taken:
                        jobs.heartbeat(session, job)

        thread = Thread(target=beat, name="catalogue-beat", daemon=True)
        if taken:
            thread.start()
        try:
            yield
        finally:
            done.set()
            if taken:
                thread.join()

    @staticmethod
    def _copy(current: Recommender, folder: Path) -> None:
        """Begin with the index that is served, where one is used: only what is new is embedded then."""
        searches = current.ranker is None or current.rank_by.searches_index
        if not (current.generative or searches) or current.grounding is None:
            return
        if source := current.grounding.index.folder:
            copy_index(source, folder)

    def _forget(self, place: Path) -> None:
        """Delete the indexes of catalogues that were served some time ago."""
        now = time.monotonic()
        self._old.pop(place, None)
        for folder, since in list(self._old.items()):
            if now - since > _LEFT:
                shutil.rmtree(folder, ignore_errors=True)
                del self._old[folder]
        if self._place not in (None, place):
            self._old[self._place] = now
        self._place = place
