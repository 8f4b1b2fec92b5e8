"""Facts are added, superseded, forgotten and ended; what a prompt has of them stays within its budget."""

from hypothesis import given
from hypothesis import strategies as st

from rectune.dialogue.chat_turn import ChatTurn
from rectune.dialogue.knowledge import Claim, Persona
from rectune.dialogue.memory import forget, remember, without_session
from rectune.dialogue.recall import CLAIMS, FACTS, TURNS, nearest_facts, prompt_parts
from tests.dialogue.films import fact
from tests.retrieval import letters  # noqa: F401

HORROR = fact("avoid", "Horror", "I hate horror", 1)


def test_a_like_ends_what_was_avoided_and_the_other_way_round():
    liked = fact("like", "horror", "I like horror after all", 2)
    change = remember([HORROR], [liked])
    assert change.facts == (liked,) and change.removed == (HORROR,)
    again = fact("avoid", "Horror", "no, I hate it", 3)
    assert remember(change.facts, [again]).removed == (liked,)


def test_what_is_only_said_for_now_does_not_end_a_taste():
    liked = fact("like", "Horror", "I like horror", 1)
    assert remember([liked], [fact("not_now", "Horror", "no horror tonight", 2)]).removed == ()
    assert remember([HORROR], [fact("want", "Horror", "horror please", 2)]).removed == ()


def test_a_new_wish_takes_the_place_of_the_old_one_but_not_within_one_message():
    old = [fact("want", "Comedy", message_id=1), fact("time", "90 min", message_id=1)]
    new = [fact("want", "Western", message_id=2), fact("want", "Drama", message_id=2)]
    change = remember(old, new)
    assert [one.value for one in change.facts] == ["90 min", "Western", "Drama"]
    assert change.removed == (old[0],)


def test_what_is_said_twice_is_kept_once_with_the_later_words():
    change = remember([HORROR], [fact("avoid", "Horror", "really no horror", 5)])
    assert [one.quote for one in change.facts] == ["really no horror"] and change.removed == (HORROR,)


def test_of_two_that_contradict_each_other_in_one_message_the_later_stands():
    assert [one.kind for one in remember([], [HORROR, fact("like", "Horror")]).facts] == ["like"]


def test_facts_of_items_are_told_apart_by_their_ids():
    first, second = fact("like", "King", item_id="1"), fact("avoid", "King", item_id="2")
    assert remember([first], [second]).removed == ()


def test_forgetting_returns_what_is_to_be_deleted_and_keeps_the_rest():
    known = [HORROR, fact("like", "Western"), fact("avoid", "clowns", "I hate clowns")]
    assert forget(known, ["horror"]).removed == (HORROR,)
    assert forget(known, ["clown"]).removed == (known[2],)
    assert forget(known, ["spiders"]).removed == () and forget(known, []).removed == ()
    assert forget(known, [], everything=True).facts == ()


def test_the_session_ends_with_wishes_mood_company_occasion_and_time_alone():
    lasting = [HORROR, fact("like", "Western"), fact("seen", "Ember", item_id="e8")]
    passing = [fact(kind, "x") for kind in ("want", "not_now", "mood", "occasion", "company", "time")]
    change = without_session([*passing, *lasting])
    assert change.facts == tuple(lasting) and change.removed == tuple(passing)


@given(
    st.lists(
        st.tuples(st.sampled_from(["like", "avoid", "want", "seen"]), st.sampled_from("abc")), max_size=30
    )
)
def test_what_is_known_is_what_was_added_less_what_was_removed(said: list[tuple[str, str]]):
    known: tuple = ()
    for number, (kind, value) in enumerate(said, 1):
        change = remember(known, [fact(kind, value, f"{number}", number)])
        assert set(change.facts) == (set(known) | set(change.added)) - set(change.removed)
        assert len({(one.kind, one.value) for one in change.facts}) == len(change.facts)
        assert not {"like", "avoid"} <= {one.kind for one in change.facts if one.value == value}
        known = change.facts


def test_the_memory_is_bounded_and_lets_go_of_the_session_first():
    every = [fact("not_now" if at % 2 else "like", f"v{at}", message_id=at) for at in range(510)]
    known = tuple(every[:495])
    for one in every[495:]:
        known = remember(known, [one]).facts
    likes = [one for one in known if one.kind == "like"]
    assert len(known) == 500 and likes == every[::2]


def test_the_nearest_facts_share_words_with_the_message_and_come_oldest_first():
    facts = [fact("like", f"thing {number}", f"I like thing {number}") for number in range(20)]
    facts[3], facts[11] = fact("like", "westerns", "I love westerns"), fact("avoid", "clowns", "no clowns")
    near = nearest_facts(facts, "westerns without clowns", None, 2)
    assert near == [facts[3], facts[11]]
    assert nearest_facts(facts[:2], "whatever", None, 6) == facts[:2]
    assert len(nearest_facts(facts, "nothing in common", None)) == FACTS


def test_an_embedder_finds_what_words_do_not():
    facts = [fact("like", word, word) for word in ("aaaa", "bbbb", "cccc", "dddd")]
    assert facts[1] in nearest_facts(facts, "bbb bb", "letters", 2)


def _turns(count: int) -> list[ChatTurn]:
    return [ChatTurn(f"question {n} " * 200, f"answer {n} " * 200, n) for n in range(count)]


def test_the_prompt_stays_within_its_room_whatever_the_length_of_the_chat():
    claims = tuple(Claim(f"{n}", "likes", "category", f"c{n}", text=f"They like c{n}.") for n in range(20))
    facts = [fact("like", f"v{n}") for n in range(50)]
    parts = {n: prompt_parts(Persona(claims), facts, _turns(n), 10_000, len) for n in (4, 100)}
    assert [len(parts[n].turns) for n in parts] == [TURNS, TURNS]
    assert [len(parts[n].facts) for n in parts] == [FACTS, FACTS] and len(parts[100].claims) == CLAIMS
    assert all(len(said) <= 300 and len(told) <= 400 for said, told in parts[100].turns)
    small = prompt_parts(Persona(claims), facts, _turns(100), 250, len)
    size = sum(len(f"- {one.text}\n") for one in small.claims) + sum(
        len(f"- {one.quote}\n") for one in small.facts
    )
    assert not small.turns and size <= 250 and small.claims and small.left_out
    assert prompt_parts(Persona(claims), facts, _turns(9), 0, len).left_out == TURNS + FACTS + CLAIMS


def test_removed_claims_are_in_no_prompt():
    claims = (Claim("1", "likes", "category", "Horror", text="They like horror.", state="removed"),)
    assert prompt_parts(Persona(claims), [], [], 1000, len).claims == ()
