"""The baselines of A-LLMRec's paper on the world of blocks: MLP-LLM, TALLRec, and items by their texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rectune.core.errors import UserError
from rectune.rankers.allmrec.items_ranker import AllmrecItems
from rectune.rankers.allmrec.likelihoods import next_logs
from rectune.rankers.allmrec.mlp_llm import MlpLlm
from rectune.rankers.allmrec.ranker import AllmRec
from rectune.rankers.allmrec.spaces import RecommenderSpace
from rectune.rankers.allmrec.tallrec import TallRec
from rectune.rankers.allmrec.yes_no import yes_and_no, yes_less_no
from rectune.rankers.domain_data import DomainData, TrainLikes
from tests.rankers.allmrec.joint_world import names, recommender, world
from tests.rankers.allmrec.soft_world import ITEMS, sharp_checkpoint, soft_parts, tiny_model

HISTORIES = [names("w", block)[1:5] for block in (0, 1)]
CANDIDATES = [[*names("w", 0)[7:], *names("w", 1)[7:]]] * 2
TITLES = ("Ships at sea", "Warm fresh bread")  # by block


@pytest.fixture(scope="module")
def data() -> DomainData:
    plain = world()
    items = [replace(item, title=f"{TITLES[int(name[1])]} {name[3:]}") for name, item in plain.items.items()]
    return DomainData("d", items, lambda: plain.likes, plain.embedder)


@pytest.fixture(scope="module")
def items() -> AllmrecItems:
    plain = world()
    return AllmrecItems(learning_rate=3e-3).fit_beside(recommender(plain), plain)


def given(**other) -> dict:
    how = {"model": str(sharp_checkpoint()), "compute_dtype": "float32", "learning_rate": 1e-2}
    return how | {"cases": 60, "epochs": 5} | other


@pytest.fixture(scope="module")
def mlp_llm(data: DomainData, items: AllmrecItems) -> MlpLlm:
    return MlpLlm(**given(shown=6, wish_share=0.0)).fit_beside(items, data)


@pytest.fixture(scope="module")
def tallrec(data: DomainData) -> TallRec:
    return TallRec(**given(layers="all-linear", epochs=10)).fit(data)


def right(scores) -> list[bool]:
    return [int(row.argmax()) // 3 == block for block, row in enumerate(scores)]


def test_mlp_llm_reads_the_recommenders_own_vectors(mlp_llm: MlpLlm, items: AllmrecItems):
    assert items.joint is not None
    table = mlp_llm.inputs.table.numpy()
    own = items.joint.recommender
    vectors = own.fitted_network.item_vectors().detach().numpy()
    np.testing.assert_allclose(table[own.covered], vectors, atol=1e-6)
    cold = [own.place[name] for name in names("c", 0)]
    np.testing.assert_allclose(table[cold], np.tile(vectors.mean(0), (len(cold), 1)), atol=1e-6)
    assert right(mlp_llm.score(HISTORIES, CANDIDATES)) == [True, True]


def test_mlp_llm_knows_no_new_items(mlp_llm: MlpLlm, data: DomainData):
    assert mlp_llm.of_items(data.with_items([data.items["c0-0"]])) is None


def test_mlp_llm_comes_back_from_disk(mlp_llm: MlpLlm, tmp_path: Path):
    mlp_llm.save(tmp_path)
    again = MlpLlm.load(tmp_path)
    np.testing.assert_allclose(again.score(HISTORIES, CANDIDATES), mlp_llm.score(HISTORIES, CANDIDATES), 1e-4)


def test_the_same_ranker_reads_items_by_their_texts(data: DomainData, items: AllmrecItems, tmp_path: Path):
    ranker = AllmRec(**given(shown=6, cases=8, epochs=1)).fit_beside(items, data)
    by_text = ranker.reading("text")
    place, joint = ranker.place, items.joint
    assert joint is not None
    odd, cold = place["w0-0"], place["c0-0"]  # the first is liked with one block and reads like the other
    np.testing.assert_allclose(by_text.inputs.table, joint.vectors(ranker.item_ids, "text"), atol=1e-6)
    assert not torch.allclose(by_text.inputs.table[odd], ranker.inputs.table[odd])
    assert torch.equal(by_text.inputs.table[cold], ranker.inputs.table[cold])
    by_text.save(tmp_path)
    assert torch.equal(AllmRec.load(tmp_path).inputs.table, by_text.inputs.table)


def test_without_vectors_the_language_model_is_alone(data: DomainData, items: AllmrecItems):
    ranker = AllmRec(**given(shown=6, cases=8, epochs=1)).fit_beside(items, data)
    prompt = ranker.writer.choose(HISTORIES[0], CANDIDATES[0])
    assert min(prompt.ids) < 0 and min(prompt.without_vectors().ids) >= 0
    asked = (HISTORIES[0], CANDIDATES[0])
    alone = ranker.title_logs(*asked, vectors=False)
    assert alone == ranker.reading("text").title_logs(*asked, vectors=False)
    assert alone != ranker.title_logs(*asked)


def test_tallrec_says_yes_to_what_is_of_the_block_of_the_history(tallrec: TallRec):
    assert right(tallrec.score(HISTORIES, CANDIDATES)) == [True, True]
    assert tallrec.record.held_out[tallrec.record.best] < tallrec.record.held_out[0]


def test_tallrec_tunes_a_copy_of_the_model_and_only_its_adapter(tallrec: TallRec, data: DomainData):
    other = TallRec(**given(cases=4, epochs=1)).fit(data)
    assert other.record.digest and other.language_model.model is not tallrec.language_model.model
    tuned = {name for name, value in tallrec._weights.items() if name.endswith("lora_B/default/weight")}
    assert tuned and all(tallrec._weights[name].any() for name in tuned)
    plain = tiny_model()
    assert not any("lora_" in name for name, _ in plain.model.named_parameters())


def test_tallrec_tunes_a_model_in_four_bits(data: DomainData):
    found = TallRec(**given(cases=4, epochs=1, load_in_4bit=True)).fit(data)
    assert found.record.changed > 0
    assert np.isfinite(found.score(HISTORIES, CANDIDATES)).all()


def test_tallrec_scores_alike_alone_and_together_and_back_from_disk(tallrec: TallRec, tmp_path: Path):
    scores = tallrec.score(HISTORIES, CANDIDATES)
    (alone,) = tallrec.score(HISTORIES[1:], [CANDIDATES[1][:1]])
    np.testing.assert_allclose(alone, scores[1][:1], atol=1e-3)
    tallrec.save(tmp_path)
    np.testing.assert_allclose(TallRec.load(tmp_path).score(HISTORIES, CANDIDATES), scores, atol=1e-4)


def test_tallrec_ranks_a_foreign_catalogue_by_its_titles_and_refuses_what_has_none(
    tallrec: TallRec, data: DomainData
):
    foreign = [replace(data.items["c1-0"], item_id="x"), replace(data.items["c0-0"], item_id="y")]
    other = tallrec.of_items(data.with_items(foreign))
    assert other.item_ids == ("x", "y")
    (scores,) = other.score([["x"]], [["x", "y"]])
    assert np.isfinite(scores).all()
    with pytest.raises(UserError, match="w0-0"):
        other.score([[]], [["w0-0"]])


def test_tallrec_without_anything_to_learn_ranks_all_the_same(data: DomainData):
    nothing = data.with_likes(TrainLikes(data.likes.item_ids, np.zeros(0, np.int64), np.zeros(0, np.int64)))
    found = TallRec(**given()).fit(nothing)
    assert (
        np.isfinite(found.score([[]], [["w0-0", "w0-1"]])[0]).all() and found.score([[]], [[]])[0].size == 0
    )


@torch.no_grad()
def test_yes_and_no_behind_a_shared_prefix_are_those_of_a_whole_pass():
    model = tiny_model()
    writer, _ = soft_parts()
    answers = yes_and_no(model, "en")
    prompts = [writer.like(ITEMS[:3], item) for item in (*ITEMS[3:6], ITEMS[3])]
    by_hand = []
    for ids in prompts:
        logits = model.model(inputs_embeds=model.embed(torch.tensor(ids))[None], use_cache=False).logits[
            0, -1
        ]
        by_hand.append(float(logits[answers[0]] - logits[answers[1]]))
    assert yes_less_no(model, prompts, answers) == pytest.approx(by_hand, abs=1e-4)
    assert yes_less_no(model, prompts[:1], answers) == pytest.approx(by_hand[:1], abs=1e-4)
    piece = prompts[0][-4:]
    (logs,) = next_logs(model, model.embed(torch.tensor(prompts[0][:-4])), [piece], answers)
    assert float(logs[0] - logs[1]) == pytest.approx(by_hand[0], abs=1e-4)


@pytest.mark.parametrize("locale", ["en", "ko"])
def test_what_is_asked_is_text_alone_and_ends_alike(locale):
    writer, _ = soft_parts()
    writer.locale = locale
    first, second = (writer.like(ITEMS[:2], item) for item in ITEMS[2:4])
    assert min(first) >= 0 and first != second and first[-3:] == second[-3:]
    yes, no = yes_and_no(tiny_model(), locale)
    assert yes != no
    assert writer.like([], ITEMS[2])


def test_an_item_that_the_recommender_does_not_know_has_the_mean_vector(items: AllmrecItems):
    assert items.joint is not None
    space = RecommenderSpace(items.joint)
    known, cold = space.vectors(["w0-1"]), space.vectors(names("c", 0))
    assert not np.allclose(known[0], cold[0]) and np.allclose(cold[0], cold[-1])
    states = space.user_states([["w0-1"]])
    np.testing.assert_array_equal(states, items.joint.user_states([["w0-1"]]))
