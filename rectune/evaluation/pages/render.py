"""Filling the report's templates: sandboxed, with untrusted titles and answers escaped."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rectune.core.text.markdown import one_line, quoted
from rectune.evaluation.pages.content import Content
from rectune.evaluation.pages.filtered import PICTURES
from rectune.models.exported import NOTE

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

HERE = Path(__file__).parent
SECTIONS = (
    ("ranking", "Ranking"),
    ("data", "Data"),
    ("funnel", "Funnel"),
    ("scores", "Response scores"),
    ("training", "Training"),
    ("answers", "Answers"),
    ("recommendations", "Recommendations"),
    ("cost", "Time and memory"),
)


def html(
    content: Content,
    key: str,
    figures: Path,
    histograms: Sequence[tuple[str, str]],
    charts: Mapping[str, str],
) -> str:
    """One self-contained page: pictures as data URIs, no script, and a policy that lets nothing be loaded.

    Args:
        content: what to print.
        key: of the report itself.
        figures: folder of the PNG files.
        histograms: (file name, domain) of the score histograms among them.
        charts: file name -> what it shows, of the charts of the data among them.
    """
    from markupsafe import Markup

    pictures = {path.name: _data_uri(path) for path in sorted(figures.glob("*.png"))}
    template = _environment(escaped=True).get_template("report.html.j2")
    style = Markup((HERE / "style.css").read_text(encoding="utf-8"))  # our own file, nothing from outside
    shown = {"pictures": pictures, "histograms": histograms, "charts": charts}
    return template.render(c=content, key=key, sections=SECTIONS, style=style, **shown)


def markdown(
    content: Content,
    key: str,
    figures: Path,
    histograms: Sequence[tuple[str, str]],
    charts: Mapping[str, str],
) -> str:
    """The same as Markdown, with pictures as files beside it."""
    pictures = {path.name for path in figures.glob("*.png")}
    template = _environment(escaped=False).get_template("report.md.j2")
    text = template.render(c=content, key=key, pictures=pictures, histograms=histograms, charts=charts)
    return re.sub(r"\n{3,}", "\n\n", text)


def duration(seconds: float) -> str:
    """Wall-clock time in words a person reads at a glance."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def memory(count: int) -> str:
    """Bytes in GiB or MiB; zero means that it was not measured."""
    if not count:
        return "not measured"
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def figure(value: Any) -> str:
    """A share or mean with three decimals, a dash where there is none."""
    return f"{value:.3f}" if isinstance(value, (int, float)) else "–"


def _environment(*, escaped: bool) -> SandboxedEnvironment:
    from jinja2 import FileSystemLoader
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=FileSystemLoader(HERE), autoescape=escaped, trim_blocks=True, lstrip_blocks=True
    )
    filters: Mapping[str, Any] = {
        "duration": duration,
        "memory": memory,
        "figure": figure,
        "line": one_line,
        "quoted": quoted,
    }
    environment.filters.update(filters)
    environment.globals["export_note"] = NOTE
    environment.globals["filter_pictures"] = {f"filter_{name}": shows for name, shows in PICTURES.items()}
    return environment


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
