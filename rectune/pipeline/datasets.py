"""What `rectune data list` and `rectune data fetch` print."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from rectune.core.errors import UserError
from rectune.core.progress import say
from rectune.datagen.datasets.entry import Dataset, Download, Edition, Layout
from rectune.datagen.datasets.registry import DATASETS, find, locate

_WIDTH = 100  # columns
_ROW = "{:<16}{:<9}{:<9}{:<9}{}"


def overview() -> str:
    """One entry per dataset: domain, redistribution, how to get it, editions; below it the licence."""
    lines = [_ROW.format("dataset", "domain", "pass on", "fetch", "editions")]
    for one in DATASETS:
        may = _share("no", [one.may_pass_on(edition) for edition in one.editions])
        fetch = _share("by hand", [bool(edition.downloads) for edition in one.editions])
        names = ", ".join(edition.name for edition in one.editions)
        lines += _wrapped(_ROW.format(one.name, one.domain, may, fetch, names), 0, 43)
        lines += _wrapped(one.licence, 16, 16)
    lines += ["", *_wrapped(_LEGEND, 0, 0)]
    return "\n".join(lines)


_LEGEND = (
    "pass on: whether rows may be passed on under the licence. fetch: whether `rectune data fetch DATASET` "
    "downloads it; by hand means that an account, a form or accepted terms are needed, and the command says "
    "how. `rectune data list DATASET` tells the rest."
)


def entry(name: str) -> str:
    """The registry's entry of one dataset."""
    one = find(name)
    lines = [f"{one.name} ({one.domain})"]
    lines += _field("publisher", one.publisher)
    lines += _field("home page", one.home)
    lines += _field("licence", f"{one.licence}; {_words(one.redistributable)}")
    lines += _field("liked", f"from {one.liked:g} on, {one.why_liked}")
    for layout in one.layouts:
        lines += _field(f"layout {layout.name}", _layout_words(layout))
    for edition in one.editions:
        lines += ["", *_edition(one, edition)]
    if one.categories:
        rest = " (of editions that name none)" if any(each.categories for each in one.editions) else ""
        lines += ["", *_wrapped(f"categories{rest}: {' '.join(one.categories)}", 2, 4)]
    return "\n".join(lines)


def fetched(name: str, edition: str, categories: Sequence[str], root: Path) -> str:
    """Fetch an edition, or say how a person gets it; the licence is shown first."""
    from rectune.datagen.datasets.fetch import choose, fetch

    one = find(name)
    chosen = choose(one, edition)
    terms = f"{chosen.licence or one.licence}; {_words(one.may_pass_on(chosen))}"
    say("\n".join([f"{one.name}, edition {chosen.name}: {chosen.rows}", *_field("licence", terms)]))
    if not chosen.downloads:
        return _by_hand(one, chosen, root)
    files = fetch(one, chosen, categories, root)
    return "\n".join([*map(str, files), *_wrapped(_read_as(one, chosen, root), 0, 0), _check(root)])


def _share(none: str, editions: Sequence[bool]) -> str:
    """Whether something holds for all editions, for some, or for none."""
    return "yes" if all(editions) else "some" if any(editions) else none


def _words(may: bool) -> str:
    return "rows may be passed on" if may else "rows may not be passed on"


def _layout_words(layout: Layout) -> str:
    names = (pattern.removeprefix("?") for pattern in layout.files)
    shown = [pattern.replace("|", " or ").replace("{category}", "CATEGORY") for pattern in names]
    missing = [text for text, pattern in zip(shown, layout.files, strict=True) if pattern.startswith("?")]
    lack = f" ({', '.join(missing)} may be missing)" if missing else ""
    return f"{', '.join(shown)}{lack}, each also as .gz; {'with' if layout.ordered else 'without'} times"


def _edition(one: Dataset, edition: Edition) -> list[str]:
    lines = _field(f"{edition.name}", edition.rows)
    if edition.licence:
        lines += _field("", f"{edition.licence}; {_words(one.may_pass_on(edition))}")
    for each in edition.downloads:
        folder, _, file = each.url.replace("{category}", "CATEGORY").rpartition("/")
        facts = f"{file}: size {_size(each)}, checksum {_checksum(each)}"
        lines += [*_wrapped(f"{folder}/", 4, 4), *_wrapped(facts, 6, 8)]
    if edition.by_hand:
        lines += _field("", f"by hand: {edition.by_hand}")
    if edition.categories:
        lines += _wrapped(f"categories: {' '.join(edition.categories)}", 4, 6)
    return lines


def _size(each: Download) -> str:
    return "not known" if each.size is None else f"{each.size:,} bytes"


def _checksum(each: Download) -> str:
    return each.checksum or ("published beside the file (.md5)" if each.checksum_url else "not known")


def _by_hand(one: Dataset, edition: Edition, root: Path) -> str:
    layout = next(each for each in one.layouts if each.name == edition.layout)
    steps = [
        "" if "https://" in edition.by_hand else f"open {one.home}",
        edition.by_hand,
        f"put the files into {one.place(root)}: {_layout_words(layout).partition(';')[0]}",
        _check(root),
    ]
    lines = ["This edition cannot be downloaded without a person. To get it:"]
    for number, step in enumerate(filter(None, steps), 1):
        lines += _wrapped(f"{number}. {step}", 2, 5)
    return "\n".join(lines)


def _check(root: Path) -> str:
    return f"check it with: rectune data stats RECIPE data.root={root}"


def _read_as(one: Dataset, edition: Edition, root: Path) -> str:
    """Which layout will be read; warns if files of another layout are read first."""
    try:
        layout, _ = locate(one, root)
    except UserError as lacking:
        return str(lacking)
    if layout.name != edition.layout:
        return (
            f"Mind: files of the layout {layout.name} lie in {one.place(root)} too, and they are read first; "
            f"move them away to read this edition (layout {edition.layout})."
        )
    return f"complete: will be read as layout {layout.name}"


def _field(name: str, text: str) -> list[str]:
    return _wrapped(f"{name:<15} {text}" if name else text, 2 if name else 18, 18)


def _wrapped(text: str, first: int, rest: int) -> list[str]:
    """Lines of at most 100 columns with these indents of the first and the others; addresses stay whole."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=" " * first,
        subsequent_indent=" " * rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
