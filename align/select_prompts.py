"""Selecting the prompts that are answered and tagged: fresh ones, balanced if there are too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rectune.core.figures.preferences import PromptBalance
from rectune.core.types import Prompt, content_id, prompt_hash


@dataclass(frozen=True)
class SelectedPrompts:
    """Prompts in their order in the file, the number of others, and why some were not eligible."""

    prompts: list[Prompt]
    spare: int
    left_out: dict[str, int]

    def balance(self) -> PromptBalance:
        """The number of prompts of each domain, kind and locale."""
        domain, kind, locale = (
            dict(sorted(Counter(_group(prompt)[at] for prompt in self.prompts).items())) for at in range(3)
        )
        return PromptBalance(domain=domain, kind=kind, locale=locale)


def select_prompts(prompts: Sequence[Prompt], wanted: int) -> SelectedPrompts:
    """The selected prompts of the split `preference`.

    A prompt is fresh if neither its text nor its user is among those of training and test, and no prompt
    before it has the same text. Of more than `wanted` those are chosen that balance the domains, then the
    kinds (scenario and form), then the locales, as far as there are enough of each; within a group by a hash,
    so that the choice does not depend on the order of the file.

    Args:
        prompts: all prompts of the run.
        wanted: how many; 0 for all that are fresh.
    """
    seen = [prompt for prompt in prompts if prompt.split != "preference"]
    texts, users = {prompt_hash(p) for p in seen}, {(p.domain, p.user) for p in seen}
    left_out: Counter[str] = Counter()
    fresh: dict[str, Prompt] = {}
    for prompt in prompts:
        if prompt.split != "preference":
            continue
        key = prompt_hash(prompt)
        if (prompt.domain, prompt.user) in users:
            left_out["its user is in training or test"] += 1
        elif key in texts:
            left_out["its text is in training or test"] += 1
        elif key in fresh:
            left_out["another prompt says the same"] += 1
        else:
            fresh[key] = prompt
    found = list(fresh.values())
    if wanted and wanted < len(found):
        chosen = {prompt.id for prompt in balanced(found, wanted)}
        found = [prompt for prompt in found if prompt.id in chosen]
    return SelectedPrompts(found, len(fresh) - len(found), dict(left_out))


def balanced(prompts: Iterable[Prompt], count: int) -> list[Prompt]:
    """At most `count` prompts, each taken from the group that is rarest so far."""
    groups: dict[tuple[str, str, str], list[Prompt]] = {}
    for prompt in sorted(prompts, key=lambda prompt: content_id("fresh", prompt.id), reverse=True):
        groups.setdefault(_group(prompt), []).append(prompt)
    taken: Counter[str] = Counter()
    chosen: list[Prompt] = []
    while len(chosen) < count and groups:
        group = min(groups, key=lambda group: ([taken[name] for name in _levels(group)], group))
        chosen.append(groups[group].pop())
        taken.update(_levels(group))
        if not groups[group]:
            del groups[group]
    return chosen


def _group(prompt: Prompt) -> tuple[str, str, str]:
    return prompt.domain, f"{prompt.scenario}/{prompt.form}", prompt.locale


def _levels(group: tuple[str, str, str]) -> tuple[str, ...]:
    """The groups to balance, most important first: domain, kind within it, locale within that; all kinds."""
    domain, kind, locale = group
    return domain, f"{domain} {kind}", f"{domain} {kind} {locale}", f"* {kind}", f"* {locale}"
