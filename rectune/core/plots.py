"""Charts as files, and the fonts that their words need."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rectune.core.text.translation import ENGLISH, Translation

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure


# Fonts with Hangul that systems come with, or that people install: Linux, Windows, macOS.
HANGUL_FONTS = (
    "NanumGothic",
    "NanumBarunGothic",
    "Noto Sans KR",
    "Noto Sans CJK KR",
    "Noto Sans CJK JP",  # what matplotlib calls the collection of all Noto Sans CJK
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "AppleGothic",
)


@contextmanager
def labels_in(tr: Translation, fonts: Sequence[str] = HANGUL_FONTS) -> Iterator[Translation]:
    """Gives the words for the labels of charts that are drawn within it: `tr`, with a font that has them.

    English, where none of the fonts is installed: a font without Hangul would draw boxes.
    """
    if tr.locale == "en":
        yield tr
        return
    import matplotlib
    from matplotlib.font_manager import get_font_names

    installed = set(get_font_names())
    found = next((font for font in fonts if font in installed), None)
    if found is None:
        yield ENGLISH
        return
    with matplotlib.rc_context({"font.family": [*matplotlib.rcParams["font.family"], found]}):
        yield tr


def write_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG at its own resolution; it appears whole or not at all, in folders made for it.

    Raises:
        OSError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    figure.savefig(partial, format="png")
    partial.replace(path)
