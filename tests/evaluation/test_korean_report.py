"""The report in Korean: no English word is left but names; the table of sentences is whole and all in use."""

from __future__ import annotations

import ast
import re
import string
import warnings
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import pytest

import rectune
from rectune.align.health import MEASURES
from rectune.align.simulated import RULE
from rectune.core.figures import STAGE_FIGURES
from rectune.core.figures.data import BorderlineRows
from rectune.core.figures.evaluation import THIRDS, EvalMetrics
from rectune.core.figures.grounding import RESOLVED, GroundingReport, SamplePrompt, ShownRecommendation
from rectune.core.figures.models import AdapterFile, ExportedFile, MergeFigures, TokenParity
from rectune.core.figures.preferences import HealthReport
from rectune.core.figures.served import ServedMetrics
from rectune.core.plots import labels_in
from rectune.core.recipe import Recipe, parse_recipe
from rectune.core.text.plain import duration
from rectune.core.text.translation import ENGLISH
from rectune.evaluation.answers import FIGURES
from rectune.evaluation.memorisation import CONDITIONS
from rectune.evaluation.pages.figures import hit_chart
from rectune.evaluation.pages.locales import translation
from rectune.evaluation.report import run
from rectune.filters.rules import ROW_RULES, SET_RULES
from rectune.rankers.ranking_tables import ranking_tables
from rectune.release.parity import failures
from tests.core.filled import everything, record, write_stage
from tests.evaluation.test_ranking_tables import metrics  # noqa: F401 (fixture)
from tests.evaluation.test_report import finished, leave, leave_all, out  # noqa: F401 (fixtures)

KOREAN = translation("ko")
PACKAGE = Path(rectune.__file__).parent
# Whose stages write sentences into their figures.
STAGES = (
    "evaluation/*.py", "align/*.py", "datagen/**/*.py", "filters/rules/*.py", "readers/**/*.py",
    "train/sft.py", "recommender/*.py", "release/parity.py", "core/figures/*.py",
)  # fmt: skip

# What stays as it is: names of stages, systems, measures, settings, formats; units; data of the test.
NAMES = set(
    """
    rectune run until recipes yaml trial reportkey
    data base queries fit rationales filter sft candidates tag dpo export rerank recommend eval
    leave last out held ratings random split LLMRec allmrec items llm
    train preference test served Served chosen listed popularity uniform embedding best
    prior fused lexical hybrid continuation Hit HR NDCG MRR AUC precision KL BM nats log ln Wilson Holm
    hit SFT DPO GGUF GiB MB NF films rating docs tutorial md
    """.split()
)
# Sentences of the same modules that are none of the report's: errors, and what the terminal is told.
OUTSIDE = {
    "the stage {} logged no {}",
    "charts keep English labels: matplotlib knows no font for report.locale={}",
    "the stage data left no {}",
    "outside upper right",
    # commands
    "rectune run {} data.train={}",
    "rectune recommend --recipe {} --catalogue items.csv --history {}",
    "in the history",
}


class Words(HTMLParser):
    """The text of a page, and of the attributes that are read out."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.attributes: dict[str, str] = {}
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag
        if tag == "html":
            self.attributes |= {name: value or "" for name, value in attrs}
        self.text += [value or "" for name, value in attrs if name in ("alt", "aria-label", "title")]

    def handle_data(self, data: str) -> None:
        if self._open not in ("style", "code"):  # commands have no language
            self.text.append(data)


def english(text: str) -> set[str]:
    """Words of Latin letters that are no names."""
    return set(re.findall(r"[A-Za-z]{2,}", text)) - NAMES


def prose(markdown: str) -> str:
    """Without commands, and without the tags that fold."""
    return re.sub(r"^```sh\n.*?^```$|</?(?:details|summary|strong)>", "", markdown, flags=re.M | re.S)


@pytest.fixture
def config() -> Recipe:
    return parse_recipe({"evaluate": {"samples": 10}, "report": {"locale": "ko"}})


@pytest.fixture
def filled(finished: dict[str, Path]) -> dict[str, Path]:  # noqa: F811
    """A finished run in which no figure is absent."""
    for stage in [stage for stage in STAGE_FIGURES if stage not in ("report", "push")]:
        finished.setdefault(stage, finished["data"].parents[1] / stage / f"{stage}-key")
        write_stage(
            finished[stage], everything(STAGE_FIGURES[stage]), key="x", seconds=75.0, peak_memory=2**30
        )
    for kind in (BorderlineRows, GroundingReport, HealthReport):
        leave(finished, everything(kind))
    ranked = everything(EvalMetrics)
    assert ranked.answers
    answers = ranked.answers.model_copy(update={"figures": {"hit@1": "x"}})
    leave(finished, ranked.model_copy(update={"answers": answers}))
    leave(finished, everything(ServedMetrics, "served"))
    shown = [everything(ShownRecommendation), record(ShownRecommendation, items=[{"how": "title"}])]
    leave_all(finished, shown)
    leave_all(finished, [everything(SamplePrompt), record(SamplePrompt, answers=[{}])])
    (finished["sft"] / "config.yaml").write_text("models:\n  load_in_4bit: true\n")
    return finished


def test_no_english_is_left_in_a_full_report(
    config: Recipe,
    filled: dict[str, Path],
    out: Path,  # noqa: F811
) -> None:
    figures = run(config, filled, out)
    page, markdown = (out / "report.html").read_text(), (out / "report.md").read_text()
    words = Words(page)
    assert words.attributes["lang"] == "ko" and len(figures.plots) > 8
    assert english(" ".join(words.text)) == set()
    assert english(re.sub(r"\]\(figures/[\w.-]+\)", "]", prose(markdown))) == set()


def test_no_english_is_left_in_an_empty_report(
    config: Recipe,
    tmp_path: Path,
    out: Path,  # noqa: F811
) -> None:
    run(config, {"data": tmp_path / "nothing", "eval": tmp_path / "nothing"}, out)
    assert english(prose((out / "report.md").read_text())) == set()


def test_no_english_is_left_in_the_tables_of_real_figures(metrics: EvalMetrics) -> None:  # noqa: F811
    known = {"movies", "untuned", *"it names the item".split(), *"dpo less sft".split()}  # of the fixture
    text = "".join(table.to_markdown() for table in ranking_tables(metrics, "trial", KOREAN))
    assert english(text) - known == set() and "균등하게 뽑은 다른 아이템" in text and "콜드 아이템" in text


@pytest.mark.parametrize("part", ["sentences", "written"])
def test_a_translation_has_the_values_of_its_sentence_and_no_particle_behind_them(part: str) -> None:
    for sentence, korean in getattr(KOREAN, part).items():
        assert _places(sentence) == _places(korean), sentence
        assert not re.search(r"\}(?:은|는|이|가|을|를|과|와|로|으로)(?!\w)", korean), korean
        assert korean == korean.strip() or sentence != sentence.strip(), sentence


def test_every_sentence_of_the_report_is_in_the_table_and_every_one_of_the_table_in_the_report() -> None:
    found = [text for path in _wording() for text in _texts(path)]
    sentences = {
        text for text in found if len(re.findall(r"(?<!\S)[A-Za-z']+", text)) > 2 and "<" not in text
    }
    assert sentences - OUTSIDE - KOREAN.sentences.keys() - KOREAN.written.keys() == set()
    asked = {text for path in _wording() for text in _asked(path)}
    assert asked - KOREAN.sentences.keys() == set()
    assert KOREAN.sentences.keys() - set(found) - {text for path in _core() for text in _texts(path)} == set()


def test_what_stages_write_is_still_written_by_them() -> None:
    written = {_bare(text) for path in _stages() for text in _texts(path)}
    assert {sentence for sentence in KOREAN.written if _bare(sentence) not in written} == set()


def test_reasons_measures_and_conditions_that_stages_write_are_known() -> None:
    reasons = [rule.reason for rule in (*ROW_RULES, *SET_RULES)]
    reasons += [text for path in _stages() for text in _dropped(path)]
    named = [*MEASURES.values(), *FIGURES.values(), *THIRDS, *CONDITIONS, *RESOLVED, RULE]
    assert len(reasons) > 35
    assert [text for text in (*reasons, *named) if KOREAN.stored(text) == text] == []


def test_values_in_what_stages_write_are_translated_too() -> None:
    assert KOREAN.stored("item without a year") == "연도 없는 아이템"
    assert KOREAN.stored("item with fewer than 5 likes") == "좋아요가 5개보다 적은 아이템"
    far, merge = {"mean_gap": 9.0}, {"form": "original", "trained_on": "original"}
    refused = failures(
        record(MergeFigures, **merge, forms={"original": far}),
        record(TokenParity, differing_count=2, differing=["x"]),
        [record(ExportedFile, quantisation="Q8_0", file="", **far, change=-0.5, interval=(-0.6, -0.4))],
        record(AdapterFile, file="x.gguf", base="F16", to_original=far),
    )
    assert len(refused) == 5
    assert english(" ".join(map(KOREAN.stored, refused))) == {"gguf"}  # of x.gguf


def test_text_that_is_no_sentence_of_a_stage_stays_as_it_is() -> None:
    for text in ("{{ 7 * 7 }}", "one of my own reasons", "", "a {n} b"):
        assert KOREAN.stored(text) == text == KOREAN(text)


def test_times_have_korean_units() -> None:
    assert [duration(seconds, KOREAN) for seconds in (3.2, 75, 7320)] == ["3.2초", "1분 15초", "2시간 2분"]


def test_labels_are_english_where_no_font_has_hangul_and_the_font_is_only_for_these_charts() -> None:
    before = list(matplotlib.rcParams["font.family"])
    with labels_in(KOREAN, fonts=("no such font",)) as labels:
        assert labels is ENGLISH and matplotlib.rcParams["font.family"] == before
    with labels_in(KOREAN, fonts=("no such font", "DejaVu Sans Mono")) as labels:
        assert labels is KOREAN and matplotlib.rcParams["font.family"] == [*before, "DejaVu Sans Mono"]
    assert matplotlib.rcParams["font.family"] == before


def test_charts_in_korean_have_a_glyph_for_every_letter(tmp_path: Path) -> None:
    system = everything(EvalMetrics).systems["x"]
    with labels_in(KOREAN) as labels, warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a missing glyph
        hit_chart({"sft": system}, 0.05, tmp_path / "hits.png", labels)


def _places(sentence: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


def _bare(sentence: str) -> str:
    return re.sub(r"\{\w*\}", "{}", sentence)


def _wording() -> list[Path]:
    """The modules that word the report; filters/report.py words another page as well."""
    return [
        *(PACKAGE / "evaluation" / "pages").glob("*.py"),
        PACKAGE / "evaluation" / "report.py",
        *(PACKAGE / "rankers").glob("*_tables.py"),
        PACKAGE / "recommender" / "grounding_report.py",
        PACKAGE / "models" / "export_summary.py",
    ]


def _core() -> list[Path]:
    """The other modules that ask for a sentence of the report."""
    names = ("core/text/plain.py", "core/text/figures.py", "core/finished_stages.py", "rankers/weighting.py")
    return [*(PACKAGE / name for name in names), PACKAGE / "filters" / "report.py"]


def _stages() -> list[Path]:
    return [path for pattern in STAGES for path in PACKAGE.glob(pattern)]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def _texts(path: Path) -> tuple[str, ...]:
    """The strings of a module but its docstrings, with {} for the values of f-strings."""
    inside: set[int] = set()  # of docstrings and f-strings, which are walked before what is in them
    found = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Expr):
            inside.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            found.append("".join(_text(part) or "{}" for part in node.values))
        elif (text := _text(node)) is not None and id(node) not in inside:
            found.append(text)
    return tuple(found)


def _text(node: ast.AST) -> str | None:
    """The node's value, if it is a string."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _calls(path: Path) -> Iterator[tuple[str, list[ast.expr]]]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.args


def _asked(path: Path) -> Iterator[str]:
    """The sentences that are asked for in place."""
    for name, arguments in _calls(path):
        if name in ("tr", "tr.each"):
            wanted = arguments[:1] if name == "tr" else arguments
            yield from (text for one in wanted if (text := _text(one)) is not None)


def _dropped(path: Path) -> Iterator[str]:
    """The reasons that readers count what they leave out by."""
    if "recommender" in path.parts:  # reads tables of the caller's own, in no stage
        return
    for name, arguments in _calls(path):
        if re.search(r"drops\.add$|_kept$|self\.count$", name):
            yield from (text for one in arguments if (text := _text(one)) and " " in text)
