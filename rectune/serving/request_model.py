"""The recommender of one request, whose model writes in the engine of the service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock

from rectune.inference.service import EngineService
from rectune.inference.service_call import EngineCall
from rectune.inference.service_generate import ServiceGenerate
from rectune.inference.service_state import CallCancelled, EngineClosed
from rectune.recommender.recommender import Recommender
from rectune.recommender.served import served
from rectune.serving.answers import MODEL_FAILED, MODEL_TOO_SLOW
from rectune.serving.ranking_lock import GenerateOutside, ScoreOutside, Usage
from rectune.serving.turn import Turn
from rectune.serving.wording_time import WordingTime


@contextmanager
def without_model(turn: Turn, notes: list[str]) -> Iterator[None]:
    """A model that fails or takes too long ends the block, and a note says so.

    Args:
        turn: of the request.
        notes: gets the note.

    Raises:
        CallCancelled: the client has gone.
    """
    try:
        yield
    except EngineClosed:
        notes.append(MODEL_FAILED)
    except CallCancelled:
        if not turn.expired:
            raise
        notes.append(MODEL_TOO_SLOW)


@contextmanager
def in_turn(
    engine: EngineService, lock: Lock, recommender: Recommender, turn: Turn, seconds: float, usage: Usage,
    wording: WordingTime, variation: int = 0,
) -> Iterator[tuple[Recommender, ScoreOutside]]:  # fmt: skip
    """The same recommender for one request, and its model as a scorer.

    Args:
        engine: runs its model.
        lock: of ranking; whoever asks the recommender within holds it, and it is given back while the engine
            writes.
        recommender: is shared.
        turn: cancels the request, or ends the engine's part of it.
        seconds: after which that ends.
        usage: is added to.
        wording: when it is over, the model has written what it has written.
        variation: another number gives other words.
    """
    with EngineCall(engine) as call, turn.timed(seconds):
        turn.opened(call)
        with lock:
            mine = served(recommender, call, variation=variation)
        if mine.generative:
            generate = ServiceGenerate(call, variation, left=wording.left)
            outside = GenerateOutside(lock, generate, usage)
            mine.generative = replace(mine.generative, generate=outside)
        if mine.model_ranking:
            score = ScoreOutside(lock, call)
            mine.model_ranking = mine.model_ranking.with_engine(score.opened)
        yield mine, ScoreOutside(lock, call)
