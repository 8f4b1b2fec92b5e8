"""Texts of items that are too long, told in fewer words by the teacher of the recipe."""

from __future__ import annotations

import collections
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rectune.core.extras import is_installed
from rectune.core.progress import say
from rectune.core.settings import FilterConfig, GenerateConfig, SamplingConfig
from rectune.core.text.plain import locale_of
from rectune.core.text.support import support
from rectune.core.types import Item
from rectune.filters.rules.repetition import NgramRepetition
from rectune.filters.title_masking import mask, segments
from rectune.inference.requests import GenerationRequest, GenerationResult
from rectune.inference.teachers import AskTeachers, Written
from rectune.prompts.teacher_prompts import summary_messages
from rectune.rankers.domain_data import DomainData
from rectune.rankers.item_text import ItemTexts, TextOptions, cut_text, item_text, token_budget, word_count
from rectune.retrieval.chunks import sentences

FAILED: Final = "failed"
_CONFIG = FilterConfig()  # the limits are the filter's
_REPETITION = NgramRepetition(_CONFIG)
_SHOWN = 8000  # characters of a text that the teacher reads: about 2,000 tokens of English
_SHARE = 0.6  # of the budget that the teacher is asked to use
_FEWEST = 8  # words that it is asked for
_TOKENS_A_WORD = 4  # that it may write, since it counts badly


@dataclass(frozen=True)
class Summary:
    """What a teacher wrote of one item.

    Attributes:
        domain, item_id: of the item.
        text: what it wrote, without a sentence that it did not finish.
        fault: why it is not read; "" where it is.
        model: who wrote it.
    """

    domain: str
    item_id: str
    text: str
    fault: str
    model: str


def write_summaries(
    data: DomainData,
    item_ids: Sequence[str],
    options: TextOptions,
    config: GenerateConfig,
    generation_cache: Path,
    ask: AskTeachers,
) -> list[Summary]:
    """Have these items' texts summarised, and judge what comes.

    Args:
        data: of their domain.
        item_ids: those whose texts are too long.
        options: which text, and how long it may be.
        config: the teachers.
        generation_cache: keeps what they write: what stands there is not written again.
        ask: answers requests.
    """
    requests = summary_requests(data, item_ids, options)
    written = ask(requests, config, generation_cache, f"summaries of {data.domain}")
    found = [_judged(data, item_id, options, written[item_id]) for item_id in item_ids]
    if faults := collections.Counter(one.fault for one in found if one.fault):
        told = ", ".join(f"{count:,} {fault}" for fault, count in faults.most_common())
        say(f"  {data.domain}: of {len(found):,} summaries not read, but the cut text: {told}")
    return found


def summary_requests(
    data: DomainData, item_ids: Sequence[str], options: TextOptions
) -> list[GenerationRequest]:
    """What teachers are asked for the summaries of these items; see `write_summaries`."""
    return [_request(data.items[item_id], options, data.embedder) for item_id in item_ids]


def with_summaries(
    data: DomainData, texts: ItemTexts, summaries: Collection[Summary], options: TextOptions
) -> ItemTexts:
    """The texts with those summaries in place of cut ones that nothing speaks against.

    What is read is the title, where it takes no more than half of the budget and the summary does not begin
    with it, and then the summary, within the budget.
    """
    length, budget = token_budget(data.embedder, options.max_tokens)
    found = dict(texts.texts)
    for one in summaries:
        if not one.fault:
            item = data.items[one.item_id]
            lead = _lead(item, options, data.embedder)
            lead = "" if one.text.startswith(lead) else lead
            short = replace(item, title=lead, description=one.text, facts=())
            found[one.item_id] = cut_text(short, "title+description", budget, length)
    kept = {one.item_id for one in summaries if not one.fault}
    return ItemTexts(found, tuple(item for item in texts.cut if item not in kept))


def fault_of(summary: str, source: str, lead: str = "") -> str:
    """Why a summary is not read; "" where it is.

    It is not where it repeats itself, where a content word of it stands nowhere in the text that it is of, or
    where it says hardly anything.

    Args:
        summary: without an unfinished sentence.
        source: the text.
        lead: the title, if it stands at the beginning of the text and will stand before the summary: saying
            it again says nothing.
    """
    if not summary:
        return "have no whole sentence"
    if _REPETITION.share(segments(summary)) >= _CONFIG.rules.ngram_repetition.share:
        return "repeat themselves"
    if locale_of(summary + source) == "ko" and not is_installed("kiwipiepy"):
        return "cannot be checked without kiwipiepy"
    found = support(mask(summary, [lead] if lead else []), source.removeprefix(lead), [lead])
    if found.unsupported:
        return "say what stands nowhere"
    return "" if found.share == 0 else "say nothing of the item"


def _request(item: Item, options: TextOptions, embedder: str) -> GenerationRequest:
    source = _shown(item, options)
    length, budget = token_budget(embedder, options.max_tokens)
    whole = item_text(item, options.text)
    words = max(_FEWEST, int(_SHARE * budget * word_count(whole) / length(whole)))
    sampling = SamplingConfig(max_tokens=_TOKENS_A_WORD * words, temperature=0.0, repeat_penalty=1.05)
    messages = summary_messages(item, source, words, locale_of(source))
    return GenerationRequest(item.item_id, messages, sampling, seed=0, facts=source)


def _shown(item: Item, options: TextOptions) -> str:
    """As much of the text as the teacher reads, on one line."""
    return " ".join(cut_text(item, options.text, _SHOWN, len).split())


def _lead(item: Item, options: TextOptions, embedder: str) -> str:
    """The title, on one line, where it takes no more than half of the budget; else nothing."""
    length, budget = token_budget(embedder, options.max_tokens)
    return " ".join(item.title.split()) if 2 * length(item.title) <= budget else ""


def _judged(data: DomainData, item_id: str, options: TextOptions, written: Written) -> Summary:
    answer, source = written
    if answer.finish == "error":
        return Summary(data.domain, item_id, "", FAILED, source.model)
    text, item = _finished(answer), data.items[item_id]
    fault = fault_of(text, _shown(item, options), _lead(item, options, data.embedder))
    return Summary(data.domain, item_id, text, fault, source.model)


def _finished(answer: GenerationResult) -> str:
    """An answer on one line; of one that was cut at the limit its whole sentences."""
    text = " ".join(answer.text.split())
    if answer.finish != "length":
        return text
    return " ".join(sentences(text, max(len(text), 1))[:-1])


def counted(summaries: Collection[Summary]) -> Mapping[str, int]:
    """How many summaries are read, how many are not, and how many were not written."""
    return {
        "summarised": sum(not one.fault for one in summaries),
        "unsupported": sum(one.fault not in ("", FAILED) for one in summaries),
        "failed": sum(one.fault == FAILED for one in summaries),
    }
