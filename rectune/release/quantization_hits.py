"""What a quantisation costs where it counts: Hit@1 on the same test cases, before and after."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rectune.core.catalogue import Catalogue
from rectune.core.progress import progress
from rectune.core.rows import read_rows
from rectune.core.settings import EngineConfig
from rectune.core.stats.intervals import Z
from rectune.core.types import Case
from rectune.inference.llamacpp import LlamaEngine
from rectune.inference.vocabulary import opened_vocabulary
from rectune.prompts.answers import closing
from rectune.rankers.eval_cases import EvalCase, as_asked, asked_by_history, by_domain, read_test_cases
from rectune.rankers.likelihood import Likelihood, Scorer
from rectune.release.parity_texts import Conversation

_SPARE = 16  # tokens of room beyond the longest prompt and title


def chosen_cases(data: Path, queries: Path) -> list[EvalCase]:
    """The test cases in an order that no dataset had a hand in: the first n of them are a fair sample."""
    cases = read_test_cases(read_rows(data / "cases.parquet", Case), queries)
    return sorted(cases, key=lambda case: case.prompt.id)


def conversations_of(cases: Sequence[EvalCase], catalogue: Catalogue) -> list[Conversation]:
    """Each case's prompt, answered with the sentence that names the item really taken."""
    return [
        Conversation(
            as_asked(test.prompt).messages,
            closing(test.prompt.locale, catalogue.get(test.case.domain, test.case.target).title),
        )
        for test in cases
    ]


def hits_of(model: Path, cases: Sequence[EvalCase], catalogue: Catalogue) -> list[bool]:
    """Whether a GGUF file puts each case's target first among its candidates, by likelihood; ties are misses.

    Args:
        model: computed with as it is, in no faster type.
        cases: of any domains; the answer follows their order.
        catalogue: where their items are.
    """
    engine = EngineConfig(context=_longest(model, cases, catalogue) + _SPARE, max_num_seqs=20, weights="file")
    with LlamaEngine(model, engine) as scorer:
        return hits_by(scorer, model.stem, cases, catalogue)


def hits_by(scorer: Scorer, name: str, cases: Sequence[EvalCase], catalogue: Catalogue) -> list[bool]:
    """As `hits_of`, by a model that is open; `name` is shown to whoever waits."""
    found = dict[str, bool]()
    with progress(f"ranking: {name}", len(cases), "cases") as advance:
        for domain, group in by_domain(cases).items():
            titles = _titles(catalogue, domain)
            ranker = Likelihood(name, scorer, titles, asked_by_history(group), advance)
            histories = [test.case.history for test in group]
            for test, scores in zip(
                group, ranker.score(histories, [test.case.candidates for test in group]), strict=True
            ):
                place = test.case.candidates.index(test.case.target)
                others = [score for at, score in enumerate(scores) if at != place]
                found[test.prompt.id] = all(score < scores[place] for score in others)
    return [found[test.prompt.id] for test in cases]


def paired_change(before: Sequence[bool], after: Sequence[bool]) -> tuple[float, tuple[float, float]]:
    """The change of a share between two measurements of the same cases, and its 95 % interval.

    With b cases lost and c won of n: half a case is added to each cell of the table of pairs, and Wald's
    interval is taken, (c - b)/(n + 2) ± z sqrt(b + c + 1 - (c - b)²/(n + 2))/(n + 2) (Agresti and Min 2005,
    "Simple improved confidence intervals for comparing matched proportions"). It has a width where no case
    changed at all. The change itself is (c - b)/n.

    Raises:
        ValueError: there are no cases, or not the same number twice.
    """
    pairs = list(zip(before, after, strict=True))
    lost, won, n = (
        sum(a and not b for a, b in pairs),
        sum(b and not a for a, b in pairs),
        len(pairs),
    )
    if not n:
        raise ValueError("no cases to compare")
    middle = (won - lost) / (n + 2)
    spread = Z * math.sqrt(won + lost + 1 - (won - lost) ** 2 / (n + 2)) / (n + 2)
    return (won - lost) / n, (max(-1.0, middle - spread), min(1.0, middle + spread))


def _titles(catalogue: Catalogue, domain: str) -> Mapping[str, str]:
    return {item.item_id: item.title for item in catalogue.of(domain)}


def _longest(model: Path, cases: Sequence[EvalCase], catalogue: Catalogue) -> int:
    """Tokens that the longest prompt takes with the longest of its candidates' titles."""
    longest = 0
    with opened_vocabulary(model) as vocabulary:
        for test in cases:
            asked = as_asked(test.prompt)
            titles = catalogue.titles(test.case.domain, test.case.candidates)
            prompt = len(vocabulary.prompt(asked.messages))
            named = (len(vocabulary.plain(closing(asked.locale, title))) for title in titles)
            longest = max(longest, prompt + max(named))
    return longest
