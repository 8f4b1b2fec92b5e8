"""Words personas by the model in the background: nobody waits, and templates stand until it is done."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from queue import Full, Queue
from threading import Thread

from rectune.dialogue.model_wording import Writer, worded_by_model
from rectune.inference.service_call import EngineCall
from rectune.inference.service_generate import ServiceGenerate
from rectune.inference.service_state import CallCancelled, EngineBusy, EngineClosed
from rectune.recommender.served import served
from rectune.serving.problems import log_fault
from rectune.serving.ranking_lock import GenerateOutside
from rectune.serving.recommending import RecommendService
from rectune.serving.store import users
from rectune.serving.tastes import taste_of

_WAITING = 1000  # personas; those that come while so many wait are worded after their next change


class PersonaWriter:
    """Has the service's model word personas that are new, one at a time, behind all that people wait for.

    What passes the checks of `rectune.dialogue.model_wording` takes the place of the template's sentences,
    unless the persona has changed meanwhile. Without a model, or in languages in which it is not trusted,
    nothing is asked.

    Args:
        service: whose personas and model.
    """

    def __init__(self, service: RecommendService) -> None:
        self._service = service
        self._queue: Queue[int | None] = Queue(_WAITING)
        self._call: EngineCall | None = None
        self._ended, self._last = False, (0, 0)
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin, where there is a model that may write."""
        model = self._service.recommender.generative
        if self._service.engine and model:
            self._service.personas.on_new = self.offer
            self._ended = False
            self._thread = Thread(target=self._run, name="persona-writer", daemon=True)
            self._thread.start()

    def offer(self, user_id: int) -> None:
        """The persona of this user is to be worded."""
        with suppress(Full):
            self._queue.put_nowait(user_id)

    def stop(self, seconds: float) -> None:
        """End; what is being written is given up."""
        self._ended = True
        if not self._thread or not self._thread.is_alive():
            return
        if call := self._call:
            call.cancel()
        with suppress(Full):
            self._queue.put_nowait(None)
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._ended and (user_id := self._queue.get()) is not None:
            try:
                self._word(user_id)
            except (CallCancelled, EngineBusy):
                continue
            except EngineClosed:
                return
            except Exception as error:  # the next one may be worded
                log_fault(error)

    def _word(self, user_id: int) -> None:
        service, current = self._service, self._service.catalogue.current
        with service.database.reading() as session:
            user = users.of_row(session, user_id)
        if user is None or service.engine is None:
            return
        taste = taste_of(service.database, current.recommender, user.external_id, False)
        persona = service.personas.of(current, taste)
        if self._last == (user_id, persona.version):
            return  # it was offered twice
        self._last = (user_id, persona.version)
        with EngineCall(service.engine, "background") as self._call, service.lock:
            mine = served(current.recommender, self._call)
            if self._ended or mine.generative is None:
                return
            outside = GenerateOutside(service.lock, ServiceGenerate(self._call))
            writer = Writer.of(replace(mine.generative, generate=outside))
            worded = worded_by_model(persona, taste.knowledge, current.traits, writer, taste.locale)
        if worded is not persona:
            service.personas.word(user_id, persona, worded)
