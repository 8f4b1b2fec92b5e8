"""What the model says now: a few test prompts answered before and after training, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rectune.core.figures.grounding import SampleAnswer, SamplePrompt
from rectune.core.finished_stages import FinishedStages
from rectune.core.settings.serving import TUNED
from rectune.core.text.markdown import escaped
from rectune.core.text.plain import shortened
from rectune.core.text.translation import Translation
from rectune.evaluation.pages.answers import resolved
from rectune.evaluation.pages.blocks import Block, Columns

_SHOWN = 3  # prompts
_ANSWER = 350  # characters of an answer that are shown
_ASKED = 80  # of what was asked
_BEFORE, *_AFTER = TUNED


@dataclass(frozen=True)
class _Request:
    """What a prompt was made of: titles that were liked, oldest first, and a query, which may be empty."""

    titles: Sequence[str]
    query: str


def before_after(run: FinishedStages, tr: Translation) -> list[Block]:
    """At most three prompts, each answered by the base model and by the last tuned model; nothing where
    no answers were recorded.
    """
    samples = _different(run.listed(SamplePrompt))
    if not samples:
        return []
    requests = _requests(run, samples)
    said = tr(
        "The first test prompts of different domains, not picked by hand, answered by the models alone and "
        "cut at {n} characters. None of this is served: what goes out stands under Recommendations.",
        n=_ANSWER,
    )
    return [said, *(block for one in samples for block in _sample(one, requests.get(one.prompt_id), tr))]


def _different(samples: Sequence[SamplePrompt]) -> list[SamplePrompt]:
    """The first of each domain before a second one, and passive ones (without a query) before others."""
    seen: dict[tuple[str, str], int] = {}
    ranked = []
    for place, sample in enumerate(samples):
        group = (sample.domain, sample.scenario)
        seen[group] = seen.get(group, 0) + 1
        ranked.append((sample.scenario != "passive", seen[group], place))
    return [samples[place] for _, _, place in sorted(ranked)[:_SHOWN]]


def _requests(run: FinishedStages, samples: Sequence[SamplePrompt]) -> dict[str, _Request]:
    """By prompt id, from the prompts that the stage `queries` rendered; those whose files are not there are
    left out.
    """
    import polars as pl

    folders = {stage: run.inputs[stage] for stage in ("queries", "data") if stage in run.manifests}
    prompts, items = (
        folders[stage] / file if stage in folders else None
        for stage, file in (("queries", "prompts.parquet"), ("data", "items.parquet"))
    )
    if prompts is None or items is None or not (prompts.is_file() and items.is_file()):
        return {}
    wanted = [one.prompt_id for one in samples]
    columns = ("id", "history_domain", "history", "query")
    asked = pl.scan_parquet(prompts).filter(pl.col("id").is_in(wanted)).select(columns).collect()
    known = pl.scan_parquet(items).filter(pl.col("domain").is_in(asked["history_domain"].to_list()))
    titles = {
        (domain, item): title
        for domain, item, title in known.select("domain", "item_id", "title").collect().iter_rows()
    }
    return {
        key: _Request([titles.get((domain, item), item) for item in history], query)
        for key, domain, history, query in asked.iter_rows()
    }


def _sample(sample: SamplePrompt, request: _Request | None, tr: Translation) -> list[Block]:
    shown = _shown(sample)
    heads = [
        tr("before training ({system})", system=one.system)
        if one.system == _BEFORE
        else tr("after training ({system})", system=one.system)
        for one in shown
    ]
    said = tr(
        "**{domain}** · {asked} · really taken next: {title}",
        domain=escaped(sample.domain),
        asked=_asked(sample, request, tr),
        title=escaped(sample.target),
    )
    if not shown:
        return [said]
    texts = [escaped(shortened(one.text, _ANSWER) or tr("(empty answer)")) for one in shown]
    found = [resolved(one, tr) for one in shown]
    return [said, Columns(heads, (texts, found))]


def _shown(sample: SamplePrompt) -> list[SampleAnswer]:
    """The answer of the base model, and that of the last model that was made of it."""
    by_system = {one.system: one for one in sample.answers}
    last = next((by_system[name] for name in reversed(_AFTER) if name in by_system), None)
    return [one for one in (by_system.get(_BEFORE), last) if one]


def _asked(sample: SamplePrompt, request: _Request | None, tr: Translation) -> str:
    if request is None:
        return tr("prompt: {prompt}", prompt=escaped(shortened(sample.instruction, _ASKED)))
    if request.query:
        return tr("asked for: {query}", query=escaped(shortened(request.query, _ASKED)))
    return tr("liked: {titles}", titles=escaped(_first_of(request.titles)))


def _first_of(titles: Sequence[str]) -> str:
    """As many whole titles as are short enough together, and at least a part of the first."""
    for count in range(len(titles), 0, -1):
        shown = " · ".join((*titles[:count], *(["…"] if count < len(titles) else [])))
        if len(shown) <= _ASKED:
            return shown
    return shortened(" · ".join(titles), _ASKED)
