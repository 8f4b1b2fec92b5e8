"""The sections of both trainings and the export, and of time and memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rectune.core.text.figures import figure, mapping, memory, with_ends
from rectune.core.text.markdown import block_quote, escaped
from rectune.core.text.plain import duration
from rectune.core.text.tables import Table
from rectune.evaluation.pages.figures import loss_curve, reward_margins
from rectune.evaluation.pages.finished_stages import FinishedStages
from rectune.evaluation.pages.page import Block, Collapsible, pictures
from rectune.models.export_summary import export_summary

_LOSS = {"loss.png": "Loss of supervised fine-tuning over optimizer steps"}
_REWARDS = {
    "rewards.png": "Implicit rewards of chosen and rejected answers and their margin over optimizer steps"
}


def training(run: FinishedStages, figures: Path) -> list[Block]:
    """Charts of both trainings, drawn into the folder `figures`, the pairs that DPO was given, and the
    export.
    """
    loss_curve(run.log("sft"), figures / "loss.png")
    reward_margins(run.log("dpo"), figures / "rewards.png")
    charts = pictures(figures, _LOSS | _REWARDS)
    export = export_summary(run.figures("export"))
    return [
        charts or "No training step was logged.",
        preference_table(run.document("tag", "health.json"), run.made_by("tag")),
        _adapter_gap(run),
        *(["### Export", export] if export else []),
    ]


def _adapter_gap(run: FinishedStages) -> str:
    """How far the sampled GGUF is from the adapter it was merged from; empty where that was not measured."""
    figures = run.figures("candidates")
    gap, gguf = mapping(figures.get("gap_to_adapter")), mapping(figures.get("gguf"))
    if "nats_per_token" not in gap:
        return ""
    return (
        f"The SFT model that wrote the candidate answers is a {escaped(gguf.get('quantisation', 'GGUF'))} "
        f"file: the mean log-probability of an answer's tokens lies {gap['nats_per_token']:.3f} nats from "
        f"the adapter model's (mean over {gap.get('answers', 0)} answers, {gap.get('tokens', 0)} tokens)."
    )


def preference_table(document: Any, made_by: str) -> Table:
    """Chosen against rejected answers.

    Args:
        document: what health.json holds; without rows where it is missing or holds something else.
        made_by: a sentence that ends the note.
    """
    found = mapping(document)
    meanings, warnings = mapping(found.get("meanings")), found.get("warnings")
    lines = []
    for name, entry in mapping(found.get("sides")).items():
        side, gap = mapping(entry), mapping(mapping(entry).get("gap"))
        difference = with_ends(gap.get("mean"), (gap.get("low"), gap.get("high")), signed=True)
        words = str(meanings.get(name, name))
        lines.append((words, figure(side.get("chosen")), figure(side.get("rejected")), difference))
    warned = "".join(f"Warning: {text}. " for text in warnings) if isinstance(warnings, list) else ""
    note = (
        f"{found.get('pairs')} pairs of {found.get('prompts')} prompts, as DPO was given them. Brackets are "
        f"95 % intervals of the mean difference. {warned}{made_by}"
    )
    return Table(("measure", "chosen", "rejected", "difference"), lines, "Preference pairs", note)


def cost(run: FinishedStages) -> list[Block]:
    """Time and memory of each stage, the packages, and the rule of a simulated annotator."""
    whole = sum(one.seconds for one in run.manifests.values())
    lines = [
        (
            stage,
            duration(one.seconds),
            f"{100 * one.seconds / whole:.0f} %" if whole else None,
            memory(one.peak_memory),
            one.attempts,
            one.key,
        )
        for stage, one in run.manifests.items()
    ]
    seen: dict[str, set[str]] = {}
    for one in run.manifests.values():
        for package, version in one.versions.items():
            seen.setdefault(package, set()).add(str(version))
    versions = ", ".join(f"{package} {', '.join(sorted(found))}" for package, found in sorted(seen.items()))
    rule = run.figures("tag").get("rule")
    heads = ("stage", "time", "share of time", "peak memory", "attempts", "key")
    return [
        Table(heads, lines, align="lrrrrl"),
        *([Collapsible("Versions", escaped(versions))] if versions else []),
        *([Collapsible("The simulated annotator's rule", block_quote(rule))] if rule else []),
    ]
