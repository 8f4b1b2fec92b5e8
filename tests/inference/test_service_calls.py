"""Calls of an engine service, its draining, and the end of its engine."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rectune.inference.service_call import EngineCall
from rectune.inference.service_state import CallCancelled, EngineBusy, EngineClosed

from .scripted import request
from .service_helpers import adds_up, script, served, until


def test_draining_takes_nothing_new_and_finishes_what_is_open() -> None:
    with served() as (service, engine):
        first, second = service.submit(request("a")), service.submit(request("b"))
        with ThreadPoolExecutor(1) as pool:
            drained = pool.submit(service.drain, 60.0)
            until(lambda: service.snapshot().draining)
            with pytest.raises(EngineClosed, match="being shut down"):
                service.submit(request("c"))
            engine.open()
            assert drained.result(60)
        assert [one.result().text for one in (first, second)] == ["xyz", "xyz"]
        assert service.snapshot().closed and service.snapshot().accepted == 2


def test_what_takes_longer_than_the_draining_may_is_cancelled() -> None:
    with served() as (service, engine):
        first, second = service.submit(request("a")), service.submit(request("b"))
        engine.let(2)
        with ThreadPoolExecutor(1) as pool:
            drained = pool.submit(service.drain, 0.05)
            until(lambda: service.snapshot().closed)
            engine.open()
            assert not drained.result(60)
        assert {one.result().finish for one in (first, second)} == {"cancelled"}
        assert first.result().text and adds_up(service.snapshot())


def test_an_engine_that_fails_is_heard_of_by_all_and_seen_in_the_counters() -> None:
    with served(fail=lambda step: step == 2, max_waiting=3) as (service, engine):
        jobs = [service.submit(request("a")), service.submit(request("b"))]
        with ThreadPoolExecutor(1) as pool:
            scored = pool.submit(service.loglikelihood, [("user", "c")], ["d"])
            until(lambda: service.snapshot().accepted == 3)
            engine.open()
            with pytest.raises(EngineClosed, match="no memory"):
                scored.result(60)
        until(lambda: service.snapshot().closed)
        assert {(job.result().finish, job.result().error) for job in jobs} == {("error", "no memory")}
        state = service.snapshot()
        assert state.failure == "no memory" and adds_up(state) and not (state.active or state.waiting)
        with pytest.raises(EngineClosed, match="no memory"):
            service.submit(request("more"))
        assert not service.drain(1)


def test_a_call_that_was_let_in_waits_for_its_further_requests_and_others_are_turned_away() -> None:
    with served(max_waiting=1) as (service, engine), EngineCall(service) as call:
        first = call.submit(request("a"))
        engine.let(1)
        second = service.submit(request("b"))
        with ThreadPoolExecutor(1) as pool:
            third = pool.submit(call.submit, request("c"))
            time.sleep(0.05)
            assert not third.done()
            with pytest.raises(EngineBusy):
                service.submit(request("d"))
            with pytest.raises(EngineBusy):
                call.submit(request("e"), wait=False)
            engine.open()
            assert third.result(60).result().text == first.result().text == second.result().text == "xyz"


def test_cancelling_a_call_ends_all_that_it_asked_for_and_what_it_waits_for() -> None:
    with served(max_waiting=1) as (service, engine), EngineCall(service) as call:
        first = call.submit(request("a"))
        engine.let(1)
        service.submit(request("o"))
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(call.submit, request("b"))
            time.sleep(0.02)
            call.cancel()
            with pytest.raises(CallCancelled):
                waiting.result(60)
        with pytest.raises(CallCancelled):
            call.loglikelihood([("user", "c")], ["d"])
        engine.open()
        assert first.result().finish == "cancelled" and call.cancelled
        until(lambda: service.snapshot().finished == {"cancelled": 1, "stop": 1})


def test_draining_waits_for_open_calls_which_may_go_on() -> None:
    with served() as (service, engine):
        engine.open()
        with ThreadPoolExecutor(1) as pool:
            with EngineCall(service) as call:
                call.submit(request("a")).result()
                drained = pool.submit(service.drain, 60.0)
                until(lambda: service.snapshot().draining)
                with pytest.raises(EngineClosed):
                    EngineCall(service).submit(request("b"))
                assert call.submit(request("c")).result().text == "xyz"
                assert not drained.done()
            assert drained.result(60)


def test_a_call_that_is_over_leaves_nothing_open() -> None:
    with served(answers=script(b"x" * 50)) as (service, engine):
        with EngineCall(service) as call:
            stream = call.submit(request("a", tokens=40))
            engine.let(2)
        engine.let(1)
        assert stream.result().finish == "cancelled"


def test_a_call_knows_how_many_requests_wait_before_its_own() -> None:
    with served(max_waiting=5) as (service, engine), EngineCall(service) as ours:
        assert ours.place == 0
        service.submit(request("a"))
        engine.let(1)  # it has the only slot
        service.submit(request("b"))
        own = ours.submit(request("c"))
        assert ours.place == 1
        engine.open()
        assert own.result().text == "xyz" and ours.place == 0
