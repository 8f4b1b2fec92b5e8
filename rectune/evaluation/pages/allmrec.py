"""The tables of A-LLMRec: what its training came to, and whether validation users were ranked for better."""

from __future__ import annotations

from rectune.core.figures import AllmrecLlmFigures
from rectune.core.figures.allmrec import BesideChoice
from rectune.core.figures.record import MeanInterval
from rectune.core.finished_stages import FinishedStages
from rectune.core.text.figures import figure, mean_in_words, percent
from rectune.core.text.tables import Table
from rectune.core.text.translation import Translation
from rectune.evaluation.pages.blocks import Block
from rectune.rankers.weighting import label_of


def allmrec(run: FinishedStages, tr: Translation) -> list[Block]:
    """Both tables; none where the stage `allmrec_llm` has not finished."""
    figures = run.read(AllmrecLlmFigures)
    if figures is None:
        return []
    return [_trained(figures, run, tr), _compared(figures, run, tr)]


def _trained(figures: AllmrecLlmFigures, run: FinishedStages, tr: Translation) -> Table:
    heads = tr.each(
        "domain",
        "ranker",
        "training cases",
        "epochs, best",
        "held-out loss before",
        "held-out loss",
        "changed",
    )
    lines = [
        (
            domain,
            name,
            one.cases,
            f"{one.epochs}, {one.best_epoch}",
            figure(one.loss_before),
            figure(one.loss),
            percent(min(one.changed.values(), default=None)),
        )
        for domain, found in figures.domains.items()
        for name, one in found.trained.items()
    ]
    note = tr(
        "The language model is frozen: {model}. Its weights and those of the recommender were the same bit "
        "for bit before and after; the last column is the least share of a trained part's numbers that "
        "changed.",
        model=figures.model + (" + sft" if figures.tuned else ""),
    )
    title = tr("A-LLMRec: training beside a language model")
    return Table(heads, lines, title, f"{note} {run.made_by('allmrec_llm', tr)}", align="llrrrrr")


def _compared(figures: AllmrecLlmFigures, run: FinishedStages, tr: Translation) -> Table:
    heads = tr.each("domain", "history", "validation users", "chosen before", "NDCG@10 gained", "what ranks")
    lines = [
        (
            domain,
            tr("{likes} likes", likes=length),
            one.cases,
            label_of(one.before, tr),
            _gain(one),
            label_of(one.chosen, tr),
        )
        for domain, found in figures.domains.items()
        for length, one in found.histories.items()
    ]
    note = tr(
        "Every new ranker alone, and beside what was chosen before; taken is the best where the 95 % "
        "interval of its gain, on users whom it was not chosen on, lies above 0."
    )
    title = tr("A-LLMRec: compared with what was chosen before")
    return Table(heads, lines, title, f"{note} {run.made_by('allmrec_llm', tr)}", align="llrlrl")


def _gain(one: BesideChoice) -> str | None:
    if one.difference is None or one.interval is None:
        return None
    low, high = one.interval
    return mean_in_words(MeanInterval(mean=one.difference, low=low, high=high), signed=True)
