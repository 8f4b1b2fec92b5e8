"""The report of a run whose figures are known: they show up, titles stay text, missing stages shorten it."""

from __future__ import annotations

import base64
import json
import re
import warnings
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from markdown_it import MarkdownIt

from rectune.core.errors import UserError
from rectune.core.figures import (
    BaseFigures,
    CandidatesFigures,
    DataFigures,
    DpoFigures,
    EvalFigures,
    ExportFigures,
    FilterFigures,
    RecommendFigures,
    SftFigures,
    TagFigures,
)
from rectune.core.figures.data import BorderlineRows
from rectune.core.figures.evaluation import EvalMetrics, PairedDifference, RankingFigures
from rectune.core.figures.grounding import GroundingReport, SamplePrompt, ShownRecommendation
from rectune.core.figures.preferences import HealthReport
from rectune.core.figures.record import StageRecord, listed_json
from rectune.core.figures.served import ServedMetrics
from rectune.core.recipe import Recipe, parse_recipe
from rectune.core.rows import write_rows
from rectune.core.tables import interaction_schema, item_schema, user_schema
from rectune.core.types import Verdict
from rectune.evaluation.pages.figures import hit_chart, loss_curve
from rectune.evaluation.pages.ranking import verdict
from rectune.evaluation.report import run
from tests.core.filled import record, write_stage
from tests.core.text.test_markdown import HOSTILE, shown

EVIL = "<script>alert('x')</script> | **bold** `code` {{ 7 * 7 }}"
KOREAN = "기생충 (2019)"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

FIGURES: tuple[StageRecord, ...] = (
    record(
        DataFigures,
        rows_in=812,
        rows_out=401,
        dropped={"history too short": 411},
        root="shelf/of/films",
        datasets={"films-small": {"domain": "films", "licence": "CC-BY-4.0", "redistributable": True}},
    ),
    record(BaseFigures, model="Trial-135M"),
    record(
        FilterFigures,
        rows_in=160,
        rows_out=97,
        dropped={"score": 60, EVIL: 3},
        dropped_by_one_rule_alone={"score": 58},
        lengths=[{"start": 20, "end": 40, "rows": 160, "dropped": 63, "dropped_by_score": 60}],
    ),
    record(SftFigures),
    record(
        CandidatesFigures,
        gguf={"quantisation": "Q5_1"},
        gap_to_adapter={"nats_per_token": 0.0271, "answers": 4, "tokens": 334},
    ),
    record(TagFigures, rows_in=16, rows_out=15, annotators=["simulated annotator"], rule="longest wins"),
    record(DpoFigures),
    record(
        ExportFigures,
        files=[
            {
                "quantisation": "Q8_0",
                "file": "model.gguf",
                "bytes": 144_000_000,
                "tensor_types": {"Q8_0": 211, "F32": 61},
                "mean_gap": 0.1364,
            }
        ],
        parity={"texts": 65, "differing_count": 3, "failed": ["3 texts are split, such as <b>"]},
    ),
    record(RecommendFigures),
    record(EvalFigures),
)


def system(hit: float, low: float, high: float) -> dict[str, Any]:
    domains = {"films": {"n": 11, "hit@1": 0.364}, "music": {"n": 13, "hit@1": 0.077}}
    return {
        "n": 24,
        "hit@1": hit,
        "interval": [low, high],
        "mrr": 0.412,
        "ndcg@10": 0.498,
        "domains": domains,
    }


METRICS = {
    "candidates": 20,
    "chance": 0.05,
    "systems": {"base": system(0.208, 0.092, 0.405), "dpo": system(0.333, 0.180, 0.533)},
    "pairs": [{"system": "dpo", "against": "base", "n": 24, "interval": [-0.2, 0.36]}],
}
SERVED_METRICS = {
    "protocol": "what the recommender serves",
    "overall": {"users": 24, "systems": {"served": {"users": 24, "ndcg@10": {"mean": 0.4321}}}},
}
SAMPLE = {
    "domain": "films",
    "system": "You recommend.",
    "instruction": f"I liked {EVIL}",
    "target": KOREAN,
    "answers": [
        {"system": "base", "text": f"Perhaps\n{EVIL}", "item": "", "how": "", "hit": False},
        {"system": "sft", "text": "Alien", "item": "Alien (1979)", "how": "embedding", "hit": False},
        {"system": "dpo", "text": KOREAN, "item": KOREAN, "how": "title", "hit": True},
    ],
}
RECOMMENDATION = {
    "domain": "music",
    "scenario": "active",
    "history": [],
    "query": "something slow",
    "answer": "Take Five",
    "named": True,
    "target": "So What",
    "items": [{"item_id": "1", "title": "Take Five", "how": "title", "similarity": 1.0}],
}


@pytest.fixture()
def finished(tmp_path: Path) -> dict[str, Path]:
    inputs = {one.stage: tmp_path / "runs" / one.stage / f"{one.stage}-key" for one in FIGURES}
    for place, figures in enumerate(FIGURES):
        write_stage(
            inputs[figures.stage],
            figures,
            versions={"torch": "9.9.9"},
            started=f"2031-05-{place + 1:02}T10:00:00",
            seconds=75.0 + place,
            peak_memory=3 * 2**30,
        )
    write_tables(inputs["data"])
    verdicts = [
        Verdict(str(n), "films", "", score, 9, 8, score < 15, ()) for n, score in enumerate((4.0, 6.0, 20.0))
    ]
    write_rows(inputs["filter"] / "verdicts.parquet", verdicts, Verdict)
    (inputs["filter"] / "histograms").mkdir()
    (inputs["filter"] / "histograms" / "films.png").write_bytes(PNG)
    (inputs["filter"] / "histograms" / "broken.png").write_bytes(b"<svg onload=alert(1)>")
    (inputs["filter"] / "figures").mkdir()
    (inputs["filter"] / "figures" / "overlap.png").write_bytes(PNG)
    (inputs["filter"] / "figures" / "drop_rate.png").write_bytes(b"<svg onload=alert(1)>")
    row = {
        "id": "7",
        "domain": "films",
        "score": 14.9,
        "tokens": 33,
        "reasons": [],
        "response": f"nearly bad {EVIL}",
    }
    leave(inputs, record(BorderlineRows, worst_kept=[row]))
    leave(inputs, record(HealthReport))
    leave(inputs, record(GroundingReport, grounding="retrieve", modes={"retrieve": {}}))
    log = [{"step": step, "loss": 2.0 / step, "rewards/margins": 0.1 * step} for step in (1, 2, 3)]
    for stage in ("sft", "dpo"):
        (inputs[stage] / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log) + '{"st')
    leave(inputs, record(EvalMetrics, **METRICS))
    leave(inputs, record(ServedMetrics, **SERVED_METRICS))
    leave_all(inputs, [record(SamplePrompt, **SAMPLE)] * 12)
    leave_all(inputs, [record(ShownRecommendation, **RECOMMENDATION)])
    return inputs


def write_tables(folder: Path) -> None:
    """One user who met one film."""
    film = {"domain": "films", "item": 0, "item_id": "f", "title": "Heat", "categories": [], "category": ""}
    event = {
        "domain": "films",
        "user": 0,
        "item": 0,
        "value": 5.0,
        "kind": "rating",
        "order": 0,
        "liked": True,
    }
    user = {"domain": "films", "user": 0, "user_id": "u", "attributes": "{}"}
    for name, row, schema in (
        ("items", film, item_schema() | {"category": pl.String()}),
        ("users", user, user_schema()),
        ("interactions", event, interaction_schema() | {"liked": pl.Boolean()}),
    ):
        pl.DataFrame([row], schema=schema).write_parquet(folder / f"{name}.parquet")


def leave(inputs: dict[str, Path], one: StageRecord) -> None:
    """A record where its stage leaves it, in a file of its own."""
    (inputs[one.stage] / one.file).write_text(one.to_json())


def leave_all(inputs: dict[str, Path], some: Sequence[StageRecord]) -> None:
    (inputs[some[0].stage] / some[0].file).write_text(listed_json(some))


@pytest.fixture()
def config() -> Recipe:
    return parse_recipe({"evaluate": {"systems": ["base", "dpo"], "samples": 10}, "report": {}})


@pytest.fixture()
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "report" / "reportkey.partial"
    folder.mkdir(parents=True)
    return folder


class Reader(HTMLParser):
    """Collects the tags, the attributes that could load something, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_known_figures_show_up(config: Recipe, finished: dict[str, Path], out: Path) -> None:
    stats = run(config, finished, out)
    text = re.sub(r"\s+", " ", Reader((out / "report.html").read_text()).text)
    for known in (
        "812",
        "401",
        "history too short: 411",
        "97",
        "score: 60",
        "0.208",
        "[0.092, 0.405]",
        "0.412",
        "0.432",
        "What the recommender serves.",
    ):
        assert known in text
    for known in (
        "0.498",
        "0.077",
        "chance is 0.050",
        "shelf/of/films",
        "2031-05-01",
        "1 min 15 s",
        "3.00 GiB",
    ):
        assert known in text
    for known in (
        "torch",
        "9.9.9",
        "reportkey",
        "Trial-135M",
        "longest wins",
        "CC-BY-4.0",
        "6.00",
        "144.0",
    ):
        assert known in text
    assert "Q8_0 211, F32 61" in text and "0.136" in text and "3 texts are split, such as <b>" in text
    assert stats.verdict.startswith("Language models, n = 24 users") and stats.verdict in text


def test_both_pages_say_how_far_the_sampled_file_is_from_its_adapter_and_what_4_bits_cost(
    config: Recipe, finished: dict[str, Path], out: Path
) -> None:
    (finished["sft"] / "config.yaml").write_text("models:\n  load_in_4bit: true\n")
    run(config, finished, out)
    for page in ((out / "report.html").read_text(), (out / "report.md").read_text()):
        assert "a Q5_1 file" in page and "lies 0.027 nats" in page and "4 answers, 334 tokens" in page
        assert "part of the difference between them is that quantisation" in page


def test_simulated_annotator_and_small_n_are_said_plainly(
    config: Recipe, finished: dict[str, Path], out: Path
) -> None:
    run(config, finished, out)
    for page in ("report.html", "report.md"):
        text = (out / page).read_text()
        assert "Preferences come from a simulated annotator, not from people." in text
        assert "No claim is made" in text


def test_no_banner_where_people_tagged(config: Recipe, finished: dict[str, Path], out: Path) -> None:
    write_stage(finished["tag"], record(TagFigures, annotators=["mina"]))
    run(config, finished, out)
    text = (out / "report.html").read_text()
    assert "not from people" not in text and "mina" in text


def test_page_is_self_contained_and_titles_stay_text(
    config: Recipe, finished: dict[str, Path], out: Path
) -> None:
    run(config, finished, out)
    page = (out / "report.html").read_text()
    read = Reader(page)
    assert not {"script", "link", "iframe", "object", "b", "svg"} & set(read.tags)
    assert all(target.startswith(("data:image/png;base64,", "#")) for target in read.loads)
    assert (
        read.loads.count("data:image/png;base64," + base64.b64encode(PNG).decode()) == 2
    )  # one of the scores, one of the rules
    assert EVIL in read.text and KOREAN in read.text
    assert "http" not in re.sub(r"http-equiv", "", page)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_inert_and_readable_in_both_pages(
    config: Recipe, finished: dict[str, Path], out: Path, text: str
) -> None:
    answer = {"system": text, "text": text, "item": text, "how": text, "hit": True}
    answers = [answer, {**answer, "system": "base"}, {**answer, "system": "dpo"}]
    sample = {"domain": text, "instruction": text, "system": text, "target": text, "answers": answers}
    items = [{"title": text, "how": text}, {"title": text, "how": "ranked", "evidence": text}]
    user_request = {
        "domain": text,
        "scenario": text,
        "history": [text],
        "query": text,
        "answer": text,
        "target": text,
    }
    metrics = {"systems": {text: system(0.2, 0.1, 0.4)}, "protocol": text, "intervals": text}
    leave(finished, record(EvalMetrics, **metrics))
    served = {"systems": {"served": {}, text: {}}, "differences": [{"against": text}]}
    choice = {"chosen": {"0": {"weights": {text: 1.0}}}, "best_alone": text}
    domains = {text: {**served, "choice": choice}}
    leave(finished, record(ServedMetrics, protocol=text, overall=served, domains=domains))
    leave_all(finished, [record(SamplePrompt, **sample)])
    leave_all(finished, [record(ShownRecommendation, **user_request, items=items)])
    write_stage(finished["tag"], record(TagFigures, annotators=["simulated", text], rule=text))
    run(config, finished, out)
    page, markdown = (out / "report.html").read_text(), (out / "report.md").read_text()
    for read in (Reader(page), Reader(MarkdownIt("commonmark").enable("table").render(markdown))):
        assert not {"script", "a", "em", "b", "s"} & set(read.tags) - ({"a"} if "nav" in read.tags else set())
        assert read.tags.count("code") == read.tags.count("pre") == 3  # commands: tag, a larger model, files
        said = re.sub(r"\s+", " ", read.text.replace("\u200b", ""))
        assert said.count(shown(text)) >= 20
        assert f"names {shown(text)} ({shown(text)}) ✓ the item taken next" in said
    pictures = {path.name for path in (out / "figures").iterdir()}
    assert len(Reader(page).loads) == len(pictures) + 9  # and the sections
    assert len(re.findall(r"^## ", markdown, re.MULTILINE)) == 4  # of the first screen
    assert len(re.findall("^<summary><strong>", markdown, re.MULTILINE)) == 9


def test_both_pages_fold_the_same(config: Recipe, finished: dict[str, Path], out: Path) -> None:
    run(config, finished, out)
    page, text = (out / "report.html").read_text(), (out / "report.md").read_text()
    assert "<details><summary>The simulated annotator&#x27;s rule</summary>\n<blockquote>" in page
    assert "<summary>The simulated annotator&#x27;s rule</summary>\n\n> longest wins" in text
    # sections; prompts; rows of the filter, versions, the rule; the tables of more than eight rows
    for folds in (Reader(page).tags.count("details"), text.count("<details>\n"), text.count("</details>\n")):
        assert folds == 9 + 10 + 3 + 2


def test_tables_tell_numbers_from_words_and_name_their_rows(
    config: Recipe, finished: dict[str, Path], out: Path
) -> None:
    run(config, finished, out)
    page = (out / "report.html").read_text()
    assert re.search(
        r'<tr>\s*<th scope="row">filter</th>\s*<td class="n">160</td>\s*<td class="n">97</td>\s*'
        r'<td class="n">61 %</td>\s*<td>score: 60',
        page,
    )
    assert page.count('<div class="scroll"><table>') == page.count("</table></div>") > 8
    assert "style=" not in page


def test_markdown_keeps_titles_in_their_cells(config: Recipe, finished: dict[str, Path], out: Path) -> None:
    run(config, finished, out)
    text = (out / "report.md").read_text()
    assert "<script" not in text and "**bold**" not in text and KOREAN.replace("(", r"\(")[:4] in text
    row = next(line for line in text.splitlines() if line.startswith("| filter | 160 |"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 6
    linked = set(re.findall(r"\]\(figures/([\w.-]+)\)", text))
    assert linked == {path.name for path in (out / "figures").iterdir()}


def test_samples_say_what_answers_resolve_to(config: Recipe, finished: dict[str, Path], out: Path) -> None:
    run(config, finished, out)
    text = re.sub(r"\s+", " ", Reader((out / "report.html").read_text()).text)
    assert (
        text.count("resolves to nothing in the catalogue") == 10 + 3
    )  # of twelve samples ten, and three above
    assert "names nothing new of the catalogue; nearest to what it says is Alien (1979)" in text
    assert f"names {KOREAN} (title) ✓ the item taken next" in text


@pytest.mark.parametrize("kept", [(), ("data",), ("data", "base", "filter", "sft"), ("eval",)])
def test_a_pipeline_that_ended_early_is_reported(
    config: Recipe, finished: dict[str, Path], out: Path, tmp_path: Path, kept: tuple[str, ...]
) -> None:
    inputs = {stage: folder if stage in kept else tmp_path / "nothing" for stage, folder in finished.items()}
    stats = run(config, inputs, out)
    assert stats.stages == len(kept)
    assert "because not finished" in (out / "report.html").read_text()


@pytest.mark.parametrize("stage", [one.stage for one in FIGURES])
def test_a_figure_that_is_not_there_stops_the_report(
    config: Recipe, finished: dict[str, Path], out: Path, stage: str
) -> None:
    """Wherever a report is made of a stage, a figure of it under another name is no empty cell."""
    path = finished[stage] / "manifest.json"
    stored = json.loads(path.read_text())
    name, value = next(iter(stored["figures"].items()))
    del stored["figures"][name]
    path.write_text(json.dumps(stored | {"figures": {**stored["figures"], "renamed": value}}))
    with pytest.raises(UserError, match=f"{name} is missing; renamed is not known") as refused:
        run(config, finished, out)
    assert refused.value.where == str(path) and f"--from {stage}" in refused.value.hint


@pytest.mark.parametrize(
    ("stage", "file"),
    [
        ("eval", "metrics.json"),
        ("eval", "samples.json"),
        ("recommend", "grounding.json"),
        ("recommend", "recommendations.json"),
        ("tag", "health.json"),
        ("filter", "extremes.json"),
        ("tag", "manifest.json"),
    ],
)
@pytest.mark.parametrize("damage", ["", "{", "3", '{"systems": ["not", "a mapping"]}', None])
def test_damaged_files_stop_the_report(
    config: Recipe, finished: dict[str, Path], out: Path, stage: str, file: str, damage: str | None
) -> None:
    path = finished[stage] / file
    path.unlink() if damage is None and file != "manifest.json" else path.write_text(damage or "")
    with pytest.raises(UserError) as refused:
        run(config, finished, out)
    assert refused.value.where == str(path)


def test_a_second_attempt_replaces_the_first(config: Recipe, finished: dict[str, Path], out: Path) -> None:
    (out / "figures").mkdir()
    (out / "figures" / "stale.png").write_bytes(PNG)
    first = run(config, finished, out)
    pages = (out / "report.html").read_text(), (out / "report.md").read_text()
    assert run(config, finished, out) == first and "stale.png" not in first.plots
    assert ((out / "report.html").read_text(), (out / "report.md").read_text()) == pages


@pytest.mark.parametrize(("stage", "figure"), [("sft", "loss"), ("dpo", "rewards/margins")])
def test_a_log_without_the_figure_that_is_drawn_stops_the_report(
    config: Recipe, finished: dict[str, Path], out: Path, stage: str, figure: str
) -> None:
    (finished[stage] / "metrics.jsonl").write_text('{"step": 1, "something": 2.0}\n')
    with pytest.raises(UserError, match=f"the stage {stage} logged no {figure}"):
        run(config, finished, out)


def test_charts_draw_names_without_a_glyph_in_silence(tmp_path: Path) -> None:
    ranked = record(RankingFigures, n=3, hit_at_1=0.5, interval=[0.1, 0.9])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hit_chart({f"{KOREAN} $x_": ranked, "random": record(RankingFigures)}, 0.05, tmp_path / "hits.png")
    assert (tmp_path / "hits.png").read_bytes().startswith(PNG[:8])


def test_nothing_logged_draws_nothing(tmp_path: Path) -> None:
    assert not loss_curve([{"step": 1, "eval_loss": 2.0}], tmp_path / "loss.png")
    assert not (tmp_path / "loss.png").exists()


def test_verdict_says_which_difference_would_be_visible_and_tells_models_apart() -> None:
    def said(**pairs: tuple[int, float]) -> str:
        rows = [
            record(PairedDifference, system=name, n=n, interval=[-width / 2, width / 2])
            for name, (n, width) in pairs.items()
        ]
        return verdict(record(EvalMetrics, pairs=rows))

    few, many = said(sft=(24, 0.56)), said(ease=(5000, 0.028))
    assert "Language models, n = 24 users: a difference in Hit@1 of 0.40 would be seen" in few
    assert "No claim" in few and "No claim" not in many
    assert "Rankers, n = 5000 users: a difference in Hit@1 of 0.02" in many
    assert said(sft=(24, 0.56), ease=(5000, 0.028)) == f"{many} {few}"
    assert "Nothing was compared" in said()


def test_what_the_filter_did_is_told_in_both_forms(
    config: Recipe, finished: dict[str, Path], out: Path
) -> None:
    run(config, finished, out)
    page = Reader((out / "report.html").read_text())
    text = re.sub(r"\s+", " ", page.text)
    assert "score 60 58" in text and "20–39 160 63 (39 %) 60 (38 %)" in text
    assert "Worst kept, by the score: 1" in text and "nearly bad" in text and "Best dropped" not in text
    plain = (out / "report.md").read_text()
    assert "| score | 60 | 58 |" in plain and "| 20–39 | 160 | 63 (39 %) | 60 (38 %) |" in plain
    assert "figures/filter_overlap.png" in plain and "filter_drop_rate" not in plain
    assert "> nearly bad &lt;script&gt;" in plain
