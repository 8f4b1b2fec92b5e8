"""The command line: `rectune COMMAND`. Commands are thin; the work is in the modules they call."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from rectune.cli.database import database_app
from rectune.cli.embedder import tune_embedder
from rectune.cli.evaluate import compare, leave_one_domain_out
from rectune.cli.recommend import recommend
from rectune.cli.release import export, push
from rectune.cli.serve import keys_app, serve
from rectune.cli.shared_options import Overrides, RecipeFile, Runs
from rectune.cli.tag import tag_app

app = typer.Typer(
    name="rectune",
    help="From raw logs and catalogues to a tuned, aligned recommender that names only real items.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="The datasets that rectune reads.", no_args_is_help=True)
prompts_app = typer.Typer(help="Prompts as the model sees them.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(prompts_app, name="prompts")
app.add_typer(tag_app, name="tag")
app.add_typer(keys_app, name="keys")
app.add_typer(database_app, name="database")


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
    """Run the pipeline: finished stages are skipped, interrupted ones resume."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.pipeline.console import closing_words, generation_preview
    from rectune.pipeline.run import RunOptions, run_pipeline

    if dry_run:
        typer.echo(generation_preview(RunOptions(recipe, overrides or [], "data"), ArtifactStore(runs)))
        return
    folders = run_pipeline(RunOptions(recipe, overrides or [], until, redo), ArtifactStore(runs))
    typer.echo(closing_words(folders, until))


@app.command()
def plan(
    recipe: RecipeFile,
    overrides: Overrides = None,
    until: Annotated[str, typer.Option(help="Plan up to this stage.")] = "push",
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate", help="Estimate memory, steps and time of training, and which key saves memory."
        ),
    ] = False,
    device: Annotated[
        str, typer.Option(help="Estimate for this device, as rtx4090 or h100; the one here.")
    ] = "",
    probe: Annotated[
        bool, typer.Option(help="Measure a few steps of the real model where it is here.")
    ] = True,
    show_deepspeed: Annotated[
        bool, typer.Option("--show-deepspeed", help="Show DeepSpeed's configuration.")
    ] = False,
    whole: Annotated[
        bool,
        typer.Option("--resolved", help="Only print the whole recipe, every key with its value, as YAML."),
    ] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Which stages would run, and why, and what training would cost; no stage is run."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.core.recipe import load_recipe, resolved
    from rectune.pipeline.console import plan_table
    from rectune.pipeline.plan import make_plan

    if whole:
        typer.echo(resolved(load_recipe(recipe, overrides or [])), nl=False)
        return
    loaded, store = load_recipe(recipe, overrides or []), ArtifactStore(runs)
    if show_deepspeed:
        from rectune.pipeline.estimate_table import zero_page

        typer.echo(zero_page(loaded, device))
    if estimate:
        from rectune.pipeline.estimate import make_estimate
        from rectune.pipeline.estimate_table import estimate_table, generation_notes

        steps = make_plan(loaded, store, "dpo")
        made = make_estimate(loaded, steps, store, device, probing=probe)
        typer.echo(
            estimate_table(*made, generation_notes(loaded, steps, store, probing=probe and not device))
        )
    if not (show_deepspeed or estimate):
        typer.echo(plan_table(make_plan(loaded, store, until)))


@app.command()
def doctor(
    model: Annotated[
        str, typer.Option(help="Test this model instead: a GGUF file, a Hub id, `embedded`.")
    ] = "",
    runs: Runs = Path("runs"),
) -> None:
    """What works on this machine, and how to repair what does not; or what a model can be trusted with."""
    if model:
        from rectune.cli.recommend_source import checked_model

        typer.echo(checked_model(model, runs))
        return
    from rectune.pipeline.doctor import examine

    report, healthy = examine(runs)
    typer.echo(report)
    raise typer.Exit(0 if healthy else 2)


@app.command()
def verify(runs: Runs = Path("runs")) -> None:
    """Re-hash every finished artifact."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.pipeline.console import verification

    report, sound = verification(ArtifactStore(runs))
    typer.echo(report)
    raise typer.Exit(0 if sound else 2)


@app.command()
def clean(
    runs: Runs = Path("runs"),
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """List what no recipe links to, and delete it when told so. Tags are never touched."""
    from rectune.core.artifacts import ArtifactStore

    store = ArtifactStore(runs)
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
    from rectune.pipeline.datasets import entry, overview

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
    """Download a dataset from its publisher, or say what to do by hand; an interrupted download resumes."""
    from rectune.pipeline.datasets import fetched

    typer.echo(fetched(name, edition, category or [], root))


@data_app.command("stats")
def data_stats(
    recipe: RecipeFile,
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="Where the charts are written.")] = Path("data-stats"),
    runs: Runs = Path("runs"),
) -> None:
    """Figures of the recipe's data, by domain and category: tables here, charts as PNG files."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.pipeline.data_stats import data_stats as described

    typer.echo(described(recipe, overrides or [], out, ArtifactStore(runs)))


@prompts_app.command("show")
def prompts_show(
    recipe: RecipeFile,
    overrides: Overrides = None,
    domain: Annotated[str, typer.Option(help="Only this domain.")] = "",
    kind: Annotated[str, typer.Option(help="Only this kind: passive/direct, active/listwise …")] = "",
    locale: Annotated[str, typer.Option(help="Only this language: en, ko.")] = "",
    split: Annotated[str, typer.Option(help="Only this split: train, preference, test.")] = "",
    template: Annotated[str, typer.Option(help="Only this template, as en/passive/direct/plain.")] = "",
    count: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 3,
    runs: Runs = Path("runs"),
) -> None:
    """Prompts as the model sees them, with control tokens visible and trained tokens marked; runs nothing."""
    from rectune.core.artifacts import ArtifactStore
    from rectune.pipeline.prompts_show import PromptFilter, prompt_pages
    from rectune.pipeline.run import RunOptions

    choice = PromptFilter(domain, kind, locale, split, template, count)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    typer.echo(prompt_pages(RunOptions(recipe, overrides or []), ArtifactStore(runs), choice, colour=colour))


@app.command()
def score(
    file: Annotated[
        Path, typer.Argument(help="JSON lines, a JSON array, CSV or Parquet, gzipped or not; - for a pipe.")
    ],
    column: Annotated[
        str, typer.Option(help="The column of texts; response, text, or the only one there is.")
    ] = "",
    tokenizer: Annotated[str, typer.Option(help="A model reference whose tokenizer counts.")] = "embedded",
    threshold: Annotated[float, typer.Option(help="Scores from here on are dropped.")] = 15.0,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="One JSON object a text to standard output, the summary to standard error."
        ),
    ] = False,
    png: Annotated[Path | None, typer.Option(help="Write the histogram here too.")] = None,
    kind: Annotated[
        str, typer.Option("--format", help="jsonl, json, csv or parquet, where the name does not say.")
    ] = "",
    malformed: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of lines that may be malformed.")
    ] = 0.01,
) -> None:
    """Response scores ln(L)*L/C of a file of texts: how many are dropped, by length, and a histogram."""
    from rectune.filters.command import ScoreOptions, for_terminal, score_file

    asked = ScoreOptions(file, column, kind, tokenizer, threshold, png, malformed)
    summary = score_file(asked, sys.stdout.write if as_json else None)
    sys.stdout.flush()  # a closed pipe is noticed here, not when the interpreter ends
    typer.echo(for_terminal(summary), err=as_json)


app.command()(recommend)
app.command()(serve)
app.command()(export)
app.command()(push)
app.command()(compare)
app.command("leave-one-domain-out")(leave_one_domain_out)
app.command("tune-embedder")(tune_embedder)


def main() -> None:
    """The console command. Errors for people go without a traceback and exit with 2."""
    from rectune.core.std_streams import flush_streams, prepare_streams

    prepare_streams()
    status = _status()
    if (unwritten := flush_streams()) and not status:
        status = _refused(unwritten)
    sys.exit(status)


def _status() -> int | str | None:
    """Run what was typed; what went wrong is printed in a line or two. Returns the exit status."""
    from rectune.core.errors import RectuneError, UserError
    from rectune.core.extras import needs_extra

    try:
        with needs_extra("this command"):
            app()
    except SystemExit as end:
        return end.code
    except UserError as error:
        return _complain(error, 2)
    except RectuneError as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return _complain("stopped; the same command goes on from here", 130)
    except OSError as error:
        return _refused(error)
    return 0


def _refused(error: OSError) -> int:
    """Tell what the system did not let us do; a fault of ours keeps its traceback."""
    from rectune.core.os_errors import for_people

    told = for_people(error, str(Path.cwd()))
    if told is None:
        raise error
    return _complain(told, 2)


def _complain(what: object, status: int) -> int:
    with suppress(OSError):
        typer.echo(f"rectune: {what}", err=True)
    return status


if __name__ == "__main__":
    main()
