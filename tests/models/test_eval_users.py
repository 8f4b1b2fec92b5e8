"""Who is held out follows from the ids alone."""

from hypothesis import given
from hypothesis import strategies as st

from rectune.models.eval_users import split_eval_users

users = st.lists(st.text(max_size=6), unique=True, max_size=30)


@given(users, st.floats(0.0, 0.99))
def test_somebody_is_held_out_and_somebody_is_left(ids: list[str], share: float) -> None:
    out = split_eval_users(ids, share)
    assert out <= set(ids)
    assert bool(out) == (share > 0 and len(ids) > 1)
    assert len(out) < len(ids) or not ids


def test_the_share_is_held_and_new_users_move_nobody() -> None:
    ids = [f"user {n}" for n in range(2000)]
    out = split_eval_users(ids, 0.2)
    assert 320 < len(out) < 480
    assert split_eval_users(ids[:1000], 0.2) == out & set(ids[:1000])
