"""The sections of all trainings and the export, and of time and memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rectune.core.errors import UserError
from rectune.core.figures import CandidatesFigures, ExportFigures, TagFigures
from rectune.core.figures.preferences import AdapterGap, HealthReport, Measure, PreferenceSides
from rectune.core.figures.read_records import remake_hint
from rectune.core.figures.record import GgufFile
from rectune.core.finished_stages import FinishedStages
from rectune.core.text.figures import figure, mean_in_words, memory
from rectune.core.text.markdown import block_quote, escaped
from rectune.core.text.plain import duration
from rectune.core.text.tables import Table
from rectune.core.text.translation import ENGLISH, Translation
from rectune.evaluation.pages.allmrec import allmrec
from rectune.evaluation.pages.blocks import Block, Collapsible, pictures
from rectune.evaluation.pages.figures import loss_curve, reward_margins
from rectune.models import metrics
from rectune.models.export_summary import export_summary

_CHARTS = {
    "loss.png": "Loss of supervised fine-tuning over optimizer steps",
    "rewards.png": "Implicit rewards of chosen and rejected answers and their margin over optimizer steps",
}


def training(run: FinishedStages, figures: Path, tr: Translation, labels: Translation) -> list[Block]:
    """Charts of both trainings, drawn into the folder `figures` with `labels`, the pairs that DPO was given,
    the export, and A-LLMRec.
    """
    loss_curve(_log(run, "sft", "loss"), figures / "loss.png", labels)
    reward_margins(_log(run, "dpo", "rewards/margins"), figures / "rewards.png", labels)
    health, sampled = run.read(HealthReport), run.read(CandidatesFigures)
    exported = run.read(ExportFigures)
    return [
        pictures(figures, {name: tr(shows) for name, shows in _CHARTS.items()})
        or tr("No training step was logged."),
        *(preference_tables(health, run.made_by("tag", tr), tr) if health else []),
        *([_adapter_gap(sampled.gap_to_adapter, sampled.gguf, tr)] if sampled else []),
        *([tr("### Export"), export_summary(exported, tr)] if exported else []),
        *allmrec(run, tr),
    ]


def _log(run: FinishedStages, stage: str, wanted: str) -> list[metrics.Row]:
    """A training log, an entry a step; of a step that was logged twice the later figures count. Empty where
    the stage has not finished.

    Raises:
        UserError: the stage has finished and logged nothing of what is wanted.
    """
    if stage not in run.manifests:
        return []
    path, steps = run.inputs[stage] / "metrics.jsonl", dict[int, metrics.Row]()
    for row in metrics.read(path):
        steps[row["step"]] = {**steps.get(row["step"], {}), **row}
    if not any(wanted in row for row in steps.values()):
        raise UserError(f"the stage {stage} logged no {wanted}", where=str(path), hint=remake_hint(stage))
    return list(steps.values())


def _adapter_gap(gap: AdapterGap, gguf: GgufFile, tr: Translation) -> str:
    """How far the sampled GGUF is from the adapter it was merged from."""
    return tr(
        "The SFT model that wrote the candidate answers is a {quantisation} file: the mean log-probability "
        "of an answer's tokens lies {nats} nats from the adapter model's (mean over {answers} answers, "
        "{tokens} tokens).",
        quantisation=escaped(gguf.quantisation),
        nats=f"{gap.nats_per_token:.3f}",
        answers=gap.answers,
        tokens=gap.tokens,
    )


def preference_tables(health: HealthReport, made_by: str, tr: Translation = ENGLISH) -> list[Table]:
    """Chosen against rejected answers, tagged ones and those made for ranking; `made_by` is a sentence that
    ends the notes.
    """
    said = tr(
        "{pairs} pairs of {prompts} prompts, as DPO was given them. Brackets are 95 % intervals of the mean "
        "difference.",
        pairs=health.pairs,
        prompts=health.prompts,
    )
    warnings = (tr("Warning: {text}.", text=tr.stored(text)) for text in health.warnings)
    note = " ".join((said, *warnings, made_by))
    tables = [_sides(health.sides, health.meanings, tr("Preference pairs"), note, tr)]
    if health.ranking_sides:
        implied = tr(
            "{pairs} pairs that interactions imply, which DPO was given beside those above: an answer that "
            "recommends the item really taken is chosen, one that recommends another candidate is rejected.",
            pairs=health.sources["ranking"],
        )
        title = tr("Pairs made for ranking")
        tables.append(_sides(health.ranking_sides, health.meanings, title, f"{implied} {made_by}", tr))
    return tables


def _sides(
    sides: PreferenceSides, meanings: Mapping[Measure, str], title: str, note: str, tr: Translation
) -> Table:
    lines = [
        (tr.stored(words), figure(side.chosen), figure(side.rejected), mean_in_words(side.gap, signed=True))
        for words, side in (
            (meanings["words"], sides.words),
            (meanings["repetition"], sides.repetition),
            (meanings["score"], sides.score),
            (meanings["names_item"], sides.names_item),
        )
    ]
    return Table(tr.each("measure", "chosen", "rejected", "difference"), lines, title, note)


def cost(run: FinishedStages, key: str, tr: Translation) -> list[Block]:
    """Time and memory of each stage, the packages, and the rule of a simulated annotator.

    Args:
        run: the stages.
        key: the key of the report itself.
        tr: the language of the section.
    """
    whole = sum(one.seconds for one in run.manifests.values())
    lines = [
        (
            stage,
            duration(one.seconds, tr),
            f"{100 * one.seconds / whole:.0f} %" if whole else None,
            memory(one.peak_memory, tr),
            one.attempts,
            one.key,
        )
        for stage, one in run.manifests.items()
    ]
    seen: dict[str, set[str]] = {}
    for one in run.manifests.values():
        for package, version in one.versions.items():
            seen.setdefault(package, set()).add(version)
    versions = ", ".join(f"{package} {', '.join(sorted(found))}" for package, found in sorted(seen.items()))
    tagged = run.read(TagFigures)
    heads = tr.each("stage", "time", "share of time", "peak memory", "attempts", "key")
    return [
        tr(
            "{n} stages finished, in {time} in all. Key of this report: {key}.",
            n=len(run.manifests),
            time=duration(whole, tr),
            key=escaped(key),
        ),
        Table(heads, lines, align="lrrrrl"),
        *([Collapsible(tr("Versions"), escaped(versions))] if versions else []),
        *(
            [Collapsible(tr("The simulated annotator's rule"), block_quote(tr.stored(tagged.rule)))]
            if tagged and tagged.rule
            else []
        ),
    ]
