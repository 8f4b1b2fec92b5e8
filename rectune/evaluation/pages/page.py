"""A page that is written once and comes out as Markdown and as one HTML file.

HTML is the Markdown of its blocks rendered: pictures in it are data URIs, links and raw HTML are off. What it
has besides (columns, commands, what is folded) is written here, around escaped text.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.text.markdown import escaped, html_text, joined
from rectune.core.text.translation import ENGLISH, Translation
from rectune.evaluation.pages.blocks import (
    FIGURES,
    Block,
    Code,
    Collapsible,
    Columns,
    fold_long,
    folded,
    written,
)

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

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
{overview}{sections}</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Page:
    """What stands on a page, from the top.

    Attributes:
        title: plain text.
        head: what stands below the title.
        overview: the parts that are always open, by their names, which are the report's own words.
        sections: the same of those that are folded, each below its name.
    """

    title: str
    head: Sequence[Block]
    overview: Mapping[str, Sequence[Block]]
    sections: Mapping[str, Sequence[Block]]

    def sections_folded(self, tr: Translation) -> dict[str, list[Block]]:
        """The sections, in which long tables are folded once more."""
        return {
            name: [fold_long(block, name, tr) for block in blocks] for name, blocks in self.sections.items()
        }


def to_markdown(page: Page, tr: Translation = ENGLISH) -> str:
    """The page as Markdown, with its pictures as files beside it; sections are `<details>` there too."""
    parts = [f"# {escaped(page.title)}", *map(written, page.head)]
    for name, blocks in page.overview.items():
        parts += [f"## {name}", *map(written, blocks)]
    for name, blocks in page.sections_folded(tr).items():
        parts.append(folded(f"<strong>{html.escape(name)}</strong>", joined(*map(written, blocks))))
    return joined(*parts) + "\n"


def to_html(page: Page, folder: Path, tr: Translation = ENGLISH) -> str:
    """The page as one HTML file: pictures inside, no script, and a policy that lets nothing be loaded.

    Args:
        page: what to write.
        folder: where the pictures lie; an image that is none of them is left out.
        tr: the language that the page is in.
    """
    renderer = _renderer(folder)
    anchors = {name: name.lower().replace(" ", "-") for name in page.sections}
    overview = (
        f'<section class="overview">\n<h2>{html.escape(name)}</h2>\n{_rendered(blocks, renderer)}</section>\n'
        for name, blocks in page.overview.items()
    )
    return _FRAME.format(
        locale=tr.locale,
        sections_named=tr("Sections"),
        title=html.escape(page.title),
        style=(Path(__file__).parent / "style.css").read_text(encoding="utf-8"),
        head=_rendered([f"# {escaped(page.title)}", *page.head], renderer),
        links="".join(f'<a href="#{anchor}">{html.escape(name)}</a>' for name, anchor in anchors.items()),
        overview="".join(overview),
        sections="".join(
            _section(name, anchors[name], _rendered(blocks, renderer))
            for name, blocks in page.sections_folded(tr).items()
        ),
    )


def _section(name: str, anchor: str, content: str) -> str:
    """A folded section. Its anchor is inside, since browsers open what is folded around a link's target."""
    return (
        f"<section>\n<details>\n<summary><h2>{html.escape(name)}</h2></summary>\n"
        f'<div id="{html.escape(anchor)}">\n{content}</div>\n</details>\n</section>\n'
    )


def _rendered(blocks: Sequence[Block], renderer: MarkdownIt) -> str:
    return "".join(_block(block, renderer) for block in blocks)


def _block(block: Block, renderer: MarkdownIt) -> str:
    if isinstance(block, Collapsible):
        summary = f"<summary>{html_text(block.title)}</summary>"
        return f"<details>{summary}\n{renderer.render(block.text)}</details>\n"
    if isinstance(block, Columns):
        return _columns(block, renderer)
    if isinstance(block, Code):
        return f"<pre><code>{html.escape(block.text)}</code></pre>\n"
    rendered: str = renderer.render(written(block))
    return rendered


def _columns(block: Columns, renderer: MarkdownIt) -> str:
    """A box a column, so that a narrow page can put them below each other."""
    boxes = []
    for place, head in enumerate(block.heads):
        cells = "".join(f"<p>{renderer.renderInline(row[place])}</p>\n" for row in block.rows)
        boxes.append(f'<div class="column">\n<p class="name">{html_text(head)}</p>\n{cells}</div>\n')
    return f'<div class="columns">\n{"".join(boxes)}</div>\n'


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
