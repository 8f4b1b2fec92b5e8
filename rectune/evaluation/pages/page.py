"""A page that is written once and comes out as Markdown and as one HTML file.

Its blocks are Markdown, in which untrusted text has passed `escaped` or `block_quote`, tables, and what HTML
folds away. HTML is that Markdown rendered: pictures in it are data URIs, links and raw HTML are off.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.text.markdown import escaped, joined
from rectune.core.text.tables import Table
from rectune.core.text.translation import ENGLISH, Translation

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

FIGURES = "figures"  # the folder of the pictures, beside the page
_FRAME = """<!doctype html>
<html lang="{locale}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<header>
{head}<nav aria-label="{sections_named}">{links}</nav>
</header>
{sections}</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Collapsible:
    """Markdown below a title, which is plain text; HTML shows it when the title is clicked."""

    title: str
    text: str


Block = str | Table | Collapsible


@dataclass(frozen=True)
class Page:
    """The title is plain text; `head` stands above the sections, whose names are the report's own words."""

    title: str
    head: Sequence[Block]
    sections: Mapping[str, Sequence[Block]]


def pictures(folder: Path, shown: Mapping[str, str]) -> str:
    """Those of the PNG files that are in the folder, side by side, as Markdown.

    Args:
        folder: where they lie.
        shown: what each shows, by file name.
    """
    there = {name: words for name, words in shown.items() if (folder / name).is_file()}
    return "\n".join(f"![{escaped(words)}]({FIGURES}/{name})" for name, words in there.items())


def to_markdown(page: Page) -> str:
    """The page as Markdown, with its pictures as files beside it."""
    parts = [f"# {escaped(page.title)}", *map(_written, page.head)]
    for name, blocks in page.sections.items():
        parts += [f"## {name}", *map(_written, blocks)]
    return joined(*parts) + "\n"


def _written(block: Block) -> str:
    if isinstance(block, Collapsible):
        return f"**{escaped(block.title)}**\n\n{block.text}"
    return block.to_markdown() if isinstance(block, Table) else block


def to_html(page: Page, folder: Path, tr: Translation = ENGLISH) -> str:
    """The page as one HTML file: pictures inside, no script, and a policy that lets nothing be loaded.

    Args:
        page: what to write.
        folder: where the pictures lie; an image that is none of them is left out.
        tr: the language that the page is in.
    """
    renderer = _renderer(folder)
    anchors = {name: name.lower().replace(" ", "-") for name in page.sections}
    return _FRAME.format(
        locale=tr.locale,
        sections_named=tr("Sections"),
        title=html.escape(page.title),
        style=(Path(__file__).parent / "style.css").read_text(encoding="utf-8"),
        head=_rendered([f"# {escaped(page.title)}", *page.head], renderer),
        links="".join(f'<a href="#{anchor}">{html.escape(name)}</a>' for name, anchor in anchors.items()),
        sections="".join(
            f'<section id="{anchors[name]}">\n{_rendered([f"## {name}", *blocks], renderer)}</section>\n'
            for name, blocks in page.sections.items()
        ),
    )


def _rendered(blocks: Sequence[Block], renderer: MarkdownIt) -> str:
    parts = []
    for block in blocks:
        text = renderer.render(block.text if isinstance(block, Collapsible) else _written(block))
        summary = f"<summary>{html.escape(block.title)}</summary>" if isinstance(block, Collapsible) else ""
        parts.append(f"<details>{summary}\n{text}</details>\n" if summary else text)
    return "".join(parts)


def _renderer(folder: Path) -> MarkdownIt:
    """CommonMark and tables, without links and raw HTML."""
    from markdown_it import MarkdownIt

    found = {f"{FIGURES}/{path.name}": path for path in folder.glob("*.png")}

    def image(_: Any, tokens: Sequence[Any], place: int, *rest: Any) -> str:
        path = found.get(str(tokens[place].attrs["src"]))
        if path is None:
            return ""
        inside = base64.b64encode(path.read_bytes()).decode("ascii")
        return f'<img src="data:image/png;base64,{inside}" alt="{html.escape(_plain(tokens[place]))}">'

    made = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["link", "autolink"])
    made.core.ruler.push("row_heads", _row_heads)
    made.add_render_rule("image", image)
    made.add_render_rule("table_open", lambda *_: '<div class="scroll"><table>\n')
    made.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return made


def _plain(image: Any) -> str:
    """What an image shows, as plain text."""
    return "".join(child.content for child in image.children)


def _row_heads(state: Any) -> None:
    """The first cell of a row says what the row is; numbers are a class of their own."""
    first = False
    for before, token in pairwise(state.tokens):
        if token.type == "td_open":
            first = before.type == "tr_open"
            if first:
                token.attrSet("scope", "row")
        if token.type in ("td_open", "td_close") and first:
            token.tag = "th"
        if token.type in ("td_open", "th_open") and "right" in str(token.attrs.pop("style", "")):
            token.attrSet("class", "n")
