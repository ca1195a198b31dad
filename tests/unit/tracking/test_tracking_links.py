"""Which fragment continues which: prices of links, and the cheapest set of them."""

import itertools
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.tracking import links
from deployments.tracking.grouped import Grouped
from deployments.tracking.links import Ends, Fragments, ends_of, fragments_of
from deployments.tracking.person_table import collect
from tests.support.simulated_people import Walker, media, observe

UNLINKED = 9.0
POSE = np.linspace(-0.5, 0.5, 34).reshape(17, 2)


def end(time_s, x, *, y=0.0, speed=0.0, size=100.0, pose=POSE):
    velocity = [np.nan, np.nan] if speed is None else [speed, 0.0]
    return Ends(
        np.array([time_s]), np.array([[x, y]]), np.array([size]), np.array([velocity]), pose[None]
    )


def fragment(track, start_s, stop_s, x, speed):
    """Someone who walks from ``x`` at constant ``speed``."""
    return Fragments(
        np.array([track]),
        end(start_s, x, speed=speed),
        end(stop_s, x + speed * (stop_s - start_s), speed=speed),
    )


def reversed_in_time(state):
    return replace(state, time_s=-state.time_s, velocity=-state.velocity)


def link_price(before, after):
    return links.link_price(before, after).item()


def best_links(some):
    """Index of a fragment -> index of the one that follows it."""

    def joined(ends):
        return Ends(*(np.concatenate([getattr(e, f.name) for e in ends]) for f in fields(Ends)))

    follower = links.best_links(
        Fragments(
            np.concatenate([f.track for f in some]),
            joined([f.first for f in some]),
            joined([f.last for f in some]),
        )
    )
    return {i: int(j) for i, j in enumerate(follower) if j >= 0}


def test_a_perfect_continuation_at_once_costs_nothing():
    assert link_price(end(1.0, 10, speed=50), end(1.0, 10, speed=50)) == pytest.approx(0)


@pytest.mark.parametrize(
    "other",
    [
        end(1.0, 110.0),  # a tenth of the size aside
        end(1.0, 100.0, speed=40.0),  # 0.4 sizes a second faster
        end(1.0, 100.0, size=100 * np.exp(0.2)),
        end(1.0, 100.0, pose=POSE + np.array([0.12, 0.0])),
    ],
    ids=["position", "velocity", "size", "pose"],
)
def test_each_term_costs_a_half_at_its_deviation(other):
    before = end(1.0, 100.0)
    # The size is taken as the mean of both where it scales a distance.
    assert link_price(before, other) == pytest.approx(0.5, rel=0.01)
    doubled = replace(
        other,
        center=2 * other.center - before.center,
        velocity=2 * other.velocity,
        size=before.size * (other.size / before.size) ** 2,
        pose=2 * other.pose - POSE,
    )
    assert link_price(before, doubled) == pytest.approx(2.0, rel=0.01)


def test_constant_velocity_leads_over_a_gap_and_the_gap_itself_costs():
    before = end(0.0, 0.0, speed=100.0)
    prices = [link_price(before, end(gap, 100.0 * gap, speed=100.0)) for gap in (0, 0.5, 1, 2)]
    assert prices == sorted(prices)
    assert prices[2] == pytest.approx(2 * np.log((0.1 + 0.4) / 0.1))
    stopped = link_price(before, end(1.0, 0.0, speed=0.0))
    assert stopped > prices[2]


def test_a_miss_counts_less_after_a_longer_gap():
    def miss(gap, off):
        return link_price(end(0.0, 0.0), end(gap, off)) - link_price(end(0.0, 0.0), end(gap, 0.0))

    assert miss(0.1, 30.0) > 2 * miss(1.0, 30.0)


def test_fragments_too_short_for_a_velocity_are_judged_by_place_and_more_widely():
    known = link_price(end(0.0, 0.0), end(0.5, 60.0))
    unknown = link_price(end(0.0, 0.0, speed=None), end(0.5, 60.0, speed=None))
    one = link_price(end(0.0, 0.0, speed=100.0), end(0.5, 50.0, speed=None))
    assert unknown < known
    assert one < unknown


def test_poses_without_a_common_point_say_nothing():
    hidden = np.full((17, 2), np.nan)
    assert link_price(end(0.0, 0.0), end(0.0, 0.0, pose=hidden)) == pytest.approx(0)


states = st.builds(
    end,
    st.just(0.0),
    st.floats(-300, 300),
    y=st.floats(-50, 50),
    speed=st.none() | st.floats(-300, 300),
    size=st.floats(60, 200),
)


@settings(deadline=None)
@given(states, states, st.floats(0, 3))
def test_prices_read_the_same_in_both_directions_of_time(before, after, gap):
    after = replace(after, time_s=np.array([gap]))
    backward = link_price(reversed_in_time(after), reversed_in_time(before))
    assert backward == pytest.approx(link_price(before, after), abs=1e-9)


@settings(deadline=None)
@given(states, states, st.floats(0, 3), st.floats(0.2, 5), st.floats(-500, 500))
def test_prices_do_not_depend_on_place_and_scale(before, after, gap, scale, shift):
    after = replace(after, time_s=np.array([gap]))
    moved = [
        replace(
            state,
            center=state.center * scale + shift,
            size=state.size * scale,
            velocity=state.velocity * scale,
        )
        for state in (before, after)
    ]
    assert link_price(*moved) == pytest.approx(link_price(before, after), rel=1e-6, abs=1e-6)


def test_a_crossing_is_linked_by_motion():
    before = [fragment(0, 0, 1, 0, 200), fragment(1, 0, 1, 500, -200)]
    after = [fragment(0, 1.5, 2.5, 200, -200), fragment(1, 1.5, 2.5, 300, 200)]
    assert best_links([*before, *after]) == {0: 3, 1: 2}


def test_a_gap_is_closed_up_to_three_seconds():
    def linked(gap):
        return best_links(
            [fragment(0, 0, 2, 0, 20), fragment(1, 2 + gap, 5 + gap, 40 + 20 * gap, 20)]
        )

    assert linked(1.0) == linked(2.9) == {0: 1}
    assert linked(3.1) == {}


def test_fragments_of_one_track_stay_together_if_nothing_better_is_found():
    alone = [fragment(0, 0, 1, 0, 0), fragment(0, 9, 10, 900, 0)]
    assert best_links(alone) == {0: 1}
    assert best_links([alone[0], replace(alone[1], track=np.array([1]))]) == {}
    better = fragment(1, 1.1, 8.5, 0, 0)
    assert best_links([*alone, better])[0] == 2


def test_overlapping_fragments_are_two_people():
    assert best_links([fragment(0, 0, 2, 0, 0), fragment(1, 1.9, 3, 0, 0)]) == {}


def test_one_fragment_has_no_links():
    assert best_links([fragment(0, 0, 1, 0, 0)]) == {}


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_links_are_the_cheapest_set(seed, count):
    rng = np.random.default_rng(seed)
    starts = rng.uniform(0, 4, count)
    some = [
        fragment(i, t, t + rng.uniform(0.2, 1.5), rng.uniform(0, 150), rng.uniform(-40, 40))
        for i, t in enumerate(starts)
    ]
    price = {}
    for i, j in itertools.permutations(range(count), 2):
        gap = (some[j].first.time_s - some[i].last.time_s).item()
        if 0 < gap <= 3.0:
            price[i, j] = link_price(some[i].last, some[j].first)

    def total(chosen):
        return sum(price[pair] for pair in chosen) + UNLINKED * (count - len(chosen))

    sets = (
        chosen
        for size in range(count + 1)
        for chosen in itertools.combinations([p for p in price if price[p] < UNLINKED], size)
        if len({i for i, _ in chosen}) == len({j for _, j in chosen}) == size
    )
    found = best_links(some)
    assert len(set(found.values())) == len(found)
    assert total(found.items()) == pytest.approx(min(map(total, sets)))


@pytest.fixture(scope="module")
def walk():
    """Rows of someone who walks at 150 px/s and then stands."""
    path = lambda t: (300 + 150 * min(t, 2.0), 500.0)  # noqa: E731
    info = media(121)
    return collect([observe([Walker(path)], info, noise=0.0)], info)[0]


def first_rows(walk, count):
    """The first rows as a group of their own."""
    return Grouped.of(walk, np.where(np.arange(len(walk)) < count, 0, -1))


def test_ends_have_the_velocity_of_their_last_rows(walk):
    made = fragments_of(walk, first_rows(walk, len(walk)), np.full(len(walk), 4))
    assert made.track == [4]
    assert made.first.velocity[0] == pytest.approx([150.0, 0.0], abs=1.0)
    assert made.last.velocity[0] == pytest.approx([0.0, 0.0], abs=1.0)
    assert (made.first.time_s, made.last.time_s) == (0.0, 4.0)
    assert made.first.center[0] == pytest.approx(walk.center[0], abs=1.0)
    assert made.last.size == pytest.approx(np.median(walk.size[-12:]))


def test_a_pose_is_about_the_center_in_body_sizes(walk):
    state = ends_of(walk, first_rows(walk, 30), np.array([0]))
    expected = (walk.poses.keypoints[0] - walk.center[0]) / state.size
    assert state.pose[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("rows", "known"), [(1, False), (3, False), (4, True)])
def test_a_velocity_needs_a_tenth_of_a_second(walk, rows, known):
    state = ends_of(walk, first_rows(walk, rows), np.array([0]))
    assert np.isfinite(state.velocity).all() == known
