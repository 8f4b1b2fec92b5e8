"""What the server does once a day: it deletes what is over, and what was kept long enough."""

from __future__ import annotations

from threading import Event, Thread

from rectune.serving.problems import LOG, log_fault
from rectune.serving.store import memory, sessions
from rectune.serving.store.database import Database
from rectune.serving.store.retention import delete_older

_DAY = 24 * 3600.0  # seconds
_AGAIN = 300.0  # seconds until the next try where the database did not answer


class Upkeep:
    """Tidies a database, at the start and then once a day, in a thread of its own.

    Several servers of one database may each do so: what one has deleted the next does not find.

    Args:
        database: the store.
        keep_days: what is older goes; 0 keeps everything but sessions that are over.
    """

    def __init__(self, database: Database, keep_days: int) -> None:
        self._database, self._keep_days = database, keep_days
        self._wait, self._end = 0.0, Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Tidy now, and go on in the thread."""
        self._end.clear()
        self._wait = self._tried()
        self._thread = Thread(target=self._run, name="upkeep", daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End; what is being deleted has so long to be finished."""
        self._end.set()
        if self._thread:
            self._thread.join(seconds)

    def tidy(self, *, now: int | None = None) -> dict[str, int]:
        """Delete what is over or too old; returns how many rows of each table, without zeros.

        Raises:
            DatabaseUnavailable: it does not answer; nothing is deleted then.
        """
        with self._database.writing() as session:
            over = sessions.delete_expired(session, now=now)
            ended = memory.delete_ended(session, now=now)
            counts = delete_older(session, self._keep_days, now=now) if self._keep_days else {}
        counts["sessions"] = counts.get("sessions", 0) + over
        counts["memory_facts"] = counts.get("memory_facts", 0) + ended
        found = {name: count for name, count in counts.items() if count}
        if found:
            LOG.info("deleted what was too old: %s", ", ".join(f"{n} {name}" for name, n in found.items()))
        return found

    def _run(self) -> None:
        while not self._end.wait(self._wait):
            self._wait = self._tried()

    def _tried(self) -> float:
        """Tidy; returns in how many seconds again."""
        try:
            self.tidy()
        except Exception as error:  # the store may be back at the next try
            log_fault(error)
            return _AGAIN
        return _DAY
