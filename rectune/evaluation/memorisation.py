"""What the base model knows by heart: a good ranking by a model that has read the data says little about
taste.

Two questions. Can it complete titles of the catalogue from their first half? And does it still name a user's
next item when the history is out of order, somebody else's, or not there?
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rectune.core.artifacts import generation_cache_path
from rectune.core.figures.evaluation import Memorisation, MemorisedItems, MemorisedTitles, TitleCompletion
from rectune.core.settings import SamplingConfig
from rectune.core.stats import metrics
from rectune.core.stats.intervals import share_of
from rectune.core.types import Locale, content_id
from rectune.evaluation.systems import EvalContext
from rectune.inference.requests import GenerationRequest
from rectune.prompts.render import RenderOptions, render
from rectune.prompts.template_library import system_message
from rectune.rankers.base import Scores
from rectune.rankers.baselines import words_of
from rectune.rankers.domain_data import DomainData
from rectune.rankers.eval_cases import EvalCase, as_asked, by_domain
from rectune.rankers.likelihood import Likelihood, RenderedPrompt, Scorer, without_history

CONDITIONS = ("own history", "shuffled", "somebody else's", "none")
_SHORTEST = 4  # words of a title that is cut in two
_YEAR = re.compile(r"\(\s*\d{4}\s*\)\s*$")
_ASK: dict[Locale, str] = {
    "en": "Write the full title that begins with these words: {}",
    "ko": "다음 말로 시작하는 제목을 끝까지 써 주세요: {}",
}


@dataclass(frozen=True)
class SplitTitle:
    """A title in two halves; `others` are second halves of other titles of the same domain, the control."""

    domain: str
    locale: Locale
    first: str
    rest: tuple[str, ...]
    other: tuple[str, ...]


def probe(cases: Sequence[EvalCase], eval_context: EvalContext, scorer: Scorer, out: Path) -> Memorisation:
    """What memorisation.json holds; see the functions below.

    Args:
        cases: the test cases; the first `evaluate.memorisation` of each domain are asked about.
        eval_context: where items and model are.
        scorer: the base model's likelihoods.
        out: the stage's folder.
    """
    count = eval_context.config.evaluate.memorisation
    chosen = {domain: group[:count] for domain, group in by_domain(cases).items()}
    cuts = [
        cut
        for domain, group in chosen.items()
        for cut in _cuts(eval_context.domain_data(domain), group, count)
    ]
    return Memorisation(
        model="base",
        titles=completed(cuts, eval_context, out) if cuts else None,
        next_item=next_items(chosen, eval_context, scorer),
    )


def completed(cuts: Sequence[SplitTitle], eval_context: EvalContext, out: Path) -> MemorisedTitles:
    """How many titles the model ends as they end when it is given their first half; greedy.

    An answer counts where its words begin with all words of the rest, case aside. `control` counts those that
    begin with the rest of another title of the domain instead: what generic endings would give.
    """
    sampling = SamplingConfig(max_tokens=24, temperature=0.0)
    requests = []
    for cut in cuts:
        messages = (
            ("system", system_message(cut.locale, cut.domain)),
            ("user", _ASK[cut.locale].format(cut.first)),
        )
        name = content_id("title", cut.domain, cut.first)
        requests.append(GenerationRequest(name, messages, sampling, 0, ("\n",), prefill=cut.first))
    engine = eval_context.config.evaluate
    answers = eval_context.generate(
        eval_context.model("base"), requests, engine, generation_cache_path(out), "titles by heart"
    )
    words = [tuple(words_of(answer.text)) for answer in answers]

    def counted(places: Sequence[int]) -> TitleCompletion:
        right = sum(words[at][: len(cuts[at].rest)] == cuts[at].rest for at in places)
        wrong = sum(words[at][: len(cuts[at].other)] == cuts[at].other for at in places)
        n = len(places)
        return TitleCompletion(n=n, completed=share_of(right, n), control=share_of(wrong, n))

    everywhere = range(len(cuts))
    domains = sorted({cut.domain for cut in cuts})
    return MemorisedTitles(
        **dict(counted(everywhere)),
        domains={d: counted([at for at in everywhere if cuts[at].domain == d]) for d in domains},
    )


def next_items(
    chosen: Mapping[str, Sequence[EvalCase]], eval_context: EvalContext, scorer: Scorer
) -> MemorisedItems:
    """Hit@1 among the case's own candidates, by likelihood, under each of `CONDITIONS`.

    Shuffling keeps what was liked and loses when; somebody else's history keeps only the domain; none leaves
    what the model holds likely whoever asks. Where the last is as good as the first, the history plays no
    part.
    """
    hits: dict[str, list[bool]] = {name: [] for name in CONDITIONS}
    for domain, group in chosen.items():
        titles = eval_context.domain_data(domain).titles
        for place, test in enumerate(group):
            for name, asked in _asked(test, group[(place + 1) % len(group)], eval_context).items():
                ranker = Likelihood(name, scorer, titles, _always(asked))
                hits[name].append(_hit(test, ranker.score([()], [test.case.candidates])[0]))
    shares = {name: share_of(sum(found), len(found)) for name, found in hits.items() if found}
    return MemorisedItems(n=len(hits["none"]), hit_at_1=shares)


def _asked(test: EvalCase, other: EvalCase, eval_context: EvalContext) -> dict[str, RenderedPrompt]:
    """How each condition asks."""
    own = as_asked(test.prompt)
    asked = {"own history": own, "none": without_history(lambda history: own)(())}
    shuffled = list(test.prompt.history)
    random.Random(content_id("shuffled", test.case.id)).shuffle(shuffled)
    asked["shuffled"] = _worded(test, tuple(shuffled), eval_context)
    if other is not test:
        asked["somebody else's"] = _worded(test, other.prompt.history, eval_context)
    return {name: asked[name] for name in CONDITIONS if name in asked}


def _always(asked: RenderedPrompt) -> Callable[[Sequence[str]], RenderedPrompt]:
    return lambda history: asked


def _worded(test: EvalCase, history: tuple[str, ...], eval_context: EvalContext) -> RenderedPrompt:
    wording = RenderOptions("passive", "direct", test.prompt.locale)
    return as_asked(render(replace(test.case, history=history), eval_context.catalogue, wording))


def _hit(test: EvalCase, scores: Scores) -> bool:
    return metrics.target_rank(test.case.candidates, list(scores), test.case.target) == 1


def _cuts(domain_data: DomainData, group: Sequence[EvalCase], count: int) -> list[SplitTitle]:
    """The most liked titles of a domain that are long enough, cut in two."""
    likes = domain_data.likes
    order = sorted(likes.item_ids, key=lambda item: (-likes.counts[likes.place[item]], item))
    titles = [_YEAR.sub("", domain_data.titles[item]).split() for item in order]
    long = [words for words in titles if len(words) >= _SHORTEST][: max(count, 2)]
    halves = [
        (" ".join(t[: (len(t) + 1) // 2]), tuple(words_of(" ".join(t[(len(t) + 1) // 2 :])))) for t in long
    ]
    halves = [half for half in halves if half[1]]
    if len(halves) < 2:  # no other title to check against
        return []
    locale = group[0].prompt.locale
    return [
        SplitTitle(domain_data.domain, locale, first, rest, halves[(place + 1) % len(halves)][1])
        for place, (first, rest) in enumerate(halves[:count])
    ]
