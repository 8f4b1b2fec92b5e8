"""The guard on planted vectors: it refuses a tuning that forgets, and finds the mixture that does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rectune.core.types import Item
from rectune.rankers.domain_data import DomainData
from rectune.rankers.embedder_guard import Embed, GuardedDomain, try_mixtures
from rectune.rankers.holdout import HeldOutUser
from rectune.retrieval.embedding import Vectors

USERS = 12
HOME, AWAY = "home", "away"


def domain(name: str, users: int = USERS) -> GuardedDomain:
    """Each user liked one item; the one that comes next is its partner, and there are four others."""
    texts = [f"{name} {kind} {user}" for user in range(users) for kind in ("past", "next")]
    texts += [f"{name} other {n}" for n in range(4)]
    histories = tuple((2 * user,) for user in range(users))
    return GuardedDomain(name, tuple(texts), histories, tuple(2 * user + 1 for user in range(users)))


def embedder(near: dict[str, float]) -> Embed:
    """Partners have this cosine by domain; a user's items have another direction than all others."""

    def embed(texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), 200), np.float32)
        for row, text in zip(rows, texts, strict=True):
            name, kind, number = text.split()
            cosine, own = near[name], 2 * int(number)
            if kind == "other":
                row[100 + int(number)] = np.sqrt(0.75)
                row[:100:2] = 0.5 / np.sqrt(50)
            else:
                row[own] = 1.0 if kind == "past" else cosine
                row[own + 1] = 0.0 if kind == "past" else np.sqrt(1 - cosine**2)
        return rows

    return embed


BEFORE = embedder({HOME: 0.0, AWAY: 0.5})


def tuned(forgets: float, learns: float = 1.0):
    """At home partners come nearer with the share, away they part, the more the embedder `forgets`."""
    return lambda share: embedder({HOME: learns * share * 0.9, AWAY: max(0.5 * (1 - forgets * share), 0)})


def test_a_tuning_that_forgets_nothing_is_taken_whole() -> None:
    (trial,) = try_mixtures([domain(HOME), domain(AWAY)], [HOME], BEFORE, tuned(forgets=0.0), seed=0)
    assert trial.share == 1.0 and trial.passes([HOME])
    home, away = trial.changes[HOME], trial.changes[AWAY]
    assert home.gains and home.before < home.after == 1.0 and home.users == USERS
    assert not away.gains and not away.loses and away.before == away.after == 1.0


def test_one_that_forgets_is_mixed_back_until_nothing_is_lost() -> None:
    trials = try_mixtures([domain(HOME), domain(AWAY)], [HOME], BEFORE, tuned(forgets=1.2), seed=0)
    assert [trial.share for trial in trials] == [1.0, 0.75, 0.5]
    assert [trial.passes([HOME]) for trial in trials] == [False, False, True]
    assert trials[0].changes[AWAY].loses and trials[0].changes[HOME].gains


def test_one_that_always_forgets_is_refused() -> None:
    trials = try_mixtures([domain(HOME), domain(AWAY)], [HOME], BEFORE, tuned(forgets=8.0), seed=0)
    assert [trial.share for trial in trials] == [1.0, 0.75, 0.5, 0.25]
    assert not any(trial.passes([HOME]) for trial in trials)
    assert all(trial.changes[AWAY].loses for trial in trials)


def test_one_that_gains_nothing_where_it_was_tuned_is_refused() -> None:
    trials = try_mixtures([domain(HOME), domain(AWAY)], [HOME], BEFORE, tuned(0.0, learns=0.0), seed=0)
    assert len(trials) == 4 and not any(trial.passes([HOME]) for trial in trials)


def test_a_domain_with_too_few_users_tells_nothing() -> None:
    trials = try_mixtures([domain(HOME), domain(AWAY, 9)], [HOME], BEFORE, tuned(8.0), seed=0)
    assert len(trials) == 1 and list(trials[0].changes) == [HOME]


def test_the_items_of_the_users_are_ranked_among_others_that_are_drawn() -> None:
    items = [Item("d", f"i{n}", f"title {n}") for n in range(30)]
    users = [HeldOutUser(tuple(f"i{n}" for n in range(12)), "i12"), HeldOutUser(("i3",), "i20")]
    found = GuardedDomain.of(DomainData("d", items), users, seed=0)
    texts = [found.texts[at] for at in found.histories[0]]
    assert texts == [f"title {n}" for n in range(2, 12)]  # the last ten
    assert [found.texts[at] for at in found.targets] == ["title 12", "title 20"]
    assert len(found.texts) == len(set(found.texts)) == 30
