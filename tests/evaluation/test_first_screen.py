"""The first screen of the report: known figures, answers side by side, what ranks, and commands that work."""
# ruff: noqa: F811 (fixtures of another module)

from __future__ import annotations

import re
import shlex
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer.main

from rectune.cli.main import app
from rectune.core.figures import FitFigures, QueriesFigures, SftFigures, TagFigures
from rectune.core.figures.grounding import SamplePrompt
from rectune.core.figures.record import StageRecord
from rectune.core.figures.served import BEST_ALONE, ServedMetrics
from rectune.core.package_data import COMMAND, find_recipe
from rectune.core.recipe import Recipe, load_recipe
from rectune.core.text.markdown import escaped
from rectune.core.text.tables import Table
from rectune.evaluation.pages.blocks import Code, Columns, written
from rectune.evaluation.pages.page import Page, to_html, to_markdown
from rectune.evaluation.report import run
from tests.core.filled import record, write_stage
from tests.core.text.test_markdown import HOSTILE, rendered, shown
from tests.evaluation.test_report import config, finished, leave, leave_all, out  # noqa: F401 (fixtures)


class Outline(HTMLParser):
    """What is folded and what is not: the open text, anchors inside of what is folded, targets of links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open = ""
        self.columns: list[str] = []
        self.folded_anchors: list[str] = []
        self.targets: list[str] = []
        self._path: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag not in ("meta", "img"):
            self._path.append((tag, known.get("class") or ""))
        if (known.get("class"), tag) == ("column", "div"):
            self.columns.append("")
        if known.get("id") and "details" in [name for name, _ in self._path]:
            self.folded_anchors.append(f"#{known['id']}")
        if tag == "a":
            self.targets.append(known.get("href") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A line break, which holds nothing."""

    def handle_endtag(self, tag: str) -> None:
        assert self._path.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        names = [name for name, _ in self._path]
        if "details" not in names and "style" not in names:
            self.open += data
        if ("div", "column") in self._path:
            self.columns[-1] += data


def outlined(folder: Path) -> Outline:
    return Outline((folder / "report.html").read_text())


def first_screen(markdown: str) -> str:
    return markdown.partition("<details>")[0]


def commands(markdown: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def add(inputs: dict[str, Path], figures: StageRecord) -> None:
    """A finished stage beside the others."""
    folder = inputs["data"].parents[1] / figures.stage / f"{figures.stage}-key"
    write_stage(folder, figures)
    inputs[figures.stage] = folder


def served_metrics(low: float | None, high: float | None) -> ServedMetrics:
    found = {"mean": 0.05, "low": low, "high": high}
    difference = {"against": BEST_ALONE, "users": 301, "ndcg@10": found}
    systems = {"served": {"users": 301, "ndcg@10": {"mean": 0.4321, "low": 0.4, "high": 0.5}}}
    return record(ServedMetrics, overall={"systems": systems, "differences": [difference]})


def test_both_forms_begin_with_the_figures_of_every_stage(
    config: Recipe, finished: dict[str, Path], out: Path
) -> None:
    sft = record(
        SftFigures, steps=53, first_loss=1.25, last_loss=0.5, first_eval_loss=1.5, last_eval_loss=1.0
    )
    write_stage(finished["sft"], sft, seconds=75.0, peak_memory=3 * 2**30)
    run(config, finished, out)
    for text in (outlined(out).open, first_screen((out / "report.md").read_text())):
        assert "160 in, 97 kept; dropped: score 60, " in text
        assert "53 steps on 0 examples; held-out loss from 1.50 to 1.00" in text
        assert "Q8_0: 144 MB, 0.136 nats a token from the checkpoint; checks failed: 1" in text
        assert "1 min 15 s, 3.00 GiB" in text and "tagged by simulated annotator" in text
        assert "9.9.9" not in text and "All figures" not in text  # of what is folded


@pytest.mark.parametrize(
    ("kept", "headings"),
    [
        ((), ["What to do next"]),
        (("filter", "sft"), ["What was made of what", "What to do next"]),
        (
            ("eval",),
            ["What was made of what", "What the model says now", "What ranks", "What to do next"],
        ),
    ],
)
def test_stages_that_are_missing_shorten_it(
    config: Recipe,
    finished: dict[str, Path],
    out: Path,
    tmp_path: Path,
    kept: tuple[str, ...],
    headings: list[str],
) -> None:
    inputs = {stage: folder if stage in kept else tmp_path / "nothing" for stage, folder in finished.items()}
    run(config, inputs, out)
    page = (out / "report.md").read_text()
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == headings
    rows = re.findall(r"^\| (\w+) \|", first_screen(page), re.MULTILINE)
    assert [name for name in rows if name != "stage"] == list(kept)


def test_three_prompts_are_answered_side_by_side_with_what_was_asked(
    config: Recipe, finished: dict[str, Path], out: Path
) -> None:
    def sample(key: str, domain: str, scenario: str = "passive") -> SamplePrompt:
        texts = {"base": "word " * 200, "sft": f"between {key}", "dpo": f"tuned {key}"}
        answers = [
            {"system": name, "text": text, "item": f"Item {name}"[:8], "how": "title"}
            for name, text in texts.items()
        ]
        known = {"prompt_id": key, "domain": domain, "scenario": scenario, "target": f"Target {key}"}
        return record(SamplePrompt, instruction="the whole prompt", answers=answers, **known)

    samples = [
        sample("a", "films"),
        sample("b", "films"),
        sample("c", "music", "active"),
        sample("d", "books"),
    ]
    leave_all(finished, samples)
    history, query = ["f", "gone"], ["", "", "quiet piano", ""]
    rows = {
        "id": ["a", "b", "c", "d"],
        "history_domain": ["films"] * 4,
        "history": [history] * 4,
        "query": query,
    }
    folder = finished["data"].parents[1] / "queries" / "queries-key"
    folder.mkdir(parents=True)
    pl.DataFrame(rows).write_parquet(folder / "prompts.parquet")
    add(finished, record(QueriesFigures))
    run(config, finished, out)
    read, page = outlined(out), first_screen((out / "report.md").read_text())
    # another domain goes before a second prompt of one, and prompts without a query before one with
    assert [re.findall(r"tuned (\w)", text) for text in read.columns[1::2]] == [["a"], ["d"], ["b"]]
    assert len(read.columns) == 6 and "before training (base)" in read.columns[0]
    assert page.count("| before training (base) | after training (dpo) |") == 3
    for text in (read.open, page):
        assert "liked: Heat · gone · really taken next: Target a" in text
        assert "the whole prompt" not in text and "between" not in text and "Target c" not in text
        assert max(map(len, re.findall(r"(?:word ?)+", text))) < 350 and "word…" in text


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((-0.1, 0.2), "neither may be called better"),
        ((0.01, 0.2), "better lists than the single ranker"),
        ((-0.2, -0.01), "does not hold on test users"),
        ((None, None), "too few test users"),
    ],
)
def test_what_ranks_says_what_the_difference_means(
    config: Recipe, finished: dict[str, Path], out: Path, ends: tuple[float | None, float | None], said: str
) -> None:
    leave(finished, served_metrics(*ends))
    run(config, finished, out)
    read = outlined(out).open
    assert "0.432 [0.400, 0.500], n = 301 test users" in read
    assert read.count("What it means") == 1 and said in read.partition("What it means")[2]
    if ends == (-0.1, 0.2):  # a standard error of 0.3 / 3.92, times 2.8
        assert "With 301 users a difference in NDCG@10 of 0.214 would be seen" in read
    assert ("would be seen four times in five." in read) == (ends[0] is not None)


def test_domains_with_the_same_choice_stand_together(
    config: Recipe, finished: dict[str, Path], out: Path
) -> None:
    alone, fused = {"als": 1.0}, {"als": 0.7, "bm25": 0.3}
    chosen = {"films": alone, "music": fused, "books": alone}
    domains = {name: {"chosen": {"0": alone, "1-4": alone, "5+": last}} for name, last in chosen.items()}
    add(finished, record(FitFigures, domains=domains))
    run(config, finished, out)
    page = first_screen((out / "report.md").read_text())
    assert "| 5+ likes | als (films, books); 0.7 als + 0.3 bm25 (music) |" in page
    assert "| 0 likes | als (all domains) |" in page
    assert "one alone in 2 domains, several fused in 1" in page


def test_every_link_leads_into_what_is_folded(config: Recipe, finished: dict[str, Path], out: Path) -> None:
    run(config, finished, out)
    read = outlined(out)
    assert len(read.targets) == 9 and read.targets == read.folded_anchors


@pytest.mark.parametrize("rows", [8, 9])
def test_a_table_of_more_than_eight_rows_is_folded_below_its_name(tmp_path: Path, rows: int) -> None:
    table = Table(("a", "b"), [("x", n) for n in range(rows)], "Some <i>", "A note.")
    page = Page("t", [], {}, {"Section": [table]})
    for text in (to_html(page, tmp_path), to_markdown(page)):
        assert ("<summary>Some &lt;i&gt;: 9 rows</summary>" in text) == (rows == 9)
        assert text.count("<details>") == 1 + (rows == 9) and "A note." in text


def test_commands_name_the_recipe_and_are_taken_by_the_command_line(
    config: Recipe, finished: dict[str, Path], out: Path
) -> None:
    for stage, folder in finished.items():
        path = folder / "manifest.json"
        path.write_text(path.read_text().replace('"recipe": "trial"', '"recipe": "demo"'))
        assert '"recipe": "demo"' in path.read_text(), stage
    (finished["data"] / "config.yaml").write_text("data:\n  train: 110\n")
    run(config, finished, out)
    found = commands((out / "report.md").read_text())
    assert found[:3] == [
        f"{COMMAND} tag demo align.annotator=person",
        f"{COMMAND} run demo align.annotator=person",
        f"{COMMAND} run demo data.train=1100",
    ]
    assert len(found) == 6 and all(command in outlined(out).open for command in found)
    for command in found:
        accepted(shlex.split(command)[1:])


def accepted(words: list[str]) -> None:
    """The command line reads these words, and the recipe its overrides."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):  # `tag` is a group, whose default command is `answers`
        name, *words = words if words[0] in command.commands else ["answers", *words]
        command = command.commands[name]
    read = command.make_context(command.name, words).params
    assert read["recipe"] is not None
    load_recipe(find_recipe(Path(read["recipe"])), read.get("overrides") or [])


def test_tags_are_not_asked_for_where_people_tagged(
    config: Recipe, finished: dict[str, Path], out: Path
) -> None:
    write_stage(finished["tag"], record(TagFigures, annotators=["mina"]))
    run(config, finished, out)
    assert not any("rectune tag" in command for command in commands((out / "report.md").read_text()))


@pytest.mark.parametrize("name", ["a b'; rm -rf x", "```\n# heading", "</code><script>alert(1)</script>"])
def test_a_recipe_of_any_name_stays_one_argument_in_its_block(
    config: Recipe, finished: dict[str, Path], out: Path, name: str
) -> None:
    for figures in finished:
        path = finished[figures] / "manifest.json"
        path.write_text(path.read_text().replace('"trial"', f'"{name}"'.replace("\n", "\\n")))
    run(config, finished, out)
    page, markdown = (out / "report.html").read_text(), (out / "report.md").read_text()
    for text in (page, rendered(markdown)):
        assert "<script" not in text
        blocks = re.findall(r"<pre><code[^>]*>(.*?)</code></pre>", text, re.DOTALL)
        assert len(blocks) == 3 and all(block.startswith(f"{COMMAND} ") for block in blocks)
    assert page.count("<h1>") == rendered(markdown).count("<h1>") == 1
    tagging = re.search(rf"^{re.escape(COMMAND)} tag .*$", markdown, re.MULTILINE)
    assert tagging and shlex.split(tagging[0])[2] == f"recipes/{shown(name)}.yaml"


@pytest.mark.parametrize("text", HOSTILE)
def test_commands_and_columns_keep_any_text_inert(text: str) -> None:
    code = Code((text, "next"))
    page = rendered(written(code))
    assert page.count("<code") == page.count("</code>") == 1 and page.rstrip().endswith("next\n</code></pre>")
    table = rendered(written(Columns((text, "b"), ((escaped(text), "c"),))))
    assert table.count("<td>") == table.count("<th>") == 2 and "<script" not in table
    html = to_html(Page(text, [code, Columns((text,), ((escaped(text),),))], {}, {}), Path("nowhere"))
    assert "<script" not in html and html.count("<pre>") == html.count('class="column"') == 1
