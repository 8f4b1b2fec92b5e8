"""`rectune recommend`: recommends items of any catalogue, with reasons and evidence."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from rectune.cli import recommend_options as options
from rectune.cli.recommend_source import CatalogueSource, recommender_of
from rectune.cli.shared_options import Overrides, Runs

if TYPE_CHECKING:
    from rectune.readers.file_format import FileFormat
    from rectune.recommender.options import RecommendOptions
    from rectune.recommender.recommender import Recommender


def recommend(
    context: typer.Context,
    overrides: Overrides = None,
    catalogue: options.Catalogue = None,
    domain: options.Domain = "",
    history: options.History = "",
    history_domain: options.HistoryDomain = "",
    user: options.User = "",
    query: options.Query = "",
    interactive: options.Interactive = False,
    chat: options.Chat = False,
    users: options.Users = None,
    top: options.Top = 0,
    explore: options.Explore = 0.0,
    at_most: options.AtMost = 0,
    per: options.Per = "",
    recipe: options.Recipe = None,
    ranker: options.Ranker = "",
    model: options.Model = "",
    grounding: options.Grounding = "",
    explain_ranking: options.ExplainRanking = False,
    as_json: options.AsJson = False,
    verbose: options.Verbose = False,
    output: options.Output = None,
    title_column: options.Column = options.GUESS,
    id_column: options.Column = options.GUESS,
    categories_column: options.Column = options.GUESS,
    text_column: options.Column = options.GUESS,
    year_column: options.Column = options.GUESS,
    facts: options.Facts = "",
    file_format: options.Format = "",
    encoding: options.Encoding = "utf-8",
    separator: options.Separator = "",
    quotes: options.Quotes = True,
    header: options.Columns = "",
    malformed: options.Malformed = 0.01,
    runs: Runs = Path("runs"),
) -> None:
    """Recommend items of a catalogue for a history, a user or a query, with reasons and evidence."""
    from rectune.core.progress import quiet, say
    from rectune.inference.engine_cache import keep_engines_loaded
    from rectune.readers.catalogue import CatalogueOptions
    from rectune.readers.published import PUBLISHED
    from rectune.recommender.options import RecommendOptions
    from rectune.recommender.typed_history import Typed

    guessed = {
        "title": title_column,
        "item_id": id_column,
        "categories": categories_column,
        "description": text_column,
        "year": year_column,
    }
    columns = {name: column for name, column in guessed.items() if column != options.GUESS}
    written = _written(file_format, encoding, separator, quotes, header)
    published = file_format if file_format in PUBLISHED else ""
    read = CatalogueOptions(domain or "other", columns, _names(facts), written, published, malformed)
    ground = _checked(grounding, ranker, model)
    typed = Typed(history, query, history_domain)
    _refuse_contradictions(typed.empty and not (user or users or interactive or chat), catalogue, user, users)
    _refuse_beside_a_table(users, not typed.empty or interactive or chat, output)
    single = {"--explain-ranking": explain_ranking, "--json": as_json, "--history-domain": history_domain}
    chosen = {"--top": top, "--explore": explore, "--at-most": at_most, "--per": per}
    _refuse_without_effect("--users", users, single)
    _refuse_without_effect("--chat", chat, chosen | {"--explain-ranking": explain_ranking})
    _refuse_two_ways_to_ask(interactive, chat)
    source = CatalogueSource(
        catalogue, domain, recipe, model, ranker, ground, top, runs, read, tuple(overrides or ())
    )
    config = source.retrieval()
    wanted = RecommendOptions(
        config.top, explore=explore, at_most=at_most, per=per, explain_ranking=explain_ranking
    )
    context.with_resource(quiet(not verbose))
    recommender, note = recommender_of(source, config)
    if context.obj and recommender.generative:  # it answers in place of rectune.inference.generate.generate
        recommender.generative = replace(recommender.generative, generate=context.obj)
    if users and output:
        if note:
            say(note)
        _batch(recommender, users, output, wanted, source.identity())
        return
    if chat:
        from rectune.cli.recommend_chat import talk

        with keep_engines_loaded():
            talk(recommender, typed, user, as_json, note, source.other_titles())
        return
    from rectune.cli.recommend_answers import Answering, converse

    answer = Answering(recommender, wanted, as_json, user, note)
    with keep_engines_loaded() if interactive else nullcontext():
        if user or not typed.empty:
            typer.echo(answer(typed))
        if interactive:
            converse(answer, history_domain)


def _refuse_contradictions(nothing: bool, catalogue: Path | None, user: str, users: Path | None) -> None:
    """Refuse what cannot be answered before anything is read."""
    from rectune.core.errors import UserError

    if nothing:
        raise UserError(
            "nothing to go by",
            hint='give --history "A; B; C", --query "…", --user ID, --users FILE, --chat or --interactive',
        )
    if user and users:
        raise UserError("one user and a table of users", hint="give --user or --users, not both")
    if user and catalogue:
        raise UserError(
            "the users of a catalogue file are not known",
            where="--user",
            hint="give the recipe's own data instead, with --recipe and --domain; or a --history",
        )


def _refuse_two_ways_to_ask(interactive: bool, chat: bool) -> None:
    """Refuse two ways of asking again."""
    from rectune.core.errors import UserError

    if interactive and chat:
        raise UserError(
            "two ways to ask again", where="--chat", hint="give --chat or --interactive, not both"
        )


def _refuse_beside_a_table(users: Path | None, typed: bool, output: Path | None) -> None:
    """Refuse what a table of users leaves no room for, and a file that only such a table is written to."""
    from rectune.core.errors import UserError

    if users and typed:
        raise UserError(
            "a table of users and a single request",
            where="--users",
            hint="leave out --history, --query, --chat and --interactive, or put them into the table",
        )
    if users and output is None:
        raise UserError("no file to write to", where="--output", hint="give --output top.parquet")
    if output and not users:
        raise UserError("is for a table of users", where="--output", hint="give --users; or --json > FILE")


def _refuse_without_effect(way: str, taken: object, options: Mapping[str, object]) -> None:
    """Refuse options (by name: what was given) that do nothing where one asks this way."""
    from rectune.core.errors import UserError

    if given := [name for name, value in options.items() if value] if taken else []:
        raise UserError(f"has no effect with {way}", where=given[0], hint=f"leave out {', '.join(given)}")


def _batch(
    recommender: Recommender,
    users: Path,
    output: Path,
    wanted: RecommendOptions,
    identity: tuple[object, ...],
) -> None:
    """Answer a table of users into a Parquet file."""
    from rectune.recommender.batch import recommend_users

    whole = replace(wanted, explain=0)
    count = recommend_users(recommender, users, output, whole, [repr(one) for one in identity])
    typer.echo(f"{count:,} users -> {output}")


def _written(name: str, encoding: str, separator: str, quotes: bool, header: str) -> FileFormat:
    """How the catalogue is written, from the options."""
    from rectune.core.errors import UserError
    from rectune.readers.file_format import FORMATS, FileFormat
    from rectune.readers.published import PUBLISHED

    if name and name not in (*FORMATS, *PUBLISHED):
        raise UserError(
            f"there is no format {name}",
            where="--format",
            hint=f"give one of: {', '.join((*FORMATS, *PUBLISHED))}",
        )
    sign = separator.replace("\\t", "\t")
    return FileFormat(name if name in FORMATS else "", encoding, sign, quotes, _names(header))


def _names(text: str) -> tuple[str, ...]:
    """The names of columns in "price,city"."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _checked(ground: str, ranker: str, model: str) -> Literal["", "ranked", "retrieve", "constrained"]:
    """The way of grounding; refuses one that a ranker contradicts, or that lacks its model."""
    from rectune.core.errors import UserError

    if ground not in ("", "ranked", "retrieve", "constrained"):
        raise UserError(
            f"{ground!r} is no grounding method",
            where="--grounding",
            hint="give ranked, retrieve or constrained",
        )
    if ranker and ground in ("retrieve", "constrained"):
        raise UserError(
            f"with {ground} the model chooses the items, and no ranker does",
            where="--grounding",
            hint="leave out --ranker, or --grounding",
        )
    if model in ("none", "ranker") and ground in ("retrieve", "constrained"):
        raise UserError(
            f"with {ground} the model chooses the items, and there is none",
            where="--grounding",
            hint=f"leave out --model {model}, or --grounding",
        )
    return ground  # type: ignore[return-value]
