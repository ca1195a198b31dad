"""When a place will be free, by how long recent work took and what is under way."""

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.errors import OverloadedError
from serve_app.http.incoming import Incoming
from serve_app.load import FIRST_GUESS_S, LONGEST_WAIT_S, Load
from tests.unit.serve_app.test_service import service_of


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def load(clock):
    return Load(clock)


def took(load, clock, *durations):
    for seconds in durations:
        with load.one():
            clock.now += seconds


def begun(load, clock, stack, *elapsed):
    """Work under way for so many seconds each."""
    end = clock.now + max(elapsed)
    for seconds in elapsed:
        clock.now = end - seconds
        stack.enter_context(load.one())
    clock.now = end


def test_a_free_place_is_free_at_once_and_others_go_first(load, clock):
    took(load, clock, 10)
    assert load.expected_wait_s(1) == 0
    assert load.expected_wait_s(2, ahead=1) == 0
    assert load.expected_wait_s(2, ahead=2) == 10
    assert load.expected_wait_s(2, ahead=5) == 20


def test_the_next_end_is_that_of_the_oldest(load, clock):
    took(load, clock, 20, 20, 20)
    with ExitStack() as stack:
        begun(load, clock, stack, 18, 5, 1)
        assert len(load) == 3
        assert load.expected_wait_s(3) == 2
        assert load.expected_wait_s(3, ahead=1) == 15
        assert load.expected_wait_s(2) == 15  # one more has to end
        assert load.expected_wait_s(3, ahead=3) == 22
    assert len(load) == 0


def test_what_went_on_for_some_time_is_compared_with_what_took_longer(load, clock):
    took(load, clock, 1, 1, 1, 60)
    with ExitStack() as stack:
        begun(load, clock, stack, 0.5)
        assert load.expected_wait_s(1) == 0.5
    with ExitStack() as stack:
        begun(load, clock, stack, 30)
        assert load.expected_wait_s(1) == 30


def test_what_takes_longer_than_anything_so_far_may_take_as_long_again(load, clock):
    took(load, clock, 1)
    with ExitStack() as stack:
        begun(load, clock, stack, 40)
        assert load.expected_wait_s(1) == 40
        clock.now += 1000
        assert load.retry_after_s(1) == LONGEST_WAIT_S


def test_before_anything_was_measured_nothing_is_estimated(load, clock):
    assert load.expected_wait_s(1) == 0
    with ExitStack() as stack:
        begun(load, clock, stack, 40)
        assert load.expected_wait_s(1) is None
        assert load.retry_after_s(1) == FIRST_GUESS_S


def test_what_failed_is_no_measure_of_how_long_work_takes(load, clock):
    def fail():
        with load.one():
            clock.now += 3
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()
    with load.one():
        assert load.expected_wait_s(1) is None


@given(
    durations=st.lists(st.floats(0.01, 1e4), max_size=100),
    elapsed=st.lists(st.floats(0, 1e4), min_size=1, max_size=8),
    places=st.integers(1, 8),
    ahead=st.integers(0, 20),
)
def test_a_wait_is_within_bounds_and_grows_with_those_ahead(durations, elapsed, places, ahead):
    clock = Clock()
    load = Load(clock)
    took(load, clock, *durations)
    with ExitStack() as stack:
        begun(load, clock, stack, *elapsed)
        seconds = load.retry_after_s(places)
        assert 1 <= seconds <= LONGEST_WAIT_S
        assert seconds == int(seconds)
        waits = [load.expected_wait_s(places, n) for n in range(ahead + 1)]
        known = [wait for wait in waits if wait is not None]
        assert known == sorted(known)


def test_the_service_says_when_its_places_are_free(marker_config, tmp_path, clock):
    service = service_of(marker_config, tmp_path, max_concurrent_requests=2)
    service._under_way._clock = clock
    with service.admitted():
        clock.now += 30
    with service.admitted(), service.admitted():
        clock.now += 13
        with pytest.raises(OverloadedError) as refused:
            service.refuse_if_full()
        assert service.expected_wait_s(2) == 47
    assert refused.value.retry_after_s == 17


def test_a_full_stage_is_tried_again_when_a_request_has_ended(marker_config, tmp_path, clock):
    service = service_of(marker_config, tmp_path, max_concurrent_requests=4)
    service._under_way._clock = clock
    with service.admitted():
        clock.now += 30
    with service.admitted():
        clock.now += 13
        with pytest.raises(OverloadedError) as refused, service.admitted():
            raise OverloadedError("the queue of Decode is full")
    assert refused.value.retry_after_s == 17


def test_bodies_are_refused_until_the_next_one_is_here(clock):
    incoming = Incoming(most=1, most_bytes=100)
    incoming._load._clock = clock
    with incoming.one():
        clock.now += 8
    with incoming.one() as hold:
        with pytest.raises(OverloadedError) as many, incoming.one():
            pass
        clock.now += 6
        with pytest.raises(OverloadedError) as large:
            hold(101)
    assert (many.value.retry_after_s, large.value.retry_after_s) == (8, 2)
