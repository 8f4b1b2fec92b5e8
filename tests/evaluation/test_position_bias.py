"""Position bias of a model that always takes the first, and of one that knows."""

from rectune.core.settings import EvaluateConfig
from rectune.core.stats.intervals import wilson
from rectune.evaluation.position_bias import position_bias
from rectune.evaluation.protocol import ranked
from rectune.evaluation.ranking_tasks import order_tasks
from rectune.rankers.eval_cases import EvalCase
from tests.rankers.world import case, prompt

TESTS = [EvalCase(c, prompt(c)) for c in (case("movies", f"u{n}", "test", n % 2) for n in range(30))]


def test_who_takes_the_first_is_seen_and_who_knows_is_not():
    import numpy as np

    tasks = order_tasks(TESTS, 3, 0)
    rankings = []
    for task in tasks:
        size = len(task.candidates)
        knows = np.array([float(item == task.test.case.target) for item in task.candidates])
        rankings += [ranked(task, "lazy/listed", -np.arange(size)), ranked(task, "wise/listed", knows)]
        rankings += [ranked(task, "mute/listed", np.zeros(size)), ranked(task, "likelihood", knows)]
    found = position_bias(tasks, rankings, EvaluateConfig())
    assert set(found) == {"lazy/listed", "wise/listed", "mute/listed"}  # the likelihood saw no order
    assert found["lazy/listed"].picked["first third"].share == 1.0
    assert found["lazy/listed"].hit_at_1["last third"].share == 0.0
    assert all(entry.share == 1.0 for entry in found["wise/listed"].hit_at_1.values())
    assert found["mute/listed"].unread == 1.0 and found["mute/listed"].n == 90
    shares = [entry.share for entry in found["wise/listed"].picked.values()]
    assert abs(sum(shares) - 1) < 1e-9 and min(shares) > 0.1


def test_lists_of_one_user_count_as_one_and_not_as_several():
    import numpy as np

    # Ten users: whatever the order, six get the first candidate that they are shown, four the last.
    tests, draws = TESTS[:10], 12
    several = order_tasks(tests, draws, 0)
    ways = {test.case.id: -1.0 if at < 6 else 1.0 for at, test in enumerate(tests)}
    rankings = [
        ranked(task, "lazy/listed", ways[task.test.case.id] * np.arange(len(task.candidates)))
        for task in several
    ]
    many = position_bias(several, rankings, EvaluateConfig())["lazy/listed"].picked["first third"]
    once = position_bias(several[:10], rankings, EvaluateConfig())["lazy/listed"].picked["first third"]
    assert (many.share, many.n, once.share, once.n) == (0.6, 10 * draws, 0.6, 10)
    assert (once.low, once.high) == wilson(6, 10)
    assert many.high - many.low > 0.5  # as ten users tell, 0.52; 120 lists would tell 0.17
    nobody = position_bias(several, rankings, EvaluateConfig())["lazy/listed"].picked["middle third"]
    assert (nobody.low, nobody.high) == wilson(0, 10)
