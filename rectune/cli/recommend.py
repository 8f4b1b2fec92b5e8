"""`rectune recommend`: recommends items of any catalogue, with reasons and evidence."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rectune.cli.shared_options import Overrides, Runs

if TYPE_CHECKING:
    from rectune.core.settings import RetrievalConfig
    from rectune.readers.catalogue import CatalogueOptions
    from rectune.readers.file_format import FileFormat
    from rectune.recommender.recommender import Recommender
    from rectune.recommender.typed_history import Typed

_DEFAULT = Path("demo")
_QUESTION = re.compile(r"(?:^|\s)\?\s*")

Column = Annotated[
    str, typer.Option(help="That column, where the guess is another; '' takes none.", show_default=False)
]
_GUESS = "(guess)"


_PANEL = "How the catalogue is written"


@dataclass(frozen=True)
class CatalogueSource:
    """Where items and model come from; `read` says how the catalogue is read."""

    catalogue: Path | None
    domain: str
    recipe: Path | None
    model: str
    runs: Path
    read: CatalogueOptions
    overrides: Sequence[str] = ()


def recommend(
    context: typer.Context,
    overrides: Overrides = None,
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="Whose aligned model answers; that of the recipe demo, or the embedded one untrained."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="A GGUF file that answers instead, or `embedded`.")] = "",
    catalogue: Annotated[
        Path | None,
        typer.Option(
            help="CSV, TSV, JSON lines, JSON or Parquet of items (also .gz), or a folder of articles."
        ),
    ] = None,
    history: Annotated[str, typer.Option(help='Titles already liked, as "A; B; C".')] = "",
    query: Annotated[str, typer.Option(help="What is wanted.")] = "",
    interactive: Annotated[bool, typer.Option("--interactive", help="Ask again and again.")] = False,
    domain: Annotated[
        str, typer.Option(help="The kind of items, where it is one of the known domains.")
    ] = "",
    history_domain: Annotated[
        str, typer.Option(help="The kind of things in --history, where it is another one: music, say.")
    ] = "",
    title_column: Column = _GUESS,
    id_column: Column = _GUESS,
    categories_column: Column = _GUESS,
    text_column: Column = _GUESS,
    year_column: Column = _GUESS,
    facts: Annotated[
        str,
        typer.Option(help="Further columns that answers may speak of: price,city.", rich_help_panel=_PANEL),
    ] = "",
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="csv, tsv, jsonl, json or parquet where the ending does not say; or the published dataset "
            "that the file is of: mind, movielens, amazon …",
            rich_help_panel=_PANEL,
        ),
    ] = "",
    encoding: Annotated[str, typer.Option(help="latin-1, cp949, utf-16 …", rich_help_panel=_PANEL)] = "utf-8",
    separator: Annotated[
        str, typer.Option(help="What parts fields, where the guess is another.", rich_help_panel=_PANEL)
    ] = "",
    quotes: Annotated[
        bool,
        typer.Option(
            "--quotes/--no-quotes", help="Whether fields may stand in quotes.", rich_help_panel=_PANEL
        ),
    ] = True,
    header: Annotated[
        str,
        typer.Option(
            "--columns",
            help="The columns of a file without a header line: id,title,genres.",
            rich_help_panel=_PANEL,
        ),
    ] = "",
    malformed: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Share of lines that may be malformed.", rich_help_panel=_PANEL),
    ] = 0.01,
    grounding: Annotated[str, typer.Option(help="`retrieve` or `constrained`; as the recipe says.")] = "",
    top: Annotated[int, typer.Option(min=0, help="How many items; 0 is as many as the recipe says.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an answer.")] = False,
    ranker: Annotated[
        str, typer.Option(help="Rank by this in place of the model's answers: hybrid, bm25, item_knn, …")
    ] = "",
    users: Annotated[
        Path | None,
        typer.Option(help="A table with columns user, history or query: answer every row, into --output."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="With --users: the Parquet file to write.")] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Recommend items of a catalogue for a history or a query, with reasons and evidence."""
    from rectune.inference.engine_cache import keep_engines_loaded
    from rectune.readers.catalogue import CatalogueOptions
    from rectune.readers.published import PUBLISHED
    from rectune.recommender.typed_history import Typed

    chosen = {
        "title": title_column,
        "item_id": id_column,
        "categories": categories_column,
        "description": text_column,
        "year": year_column,
    }
    columns = {name: column for name, column in chosen.items() if column != _GUESS}
    written = _written(file_format, encoding, separator, quotes, header)
    published = file_format if file_format in PUBLISHED else ""
    read = CatalogueOptions(domain or "other", columns, _names(facts), written, published, malformed)
    source = CatalogueSource(catalogue, domain, recipe, model, runs, read, overrides or [])
    typed = Typed(history, query, history_domain)
    if not interactive and typed.empty and not users:
        from rectune.core.errors import UserError

        raise UserError(
            "nothing to go by", hint='give --history "A; B; C", --query "…", --users FILE, or --interactive'
        )
    config = _settings(source, _checked(grounding), top)
    recommender = _recommender(source, ranker, config)
    if context.obj and recommender.generative:  # it answers in place of rectune.inference.generate.generate
        recommender.generative = replace(recommender.generative, generate=context.obj)
    if users:
        fitted_on = "" if source.catalogue else _data(source).name
        _batch(recommender, users, output, config.top, (source, ranker, config, fitted_on))
        return
    answer = _Answering(recommender, config.top, as_json)
    with keep_engines_loaded() if interactive else nullcontext():
        if not typed.empty:
            typer.echo(answer(typed))
        if interactive:
            _converse(answer, history_domain)


def _batch(
    recommender: Recommender, users: Path, output: Path | None, top: int, identity: tuple[object, ...]
) -> None:
    """Answer a table of users into a Parquet file."""
    from rectune.core.errors import UserError
    from rectune.recommender.answering import RecommendOptions
    from rectune.recommender.batch import recommend_users

    if output is None:
        raise UserError("no file to write to", where="--output", hint="give --output top.parquet")
    options = RecommendOptions(top, explain=0)
    count = recommend_users(recommender, users, output, options, [repr(one) for one in identity])
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


class _Answering:
    """Answers what is typed, from one catalogue, which is read and indexed once."""

    def __init__(self, recommender: Recommender, top: int, as_json: bool) -> None:
        from rectune.core.progress import say
        from rectune.recommender.answering import RecommendOptions

        self._recommender, self._json = recommender, as_json
        self._options = RecommendOptions(top, explain=1 if recommender.ranker is None else top)
        if others := recommender.titles[recommender.domain].others.describe():
            say(others)

    def __call__(self, typed: Typed) -> str:
        """The answer to what was typed, for a terminal or as a line of JSON."""
        from rectune.core.progress import say
        from rectune.core.std_streams import json_line
        from rectune.recommender.formatting import as_json, as_text, ranked_json, ranked_text

        asked = typed.user_request(self._recommender.domain, self._recommender.titles)
        (found,) = self._recommender.recommend_all([asked], self._options)
        if found.not_found and not asked.history_domain:
            say(f"not in the catalogue, so only their words count: {'; '.join(found.not_found)}")
        if found.details is None:
            return json_line(ranked_json(asked, found)) if self._json else ranked_text(found)
        return json_line(as_json(found.details)) if self._json else as_text(found.details)


def _recommender(source: CatalogueSource, ranker: str, config: RetrievalConfig) -> Recommender:
    """What answers: a catalogue file, or a domain of the recipe's own data; a model, or a ranker."""
    from rectune.core.progress import say
    from rectune.core.types import content_id
    from rectune.recommender.build import from_folder
    from rectune.recommender.recommender import Recommender
    from rectune.recommender.tables import items_of

    model, said = (None, "") if ranker and not source.model else _model(source)
    if said:
        say(said)
    catalogues = source.runs / "catalogues"
    if source.catalogue:
        items = items_of(source.catalogue, source.read)
        of = content_id("catalogue", str(source.catalogue.resolve()), source.domain, config.embedder)
        return Recommender.from_catalogue(
            items,
            model=model,
            ranker=ranker or None,
            retrieval=config,
            folder=catalogues / of,
        )
    parts = from_folder(_data(source), source.domain, ranker or None, model, config, catalogues)
    return Recommender.of(parts)


def _converse(answer: _Answering, history_domain: str) -> None:
    """Read one request per line until an empty one: titles, or a question mark and a query, or both."""
    from rectune.core.errors import UserError
    from rectune.recommender.typed_history import Typed

    typer.echo(
        'Titles you liked, as "A; B; C"; or "? what you look for"; or both. An empty line ends.', err=True
    )
    while True:
        typer.echo("> ", nl=False, err=True)
        line = sys.stdin.readline().strip()
        if not line:
            return
        history, *query = _QUESTION.split(line, maxsplit=1)
        try:
            typer.echo(answer(Typed(history, query[0] if query else "", history_domain)) + "\n")
        except UserError as error:
            typer.echo(f"rectune: {error}", err=True)


def _settings(source: CatalogueSource, ground: str, top: int) -> RetrievalConfig:
    from rectune.core.recipe import load_recipe

    changed = [*source.overrides]
    changed += [f"retrieval.grounding={ground}"] * bool(ground) + [f"retrieval.top={top}"] * bool(top)
    return load_recipe(source.recipe or _DEFAULT, changed).retrieval


def _checked(ground: str) -> Literal["", "retrieve", "constrained"]:
    from rectune.core.errors import UserError

    if ground not in ("", "retrieve", "constrained"):
        raise UserError(
            f"{ground!r} is no grounding method", where="--grounding", hint="give retrieve or constrained"
        )
    return ground  # type: ignore[return-value]


def _data(source: CatalogueSource) -> Path:
    """The folder of the recipe's own data."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.pipeline.recipe_results import finished_result

    return finished_result(source.recipe or _DEFAULT, "data", ArtifactStore(source.runs), source.overrides)


def _model(source: CatalogueSource) -> tuple[Path, str]:
    """The GGUF file that answers, and a note about it for the user."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.core.errors import UserError
    from rectune.models.reference import gguf_file
    from rectune.pipeline.recipe_results import finished_result

    if source.model:
        return gguf_file(source.model), ""
    try:
        wanted = source.recipe or _DEFAULT
        folder = finished_result(wanted, "export", ArtifactStore(source.runs), source.overrides)
        return folder / "model.gguf", ""
    except UserError:
        if source.recipe:
            raise
        said = f"the recipe {_DEFAULT} was not run here as it stands: the embedded model answers, untrained"
        return gguf_file("embedded"), said
