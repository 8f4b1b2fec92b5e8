"""Validity of tags: agreement with an independent rule, similarity of the better answer to the target.

The similarity is the cosine of sentence embeddings between an answer and the target's title and categories.
The simulated annotator looks for the target by name, so an answer that recommends it is similar for the same
reason that it was preferred; the pairs in which neither answer recommends it are therefore counted
separately.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rectune.align.preferences import Tagged
from rectune.core.catalogue import Catalogue
from rectune.core.stats.intervals import wilson
from rectune.prompts.answers import read_answer
from rectune.prompts.title_index import TitleIndex
from rectune.retrieval.embedding import embed, title_and_categories

RULE = "the better answer of a tag is nearer to the true next item than the worse one, by sentence embeddings"


def tag_validity(
    tagged: Sequence[Tagged], catalogue: Catalogue, titles: Mapping[str, TitleIndex], embedder: str
) -> dict[str, Any]:
    """The share of the tags that agree with the rule; equal similarity counts half.

    Args:
        tagged: tags with their prompts and answers.
        catalogue: for the text of the target.
        titles: of the prompts' domains, to find which answers recommend the target.
        embedder: as in `rectune.retrieval.embedding.embed`.

    Returns:
        `rule`, `embedder`, and `tags`, `share`, `low`, `high` (Wilson, 95 %) over all tags and, as
        `target_unnamed`, over those in which neither answer recommends the item.
    """
    texts = [text for task, tag in tagged for text in (task.text(tag.best), task.text(tag.worst))]
    items = [catalogue.get(task.prompt.domain, task.prompt.target) for task, _ in tagged]
    answers = embed(texts, embedder)  # [2 * tags, d], unit rows
    targets = embed([title_and_categories(item.title, item.categories) for item in items], embedder)
    gaps = ((answers[0::2] - answers[1::2]) * targets).sum(axis=1)  # [tags]
    agrees = [0.5 if abs(gap) < 1e-6 else float(gap > 0) for gap in gaps.tolist()]
    unnamed = [agree for agree, row in zip(agrees, tagged, strict=True) if not _names_target(row, titles)]
    return {"rule": RULE, "embedder": embedder, **_share(agrees), "target_unnamed": _share(unnamed)}


def _names_target(row: Tagged, titles: Mapping[str, TitleIndex]) -> bool:
    task, tag = row
    known = titles[task.prompt.domain]
    shown = known.places(task.prompt.candidates)
    return any(
        task.prompt.target in known.ids(read_answer(task.text(answer), known, shown).recommended)
        for answer in (tag.best, tag.worst)
    )


def _share(agrees: Sequence[float]) -> dict[str, Any]:
    if not agrees:
        return {"tags": 0}
    low, high = wilson(sum(agrees), len(agrees))
    return {
        "tags": len(agrees),
        "share": round(sum(agrees) / len(agrees), 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }
