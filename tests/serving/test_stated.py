"""What users say of themselves, over HTTP: ranked by where the server was started so and they agreed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rectune.recommender.recommender import Recommender
from rectune.serving.profile_attributes import stated_by
from tests.recommender.shelf import RETRIEVAL
from tests.recommender.stating_world import ITEMS, OF_MEN, OF_WOMEN, SHARED, interactions, users
from tests.serving.world import World, shown, world

ANN = {"id": "ann", "sex": "female", "age_band": "19-24", "consented": 1}
BOB = {"id": "bob", "sex": "male", "age_band": "25-34", "consented": 1}


@pytest.fixture(scope="module")
def recommender(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    folder = tmp_path_factory.mktemp("stating")
    return Recommender.fit(
        interactions(), ITEMS, users=users(), ranker="lightfm_attributes", folder=folder, retrieval=RETRIEVAL
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    """Its ranker learnt nothing from what users state."""
    folder = tmp_path_factory.mktemp("plain")
    return Recommender.fit(interactions(), ITEMS, ranker="item_knn", folder=folder, retrieval=RETRIEVAL)


@pytest.fixture
def server(recommender: Recommender, tmp_path: Path) -> Iterator[World]:
    with world(recommender, tmp_path, use_profile=True) as found:
        yield found


@pytest.fixture
def silent(recommender: Recommender, tmp_path: Path) -> Iterator[World]:
    with world(recommender, tmp_path) as found:
        yield found


def meet(server: World, **profile: object) -> str:
    """A user who likes what everybody likes."""
    made = server.client.post("/api/v1/users", json=profile)
    assert made.status_code == 201, made.text
    user = str(made.json()["id"])
    liked = {"user": user, "item": SHARED, "type": "like"}
    assert server.client.post("/api/v1/feedback", json=liked).status_code == 200
    return user


def test_two_users_with_the_same_history_get_what_others_like_who_state_the_same(server: World):
    for profile, own in ((ANN, OF_WOMEN), (BOB, OF_MEN)):
        answer = server.ask(user=meet(server, **profile), n=5)
        assert set(shown(answer)) <= set(own) and answer["strategy"] == "history"
        assert answer["notes"] == []


def test_of_who_likes_nothing_what_they_state_is_gone_by_and_it_counts_at_once(server: World):
    server.client.post("/api/v1/users", json=ANN)
    first = server.ask(user="ann", n=5)
    assert first["strategy"] == "attributes" and set(shown(first)) <= {SHARED, *OF_WOMEN}
    server.client.patch("/api/v1/users/ann", json={"sex": "male"})
    assert set(shown(server.ask(user="ann", n=5))) <= {SHARED, *OF_MEN}
    server.client.patch("/api/v1/users/ann", json={"sex": None, "age_band": None})
    assert server.ask(user="ann", n=5)["strategy"] == "popular"


def test_who_has_not_agreed_is_ranked_as_who_says_nothing(server: World):
    profile = {name: value for name, value in ANN.items() if name != "consented"}
    plain = server.ask(history=[SHARED], n=5)
    assert shown(server.ask(user=meet(server, **profile), n=5)) == shown(plain)


def test_without_the_switch_age_and_sex_take_no_part(silent: World):
    answers = [silent.ask(user=meet(silent, **one), n=5) for one in (ANN, BOB)]
    assert shown(answers[0]) == shown(answers[1])
    refused = silent.client.post("/api/v1/recommend", json={"attributes": {"gender": "male"}})
    assert refused.status_code in (400, 422)
    assert "--use-profile" in refused.json()["error"]["message"]


def test_the_page_promises_that_it_counts_only_where_it_does(
    server: World, silent: World, plain: Recommender, tmp_path: Path
):
    counts, nothing = "This counts in what is recommended", "None of this changes what is recommended"
    with world(plain, tmp_path / "plain", use_profile=True) as learnt_nothing:
        for found, says, never in (
            (server, counts, nothing), (silent, nothing, counts), (learnt_nothing, nothing, counts)
        ):  # fmt: skip
            page = found.client.get("/welcome").text
            assert says in page and never not in page


def test_a_request_states_for_itself_and_what_is_not_known_is_told(server: World):
    stated = {"gender": "male", "town": "Ulm"}
    answer = server.ask(history=[SHARED], attributes=stated, n=5)
    assert set(shown(answer)) <= set(OF_MEN)
    assert answer["notes"] == ["stated, not known to what ranks, and left out: town: Ulm"]
    ann = meet(server, **ANN, occupation="astronaut")
    assert server.ask(user=ann)["notes"] == [
        "stated, not known to what ranks, and left out: occupation: astronaut"
    ]
    answer = server.ask(user=ann, attributes=stated, n=5)
    assert set(shown(answer)) <= set(OF_MEN)
    again = server.client.post(f"/api/v1/recommend/{answer['id']}/again", json={"user": ann, "n": 2})
    assert set(again.json()["items"][0]["item_id"]) and again.json()["items"][0]["item_id"] in OF_MEN
    only_strange = server.ask(attributes={"town": "Ulm"})
    assert only_strange["strategy"] == "popular" and len(only_strange["notes"]) == 1


@pytest.mark.parametrize("stated", [{"gender": ["male"]}, {"": "x"}, {"gender": "\x00"}, "male"])
def test_what_cannot_be_an_attribute_is_refused(server: World, stated: object):
    answer = server.client.post("/api/v1/recommend", json={"history": [SHARED], "attributes": stated})
    assert answer.status_code in (400, 422), answer.text


def test_a_profile_is_spelt_as_the_training_data_is():
    known = ["gender: Female", "age: 20-29", "age: 40-49", "occupation: K-12 student"]
    profile = {"sex": "female", "age_band": "35-49", "occupation": "k-12 Student"}
    stated = {"gender": "Female", "age": "40-49", "occupation": "K-12 student"}
    assert stated_by(profile, known) == stated
    assert stated_by({"age_band": "24"}, known) == {"age": "20-29"}
    assert stated_by({"age_band": "25-34"}, [*known, "age: 25-34"]) == {"age": "25-34"}
    assert stated_by({"age_band": "65+", "sex": "other"}, known) == {"age": "65+", "gender": "other"}
    assert stated_by({"sex": "male"}, ["sex: male"]) == {"sex": "male"}
