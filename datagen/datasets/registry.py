"""Datasets by name, and which files of one lie in its folder, in which of its layouts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rectune.core.errors import UserError
from rectune.core.text.nearest import nearest
from rectune.datagen.datasets.entry import Dataset, Download, Edition, Layout
from rectune.datagen.datasets.published import DATASETS

__all__ = ["DATASETS", "Dataset", "Download", "Edition", "Layout", "files", "find", "locate", "nearest"]


def find(name: str, others: Iterable[Dataset] = ()) -> Dataset:
    """The dataset of that name, among `others` (a recipe's own) and the published ones.

    Raises:
        UserError: there is none; names the nearest one.
    """
    known = {dataset.name: dataset for dataset in (*DATASETS, *others)}
    if name in known:
        return known[name]
    hint = f"there are: {', '.join(known)}"
    raise UserError(f"unknown dataset {name}{nearest(name, known)}", where="data.datasets", hint=hint)


def files(dataset: Dataset, root: Path, categories: Sequence[str] = ()) -> list[Path]:
    """The raw files that reading this dataset depends on, sorted; see `locate`."""
    return sorted(path for group in locate(dataset, root, categories)[1] for path in group)


def locate(dataset: Dataset, root: Path, categories: Sequence[str] = ()) -> tuple[Layout, list[list[Path]]]:
    """The first layout whose needed files are all there, and the files: one sorted list a pattern.

    `categories` empty means every category whose files are complete. Where files come by category, the lists
    hold one file a category, in one order.

    Raises:
        UserError: no layout fits (says what each lacks), or a category is missing (names those that are
            there).
    """
    folder = dataset.place(root)
    if categories and not any(layout.by_category for layout in dataset.layouts):
        raise UserError(f"{dataset.name} has no categories", where="data.categories", hint="leave it out")
    lacking = []
    for layout in dataset.layouts:
        groups, missing = _fitted(folder, layout, categories)
        if not missing:
            return layout, groups
        lacking.append(missing)
    there = sorted(
        {one for layout in dataset.layouts if layout.by_category for one in _complete(folder, layout)}
    )
    if categories and there:
        raise _no_category(categories, there, folder)
    raise _nothing_fits(dataset, folder, lacking)


def _fitted(folder: Path, layout: Layout, categories: Sequence[str]) -> tuple[list[list[Path]], list[str]]:
    """One list of files a pattern, and the names of what is missing."""
    if not layout.by_category:
        return _by_pattern(folder, layout)
    complete = _complete(folder, layout)
    wanted = sorted(set(categories)) or sorted(complete)
    if absent := [name for name in wanted if name not in complete]:
        return [], [pattern.format(category=name) for name in absent for pattern in _needed(layout)]
    if not wanted:
        return [], [pattern.format(category="CATEGORY") for pattern in _needed(layout)]
    chosen = [complete[name] for name in wanted]
    return [[path for path in column if path] for column in zip(*chosen, strict=True)], []


def _needed(layout: Layout) -> list[str]:
    """What a person has to put there: the first alternative of each pattern that may not be missing."""
    return [pattern.split("|")[0] for pattern in layout.files if not pattern.startswith("?")]


def _by_pattern(folder: Path, layout: Layout) -> tuple[list[list[Path]], list[str]]:
    taken: set[Path] = set()
    groups: list[list[Path]] = []
    missing: list[str] = []
    for pattern in layout.files:
        alternatives = pattern.lstrip("?").split("|")
        found = {path for each in alternatives for path in _matches(folder, each)}
        # One file may be both items and interactions, if both are named by that very name.
        free = found if pattern in layout.files[: len(groups)] else found - taken
        group = sorted(path for path in free if not _plain_beside(path, found))
        if not group and not pattern.startswith("?"):
            missing.append(alternatives[0])
        taken.update(found)
        groups.append(group)
    return groups, missing


def _matches(folder: Path, pattern: str) -> set[Path]:
    """Files by pattern, plain or packed; a file of exactly that name comes first, whatever signs it holds."""
    exact = {path for path in (folder / pattern, folder / f"{pattern}.gz") if path.is_file()}
    if exact or Path(pattern).is_absolute():
        return exact
    return {path for each in (pattern, f"{pattern}.gz") for path in folder.glob(each) if path.is_file()}


def _plain_beside(path: Path, found: Iterable[Path]) -> bool:
    return path.suffix == ".gz" and path.with_suffix("") in found


def _complete(folder: Path, layout: Layout) -> dict[str, list[Path | None]]:
    """Categories that lack no needed file, with one file a pattern (None for one that may be missing)."""
    found: dict[str, dict[int, list[tuple[int, bool, Path]]]] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_file() and (match := _category(path.name, layout)):
            category, pattern, alternative = match
            ranked = (alternative, path.suffix == ".gz", path)
            found.setdefault(category, {}).setdefault(pattern, []).append(ranked)
    needed = {place for place, pattern in enumerate(layout.files) if not pattern.startswith("?")}
    return {
        category: [min(by[place])[2] if place in by else None for place in range(len(layout.files))]
        for category, by in found.items()
        if needed <= by.keys()
    }


def _category(name: str, layout: Layout) -> tuple[str, int, int] | None:
    """Category, place of the pattern and of its alternative: the one that says most about the name."""
    for place, pattern in enumerate(layout.files):
        best: tuple[int, str, int] | None = None
        for rank, alternative in enumerate(pattern.lstrip("?").split("|")):
            expression = re.escape(alternative).replace(r"\{category\}", "(.+)") + r"(?:\.gz)?"
            match = re.fullmatch(expression, name)
            if match and (best is None or len(alternative) > best[0]):
                best = (len(alternative), match[1], rank)
        if best:
            return best[1], place, best[2]
    return None


def _no_category(categories: Sequence[str], there: Sequence[str], folder: Path) -> UserError:
    absent = [name for name in categories if name not in there] or list(categories)
    found = f"has no complete files of the category {absent[0]}{nearest(absent[0], there)}"
    return UserError(found, where=str(folder), hint=f"categories there: {', '.join(there)}")


def _nothing_fits(dataset: Dataset, folder: Path, lacking: Sequence[Sequence[str]]) -> UserError:
    lines = []
    for layout, missing in zip(dataset.layouts, lacking, strict=True):
        needed = [pattern.replace("{category}", "CATEGORY") for pattern in _needed(layout)]
        lack = "" if set(missing) == set(needed) else f"; missing: {', '.join(missing)}"
        lines.append(f"layout {layout.name} needs {', '.join(needed)}{lack}")
    found = "no such folder" if not folder.is_dir() else f"holds no complete layout of {dataset.name}"
    if not dataset.editions:
        hint = "put them there, or fix the paths in the recipe"
    elif any(edition.downloads for edition in dataset.editions):
        hint = f"get them with: rectune data fetch {dataset.name}"
    else:
        hint = f"how to get them: rectune data fetch {dataset.name} (publisher: {dataset.home})"
    return UserError("\n  ".join([found, *lines]), where=str(folder), hint=hint)
