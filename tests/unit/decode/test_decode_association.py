"""People of two consecutive detection frames, and where they are in between."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.decode.association import BoxRows, People, between, follow, match, select
from deployments.messages import Detections


def box(x, y=500.0, height=200.0, width=80.0):
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def boxes(*some):
    return np.array(some, np.float32).reshape(-1, 4)


def people(*numbered, score=0.8):
    """People of (tracklet, box)."""
    return People(
        boxes(*(b for _, b in numbered)),
        np.full(len(numbered), score, np.float32),
        np.array([t for t, _ in numbered], np.int32),
    )


@st.composite
def crowds(draw, most=4):
    """Boxes of people of like sizes near one another, no two alike: ties have no one answer."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    middle, size = rng.uniform([0, 300], [800, 700], (most, 2)), rng.uniform(30, 150, (most, 2))
    return boxes(*np.hstack([middle - size, middle + size])[: draw(st.integers(0, most))])


def pairs(before, after, gap_s=0.13):
    return [tuple(pair) for pair in match(before, after, gap_s).tolist()]


@pytest.mark.parametrize(
    ("before", "after", "gap_s", "matched"),
    [
        ([box(100)], [box(110)], 0.13, True),
        ([box(100)], [box(340)], 0.20, True),  # a sprinter, out of his own box
        ([box(100)], [box(340)], 0.13, False),  # faster than anyone runs
        ([box(100)], [box(350)], 2.00, True),
        ([box(100)], [box(351)], 2.00, False),  # after long it may be anyone
        ([box(100)], [box(160, height=240)], 0.01, True),
        ([box(100)], [box(100, height=399)], 0.13, True),
        ([box(100)], [box(100, height=401)], 0.13, False),  # nobody doubles
        ([box(100)], [box(100, height=110, width=190)], 0.13, True),  # crouched
    ],
    ids=str,
)
def test_whom_a_person_can_have_become(before, after, gap_s, matched):
    assert pairs(boxes(*before), boxes(*after), gap_s) == ([(0, 0)] if matched else [])


def test_the_nearest_of_all_together_not_each_for_himself():
    # Walking in file: everyone is nearest to where the one ahead was.
    before, after = boxes(box(100), box(180), box(260)), boxes(box(150), box(230), box(310))
    assert pairs(before, after) == [(0, 0), (1, 1), (2, 2)]


def test_nobody_is_forced_on_anybody():
    before, after = boxes(box(100), box(900)), boxes(box(120), box(1500))
    assert pairs(before, after) == [(0, 0)]
    assert pairs(boxes(), after) == pairs(before, boxes()) == pairs(boxes(), boxes()) == []


@settings(deadline=None)
@given(crowds(), crowds(), st.floats(0, 1))
def test_matching_reads_the_same_in_both_directions_of_time(before, after, gap_s):
    forward = match(before, after, gap_s)
    backward = match(after, before, gap_s)
    assert sorted(map(tuple, forward.tolist())) == sorted((j, i) for i, j in backward.tolist())


@settings(deadline=None)
@given(crowds(), crowds(), st.floats(0, 1), st.permutations(range(4)), st.floats(0.25, 4))
def test_matching_depends_on_neither_order_nor_scale(before, after, gap_s, order, scale):
    order = [i for i in order if i < len(after)]
    shuffled = match(before * np.float32(scale), after[order] * np.float32(scale), gap_s)
    found = {(i, order[j]) for i, j in shuffled.tolist()}
    assert found == set(map(tuple, match(before, after, gap_s).tolist()))


@settings(deadline=None)
@given(crowds(), crowds(), st.floats(0, 0.5))
def test_matching_has_the_least_total_cost(before, after, gap_s):
    reach = min(0.25 + 6.0 * gap_s, 1.25)

    def cost(i, j):
        a, b = before[i].astype(float), after[j].astype(float)
        size_a, size_b = (max(c[2] - c[0], c[3] - c[1]) for c in (a, b))
        apart = np.hypot(*((a[:2] + a[2:]) / 2 - (b[:2] + b[2:]) / 2)) / ((size_a + size_b) / 2)
        growth = abs(np.log(size_a / size_b))
        return apart + growth if apart <= reach and growth <= np.log(2) else reach

    fewer, more = sorted((len(before), len(after)))
    swap = len(before) > len(after)
    least = min(
        sum(cost(j, i) if swap else cost(i, j) for i, j in enumerate(chosen))
        for chosen in itertools.permutations(range(more), fewer)
    )
    chosen = match(before, after, gap_s).tolist()
    total = sum(cost(i, j) for i, j in chosen) + reach * (fewer - len(chosen))
    assert total == pytest.approx(least, abs=1e-5)
    assert all(cost(i, j) < 1.25 + np.log(2) for i, j in chosen)
    assert [i for i, _ in chosen] == sorted({i for i, _ in chosen})
    assert len({j for _, j in chosen}) == len(chosen)


def test_followed_people_keep_their_numbers_and_others_get_new_ones():
    before = people((7, box(100)), (3, box(500)))
    found = Detections(boxes(box(900), box(510), box(90), box(1300)), np.full(4, 0.9, np.float32))
    after = follow(before, found, 0.13, unused=20)
    assert after.tracklet.tolist() == [20, 3, 7, 21]
    assert np.array_equal(after.box, found.boxes)
    assert np.array_equal(after.score, found.score)


def test_without_a_frame_before_everyone_is_new():
    found = Detections(boxes(box(100), box(300)), np.full(2, 0.9, np.float32))
    assert follow(None, found, 0.13, unused=5).tracklet.tolist() == [5, 6]


def test_an_empty_frame_ends_all_tracklets():
    nobody = Detections(boxes(), np.empty(0, np.float32))
    after = follow(people((7, box(100))), nobody, 0.13, unused=20)
    assert after.tracklet.tolist() == []
    found = Detections(boxes(box(100)), np.full(1, 0.9, np.float32))
    assert follow(after, found, 0.13, unused=20).tracklet.tolist() == [20]


QUARTERS = np.array([0.25, 0.5, 0.75, 1.0])


def test_who_is_seen_in_both_moves_linearly_in_time():
    fraction = np.array([0.1, 0.7, 1.0])  # of a variable frame rate
    rows = between(
        people((0, box(100)), score=0.5), people((0, box(300, height=220)), score=0.9), fraction
    )
    assert rows.frame.tolist() == [0, 1, 2]
    assert ((rows.box[:, 0] + rows.box[:, 2]) / 2).tolist() == pytest.approx([120, 240, 300])
    assert (rows.box[:, 3] - rows.box[:, 1]).tolist() == pytest.approx([202, 214, 220])
    assert rows.score.tolist() == pytest.approx([0.54, 0.78, 0.9])
    assert rows.detected.tolist() == [False, False, True]


def test_who_is_seen_in_one_is_held_in_the_nearer_half():
    rows = between(people((0, box(100))), people((1, box(900))), QUARTERS)
    assert list(zip(rows.frame.tolist(), rows.tracklet.tolist(), strict=True)) == [
        (0, 0), (2, 1), (3, 1),
    ]  # fmt: skip
    assert rows.box[:, 0].tolist() == [60, 860, 860]
    assert rows.detected.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("before", "after", "frames"),
    [
        (people((0, box(100))), None, [0, 1, 2, 3]),
        (None, people((0, box(100))), [0, 1, 2, 3]),
        (people((0, box(100))), people(), [0]),
        (people(), people((0, box(100))), [2, 3]),
        (None, None, []),
        (people(), None, []),
    ],
    ids=["next unknown", "last unknown", "gone", "come", "both unknown", "nobody"],
)
def test_a_frame_not_decoded_says_nothing_of_who_is_absent(before, after, frames):
    assert between(before, after, QUARTERS).frame.tolist() == frames


numbered = st.lists(
    st.tuples(st.integers(0, 5), st.builds(box, st.floats(0, 1000))),
    max_size=4,
    unique_by=lambda pair: pair[0],
)
inner = st.lists(st.sampled_from([k / 16 for k in range(1, 16)]), min_size=1, unique=True).map(
    sorted
)


@settings(deadline=None)
@given(st.none() | numbered, st.none() | numbered, inner)
def test_between_reads_the_same_in_both_directions_of_time(before, after, fraction):
    before, after = (None if side is None else people(*side) for side in (before, after))
    forward = between(before, after, np.array(fraction))
    backward = between(after, before, 1 - np.array(fraction[::-1]))
    frames = len(fraction)

    def table(rows, frame):
        order = np.lexsort((rows.tracklet, frame))
        return np.column_stack([frame, rows.tracklet, rows.box, rows.score])[order]

    assert table(forward, forward.frame) == pytest.approx(
        table(backward, frames - 1 - backward.frame), abs=1e-3
    )


@settings(deadline=None)
@given(numbered, numbered)
def test_where_one_is_does_not_depend_on_the_others(before, after):
    rows = between(people(*before), people(*after), QUARTERS)
    for number in range(6):
        alone = between(
            people(*(p for p in before if p[0] == number)),
            people(*(p for p in after if p[0] == number)),
            QUARTERS,
        )
        own = rows.tracklet == number
        for name in ("frame", "box", "score", "detected"):
            assert np.array_equal(getattr(rows, name)[own], getattr(alone, name))
    assert (np.diff(rows.frame) >= 0).all()


def test_no_rows():
    empty = BoxRows.empty()
    assert (empty.box.shape, empty.frame.shape, empty.tracklet.dtype) == ((0, 4), (0,), np.int32)


@pytest.mark.parametrize(
    ("scores", "heights", "most", "chosen"),
    [
        ([0.9, 0.2, 0.5], [200, 200, 200], 6, [0, 2]),
        ([0.3, 0.29999], [200, 200], 6, [0]),
        ([0.5, 0.9, 0.7], [200, 200, 200], 2, [1, 2]),
        ([0.5, 0.5], [100, 300], 1, [1]),
        ([0.9, 0.8], [0, 200], 6, [1]),  # no area: no crop
        ([0.9], [200], 0, []),
        ([], [], 6, []),
    ],
    ids=str,
)
def test_the_best_detections_are_kept(scores, heights, most, chosen):
    found = Detections(
        boxes(*(box(100 * i, height=h) for i, h in enumerate(heights))),
        np.array(scores, np.float32),
    )
    kept = select(found, np.float32(0.3), most)
    assert np.array_equal(kept.boxes, found.boxes[chosen])
    assert np.array_equal(kept.score, found.score[chosen])
