"""The queue of an engine service: bounded, in turn, counted; cancelling makes room, failures are heard of."""

from __future__ import annotations

import string
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rectune.core.errors import RectuneError, UserError
from rectune.inference.requests import GenerationResult
from rectune.inference.service_state import EngineBusy

from .scripted import request
from .service_helpers import adds_up, script, served, until


@pytest.mark.parametrize("slots", [1, 3])
def test_two_requests_a_slot_may_wait_and_more_are_told_when_to_come_again(slots: int) -> None:
    with served(slots) as (service, engine):
        first = [service.submit(request("abc"[n])) for n in range(slots)]
        engine.let(2)
        assert service.snapshot().active == slots
        for n in range(2 * slots):
            service.submit(request("lmnopqrs"[n]))
        with pytest.raises(EngineBusy, match=f"{2 * slots} requests wait") as refused:
            service.submit(request("c"))
        with pytest.raises(EngineBusy):
            service.loglikelihood([("user", "c")], ["d"])
        assert 1 <= refused.value.retry_after <= 120
        state = service.snapshot()
        assert (state.waiting, state.refused) == (2 * slots, 2) and adds_up(state)
        first[0].cancel()
        engine.let(2)
        assert first[0].result().finish == "cancelled"
        service.submit(request("c"))  # its slot went to one that waited, whose place is free


@pytest.mark.parametrize("slots", [1, 3])
def test_all_who_come_within_one_step_get_the_free_slots_and_the_places(slots: int) -> None:
    with served(slots, script(b"x" * 19)) as (service, engine):
        streams = [service.submit(request("abcdefghi"[n])) for n in range(3 * slots)]
        with pytest.raises(EngineBusy):
            service.submit(request("z"))
        engine.open()
        assert {stream.result().finish for stream in streams} == {"stop"}


def test_who_is_turned_away_is_told_the_time_in_which_the_others_are_served() -> None:
    with served(max_waiting=4) as (service, engine):
        engine.open()
        for n in range(5):
            service.submit(request("abcde"[n])).result()
        rate = service.snapshot().rate
        assert rate is not None and rate > 5  # steps of a scripted model take no time
    with served(max_waiting=4) as (service, engine):
        service.submit(request("a"))
        engine.let(1)
        time.sleep(1.2)  # the step that is under way lasts as long
        engine.let(3)
        until(lambda: service.snapshot().finished == {"stop": 1})
        for n in range(5):
            service.submit(request("lmnopqrs"[n]))
            engine.let(1) if n == 0 else None
        with pytest.raises(EngineBusy) as refused:
            service.submit(request("c"))
        state = service.snapshot()
        assert state.rate is not None and state.rate < 1
        assert refused.value.retry_after == pytest.approx(state.waiting / state.rate, rel=0.1)


def test_interactive_requests_come_before_background_ones_and_each_kind_in_its_order() -> None:
    ended: list[str] = []

    def note(answer: GenerationResult) -> None:
        ended.append(answer.id)

    with served(max_waiting=8) as (service, engine):
        service.submit(request("F"), priority="background", on_end=note)
        engine.let(1)
        jobs = {
            name: service.submit(
                request(name), priority="background" if name.isupper() else "interactive", on_end=note
            )
            for name in "BiCjDk"
        }
        assert [service.place(jobs[name]) for name in "ijkBCD"] == [0, 1, 2, 3, 4, 5]
        engine.let(4)  # the first one ends; i1 is begun, and the others are ready in tokens
        late = service.submit(request("l"), on_end=note)
        assert service.place(jobs["j"]) == 0 and service.place(late) == 2 and service.place(jobs["B"]) == 3
        engine.open()
        assert late.result().text == "xyz" and jobs["D"].result().text == "xyz"
        assert service.place(jobs["D"]) == 0
    assert "".join(ended) == "FijklBCD"


def test_background_requests_leave_half_of_the_places_to_the_others() -> None:
    with served(max_waiting=4) as (service, engine):
        service.submit(request("F"))
        engine.let(1)
        for n in range(2):
            service.submit(request("lmnopqrs"[n]), priority="background")
        with pytest.raises(EngineBusy):
            service.submit(request("b"), priority="background")
        for n in range(2):
            service.submit(request("ij"[n]))
        assert service.snapshot().waiting_background == 2
        with pytest.raises(EngineBusy):
            service.submit(request("i"))


ACTIONS = st.one_of(
    st.sampled_from(["interactive", "background", "score", "step"]),
    st.tuples(st.just("cancel"), st.integers(0, 20)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ACTIONS, max_size=30), st.integers(1, 3), st.integers(1, 5))
def test_whatever_comes_the_queue_is_bounded_in_order_and_counted(
    actions: list[Any], slots: int, places: int
) -> None:
    ended: list[str] = []
    asked: dict[str, list[str]] = {"interactive": [], "background": []}
    jobs: list[Any] = []
    refused = 0
    with served(slots, max_waiting=places) as (service, engine):
        for number, action in enumerate(actions):
            name = string.ascii_letters[number]
            try:
                if action in ("interactive", "background"):
                    jobs.append(
                        service.submit(
                            request(name), priority=action, on_end=lambda answer: ended.append(answer.id)
                        )
                    )
                    asked[action].append(name)
                elif action == "score":
                    jobs.append(service.scoring_of([("user", name)], ["ab"], "", "interactive"))
                    service.admit(jobs[-1])
                elif action == "step":
                    if any(not job.ended for job in jobs):
                        engine.let(1)
                elif jobs:
                    jobs[action[1] % len(jobs)].cancel()
            except EngineBusy:
                refused += 1
                jobs = jobs[:-1] if action == "score" else jobs
            state = service.snapshot()
            assert adds_up(state) and state.active <= slots
            assert state.waiting + state.active <= places + slots
            assert state.waiting_background <= max(1, places // 2)
            assert state.refused == refused
            waiting = [place for job in jobs if (place := service.place(job))]
            assert len(waiting) == len(set(waiting)) and max(waiting, default=0) < max(1, state.waiting)
        engine.open()
        assert service.drain(60)
        state = service.snapshot()
    assert (state.waiting, state.active) == (0, 0) and adds_up(state)
    assert state.accepted == len(jobs) and all(job.ended for job in jobs)
    if slots == 1:
        answered = {
            job.request.id for job in jobs if hasattr(job, "request") and job.result().finish == "stop"
        }
        for names in asked.values():
            own = [name for name in ended if name in names and name in answered]
            assert own == [name for name in names if name in answered]


def test_tokens_and_outcomes_are_counted() -> None:
    answers = {"aa": b"xyz", "b": b"x" * 50}
    with served(answers=answers) as (service, engine):
        engine.open()
        assert service.snapshot().seconds_since_step is None and service.snapshot().rate is None
        service.submit(request("aa")).result()
        service.submit(request("b", tokens=7)).result()
        service.submit(request("b" * 99)).result()  # too long
        assert service.loglikelihood([("user", "cccc")], ["ab", "", "b"]) == [[-98.0, -99.0], [], [-99.0]]
        with pytest.raises(UserError, match="prompt and continuation take"):
            service.loglikelihood([("user", "cccc")], ["d" * 99])
        until(lambda: not service.snapshot().active)
        state = service.snapshot()
    assert state.finished == {"stop": 1, "length": 1, "error": 2, "scored": 1} and state.accepted == 5
    assert (state.prompt_tokens, state.tokens) == (2 + 1 + 99 + 4, 3 + 7)
    assert state.seconds_since_step is not None and state.seconds_since_step < 10


def test_cancelling_from_another_thread_frees_the_slot_within_one_step() -> None:
    with served(answers=script(b"x" * 50)) as (service, engine):
        first, second = service.submit(request("a")), service.submit(request("b"))
        engine.let(3)
        assert (service.snapshot().active, service.place(second)) == (1, 0) and not first.ended
        thread = threading.Thread(target=first.cancel)
        thread.start()
        thread.join()
        engine.let(1)
        assert first.ended and first.result().finish == "cancelled"
        assert service.snapshot().active == 1 and service.snapshot().waiting == 0


def test_what_waits_is_cancelled_without_being_evaluated() -> None:
    with served() as (service, engine):
        first, second = service.submit(request("a")), service.submit(request("b"))
        second.cancel()
        engine.let(1)
        job = service.scoring_of([("user", "cccccc")], ["d"], "", "interactive")
        service.admit(job)
        job.cancel()
        engine.open()
        assert first.result().finish == "stop" and second.result().finish == "cancelled"
        with pytest.raises(RectuneError, match="cancelled"):
            job.result()
        assert engine.scripted.evaluated == len("a") + 3  # the prompt, and what was written but the end


def test_no_prompt_is_evaluated_twice_and_a_shared_beginning_once() -> None:
    prompts = [f"{'s' * 30}|{n}" for n in range(9)]
    with served(2, dict.fromkeys(prompts, b"x"), max_waiting=9) as (service, engine):
        streams = [service.submit(request(prompt)) for prompt in prompts]
        engine.open()
        assert [stream.result().text for stream in streams] == ["x"] * 9
        until(lambda: not service.snapshot().active)
        read = service.snapshot().evaluated_prompt_tokens
    # The beginning, then of each its own letter and the letter written. Two came before the others.
    assert engine.scripted.evaluated <= 2 * (31 + 2) + 31 + 9 * 2
    assert read == engine.scripted.evaluated - 9  # what was written is no prompt


def test_what_is_scored_waits_for_a_slot_and_not_for_the_end_of_all_that_is_written() -> None:
    with served(2, script(b"x" * 50)) as (service, engine):
        long, short = service.submit(request("a", tokens=40)), service.submit(request("b", tokens=5))
        engine.let(2)
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(service.loglikelihood, [("user", "ccc")], ["abc", "b", "cd"], "p")
            until(lambda: service.snapshot().waiting == 1)
            engine.let(2)
            assert not found.done()  # both slots are taken
            engine.let(8)
            assert short.result().finish == "length"
            assert found.result(60) == [[-98.0, -99.0, -100.0], [-99.0], [-100.0, -101.0]]
            assert not long.ended
        engine.open()
        assert long.result().text == "x" * 40  # as if nothing had been scored meanwhile


def test_one_is_scored_a_step_so_that_what_is_written_waits_for_one_only() -> None:
    with served(2, script(b"x" * 50), max_waiting=9) as (service, engine):
        long = service.submit(request("a", tokens=40))
        engine.let(1)
        jobs = [service.scoring_of([("user", letter)], ["de"], "", "interactive") for letter in "bcd"]
        for job in jobs:
            service.admit(job)
        engine.let(1)  # it had begun to wait before they came
        for done in range(1, 4):
            engine.let(1)
            assert [job.ended for job in jobs] == [at < done for at in range(3)] and not long.ended
