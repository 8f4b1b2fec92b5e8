"""The rankers `allmrec`, `allmrec_list` and `llmsrec` on a world of blocks, with the tiny language model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rectune.core.errors import UserError
from rectune.models.training.loss_spike_guard import LossSpikeGuard
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.likelihoods import answer_logs
from rectune.rankers.allmrec.list_ranker import AllmRecList, ListLoss
from rectune.rankers.allmrec.llmsrec import LlmSRec, SRecModule, uniformity
from rectune.rankers.allmrec.ranker import AllmRec
from rectune.rankers.allmrec.soft_ranker import SoftRanker
from rectune.rankers.allmrec.train_cases import TrainCase
from rectune.rankers.allmrec.wishes import TrainWishes
from rectune.rankers.domain_data import DomainData, TrainLikes
from tests.rankers.allmrec.joint_world import BLOCKS, names, recommender, world
from tests.rankers.allmrec.soft_world import copying_checkpoint, sharp_checkpoint

LENGTH = 4
TITLES, WISHES = ("Ships at sea", "Warm fresh bread"), ("ships", "bread")  # by block


def titled(data: DomainData) -> DomainData:
    """The same with titles and categories that tell the blocks."""
    items = [
        replace(item, title=f"{TITLES[int(name[1])]} {name[3:]}", categories=(WISHES[int(name[1])],))
        for name, item in data.items.items()
    ]
    return DomainData("d", items, lambda: data.likes, data.embedder)


@pytest.fixture(scope="module")
def data() -> DomainData:
    return world()


@pytest.fixture(scope="module")
def items(data: DomainData) -> AllmrecItems:
    return AllmrecItems(learning_rate=3e-3).fit_beside(recommender(data), data)


def new(kind: type[SoftRanker], **given) -> SoftRanker:
    defaults = {"model": str(sharp_checkpoint()), "compute_dtype": "float32", "learning_rate": 1e-2}
    return kind(**(defaults | {"cases": 60, "epochs": 5} | given))


@pytest.fixture(scope="module")
def allmrec(data: DomainData, items: AllmrecItems) -> AllmRec:
    return new(AllmRec, shown=6, wish_share=0.0).fit_beside(items, titled(data))


@pytest.fixture(scope="module")
def llmsrec(data: DomainData, items: AllmrecItems) -> LlmSRec:
    return new(LlmSRec, batch_size=8).fit_beside(items, titled(data))


@pytest.fixture(scope="module")
def allmrec_list(data: DomainData, items: AllmrecItems) -> AllmRecList:
    return new(AllmRecList, shown=6, wish_share=0.0).fit_beside(items, titled(data))


@pytest.fixture(params=["allmrec", "allmrec_list", "llmsrec"])
def ranker(request: pytest.FixtureRequest) -> SoftRanker:
    return request.getfixturevalue(request.param)


def asked() -> tuple[list[list[str]], list[list[str]]]:
    """Histories of each block, and three candidates of either block, which are in no history."""
    histories = [names("w", block)[1 + n : 1 + n + LENGTH] for block in range(BLOCKS) for n in range(3)]
    return histories, [[*names("w", 0)[7:], *names("w", 1)[7:]]] * len(histories)


def test_what_is_of_the_block_of_the_history_comes_first(ranker: SoftRanker):
    scores = ranker.score(*asked())
    right = [row.argmax() // 3 == number // 3 for number, row in enumerate(scores)]
    assert all(right)
    assert ranker.record.held_out[ranker.record.best] < ranker.record.held_out[0]


def test_scores_do_not_depend_on_the_order_of_the_candidates_or_on_other_cases(ranker: SoftRanker):
    histories, candidates = asked()
    scores = ranker.score(histories, candidates)
    order = [4, 0, 3, 5, 1, 2]
    (alone,) = ranker.score(histories[1:2], [[candidates[1][at] for at in order]])
    np.testing.assert_allclose(alone, scores[1][order], atol=1e-4)


def test_a_ranker_comes_back_from_disk(ranker: SoftRanker, tmp_path: Path):
    ranker.save(tmp_path)
    again = type(ranker).load(tmp_path)
    np.testing.assert_allclose(again.score(*asked()), ranker.score(*asked()), atol=1e-5)


def test_another_language_model_in_its_place_is_refused(allmrec: AllmRec, tmp_path: Path):
    model = tmp_path / "model"
    model.mkdir()
    for file in sharp_checkpoint().iterdir():
        (model / file.name).write_bytes(file.read_bytes())
    allmrec.save(tmp_path / "ranker")
    about = tmp_path / "ranker" / "ranker.json"
    about.write_text(about.read_text().replace(str(sharp_checkpoint()), str(model)))
    assert AllmRec.load(tmp_path / "ranker").score(*asked())
    (model / "config.json").write_text((model / "config.json").read_text() + " ")
    with pytest.raises(UserError, match="has changed"):
        AllmRec.load(tmp_path / "ranker").score(*asked())


def test_empty_histories_and_empty_lists_of_candidates(ranker: SoftRanker):
    none, some = ranker.score([[], []], [[], names("w", 0)])
    assert len(none) == 0 and len(some) == 10 and np.isfinite(some).all()


def test_the_catalogues_best_are_the_first_ones_of_stage_1_in_the_order_of_the_model(allmrec: AllmRec):
    history = names("w", 0)[:LENGTH]
    (found,) = allmrec.top([history], 6)
    (first,) = allmrec.items.top([history], 6)
    assert {one.item_id for one in found} == {one.item_id for one in first}
    ids = [one.item_id for one in found]
    (scores,) = allmrec.score([history], [ids])
    assert scores.tolist() == sorted(scores, reverse=True)
    assert [one.score for one in found] == pytest.approx(scores)
    (longer,) = allmrec.top([history], 8)
    assert [one.item_id for one in longer[:6]] == ids
    behind = [one.item_id for one in allmrec.items.top([history], 8)[0][6:]]
    assert [one.item_id for one in longer[6:]] == behind


def test_a_candidate_without_a_title_is_refused_and_an_unknown_item_scores_nothing(
    allmrec: AllmRec, llmsrec: LlmSRec
):
    with pytest.raises(UserError, match="unknown-1"):
        allmrec.score([[]], [["w0-0", "unknown-1"]])
    (scores,) = llmsrec.score([["unknown-2"]], [["w0-0", "unknown-1"]])
    assert scores[1] == 0.0 != scores[0]


def test_each_item_is_read_once_and_its_vector_is_saved(llmsrec: LlmSRec, tmp_path: Path):
    vectors = llmsrec.item_vectors()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    llmsrec.save(tmp_path)
    again = LlmSRec.load(tmp_path)
    np.testing.assert_array_equal(again.item_vectors(), vectors)
    assert "language_model" not in vars(again)  # nothing had to be read


def test_the_users_vector_comes_near_to_that_of_the_recommenders_state(
    llmsrec: LlmSRec, data: DomainData, items: AllmrecItems
):
    alone = new(LlmSRec, batch_size=8, distillation=0.0).fit_beside(items, titled(data))

    def distance(ranker: LlmSRec) -> float:
        histories = asked()[0]
        module = ranker.module
        assert isinstance(module, SRecModule)
        taught = module.recommender(ranker.inputs.states(histories)).numpy()
        taught /= np.linalg.norm(taught, axis=1, keepdims=True)
        return float(np.square(ranker.user_vectors(histories) - taught).sum(1).mean())

    assert distance(llmsrec) < 0.5 * distance(alone)


def test_vectors_that_are_spread_are_more_uniform():
    import torch

    spread, near = torch.eye(4), torch.nn.functional.normalize(torch.eye(4) + 3.0, dim=-1)
    assert float(uniformity(spread)) == pytest.approx(-4.0)  # all pairs are 2 apart, squared
    assert uniformity(spread) < uniformity(near) < 0


def test_where_nobody_liked_two_items_stage_1_ranks_alone(data: DomainData, tmp_path: Path):
    once = TrainLikes(data.likes.item_ids, np.arange(3), np.array([2, 2, 1]), np.arange(3))
    found = new(AllmRec).fit(data.with_likes(once))
    candidates: list[Sequence[str]] = [data.likes.item_ids[:3]]
    assert found.score([[]], candidates)[0].argmax() == 2
    found.save(tmp_path)
    assert AllmRec.load(tmp_path).score([[]], candidates)[0].argmax() == 2


def test_another_catalogue_is_ranked_by_titles_and_texts(allmrec: AllmRec, data: DomainData):
    others = [data.items["c0-0"], data.items["c1-1"], data.items["w0-1"]]
    found = allmrec.of_items(data.with_items(others))
    assert found is not None and found.item_ids == ("c0-0", "c1-1", "w0-1")
    assert np.isfinite(found.score([["w0-1"]], [["c0-0", "c1-1"]])[0]).all()
    assert found.parameters == allmrec.parameters and len(allmrec.item_ids) > 3


def list_loss(ranker: AllmRecList, wishes: dict[str, Sequence[str]] | None = None) -> ListLoss:
    return ListLoss(ranker.writer, ranker.inputs, TrainWishes({}, wishes or {}, 1.0, 0))


def test_one_reading_of_a_list_costs_what_a_reading_for_each_of_its_titles_costs(allmrec_list: AllmRecList):
    case = TrainCase(tuple(names("w", 0)[:LENGTH]), names("w", 0)[LENGTH], 0)
    loss, count = list_loss(allmrec_list).own_loss([case], "")
    row, total, tokens = (*case.history, case.target), 0.0, 0
    for at in range(1, len(row)):
        (logs,) = allmrec_list.title_logs(row[:at], [row[at]])
        total, tokens = total - sum(logs), tokens + len(logs)
    assert count == tokens and float(loss) == pytest.approx(total, rel=1e-4)


def test_a_list_that_asks_for_something_counts_what_has_it(allmrec_list: AllmRecList):
    row, model = names("w", 0)[:LENGTH], allmrec_list.language_model
    wishes = dict.fromkeys(row[1::2], ("ships at night",))
    loss, count = list_loss(allmrec_list, wishes).own_loss([TrainCase(tuple(row[:-1]), row[-1], 0)], "")
    total = 0.0
    for at in (1, 3):
        (prompt,) = allmrec_list.inputs([allmrec_list.writer.listing(row[:at], "ships at night")])
        total -= sum(answer_logs(model, prompt, [allmrec_list.writer.answer(row[at])])[0])
    assert count == 2 * len(allmrec_list.writer.answer(row[1]))
    assert float(loss) == pytest.approx(total, rel=1e-4)


def test_of_two_wishes_each_finds_its_own_item_for_the_same_history(items: AllmrecItems, data: DomainData):
    copying = str(copying_checkpoint())  # likes to say what it has read
    ranker = new(AllmRec, model=copying, cases=8, epochs=1).fit_beside(items, titled(data))
    candidates = [[names("w", 0)[n], names("w", 1)[n]] for n in range(3)]
    history = [names("w", 0)[8], names("w", 1)[8]]
    for block, wish in enumerate(("at sea at sea at sea at sea", "fresh bread fresh bread fresh bread")):
        scores = ranker.score_wishes([history] * 3, candidates, [wish] * 3)
        assert [int(row.argmax()) for row in scores] == [block] * 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"locale": "fr"}, "locale is 'fr'"),
        ({"compute_dtype": "float31"}, "compute_dtype is 'float31'"),
        ({"by": "txt"}, "by is 'txt'"),
        ({"model": "absent"}, "no such model"),
        ({"adapter": "absent"}, "holds no adapter"),
        ({"recommender": "ease"}, "ease is no ranker of sequences"),
        ({"recommender": "ncf"}, "ncf does not score by a product"),
        ({"recommender": "bert4rec"}, "bert4rec has a state only after the last item"),
    ],
)
def test_what_it_cannot_stand_on_is_refused_before_anything_is_fitted(given: dict[str, str], said: str):
    class Unfitted(DomainData):
        @property
        def likes(self) -> TrainLikes:
            raise AssertionError("likes were read")

    with pytest.raises(UserError, match=said) as refused:
        new(AllmRec, **given).fit(Unfitted("d", world().items.values()))
    assert refused.value.hint


@pytest.mark.parametrize(
    ("kind", "changed"), [(LlmSRec, {"distillation": 0.0}), (AllmRec, {"wish_share": 0.9}), (AllmRec, None)]
)
def test_no_training_goes_on_from_a_checkpoint_of_other_settings_or_of_another_stage_1(
    kind: type[SoftRanker], changed: dict[str, float] | None, data: DomainData, items: AllmrecItems,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    class Killed(LossSpikeGuard):
        def check(self, mean: float, step: int, examples: Sequence[str]) -> None:
            if step == 3:
                raise KeyboardInterrupt

    few = {"cases": 16, "epochs": 1, "batch_size": 2}
    first = new(kind, **few)
    first.checkpoint, first.save_seconds = tmp_path / "state.pt", 0.0
    first.guard = Killed(2.0, (), tmp_path / "note.json", "allmrec")
    with pytest.raises(KeyboardInterrupt):
        first.fit_beside(items, titled(data))
    beside = items if changed else AllmrecItems(seed=5).fit_beside(recommender(data), data)
    other = new(kind, **few, **(changed or {}))
    other.checkpoint = first.checkpoint
    capsys.readouterr()
    other.fit_beside(beside, titled(data))
    assert "its checkpoint is of another training" in capsys.readouterr().err
