"""The command line: `rectune COMMAND`. Every command says what it does in one line; the work is in the modules it calls."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="rectune",
    help="Raw logs and catalogues in; an instruction-tuned, aligned recommender that names only real items out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="The datasets that rectune reads.", no_args_is_help=True)
prompts_app = typer.Typer(help="Prompts as the model sees them.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(prompts_app, name="prompts")

RecipeFile = Annotated[Path, typer.Argument(help="The recipe, for example recipes/demo.yaml.")]
Overrides = Annotated[list[str] | None, typer.Argument(help="Overrides: section.key=value …")]
Runs = Annotated[Path, typer.Option(help="The run store.")]


@app.command()
def run(
    recipe: RecipeFile,
    overrides: Overrides = None,
    until: Annotated[str, typer.Option(help="Stop after this stage.")] = "report",
    redo: Annotated[str, typer.Option("--from", help="Make this stage and all after it again.")] = "",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show three prompts that would be generated from, and how long it would take."
        ),
    ] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Run the pipeline: finished stages are skipped, interrupted ones go on."""
    from pipeline.run import Order, run_pipeline
    from pipeline.show import closing_words, generation_preview
    from rectune.runs import RunStore

    if dry_run:
        typer.echo(generation_preview(Order(recipe, overrides or [], "data"), RunStore(runs)))
        return
    folders = run_pipeline(Order(recipe, overrides or [], until, redo), RunStore(runs))
    typer.echo(closing_words(folders, until))


@app.command()
def plan(
    recipe: RecipeFile,
    overrides: Overrides = None,
    until: Annotated[str, typer.Option(help="Plan up to this stage.")] = "push",
    runs: Runs = Path("runs"),
) -> None:
    """Which stages would run, and why; nothing is run."""
    from pipeline.plan import make_plan
    from pipeline.show import plan_table
    from rectune.recipe import load_recipe
    from rectune.runs import RunStore

    typer.echo(plan_table(make_plan(load_recipe(recipe, overrides or []), RunStore(runs), until)))


@app.command()
def doctor() -> None:
    """What works on this machine, and the mend for what does not."""
    from pipeline.doctor import examine

    report, healthy = examine()
    typer.echo(report)
    raise typer.Exit(0 if healthy else 2)


@app.command()
def verify(runs: Runs = Path("runs")) -> None:
    """Re-hash every finished artefact."""
    from pipeline.show import verification
    from rectune.runs import RunStore

    report, sound = verification(RunStore(runs))
    typer.echo(report)
    raise typer.Exit(0 if sound else 2)


@app.command()
def clean(
    runs: Runs = Path("runs"),
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """List what no recipe links to, and delete it when told so. Tags are never touched."""
    from rectune.runs import RunStore

    store = RunStore(runs)
    folders = store.unlinked()
    for folder in folders:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        typer.echo(f"{size / 2**20:9.1f} MiB  {folder}")
    if not folders:
        typer.echo("nothing to clean")
    elif yes or typer.confirm(f"delete these {len(folders)} folders?"):
        for folder in folders:
            store.remove(folder)


@data_app.command("list")
def data_list(
    name: Annotated[str, typer.Argument(help="Only this dataset, with all that is known about it.")] = "",
) -> None:
    """The datasets, their publishers and licences."""
    from pipeline.datasets import entry, overview

    typer.echo(entry(name) if name else overview())


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="The dataset, as `rectune data list` names it.")],
    edition: Annotated[str, typer.Option(help="Which edition; the first that can be downloaded.")] = "",
    category: Annotated[
        list[str] | None,
        typer.Option(help="A category, where the dataset comes by category; may be repeated."),
    ] = None,
    root: Annotated[Path, typer.Option(help="The folder that holds one folder a dataset.")] = Path("data"),
) -> None:
    """Download a dataset from its publisher, or say what to do by hand; what was stopped goes on."""
    from pipeline.datasets import fetched

    typer.echo(fetched(name, edition, category or [], root))


@data_app.command("stats")
def data_stats(
    recipe: RecipeFile,
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="Where the charts are written.")] = Path("data-stats"),
    runs: Runs = Path("runs"),
) -> None:
    """Figures of the recipe's data, by domain and category: tables here, charts as PNG files."""
    from pipeline.data_stats import data_stats as described
    from rectune.runs import RunStore

    typer.echo(described(recipe, overrides or [], out, RunStore(runs)))


@prompts_app.command("show")
def prompts_show(
    recipe: RecipeFile,
    overrides: Overrides = None,
    domain: Annotated[str, typer.Option(help="Only this domain.")] = "",
    count: Annotated[int, typer.Option("-n", help="How many.")] = 4,
    runs: Runs = Path("runs"),
) -> None:
    """Rendered prompts with their control tokens; trained tokens are told apart from masked ones."""
    from pipeline.run import Order
    from pipeline.show import prompt_pages
    from rectune.runs import RunStore

    order, colour = Order(recipe, overrides or []), sys.stdout.isatty()
    typer.echo(prompt_pages(order, RunStore(runs), domain, count, colour=colour))


@app.command()
def score(
    file: Annotated[
        Path, typer.Argument(help="JSON lines, CSV or Parquet of texts; - reads JSON lines from a pipe.")
    ],
    column: Annotated[str, typer.Option(help="The column that holds the texts.")] = "response",
    tokenizer: Annotated[str, typer.Option(help="A model reference whose tokenizer counts.")] = "embedded",
    threshold: Annotated[float, typer.Option(help="Scores from here on are dropped.")] = 15.0,
    png: Annotated[Path | None, typer.Option(help="Write the histogram here too.")] = None,
) -> None:
    """Response scores ln(L)*L/C of a file of texts, with a histogram."""
    from filters.command import score_file

    typer.echo(score_file(file, column, tokenizer, threshold, png))


@app.command()
def tag(
    recipe: RecipeFile,
    overrides: Overrides = None,
    annotator: Annotated[str, typer.Option(help="Who is tagging; your login name unless given.")] = "",
    plain: Annotated[
        bool, typer.Option("--plain", help="Line mode, for dumb terminals and screen readers.")
    ] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Tag the best and the worst of each prompt's answers."""
    import getpass

    from align.collect import tag_file
    from align.tagging import tag as tag_answers
    from pipeline.run import Order, run_pipeline
    from rectune.recipe import load_recipe
    from rectune.runs import RunStore

    loaded = load_recipe(recipe, overrides or [])
    folders = run_pipeline(Order(recipe, overrides or [], "candidates"), RunStore(runs))
    if loaded.align.annotator == "simulated":
        typer.echo(
            "This recipe trains on a simulated annotator; add align.annotator=person to train on your tags."
        )
    raise typer.Exit(tag_answers(folders, tag_file(loaded), annotator or getpass.getuser(), plain))


@app.command()
def recommend(
    recipe: Annotated[Path, typer.Option(help="Whose aligned model answers.")] = Path("recipes/demo.yaml"),
    catalogue: Annotated[Path | None, typer.Option(help="CSV, JSON lines or Parquet of items.")] = None,
    history: Annotated[str, typer.Option(help='Titles already liked, as "A; B; C".')] = "",
    query: Annotated[str, typer.Option(help="What is wanted.")] = "",
    domain: Annotated[
        str, typer.Option(help="The kind of items, where it is one of the known domains.")
    ] = "",
    history_domain: Annotated[
        str, typer.Option(help="The kind of things in --history, where it is another one: music, say.")
    ] = "",
    runs: Runs = Path("runs"),
) -> None:
    """Recommend items of a catalogue for a history or a query, with reasons."""
    from pipeline.show import recommendation
    from recommenders.generative import Wish
    from rectune.runs import RunStore

    titles = [title.strip() for title in history.split(";") if title.strip()]
    typer.echo(recommendation(recipe, catalogue, domain, Wish(titles, query, history_domain), RunStore(runs)))


@app.command()
def export(recipe: RecipeFile, overrides: Overrides = None, runs: Runs = Path("runs")) -> None:
    """Make the aligned model's GGUF and say where it is."""
    from pipeline.run import Order, run_pipeline
    from rectune.runs import RunStore

    typer.echo(
        run_pipeline(Order(recipe, overrides or [], "export"), RunStore(runs))["export"] / "model.gguf"
    )


@app.command()
def push(recipe: RecipeFile, overrides: Overrides = None, runs: Runs = Path("runs")) -> None:
    """Push model, data and cards to the Hub; dry unless the recipe says release.dry_run: false."""
    from pipeline.run import Order, run_pipeline
    from pipeline.show import closing_words
    from rectune.runs import RunStore

    folders = run_pipeline(Order(recipe, overrides or [], "push"), RunStore(runs))
    typer.echo(closing_words(folders, "push"))


def main() -> None:
    """The console command. Errors for people go without a traceback and exit with 2."""
    from rectune.errors import RectuneError, UserError

    try:
        app()
    except UserError as error:
        typer.echo(f"rectune: {error}", err=True)
        sys.exit(2)
    except RectuneError as error:
        typer.echo(f"rectune: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("rectune: stopped; the same command goes on from here", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
