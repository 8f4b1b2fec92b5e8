"""The commands `rectune tag …`; `rectune tag RECIPE` starts the tagging program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from rectune.cli.shared_options import Overrides, RecipeFile, Runs

if TYPE_CHECKING:
    from rectune.align.tags import ImportCounts, TagStore
    from rectune.align.tasks import AnnotationTask
    from rectune.core.recipe import Recipe

_DEFAULT = "answers"


class ExportFormat(StrEnum):
    """What `rectune tag export` writes."""

    jsonl = "jsonl"
    argilla = "argilla"
    label_studio = "label-studio"


class _WithDefault(TyperGroup):
    """A command group with a default command: a first word that is no command is an argument of it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command in front where none is named."""
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


tag_app = typer.Typer(
    cls=_WithDefault,
    help="Tag the best and the worst of each prompt's answers: `rectune tag RECIPE`. "
    "Its options: `rectune tag answers --help`.",
    no_args_is_help=True,
)

_Of = tuple[Path, list[str] | None]  # a recipe and its overrides

Annotators = Annotated[
    str, typer.Option(help="The annotators who share the prompts, as a,b,c; else you do all.")
]
Overlap = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="The share of prompts that all of them get, for agreement.")
]
Compare = Annotated[
    tuple[str, str] | None,
    typer.Option(metavar="A B", help="Judge two models' answers blindly instead: --compare sft dpo."),
]
Answers = Annotated[
    Path | None,
    typer.Option(
        help="With --compare: the folder of answers.<model>.parquet; the recipe's eval unless given."
    ),
]
Tags = Annotated[str, typer.Option(help="Which tag file: tags/NAME.sqlite, or a path.")]


@tag_app.command(_DEFAULT)
def answers(
    recipe: RecipeFile,
    overrides: Overrides = None,
    annotator: Annotated[str, typer.Option(help="Who is tagging; your login name unless given.")] = "",
    plain: Annotated[
        bool, typer.Option("--plain", help="Line mode, for dumb terminals and screen readers.")
    ] = False,
    annotators: Annotators = "",
    overlap: Overlap = 0.0,
    repeats: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="The share of prompts that come back unannounced.")
    ] = 0.02,
    compare: Compare = None,
    answers: Answers = None,
    runs: Runs = Path("runs"),
) -> None:
    """Tag the best and the worst of each prompt's answers, or --compare two models (the default command)."""
    from rectune.align.annotation_stage import tag_file
    from rectune.align.tagging import TaggingOptions, tag
    from rectune.align.tagging import compare as judge
    from rectune.core.artifacts import ArtifactStore
    from rectune.core.recipe import load_recipe
    from rectune.core.user_env import login_name
    from rectune.pipeline.run import RunOptions, run_pipeline

    loaded = load_recipe(recipe, overrides or [])
    options = TaggingOptions(
        tag_file(loaded), annotator or login_name(), plain, _names(annotators), overlap, repeats
    )
    if compare:
        comparison, data = _duel((recipe, overrides), compare, answers, runs)
        raise typer.Exit(judge(comparison, data, options))
    folders = run_pipeline(RunOptions(recipe, overrides or [], "candidates"), ArtifactStore(runs))
    if loaded.align.annotator == "simulated":
        typer.echo(
            "This recipe trains on a simulated annotator; add align.annotator=person to train on your tags."
        )
    raise typer.Exit(tag(folders, options))


@tag_app.command()
def status(
    recipe: RecipeFile,
    overrides: Overrides = None,
    annotators: Annotators = "",
    overlap: Overlap = 0.0,
    compare: Compare = None,
    answers: Answers = None,
    runs: Runs = Path("runs"),
) -> None:
    """Progress, agreement and position bias of the annotators; with --compare the win rate."""
    from rectune.align.status import comparison_status
    from rectune.align.status import status as described
    from rectune.core.recipe import load_recipe

    loaded = load_recipe(recipe, overrides or [])
    with _existing(loaded) as store:
        decisions, marks = store.standing(), store.marks()
    if compare:
        comparison, _ = _duel((recipe, overrides), compare, answers, runs)
        typer.echo(comparison_status(comparison, decisions))
        return
    typer.echo(described(_tasks((recipe, overrides), runs), decisions, marks, _names(annotators), overlap))


@tag_app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to.")],
    tags: Tags = "default",
    format: Annotated[
        ExportFormat, typer.Option(help="JSON lines for `rectune tag import`, or what another tool imports.")
    ] = ExportFormat.jsonl,
    recipe: Annotated[
        Path | None, typer.Option(help="For argilla and label-studio: whose prompts and answers were tagged.")
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Export all decisions with notes, flags and history; or those that count, for another tool."""
    from rectune.align.import_export import export_tags
    from rectune.align.tags import TagStore

    with TagStore(_present(_path(tags))) as store:
        if format is ExportFormat.jsonl:
            typer.echo(f"{export_tags(store, file)} lines written to {file}")
        else:
            _export_texts(store, file, format, recipe, runs)


def _export_texts(store: TagStore, file: Path, format: ExportFormat, recipe: Path | None, runs: Path) -> None:
    from rectune.align.formats import document, judged
    from rectune.align.import_export import write_text
    from rectune.core.errors import UserError

    if recipe is None:
        hint = "say whose they are: --recipe RECIPE"
        raise UserError(f"{format} gets the texts too, and a tag file holds hashes only", hint=hint)
    decisions = store.decisions()
    rows = judged(_tasks((recipe, None), runs), decisions, store.marks())
    write_text(file, document(rows, format))
    count = sum(len(about) for _, about, _ in rows)
    typer.echo(f"{count} decisions on {len(rows)} prompts written to {file}")
    if count < len(decisions):
        typer.echo(
            f"{len(decisions) - count} are left out: they are on other prompts or answers than this recipe's"
        )


@tag_app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON lines that `rectune tag export` wrote.")],
    tags: Tags = "default",
) -> None:
    """Import an export, whole or, where a line is broken, not at all; what is there already stays."""
    from rectune.align.import_export import import_tags

    with _filled(_path(tags)) as store:
        _tell(import_tags(file, store), store.path)


@tag_app.command()
def merge(
    first: Annotated[str, typer.Argument(help="A tag file: its name or path.")],
    second: Annotated[str, typer.Argument(help="Another.")],
    into: Annotated[str, typer.Option(help="The tag file that gets what is in both; made when missing.")],
) -> None:
    """Merge two tag files; of one annotator's conflicting decisions the later counts, and both are kept."""
    sources = [_present(_path(name)) for name in (first, second)]
    with _filled(_path(into)) as store:
        _tell(store.merge(sources), store.path)


@contextmanager
def _filled(path: Path) -> Iterator[TagStore]:
    """A tag file to add rows to; a new one is removed again if there is an error."""
    from rectune.align.tags import TagStore

    made = not path.exists()
    try:
        with TagStore(path) as store:
            yield store
    except BaseException:
        if made:
            path.unlink(missing_ok=True)
        raise


def _tell(taken: ImportCounts, path: Path) -> None:
    typer.echo(f"{taken.new} rows new; kept in {path}")
    if taken.known:
        typer.echo(f"{taken.known} were there already, or twice, and are kept once")


def _tasks(annotators: _Of, runs: Path) -> list[AnnotationTask]:
    """The prompts and answers of a recipe."""
    from rectune.align.tasks import load_tasks

    return load_tasks(_result(annotators, "candidates", runs), _result(annotators, "queries", runs))


def _result(annotators: _Of, stage: str, runs: Path) -> Path:
    """The folder of a recipe's finished stage."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.pipeline.recipe_results import finished_result

    recipe, overrides = annotators
    return finished_result(recipe, stage, ArtifactStore(runs), overrides or [])


def _names(annotators: str) -> tuple[str, ...]:
    from rectune.core.user_env import plain_name

    return tuple(name for part in annotators.split(",") if (name := plain_name(part)))


def _path(tags: str) -> Path:
    """A tag file by its path, or by its name as in align.tags."""
    from rectune.align.annotation_stage import TAGS

    return Path(tags) if tags.endswith(".sqlite") else TAGS / f"{tags}.sqlite"


def _present(path: Path) -> Path:
    from rectune.core.errors import UserError

    if not path.is_file():
        there = ", ".join(sorted(found.stem for found in path.parent.glob("*.sqlite")))
        hint = f"there are: {there}" if there else "nothing was tagged here yet: rectune tag RECIPE"
        raise UserError("there is no such tag file", where=str(path), hint=hint)
    return path


def _existing(recipe: Recipe) -> TagStore:
    from rectune.align.annotation_stage import tag_file
    from rectune.align.tags import TagStore

    return TagStore(_present(tag_file(recipe)))


def _duel(annotators: _Of, systems: tuple[str, str], folder: Path | None, runs: Path) -> tuple[Any, Path]:
    """The answers of two models, and the folder of the catalogue."""
    from rectune.align.comparison import read_comparison
    from rectune.align.tasks import PROMPTS_FILE

    prompts = _result(annotators, "queries", runs) / PROMPTS_FILE
    answered = folder or _result(annotators, "eval", runs)
    return read_comparison(prompts, answered, systems), _result(annotators, "data", runs)
