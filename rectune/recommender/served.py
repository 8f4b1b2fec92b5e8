"""A recommender for one request of a service, whose model is asked through a call of an engine service."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from copy import copy
from dataclasses import replace
from typing import TypeVar

from rectune.core.errors import UserError
from rectune.inference.service_call import EngineCall
from rectune.inference.service_generate import Sentence, ServiceGenerate
from rectune.recommender.answering import CatalogueAnswers

Answers = TypeVar("Answers", bound=CatalogueAnswers)


def served(
    recommender: Answers,
    call: EngineCall,
    *,
    variation: int = 0,
    on_sentence: Callable[[Sentence], None] | None = None,
) -> Answers:
    """The same recommender for one request; what was read, indexed and fitted is shared, and not changed.

    The model writes and scores in the thread of the engine service, and what it writes lies in no generation
    cache. Its methods raise `EngineBusy`, `EngineClosed`, and `CallCancelled` after `call.cancel()`, besides.

    Args:
        recommender: of a model that the service runs, or of none.
        call: of the request; open while the recommender is asked.
        variation: another number gives other reasons for the same request.
        on_sentence: hears of every sentence that the model writes, unchecked; see `ServiceGenerate`. Reasons
            that have been checked come by the `events` of `recommend_all`.

    Raises:
        UserError: the model chooses the items by constrained decoding, which needs an engine of its own.
    """
    model = recommender.generative
    if model and recommender.ranker is None and model.retrieval.grounding == "constrained":
        raise UserError(
            "a service cannot let the model name titles by constrained decoding",
            where="retrieval.grounding",
            hint="set it to ranked, or to retrieve",
        )
    _ = recommender.titles  # read once for all requests
    found = copy(recommender)
    found.__dict__.pop("rank_by", None)  # it ranks with the engine of the model ranking
    if model:
        generate = ServiceGenerate(call, variation, on_sentence)
        found.generative = replace(model, generate=generate)
    if recommender.model_ranking:
        found.model_ranking = recommender.model_ranking.with_engine(lambda: nullcontext(call))
    return found
