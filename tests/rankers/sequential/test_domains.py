"""The same ids in two domains: what a ranker learned of one's items says nothing of the other's."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rectune.core.errors import UserError
from rectune.rankers.base import ranker_class
from rectune.rankers.domain_data import DomainData
from rectune.rankers.fit_cache import FitCache, FittedData
from tests.rankers.sequential.sequence_world import fitted, kind_items, kinds

HISTORY, SAME_TEXTS = ["k10", "k21"], ["f10", "f21"]


def test_an_item_of_another_domain_is_known_by_its_text_whatever_its_id_is(tmp_path: Path):
    data = kinds()
    before = fitted("sasrec_text", data, epochs=2)
    before.save(tmp_path)
    renamed = [replace(one, item_id=f"k{one.item_id[1:]}") for one in kind_items("f")]
    for ranker in (before, type(before).load(tmp_path)):
        foreign = ranker.of_items(DomainData("another", renamed, None, data.embedder))
        unheard = ranker.of_items(DomainData("another", kind_items("f"), None, data.embedder))
        at_home = ranker.of_items(DomainData(data.domain, renamed, None, data.embedder))
        scores = foreign.score_all([HISTORY])
        np.testing.assert_array_equal(scores, unheard.score_all([SAME_TEXTS]))
        assert not np.allclose(scores, at_home.score_all([HISTORY]))
        assert not foreign.counts.any() and at_home.counts.any()
        assert not foreign.of_items(data).counts.any()  # the items that it has now are the other domain's


def test_what_was_saved_without_its_domain_is_refused(tmp_path: Path):
    fitted("sasrec_text", kinds(), epochs=1).save(tmp_path)
    about = json.loads((tmp_path / "ranker.json").read_text())
    del about["parameters"]["domain"]
    (tmp_path / "ranker.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match="saved without its domain"):
        ranker_class("sasrec_text").load(tmp_path)


def test_of_two_domains_with_equal_items_and_likes_each_has_its_own_ranker(tmp_path: Path):
    data, cache = kinds(), FitCache(tmp_path)
    other = DomainData("another", list(data.items.values()), lambda: data.likes, data.embedder)
    for number, one in enumerate((data, other)):
        found = cache.ranker("sasrec", {"epochs": 1, "dim": 4}, FittedData(one))
        assert (found.domain, cache.made, cache.reused) == (one.domain, number + 1, 0)
