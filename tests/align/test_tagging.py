"""The screen of `rectune tag`, driven through Textual's pilot, and what a text may do to it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rectune.align.assignment import TaskShowing
from rectune.align.prompt_view import PromptView
from rectune.align.session import AnnotationSession
from rectune.align.tagging_help import screen_help
from rectune.align.tagging_layout import painted
from rectune.align.tagging_screen import TaggingApp
from rectune.align.tags import TagStore
from rectune.align.tasks import make_task
from rectune.core.text.plain import printable
from tests.align.examples import make_prompt, make_tasks, no_file_above, session


@given(st.text())
def test_no_text_can_steer_a_terminal(text: str) -> None:
    shown = printable(text)
    assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 for c in shown)
    assert not set(shown) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2028")
    shown.encode()


def test_control_sequences_are_seen_and_other_text_is_as_it_was() -> None:
    assert printable("a\x1b[31mb\x07\x7f\x9b2J") == "a␛[31mb␇␡<U+009B>2J"
    assert printable("기생충 (2019)\nnaïve 👨‍👩‍👧 [red]") == "기생충 (2019)\nnaïve 👨‍👩‍👧 [red]"


def lines(app: TaggingApp) -> list[str]:
    """The screen as text, a line a row."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]


def press(app: TaggingApp, *keys: str, size: tuple[int, int] = (80, 24)) -> list[str]:
    """Start the app, press keys, and return the screen."""
    import asyncio

    async def drive() -> list[str]:
        async with app.run_test(size=size) as pilot:
            for key in keys:
                await pilot.press(key)
            await pilot.pause()
            return lines(app)

    return asyncio.run(drive())


def test_best_then_worst_is_saved_and_the_next_request_shows(store: TagStore) -> None:
    at = session(store)
    shown = list(at.answers)
    screen = press(TaggingApp(at), "4", "2")
    (kept,) = store.tags("kim")
    assert (at.slots[0].task.text(kept.best), at.slots[0].task.text(kept.worst)) == (shown[3], shown[1])
    assert screen[0].strip().startswith("2 of 3")
    assert "1 of 3 done" in screen[-2]


def test_the_first_pick_is_marked_and_taken_back_by_itself_or_escape(store: TagStore) -> None:
    app = TaggingApp(session(store))
    assert any("2 BEST" in line for line in press(app, "2"))
    for key in ("2", "escape"):
        screen = press(TaggingApp(session(store)), "2", key)
        assert not any("BEST" in line for line in screen)
    assert store.decisions() == []


def test_undo_shows_the_request_again_and_a_decided_one_shows_its_choice(store: TagStore) -> None:
    screen = press(TaggingApp(session(store)), "1", "2", "s", "p", "p")
    assert any("1 BEST" in line for line in screen)
    assert any("2 WORST" in line for line in screen)
    screen = press(TaggingApp(session(store)), "u", "u", "u")
    assert screen[0].strip().startswith("1 of 3")
    assert "nothing to undo" in screen[-2]
    assert store.decisions() == []


def test_the_true_next_item_shows_on_request_only_and_not_for_the_next(store: TagStore) -> None:
    assert not any("Heat (1995)" in line for line in press(TaggingApp(session(store))))
    assert any("Really taken next: Heat (1995)" in line for line in press(TaggingApp(session(store)), "t"))
    assert not any("Really taken" in line for line in press(TaggingApp(session(store)), "t", "n"))


def test_a_key_without_an_answer_and_keys_in_the_help_decide_nothing(store: TagStore) -> None:
    press(TaggingApp(session(store, make_tasks(2, answers=3))), "4", "9", "question_mark", "1", "1")
    assert store.decisions() == []


def test_help_opens_and_any_key_closes_it(store: TagStore) -> None:
    assert any(
        "undo the last decision" in line for line in press(TaggingApp(session(store)), "question_mark")
    )
    closed = press(TaggingApp(session(store)), "question_mark", "s")
    assert not any("undo the last decision" in line for line in closed)
    assert closed[0].strip().startswith("1 of 3")


def test_the_screen_is_blind_escapes_markup_and_fits_80_by_24(store: TagStore) -> None:
    evil = make_task(make_prompt(0), ("[red]x[/red] [/nothing] \x1b[2J", "plain"))
    screen = press(TaggingApp(session(store, [evil])))
    assert any("[red]x[/red] [/nothing] ␛[2J" in line for line in screen)
    assert len(screen) == 24
    assert "q quit" in screen[-1]


def test_korean_wraps_at_the_cells_it_takes_and_loses_nothing(store: TagStore) -> None:
    from rich.cells import cell_len

    text = "당신은 조용하고 느린 영화를 좋아하시는 것 같습니다. " * 6
    screen = press(
        TaggingApp(session(store, [make_task(make_prompt(0), (text, "짧은 답", "또 하나"))])), size=(80, 40)
    )
    assert all(cell_len(line) <= 80 for line in screen)
    korean = "".join(c for line in screen for c in line if "가" <= c <= "힣")
    assert "".join(c for c in text if "가" <= c <= "힣") in korean


def test_answers_stand_side_by_side_where_there_is_room(store: TagStore) -> None:
    tasks = make_tasks(1)
    wide = press(TaggingApp(session(store, tasks)), size=(180, 30))
    assert any(line.count(" to 0") == 5 for line in wide)
    narrow = press(TaggingApp(session(store, tasks)), size=(100, 30))
    assert max(line.count(" to 0") for line in narrow) == 1


def test_when_all_is_done_it_says_so_and_stays_for_undo(store: TagStore) -> None:
    app = TaggingApp(session(store, make_tasks(1)))
    assert "ALL DONE" in press(app, "1", "2")[-2]
    assert "0 of 1 done" in press(TaggingApp(session(store, make_tasks(1))), "u")[-2]


def test_a_decision_that_cannot_be_written_is_said_and_stays_on_show(store: TagStore) -> None:
    at = session(store)
    with no_file_above(store.path.stat().st_size + 1000):
        screen = press(TaggingApp(at), "1", "2")
    assert "NOT SAVED: the tag file cannot be used" in screen[-2]
    assert (at.place, store.decisions()) == (0, [])


def test_a_thousand_prompts(store: TagStore) -> None:
    at = session(store, make_tasks(1000, answers=2))
    started = time.monotonic()
    for _ in range(20):
        at.decide(0, 1)
    assert time.monotonic() - started < 10
    assert at.done == 20


def test_ties_all_bad_and_skips_are_kept_as_such(store: TagStore) -> None:
    screen = press(TaggingApp(session(store)), "e", "x", "s")
    assert [d.kind for d in store.decisions()] == ["tie", "bad", "skip"]
    assert "ALL DONE" in screen[-2] and "saved: skipped" in screen[-2]


def test_a_comment_is_typed_in_a_line_and_its_keys_decide_nothing(store: TagStore) -> None:
    at = session(store)
    screen = press(TaggingApp(at), "c", *"12 sq글", "backspace", "x", "enter")
    assert (at.note, store.decisions()) == ("12 sqx", [])
    assert any("Comment: 12 sqx" in line for line in screen)
    press(TaggingApp(session(store)), "c", *"more", "escape")
    assert session(store).note == "12 sqx"
    press(TaggingApp(session(store)), "c", "ctrl+u", "enter")
    assert session(store).note == ""


def test_pasted_text_goes_into_the_line_only(store: TagStore) -> None:
    import asyncio

    from textual.events import Paste

    async def drive() -> None:
        app = TaggingApp(session(store))
        async with app.run_test(size=(80, 24)) as pilot:
            app.post_message(Paste("12"))
            await pilot.press("c")
            app.post_message(Paste("one\ntwo"))
            await pilot.pause()
            await pilot.press("enter")

    asyncio.run(drive())
    assert (session(store).note, store.decisions()) == ("one two", [])


def test_flags_are_seen_and_found_and_numbers_jumped_to(store: TagStore) -> None:
    screen = press(TaggingApp(session(store)), "n", "f", "j", "1", "enter")
    assert screen[0].strip().startswith("1 of 3 · movies")
    screen = press(TaggingApp(session(store)), "v")
    assert screen[0].strip().startswith("2 of 3 · FLAGGED")
    assert "none is flagged" in press(TaggingApp(session(store)), "n", "f", "v")[-2]
    screen = press(TaggingApp(session(store)), "j", "9", "enter")
    assert screen[0].strip().startswith("1 of 3") and "numbered 1 to 3" in screen[-2]


def test_a_keyboard_switched_to_hangul_still_works(store: TagStore) -> None:
    press(TaggingApp(session(store)), "ㄷ", "ㅌ")
    assert [d.kind for d in store.decisions()] == ["tie", "bad"]
    assert "Latin" in press(TaggingApp(session(store)), "녀")[-2]


def test_the_request_shows_titles_its_words_on_demand_and_makes_room(store: TagStore) -> None:
    task = make_task(make_prompt(0), ("x", "y"))
    requests = {task.prompt.id: PromptView(task.prompt, "Heat", ("Alien", "기생충"))}
    at = AnnotationSession([TaskShowing(task)], store, "kim", requests)
    assert not any("A person liked" in line for line in press(TaggingApp(at)))
    assert press(TaggingApp(at))[1:4] == [" Liked before: in no known order (2):", "   Alien", "   기생충"]
    assert any("A person liked Alien" in line for line in press(TaggingApp(at), "i"))
    assert "─1" in press(TaggingApp(at), "h")[1]


def test_what_answers_share_is_pale_and_the_recommendation_bold() -> None:
    texts = [
        "You like slow films a lot.\nMy recommendation: Heat",
        "You like slow films.\nMy recommendation: Ran",
    ]
    first = painted(texts)[0]
    styles = {str(span.style): first.plain[span.start : span.end] for span in first.spans}
    assert styles["dim"] == "You like slow"
    assert styles["bold"].strip() == "My recommendation: Heat"


def test_the_better_of_two_models_takes_one_key(store: TagStore) -> None:
    task = make_task(make_prompt(0), ("by one", "by two"), ("sft", "dpo"))
    request = {task.prompt.id: PromptView(task.prompt, "Heat")}
    screen = press(TaggingApp(AnnotationSession([TaskShowing(task)], store, "kim", request)))
    assert any("by one" in line and "by two" in line for line in screen)
    assert not any("sft" in line or "dpo" in line for line in screen)
    screen = press(TaggingApp(AnnotationSession([TaskShowing(task)], store, "kim", request)), "2")
    assert any("2 BETTER" in line for line in screen) and not any("WORST" in line for line in screen)
    (kept,) = store.standing()
    assert kept.best == kept.answers[1] and set(kept.systems) == {"sft", "dpo"}


def test_resizing_keeps_what_was_picked_and_every_size_shows_the_keys(store: TagStore) -> None:
    import asyncio

    async def drive() -> None:
        app = TaggingApp(session(store))
        async with app.run_test(size=(200, 50)) as pilot:
            await pilot.press("3")
            for size in ((80, 24), (40, 10), (100, 30), (20, 5), (180, 24)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
                assert len(lines(app)) == size[1]
            assert any("3 BEST" in line for line in lines(app))
            await pilot.press("1")

    asyncio.run(drive())
    assert len(store.tags()) == 1


def test_help_fits_80_by_24_and_names_every_key(store: TagStore) -> None:
    text = screen_help(session(store)).splitlines()
    assert len(text) <= 22
    assert all(len(line) <= 76 for line in text)
    named = {word for line in text if line.startswith("  ") for word in line[2:13].split()}
    assert named >= set("123escuftinpgvjhb?q") | {"Space"}


@pytest.mark.parametrize("compares", [False, True])
def test_the_key_line_fits_80_cells(store: TagStore, compares: bool) -> None:
    task = make_task(make_prompt(0), ("a", "b"), ("sft", "dpo") if compares else ())
    at = AnnotationSession(
        [TaskShowing(task)], store, "kim", {task.prompt.id: PromptView(task.prompt, "Heat")}
    )
    assert press(TaggingApp(at))[-1].strip().endswith("q quit")
