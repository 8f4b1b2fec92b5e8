"""What was made of what: a line of figures a finished stage, in the order of the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rectune.core.figures import (
    AllmrecItemsFigures,
    AllmrecLlmFigures,
    BaseFigures,
    CandidatesFigures,
    DataFigures,
    DpoFigures,
    EvalFigures,
    ExportFigures,
    FilterFigures,
    FitFigures,
    QueriesFigures,
    RationalesFigures,
    RecommendFigures,
    RerankFigures,
    SftFigures,
    TagFigures,
)
from rectune.core.figures.grounding import OutcomeShares
from rectune.core.figures.record import StageRecord
from rectune.core.finished_stages import FinishedStages
from rectune.core.text.figures import memory, percent
from rectune.core.text.plain import duration
from rectune.core.text.tables import Table
from rectune.core.text.translation import Translation
from rectune.core.types import SPLITS

_REASONS = 4  # reasons for dropping that are named


def stage_lines(run: FinishedStages, tr: Translation) -> list[Table]:
    """One table, in which stages that have not finished are left out; none where nothing has finished.

    Raises:
        UserError: a figure of a finished stage is missing, unknown or of another type.
    """
    lines = []
    for stage, manifest in run.manifests.items():
        kind = _KINDS.get(stage)
        figures = run.read(kind) if kind else None
        if kind and figures:
            cost = f"{duration(manifest.seconds, tr)}, {memory(manifest.peak_memory, tr)}"
            lines.append((stage, _LINES[kind](figures, tr), cost))
    return [Table(tr.each("stage", "what it made", "time, peak memory"), lines, align="llr")] if lines else []


def _data(figures: DataFigures, tr: Translation) -> str:
    found = figures.datasets.values()
    sources = [*(one.cases for one in found), *figures.cross_domain.values()]
    train, preference, test = (sum(cases[split].got for cases in sources) for split in SPLITS)
    said = tr(
        "{items} items, {users} users, {interactions} interactions; {train} cases to train, {preference} for "
        "preferences, {test} to test",
        items=_count(sum(one.items for one in found)),
        users=_count(sum(one.users for one in found)),
        interactions=_count(sum(one.interactions for one in found)),
        train=_count(train),
        preference=_count(preference),
        test=_count(test),
    )
    datasets = tr("1 dataset") if len(found) == 1 else tr("{n} datasets", n=len(found))
    return f"{datasets} ({figures.root}): {said}"


def _base(figures: BaseFigures, tr: Translation) -> str:
    return tr(
        "{model}, {parameters} million parameters; as GGUF {quantisation}, {size}",
        model=figures.model,
        parameters=f"{figures.parameters / 1e6:,.1f}",
        quantisation=figures.gguf.quantisation,
        size=_size(figures.gguf.bytes),
    )


def _queries(figures: QueriesFigures, tr: Translation) -> str:
    said = tr(
        "{rows_out} of {rows_in} prompts rendered; {queries} search queries written",
        rows_in=_count(figures.rows_in),
        rows_out=_count(figures.rows_out),
        queries=_count(figures.queries),
    )
    return said + _reasons(figures.refused, "; tries refused: {reasons}", tr)


def _fit(figures: FitFigures, tr: Translation) -> str:
    """The choice for the longest histories in short; by domain it stands where ranking is told of."""
    chosen = [one.chosen.get("5+", {}) for one in figures.domains.values()]
    rankers = dict.fromkeys(name for weights in chosen for name in weights)
    return tr(
        "chosen on validation users for 5+ likes: {rankers}; one alone in {alone} domains, several fused in "
        "{fused}",
        rankers=", ".join(rankers) or tr("nothing"),
        alone=sum(len(weights) == 1 for weights in chosen),
        fused=sum(len(weights) > 1 for weights in chosen),
    )


def _allmrec_items(figures: AllmrecItemsFigures, tr: Translation) -> str:
    domains = figures.domains.values()
    said = tr(
        "one space for the items of {recommender} and their texts: {items} items, of which {cold} are known "
        "by their texts alone",
        recommender=figures.recommender,
        items=_count(sum(one.items for one in domains)),
        cold=_count(sum(one.cold for one in domains)),
    )
    if long := sum(one.texts.cut + one.texts.summarised for one in domains):
        said += tr(
            "; {long} texts were too long: {summarised} summarised, {cut} cut (of these {not_read} had a "
            "summary that is not read)",
            long=_count(long),
            summarised=_count(sum(one.texts.summarised for one in domains)),
            cut=_count(sum(one.texts.cut for one in domains)),
            not_read=_count(sum(one.texts.unsupported for one in domains)),
        )
    return said


def _allmrec_llm(figures: AllmrecLlmFigures, tr: Translation) -> str:
    domains = figures.domains.values()
    return tr(
        "{rankers} trained beside the frozen model {model}; something new ranks in {n} of {all} domains",
        rankers=", ".join(dict.fromkeys(name for one in domains for name in one.trained)) or tr("nothing"),
        model=figures.model,
        n=sum(any(length.taken for length in one.histories.values()) for one in domains),
        all=len(domains),
    )


def _rationales(figures: RationalesFigures, tr: Translation) -> str:
    teachers = ", ".join(name.partition("@")[0] for name in figures.teachers)
    return tr(
        "{rows_out} of {rows_in} training prompts answered by {teachers}; {stopped} answers cut at the token "
        "limit, {template} closed by a template",
        rows_in=_count(figures.rows_in),
        rows_out=_count(figures.rows_out),
        teachers=teachers or tr("nobody"),
        stopped=_count(figures.stopped_by_limit),
        template=_count(figures.closing.get("template", 0)),
    ) + _best_of(figures, tr)


def _best_of(figures: RationalesFigures, tr: Translation) -> str:
    """What it brought that several texts were written for each response."""
    shares = (figures.first_unsupported, figures.unsupported)
    if figures.texts <= figures.rows_in or None in shares:
        return ""
    first, kept = (f"{share:.3f}" for share in shares)
    return tr(
        "; of {texts} texts the best supported were kept: {kept} of their words stand nowhere, of the texts "
        "written first {first}",
        texts=_count(figures.texts),
        kept=kept,
        first=first,
    )


def _filter(figures: FilterFigures, tr: Translation) -> str:
    said = tr(
        "{rows_in} in, {rows_out} kept", rows_in=_count(figures.rows_in), rows_out=_count(figures.rows_out)
    )
    return said + _reasons(figures.dropped, "; dropped: {reasons}", tr)


def _sft(figures: SftFigures, tr: Translation) -> str:
    return tr(
        "{steps} steps on {rows} examples; {loss}",
        steps=_count(figures.steps),
        rows=_count(figures.rows_out),
        loss=_loss(figures, tr),
    )


def _candidates(figures: CandidatesFigures, tr: Translation) -> str:
    return tr(
        "{answers} answers to {prompts} prompts, sampled from a {quantisation} file of the tuned model",
        answers=_count(figures.answers),
        prompts=_count(figures.prompts),
        quantisation=figures.gguf.quantisation,
    )


def _tag(figures: TagFigures, tr: Translation) -> str:
    said = tr(
        "{pairs} pairs of {tagged} tagged prompts, by {annotators}; chosen answers have {chosen} words on "
        "average, rejected ones {rejected}",
        pairs=_count(figures.pairs),
        tagged=_count(figures.tagged),
        annotators=", ".join(map(tr.stored, figures.annotators)) or tr("nobody"),
        chosen=f"{figures.chosen_words_mean:.0f}",
        rejected=f"{figures.rejected_words_mean:.0f}",
    )
    if figures.ranking is None:
        return said
    return said + tr(
        "; {pairs} pairs for ranking from {cases} cases",
        pairs=_count(figures.ranking.pairs),
        cases=_count(figures.ranking.cases),
    )


def _dpo(figures: DpoFigures, tr: Translation) -> str:
    said = tr(
        "{steps} steps on {rows} pairs; {loss}",
        steps=_count(figures.steps),
        rows=_count(figures.pairs),
        loss=_loss(figures, tr),
    )
    held_out = figures.held_out
    if held_out is None:
        return said
    return said + tr(
        "; of {pairs} held-out pairs {accuracy} ordered rightly",
        pairs=held_out.pairs,
        accuracy=percent(held_out.accuracy),
    )


def _export(figures: ExportFigures, tr: Translation) -> str:
    files = [
        tr("{file}: {size}", file=one.quantisation, size=_size(one.bytes))
        if one.mean_gap is None
        else tr(
            "{file}: {size}, {nats} nats a token from the checkpoint",
            file=one.quantisation,
            size=_size(one.bytes),
            nats=f"{one.mean_gap:.3f}",
        )
        for one in figures.files
        if one.file
    ]
    refused = len(figures.parity.failed)
    return "; ".join([*files, *([tr("checks failed: {n}", n=refused)] if refused else [])])


def _rerank(figures: RerankFigures, tr: Translation) -> str:
    domains = figures.domains.values()
    uses = [[one.likelihood, one.draft] for one in domains]
    measured = [[use for use in some if use] for some in uses]
    if not any(measured):
        return tr("not measured: no validation users were left for it")
    return tr(
        "the language model counts beside the chosen ranker in {n} of {all} domains",
        n=sum(any(use.weight for use in some) for some in measured),
        all=len(domains),
    )


def _recommend(figures: RecommendFigures, tr: Translation) -> str:
    report = figures.grounding
    said = tr(
        "{cases} test prompts: {share} of the model's own drafts name real items",
        cases=_count(report.cases),
        share=percent(_named(report.draft)),
    )
    if report.grounding not in report.modes:
        return said
    answers = report.modes[report.grounding].answers
    return said + tr(
        "; of the answers that go out {share} name one ({grounding}), the others say that nothing fits",
        share=percent(_named(answers)),
        grounding=report.grounding,
    )


def _named(shares: OutcomeShares) -> float | None:
    """The share that names an item of the catalogue, exactly or misspelt."""
    return shares.resolved["exact"] + shares.resolved["fuzzy"] if shares.n else None


def _eval(figures: EvalFigures, tr: Translation) -> str:
    return tr(
        "{systems} systems on {cases} test cases; Hit@1 by chance is {chance}",
        systems=len(figures.hit_at_1),
        cases=_count(figures.rows_in),
        chance=f"{figures.chance:.3f}",
    )


def _loss(figures: SftFigures | DpoFigures, tr: Translation) -> str:
    """Of held-out rows where there are any: a single step's loss on the trained ones is mostly chance."""
    first, last = figures.first_eval_loss, figures.last_eval_loss
    if figures.best_eval_loss is not None and last is not None and figures.best_eval_loss < last:
        return tr(
            "held-out loss {best} after step {step}, which was kept, {last} at the end",
            best=f"{figures.best_eval_loss:.2f}",
            step=figures.best_step,
            last=f"{last:.2f}",
        )
    if first is not None and last is not None:
        return tr("held-out loss from {first} to {last}", first=f"{first:.2f}", last=f"{last:.2f}")
    return tr(
        "training loss from {first} to {last}",
        first=f"{figures.first_loss:.2f}",
        last=f"{figures.last_loss:.2f}",
    )


def _reasons(counts: Mapping[str, int], said: str, tr: Translation) -> str:
    """The most frequent reasons with their counts, as an end of a sentence; empty where there are none."""
    found = sorted(((n, reason) for reason, n in counts.items() if n), key=lambda row: -row[0])
    words = [f"{tr.stored(reason)} {n:,}" for n, reason in found[:_REASONS]]
    rest = sum(n for n, _ in found[_REASONS:])
    words += [tr("other reasons {n}", n=_count(rest))] if rest else []
    return tr(said, reasons=", ".join(words)) if words else ""


def _count(n: int) -> str:
    return f"{n:,}"


def _size(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"


_LINES: dict[type[StageRecord], Callable[[Any, Translation], str]] = {
    DataFigures: _data,
    BaseFigures: _base,
    QueriesFigures: _queries,
    FitFigures: _fit,
    AllmrecItemsFigures: _allmrec_items,
    AllmrecLlmFigures: _allmrec_llm,
    RationalesFigures: _rationales,
    FilterFigures: _filter,
    SftFigures: _sft,
    CandidatesFigures: _candidates,
    TagFigures: _tag,
    DpoFigures: _dpo,
    ExportFigures: _export,
    RerankFigures: _rerank,
    RecommendFigures: _recommend,
    EvalFigures: _eval,
}
_KINDS = {kind.stage: kind for kind in _LINES}
