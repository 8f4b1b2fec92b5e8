"""The filter for your own responses: a table of texts in, scores, verdicts and reasons out."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rectune.core.errors import UserError
from rectune.core.settings import FilterConfig, FilterRulesConfig
from rectune.core.text.plain import locale_of
from rectune.filters.apply_rules import Verdicts, apply_rules
from rectune.filters.rules import ROW_RULES, SET_RULES, ResponseBatch
from rectune.filters.score import THRESHOLD
from rectune.filters.tokenization import score_texts
from rectune.prompts.title_index import TitleIndexes

if TYPE_CHECKING:
    import polars as pl

RULES = tuple(rule.name for rule in (*ROW_RULES, *SET_RULES))
_NEEDS = {"target": "target", "other_item": "target", "unsupported": "facts"}  # rule -> column


def filter_responses(
    rows: Any,
    rules: Collection[str] | None = None,
    *,
    threshold: float = THRESHOLD,
    tokenizer: str = "embedded",
    settings: FilterRulesConfig | None = None,
) -> pl.DataFrame:
    """Judge responses by the rules of the filter; nothing is dropped here, the verdicts say what would be.

    Args:
        rows: a polars or pandas frame, or a list of dicts. The column `response` is needed; `instruction`
            (the prompt, which `prompt_copy` compares with), `locale` (en or ko, else guessed from the text),
            `target` (the title that should be recommended, which `target` and `other_item` need), and `facts`
            (what is known of it, which `unsupported` needs) with `history` (what is known of what was liked)
            and `query` are used where they are there.
        rules: names out of `RULES`; all that the columns allow without it.
        threshold: from which response score on the rule `score` drops a row.
        tokenizer: the model whose tokens are counted: `embedded`, a folder, a GGUF file or a Hub id.
        settings: the limits of the rules, as under `filter.rules` in a recipe.

    Returns:
        The rows with further columns: `score` (null without tokens), `tokens`, `distinct`, `kept`, `reasons`
        (a list, empty where kept), `copy_of` (the number of the row, from 0, that this one copies, else
        null).

    Raises:
        UserError: no column `response`, an unknown rule, or one whose column is missing.
        MissingExtra: `unsupported` is asked about Korean, and `kiwipiepy` is not installed.
    """
    import polars as pl

    frame = _frame(rows)
    if "response" not in frame.columns:
        raise UserError("no column response", hint=f"columns there: {', '.join(frame.columns) or 'none'}")
    chosen = _chosen(rules, frame.columns)
    limits = settings or FilterRulesConfig()
    off = {
        name: getattr(limits, name).model_copy(update={"on": False}) for name in RULES if name not in chosen
    }
    config = FilterConfig(threshold=threshold, rules=limits.model_copy(update=off))
    verdicts = apply_rules([_batch(frame, tokenizer)] if frame.height else [], config)
    return frame.with_columns(
        pl.Series("score", [None if math.isnan(s) else s for s in verdicts.score.tolist()], pl.Float64),
        pl.Series("tokens", verdicts.tokens.tolist(), pl.Int64),
        pl.Series("distinct", verdicts.distinct.tolist(), pl.Int64),
        pl.Series("kept", verdicts.kept.tolist(), pl.Boolean),
        pl.Series("reasons", _reasons(verdicts), pl.List(pl.String)),
        pl.Series(
            "copy_of", [None if at == n else at for n, at in enumerate(verdicts.first.tolist())], pl.Int64
        ),
    )


def _frame(rows: Any) -> pl.DataFrame:
    import polars as pl

    if isinstance(rows, pl.DataFrame):
        return rows
    if isinstance(rows, Sequence) and all(isinstance(row, Mapping) for row in rows):
        return pl.DataFrame(list(rows), infer_schema_length=None)
    try:
        return pl.from_pandas(rows)
    except (TypeError, ValueError, ImportError) as refused:
        raise UserError(f"rows cannot be read: {refused}", hint="give a frame, or a list of dicts") from None


def _chosen(rules: Collection[str] | None, columns: Sequence[str]) -> set[str]:
    without = {rule for rule, column in _NEEDS.items() if column not in columns}
    if rules is None:
        return set(RULES) - without
    if unknown := sorted(set(rules) - set(RULES)):
        raise UserError(f"there is no rule {unknown[0]}", hint=f"rules: {', '.join(RULES)}")
    if lacking := sorted(set(rules) & without):
        needed = _NEEDS[lacking[0]]
        raise UserError(
            f"the rule {lacking[0]} needs a column {needed}", hint="add it, or leave the rule out"
        )
    return set(rules)


def _batch(frame: pl.DataFrame, tokenizer: str) -> ResponseBatch:
    from rectune.models.loading import tokenizer_of_reference

    def column(name: str) -> list[str]:
        if name not in frame.columns:
            return [""] * frame.height
        return ["" if value is None else str(value) for value in frame[name].to_list()]

    responses, targets = column("response"), column("target")
    locales = [given or locale_of(text) for given, text in zip(column("locale"), responses, strict=True)]
    if strange := sorted(set(locales) - {"en", "ko"}):
        raise UserError(f"unknown locale {strange[0]}", hint="en or ko, or no column locale")
    return ResponseBatch(
        ids=[f"{number:012d}" for number in range(frame.height)],
        domains=[""] * frame.height,
        categories=[""] * frame.height,
        locales=locales,  # type: ignore[arg-type]
        instructions=column("instruction"),
        queries=column("query"),
        responses=responses,
        titles=[[target] if target else [] for target in targets],
        shown=[[]] * frame.height,
        facts=column("facts"),
        known=[list(pair) for pair in zip(targets, column("history"), strict=True)],
        catalogue=TitleIndexes([]),
        **score_texts(tokenizer_of_reference(tokenizer)[0], responses),
    )


def _reasons(verdicts: Verdicts) -> list[list[str]]:
    return [list(verdicts.reasons(place)) for place in range(len(verdicts.ids))]
