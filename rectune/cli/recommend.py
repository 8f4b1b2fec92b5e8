"""`rectune recommend`: recommends items of any catalogue, with reasons and evidence."""

from __future__ import annotations

import json
import re
import sys
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rectune.cli.shared_options import Runs

if TYPE_CHECKING:
    from rectune.core.settings import RetrievalConfig
    from rectune.core.types import Item
    from rectune.recommender.generative import GenerativeRecommender
    from rectune.recommender.requests import UserRequest

_DEFAULT = Path("demo")
_QUESTION = re.compile(r"(?:^|\s)\?\s*")

Column = Annotated[
    str, typer.Option(help="That column, where the guess is another; '' takes none.", show_default=False)
]
_GUESS = "(guess)"


@dataclass(frozen=True)
class CatalogueSource:
    """Where items and model come from."""

    catalogue: Path | None
    domain: str
    recipe: Path | None
    model: str
    runs: Path
    columns: dict[str, str] = field(default_factory=dict)


def recommend(
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="Whose aligned model answers; that of the recipe demo, or the embedded one untrained."
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="A GGUF file that answers instead, or `embedded`.")] = "",
    catalogue: Annotated[
        Path | None, typer.Option(help="CSV, TSV, JSON lines or Parquet of items, or a folder of articles.")
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
    ground: Annotated[str, typer.Option(help="`retrieve` or `constrained`; as the recipe says.")] = "",
    top: Annotated[int, typer.Option(min=0, help="How many items; 0 is as many as the recipe says.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an answer.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Recommend items of a catalogue for a history or a query, with reasons and evidence."""
    from rectune.inference.engine_cache import keep_engines_loaded
    from rectune.recommender.requests import UserRequest

    chosen = {
        "title": title_column,
        "item_id": id_column,
        "categories": categories_column,
        "description": text_column,
        "year": year_column,
    }
    columns = {name: column for name, column in chosen.items() if column != _GUESS}
    source = CatalogueSource(catalogue, domain, recipe, model, runs, columns)
    user_request = UserRequest(titles_in(history), query, history_domain)
    if not interactive and not (user_request.history or user_request.query.strip()):
        from rectune.core.errors import UserError

        raise UserError("nothing to go by", hint='give --history "A; B; C", --query "…", or --interactive')
    answer = _Answering(source, _checked(ground), top, as_json)
    with keep_engines_loaded() if interactive else nullcontext():
        if user_request.history or user_request.query.strip():
            typer.echo(answer(user_request))
        if interactive:
            _converse(answer, history_domain)


def titles_in(text: str) -> list[str]:
    """The titles in "A; B; C". A semicolon within a title (Steins;Gate) has no space after it."""
    parts = re.split(r";\s+|;\s*$", text) if re.search(r";\s", text) else text.split(";")
    return [title.strip() for title in parts if title.strip()]


class _Answering:
    """Answers requests from one catalogue, which is read and indexed once."""

    def __init__(self, source: CatalogueSource, ground: str, top: int, as_json: bool) -> None:
        from rectune.core.progress import say

        self._json = as_json
        config = _settings(source, ground, top)
        self._items, folder = _items(source, config.embedder)
        model, said = _model(source)
        if said:
            say(said)
        self._recommender = _recommender(model, self._items, config, folder)

    def __call__(self, user_request: UserRequest) -> str:
        """The answer to a request, for a terminal or as a line of JSON."""
        from rectune.core.progress import say
        from rectune.recommender.formatting import as_json, as_text
        from rectune.recommender.requests import from_words

        request = from_words(self._items, user_request, self._recommender.grounding)
        if strange := [
            item.title for item in request.liked if not item.item_id and not user_request.history_domain
        ]:
            say(f"not in the catalogue, so only their words count: {'; '.join(strange)}")
        found = self._recommender.recommend(request)
        return json.dumps(as_json(found), ensure_ascii=False) if self._json else as_text(found)


def _recommender(
    model: Path, items: list[Item], config: RetrievalConfig, folder: Path
) -> GenerativeRecommender:
    from rectune.recommender.generative import GenerativeRecommender
    from rectune.retrieval.grounding import ground_in

    grounding = ground_in(items, folder / "index", config.embedder, config)
    return GenerativeRecommender(model, grounding, config, folder / "generations.sqlite")


def _converse(answer: _Answering, history_domain: str) -> None:
    """Read one request per line until an empty one: titles, or a question mark and a query, or both."""
    from rectune.core.errors import UserError
    from rectune.recommender.requests import UserRequest

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
            typer.echo(
                answer(UserRequest(titles_in(history), query[0] if query else "", history_domain)) + "\n"
            )
        except UserError as error:
            typer.echo(f"rectune: {error}", err=True)


def _settings(source: CatalogueSource, ground: str, top: int) -> RetrievalConfig:
    from rectune.core.recipe import load_recipe

    changed = [f"retrieval.grounding={ground}"] * bool(ground) + [f"retrieval.top={top}"] * bool(top)
    return load_recipe(source.recipe or _DEFAULT, changed).retrieval


def _checked(ground: str) -> Literal["", "retrieve", "constrained"]:
    from rectune.core.errors import UserError

    if ground not in ("", "retrieve", "constrained"):
        raise UserError(
            f"{ground!r} is no grounding method", where="--ground", hint="give retrieve or constrained"
        )
    return ground  # type: ignore[return-value]


def _items(source: CatalogueSource, embedder: str) -> tuple[list[Item], Path]:
    """The catalogue, from a file or from the recipe's own data, and the folder that keeps its index."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.core.catalogue import load_catalogue
    from rectune.core.errors import UserError
    from rectune.core.progress import say
    from rectune.core.types import content_id
    from rectune.recommender.catalogue_file import read_catalogue

    store, recipe = ArtifactStore(source.runs), source.recipe or _DEFAULT
    if source.catalogue:
        read = read_catalogue(source.catalogue, source.domain or "other", source.columns)
        say(read.describe())
        items, of = read.items, str(source.catalogue.resolve())
    else:
        known = load_catalogue(store.resolve(recipe.stem, "data") / "items.parquet")
        if source.domain not in known.domains:
            raise UserError(
                f"which catalogue? There is no domain {source.domain!r}",
                hint=f"give --catalogue FILE, or --domain with one of: {', '.join(known.domains)}",
            )
        items, of = known.of(source.domain), recipe.stem
    return items, store.root / "catalogues" / content_id("catalogue", of, source.domain, embedder)


def _model(source: CatalogueSource) -> tuple[Path, str]:
    """The GGUF file that answers, and a note about it for the user."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.core.errors import UserError
    from rectune.models.reference import gguf_file

    if source.model:
        return gguf_file(source.model), ""
    try:
        return ArtifactStore(source.runs).resolve(
            (source.recipe or _DEFAULT).stem, "export"
        ) / "model.gguf", ""
    except UserError:
        if source.recipe:
            raise
        return gguf_file("embedded"), "no recipe was run here: the embedded model answers, untrained"
