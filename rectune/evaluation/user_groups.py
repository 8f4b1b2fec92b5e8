"""Groups of test cases that figures are given for: few and many interactions, cold and warm items."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rectune.evaluation.ranking_tasks import CandidateSampler
from rectune.rankers.domain_data import TrainLikes
from rectune.rankers.eval_cases import EvalCase, by_domain

TAIL = 0.35  # of a domain's items, by how many train users liked them: cold at the bottom, warm at the top

Groups = dict[str, list[EvalCase]]


def by_history_length(
    cases: Sequence[EvalCase], pools: CandidateSampler, likes: Callable[[str], TrainLikes]
) -> Groups:
    """Cases of users who met few items (up to the median of their domain's test users) or many, of cold and
    warm targets.

    A target is cold where its number of likes is among the lowest 35 % of the domain's items, warm where it
    is among the highest 35 % and above the cold ones; what lies between is in neither group.
    """
    found: Groups = {"few interactions": [], "many interactions": [], "cold items": [], "warm items": []}
    for domain, group in by_domain(cases).items():
        met = np.array([pools.interactions(test) for test in group])
        for test, count in zip(group, met, strict=True):
            found["few interactions" if count <= np.median(met) else "many interactions"].append(test)
        known = likes(domain)
        cold, warm = np.quantile(known.counts, (TAIL, 1 - TAIL))
        for test in group:
            count = known.counts[known.place[test.case.target]]
            if count <= cold:
                found["cold items"].append(test)
            elif count >= warm:
                found["warm items"].append(test)
    return {name: group for name, group in found.items() if group}
