"""`python -m bench.persona_case`: one persona, ten films, five wanted; prompts in full, scores, checks, cost.

Prints the part of `docs/reranking.md` that a model makes. The case is `tests/dialogue/developer.en.yaml` and
`.ko.yaml`; the films' reasons are the sentences that stand where no reason of the model does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from rectune.core.settings import EngineConfig
from rectune.core.types import Locale
from rectune.dialogue.item_judges import ClaimJudge, ItemJudge, ModelJudge, prompt_claims
from rectune.dialogue.reranking import PersonaRanking, rerank, why_it_suits
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.vocabulary import opened_vocabulary
from rectune.models.reference import gguf_file
from rectune.prompts.rerank_prompts import RERANK_PROMPTS, Messages, fit_messages, score_messages
from rectune.prompts.template_reasons import template_reason
from tests.dialogue.persona_case import WANTED, PersonaCase, developer

_WEIGHT = 0.5  # of the scores beside the places in the list
_NAMES: dict[Locale, str] = {"en": "English", "ko": "Korean"}


def main() -> None:
    """Print both languages."""
    parser = argparse.ArgumentParser(prog="python -m bench.persona_case", description=__doc__)
    parser.add_argument("--model", default="embedded", help="a model reference with a GGUF file")
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    model = gguf_file(given.model)
    with LlamaEngine(model, EngineConfig(context=2048, max_num_seqs=4, threads=given.threads)) as engine:
        for locale in _NAMES:
            case = developer(locale)
            print(f"## {_NAMES[locale]}\n")
            with opened_vocabulary(model) as vocabulary:
                print(_prompts(case, vocabulary.text))
            for prompt in RERANK_PROMPTS:
                judge = ModelJudge(engine, prompt, locale, profile=case.profile)
                before, start = engine.evaluated_prompt_tokens, time.process_time()
                print(f"### By the model, {prompt} prompt\n\n{_ranked(case, judge)}")
                spent, read = time.process_time() - start, engine.evaluated_prompt_tokens - before
                print(f"{read:,} tokens evaluated, {spent:.1f} s of processor time.\n")
            print(f"### By the claims\n\n{_ranked(case, ClaimJudge())}")


def _prompts(case: PersonaCase, rendered: Callable[[Messages], str]) -> str:
    """The prompts of one film of the list, as the model reads them."""
    told = [*case.profile, *prompt_claims(case.claims, case.locale)]
    item = case.candidates[1].item
    every: dict[str, Messages] = {
        **{f"{one} prompt": score_messages(one, told, item, case.locale) for one in RERANK_PROMPTS},
        "Verification": fit_messages(told, item, case.locale),
        "Verification, neutral": fit_messages((), item, case.locale),
    }
    return "".join(
        f"**{name[0].upper()}{name[1:]}**\n\n```text\n{rendered(messages)}\n```\n\n"
        for name, messages in every.items()
    )


def _ranked(case: PersonaCase, judge: ItemJudge) -> str:
    found = rerank(case.claims, case.candidates, WANTED, judge, _WEIGHT, case.locale)
    lines = ["| | film | score | fit | place before | reason |", "|---:|---|---:|---:|---:|---|"]
    for place, one in enumerate(found.picks, 1):
        reason = template_reason(one.item, (), "", case.locale, people=why_it_suits(one, case.locale))
        fit = "" if one.fit is None else f"{one.fit:+.3f}{'' if one.verified else ' (failed)'}"
        lines.append(
            f"| {place} | {one.item.title} | {one.score:.2f} | {fit} | {one.place_before} | {reason} |"
        )
    return "\n".join([*lines, "", *_checks(found), "", *_left_out(found), ""])


def _checks(found: PersonaRanking) -> list[str]:
    items = [*(one.item for one in found.picks), *(one.item for one in found.left_out)]
    titles = {item.item_id: item.title for item in items}
    return [
        f"- {check.question} {', '.join(titles[one] for one in check.item_ids) or '—'}"
        + (f" (left out: {', '.join(titles[one] for one in check.left_out)})" if check.left_out else "")
        for check in found.checks
    ]


def _left_out(found: PersonaRanking) -> list[str]:
    named = [f"{one.item.title} ({one.why})" for one in found.left_out]
    return [f"Left out: {', '.join(named)}.", ""] if named else []


if __name__ == "__main__":
    main()
