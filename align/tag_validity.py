"""Validity of tags: agreement with an independent rule, similarity of the better answer to the target.

The similarity is the cosine of sentence embeddings between an answer and the target's title and categories.
The simulated annotator looks for the target by name, so an answer that recommends it is similar for the same
reason that it was preferred; the pairs in which neither answer recommends it are therefore counted
separately.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rectune.align.preferences import Tagged
from rectune.core.catalogue import Catalogue
from rectune.core.figures.preferences import TagValidity
from rectune.core.stats.intervals import share_of
from rectune.prompts.answers import read_answer
from rectune.prompts.title_index import TitleIndex
from rectune.retrieval.embedding import embed, title_and_categories

RULE = "the better answer of a tag is nearer to the true next item than the worse one, by sentence embeddings"


def tag_validity(
    tagged: Sequence[Tagged], catalogue: Catalogue, titles: Mapping[str, TitleIndex], embedder: str
) -> TagValidity:
    """The share of the tags on which the rule agrees; equal nearness counts half.

    Args:
        tagged: tags with their prompts and answers.
        catalogue: for the text of the true next item.
        titles: of the prompts' domains, to see which answers recommend that item.
        embedder: as `rectune.retrieval.embedding.embed` takes it.
    """
    texts = [text for task, tag in tagged for text in (task.text(tag.best), task.text(tag.worst))]
    items = [catalogue.get(task.prompt.domain, task.prompt.target) for task, _ in tagged]
    answers = embed(texts, embedder)  # [2 * tags, d], unit rows
    targets = embed([title_and_categories(item.title, item.categories) for item in items], embedder)
    gaps = ((answers[0::2] - answers[1::2]) * targets).sum(axis=1)  # [tags]
    agrees = [0.5 if abs(gap) < 1e-6 else float(gap > 0) for gap in gaps.tolist()]
    unnamed = [agree for agree, row in zip(agrees, tagged, strict=True) if not _names_target(row, titles)]
    return TagValidity(
        rule=RULE,
        embedder=embedder,
        all=share_of(sum(agrees), len(agrees)),
        target_unnamed=share_of(sum(unnamed), len(unnamed)),
    )


def _names_target(row: Tagged, titles: Mapping[str, TitleIndex]) -> bool:
    task, tag = row
    known = titles[task.prompt.domain]
    shown = known.places(task.prompt.candidates)
    return any(
        task.prompt.target in known.ids(read_answer(task.text(answer), known, shown).recommended)
        for answer in (tag.best, tag.worst)
    )
