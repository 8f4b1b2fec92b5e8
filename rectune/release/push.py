"""Stage `push`: adapter, merged model, GGUF, tuning rows and preferences to the Hub. Dry by default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rectune.core.artifacts import write_atomically
from rectune.core.errors import UserError
from rectune.core.extras import needs_extra
from rectune.core.figures import PushFigures
from rectune.core.figures.publishing import FileSize, PushListing, UploadFigures
from rectune.core.progress import say
from rectune.core.recipe import Recipe
from rectune.release.bundle import bundle
from rectune.release.hub import Upload, send
from rectune.release.push_checks import check_annotators, check_order, run_key


@needs_extra("the stage push")
def run(config: Recipe, inputs: Mapping[str, Path], out: Path) -> PushFigures:
    """Write the cards and the list of files; upload them unless `release.dry_run` is on.

    Args:
        config: section `release`.
        inputs: the folders of all stages that models, rows, cards and plots come from.
        out: receives `README.md` (the model card), `dataset/` (the rows and their card), `files.json`, and
            what was rewritten for publication.

    Raises:
        UserError: no licence, or none for data that may be passed on; secrets or personal data in what is to
            be pushed; simulated preferences that are not named as such; when it is not a dry run also: no
            repository or token, an export that failed its parity check, or a refusal by the Hub.
    """
    release = config.release
    check_order(release)
    check_annotators(inputs, release.artifacts)
    tag = run_key(inputs, dry_run=release.dry_run)
    found = bundle(release, inputs, out, release.artifacts)
    if not found.uploads:
        raise UserError(
            f"there is nothing to push: {sum(found.left_out.values())} rows, "
            "none of a source that may be passed on",
            hint="add adapter, merged or gguf to --artifacts",
        )
    listing = PushListing(
        repo=release.repo,
        private=release.private,
        dry_run=release.dry_run,
        tag=tag,
        uploads=tuple(_described(upload) for upload in found.uploads),
        left_out=dict(found.left_out),
        by_hand=found.by_hand,
    )
    write_atomically(out / "files.json", listing.to_json())
    _show(listing)
    sent = None if release.dry_run else send(release, found.uploads, tag)
    sizes = [file.bytes for upload in listing.uploads for file in upload.files]
    return PushFigures(**dict(listing), bytes=sum(sizes), sent=sent)


def _described(upload: Upload) -> UploadFigures:
    files = (FileSize(path=name, bytes=path.stat().st_size) for name, path in sorted(upload.files.items()))
    return UploadFigures(kind=upload.kind, repo_type=upload.repo_type, files=tuple(files))


def _show(listing: PushListing) -> None:
    """Print the list of files; with `dry_run`, also say that nothing leaves."""
    shown: set[tuple[str, str]] = set()  # the card goes with every kind
    for upload in listing.uploads:
        for file in upload.files:
            if (place := (upload.repo_type, file.path)) not in shown:
                shown.add(place)
                say(f"  {upload.kind:<12} {_size(file.bytes):>10}  {file.path}")
    for domain, count in listing.left_out.items():
        say(f"  left out for its licence: {count} rows of {domain}")
    if listing.by_hand:
        say(f"  left out by release.exclude_ids: {listing.by_hand} rows")
    if listing.dry_run:
        say("  dry run: nothing was uploaded")


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.4g} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
