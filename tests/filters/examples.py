"""Examples whose verdicts are known, and a tokenizer by construction."""

from collections.abc import Sequence
from typing import Any

from rectune.core.rows import batch_of
from rectune.core.settings import FilterConfig, FilterRulesConfig, TooShortConfig
from rectune.core.types import Example, Item, Prompt, Provenance, with_id
from rectune.filters.apply_rules import Verdicts, apply_rules, measure
from rectune.prompts.title_index import TitleIndexes

TITLES = {
    "movies": {
        "1": "Heat",
        "2": "Casablanca",
        "3": "Paris, Texas",
        "4": "Assistant: A Love Story",
        "5": "www.something.com",
        "6": "1984",
        "7": "Ocean's 11",
        "8": "Catch-22",
        "9": "기생충",
        "10": "User: 50% Off",
        "11": "010-1234-5678",
        "12": "Casablanca Express",
    }
}
CATALOGUE = TitleIndexes(Item("movies", item, title) for item, title in TITLES["movies"].items())
BODY = {
    "en": "You liked quiet films about people who cannot say what they want, "
    "and this one is the finest of them.",
    "ko": "말을 아끼는 사람들이 나오는 잔잔한 영화를 좋아하셨으니 "
    "그 가운데 가장 빼어난 이 작품도 마음에 드실 것입니다.",
}
CLOSING = {"en": "My recommendation:", "ko": "추천:"}


class Words:
    """A tokenizer by construction: a word is a token."""

    def __call__(self, texts: list[str], **options: object) -> dict[str, list[list[int]]]:
        known: dict[str, int] = {}
        return {"input_ids": [[known.setdefault(w, len(known)) for w in text.split()] for text in texts]}


def example(response: str, **prompt: Any) -> Example:
    """An example with this response; the target is film 1, `Heat`, unless the prompt says otherwise."""
    fields: dict[str, Any] = {
        "id": "p",
        "domain": "movies",
        "scenario": "passive",
        "form": "direct",
        "locale": "en",
        "split": "train",
        "user": "u",
        "system": "You recommend films.",
        "instruction": "A person has watched and liked Casablanca. "
        "Which film would you recommend next, and why?",
        "history": ("2",),
        "candidates": (),
        "target": "1",
        "query": "",
        "template": "t",
        "history_domain": "movies",
    }
    return with_id(Example("", Prompt(**{**fields, **prompt}), response, Provenance("m", "q", "{}", 0, "e")))


def good(body: str = "", locale: str = "en", target: str = "1") -> Example:
    """An example that no rule drops, unless `body`, a further sentence, makes one."""
    text = f"{BODY[locale]} {body}".strip()
    return example(f"{text}\n{CLOSING[locale]} {TITLES['movies'][target]}", locale=locale, target=target)


# Tokens are words here, of which a Korean answer has fewer than a tokenizer makes of it.
SETTINGS = FilterConfig(rules=FilterRulesConfig(too_short=TooShortConfig(tokens=12)))


def judged(rows: Sequence[Example], config: FilterConfig | None = None, size: int = 3) -> Verdicts:
    """Verdicts on these rows, in batches of `size`."""
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    batches = (measure(batch_of(part, Example), CATALOGUE, Words()) for part in parts)
    return apply_rules(batches, config or SETTINGS)


def reasons(row: Example, config: FilterConfig | None = None) -> tuple[str, ...]:
    """Why this row alone would be dropped."""
    return judged([row], config).reasons(0)
