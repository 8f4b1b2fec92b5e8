"""Several texts of a teacher for one rationale, of which the best supported one is kept (best-of-n)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rectune.core.catalogue import Catalogue
from rectune.core.rng import seed_of
from rectune.core.types import Prompt
from rectune.filters.rules.unsupported import facts_of, support_of
from rectune.inference.requests import GenerationRequest
from rectune.inference.teachers import Written


@dataclass(frozen=True)
class Chosen:
    """The text that is kept.

    Attributes:
        written: it, and where it comes from.
        opening: how the assistant's turn began, which the text goes on from.
        unsupported: the share of its content words that no source has; None where nothing is known.
        first_unsupported: that of the text that was written first.
    """

    written: Written
    opening: str
    unsupported: float | None
    first_unsupported: float | None


def several(request: GenerationRequest, samples: int) -> list[GenerationRequest]:
    """The request, and the same with other seeds: `samples` in all, whose ids say which."""
    others = [
        replace(request, id=f"{request.id}/{number}", seed=seed_of("seed", "sample", request.seed, number))
        for number in range(1, samples)
    ]
    return [request, *others]


def best_of(
    prompt: Prompt,
    requests: Sequence[GenerationRequest],
    written: Mapping[str, Written],
    catalogue: Catalogue,
) -> Chosen:
    """Of the answers to `several` requests the one of which the smallest share of content words stands
    nowhere; of equal ones one that was not cut at the token limit, then the one that was asked for first.

    A failed request counts only where all have failed. Where nothing is known of the target in the language
    of the texts, none is better supported than another.
    """
    tried = []
    for number, request in enumerate(requests):
        answer, _ = written[request.id]
        failed = answer.finish == "error"
        share = None if failed else unsupported_share(prompt, request.prefill + answer.text, catalogue)
        order = (failed, math.inf if share is None else share, answer.finish == "length", number)
        tried.append((order, request, share))
    _, kept, share = min(tried, key=lambda one: one[0])
    return Chosen(written[kept.id], kept.prefill, share, tried[0][2])


def unsupported_share(prompt: Prompt, text: str, catalogue: Catalogue) -> float | None:
    """The share of the content words of a rationale that no source has, as the filter's rule counts it; None
    where it cannot be told.
    """
    target = catalogue.get(prompt.domain, prompt.target)
    liked = [catalogue.get(prompt.history_domain, item) for item in prompt.history]
    titles = [
        target.title,
        *catalogue.titles(prompt.domain, prompt.candidates),
        *(one.title for one in liked),
    ]
    known = [target.title, *(f"{item.title}\n{facts_of(item)}" for item in liked)]
    share = support_of(text, titles, prompt.query, facts_of(target), known).share
    return None if math.isnan(share) else share
