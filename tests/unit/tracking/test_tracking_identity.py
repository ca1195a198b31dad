"""Who is who through crossings, behind one another, side by side, over gaps, and in a crowd."""

import numpy as np
import pytest

from deployments.tracking.identity import resolve
from deployments.tracking.person_table import collect
from tests.support.simulated_people import Walker, media, observe, shown_in, straight

Y = 500.0
STRIDES = (1, 4, 6)
SEEDS = range(4)


def standing(x, y=Y):
    return lambda _: (x, y)


def now_and_then(seed, share=0.05):
    """The detector misses everyone in this share of frames, each on their own."""
    return lambda frame, who: np.random.default_rng([seed, frame, who]).uniform() < share


def identities(walkers, seconds, *, stride=4, seed=0, missed=None):
    """By identity the walkers followed in order, and the frames in which there is a row."""
    info = media(round(30 * seconds) + 1)
    segment = observe(walkers, info, stride, missed or now_and_then(seed), seed=seed)
    rows, track = collect([segment], info)
    identity = resolve(rows, track)
    kept = identity >= 0
    assert len(np.unique(np.stack([rows.frame, identity])[:, kept], axis=1).T) == kept.sum()
    followed, frames = [], []
    for number in np.unique(identity[kept]):
        own = np.flatnonzero(identity == number)
        shown = [shown_in(rows.poses.keypoints[r], walkers, rows.time_s[r]) for r in own]
        known = [who for who in shown if who is not None]
        jumps = np.flatnonzero(np.diff(known)) + 1
        followed.append([known[i] for i in [0, *jumps]] if known else [])
        frames.append(rows.frame[own])
    return followed, frames


def assert_one_each(walkers, seconds, **options):
    """Every identity follows one walker all the time, every walker has one identity."""
    followed, _ = identities(walkers, seconds, **options)
    assert sorted(who for who in followed if who) == [[i] for i in range(len(walkers))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize(
    ("left_speed", "right_speed"),
    [(150, -120), (90, -300), (350, -350)],
    ids=["walk", "run past", "run"],
)
def test_people_who_cross(left_speed, right_speed, stride, seed):
    walkers = [
        Walker(straight(960 - 2.5 * left_speed, Y, left_speed)),
        Walker(straight(960 - 2.5 * right_speed, Y + 10, right_speed), height=320, facing=-1),
    ]
    assert_one_each(walkers, 5, stride=stride, seed=seed)
    assert_one_each(walkers[::-1], 5, stride=stride, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("behind", [True, False], ids=["behind", "before"])
@pytest.mark.parametrize("speed", [150, -150, 400])
def test_someone_passes_one_who_stands(speed, behind, seed):
    stands = Walker(standing(960), strides_per_s=0.3)
    passes = Walker(straight(960 - 2.5 * speed, Y, speed), height=280, facing=int(np.sign(speed)))
    assert_one_each([stands, passes] if behind else [passes, stands], 5, seed=seed)


@pytest.mark.parametrize("behind", [True, False], ids=["behind", "before"])
@pytest.mark.parametrize("at", [48, 52, 56])
def test_a_box_of_the_other_one_in_a_track_goes_to_its_owner(at, behind):
    # First the one behind is missed, then the one in front, whose track goes on with the other.
    missed = {(at, 1), (at + 4, 0)}
    walkers = [
        Walker(standing(960), strides_per_s=0.3),
        Walker(straight(960 - 2.5 * 150, Y, 150), height=280),
    ]
    assert_one_each(
        walkers if behind else walkers[::-1], 5, missed=lambda frame, who: (frame, who) in missed
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("direction", [1, -1], ids=["rightward", "leftward"])
@pytest.mark.parametrize("near", ["slow", "fast"])
def test_overtaking(near, direction, seed):
    slow, fast = 110 * direction, 330 * direction
    walkers = [
        Walker(straight(960 - 2.5 * slow, Y, slow), facing=direction),
        Walker(straight(960 - 2.5 * fast, Y, fast), 310, strides_per_s=1.5, facing=direction),
    ]
    assert_one_each(walkers if near == "slow" else walkers[::-1], 5, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("apart", [90, 150])
@pytest.mark.parametrize("speed", [0, 120])
def test_side_by_side(speed, apart, seed):
    walkers = [
        Walker(straight(400, Y, speed), strides_per_s=0.7),
        Walker(straight(400 + apart, Y + 5, speed), 310, strides_per_s=0.8),
    ]
    assert_one_each(walkers, 4, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_people_who_meet_and_turn_back(seed):
    way = lambda t: 40 + 150 * (np.hypot(t - 2.5, 0.4) - 0.4)  # noqa: E731
    walkers = [
        Walker(lambda t: (960 - way(t), Y)),
        Walker(lambda t: (960 + way(t), Y), height=310, facing=-1),
    ]
    assert_one_each(walkers, 5, seed=seed)


@pytest.mark.parametrize("speed", [0, 60, 250])
@pytest.mark.parametrize("gap_s", [0.5, 1.0, 2.0])
def test_a_gap_of_missed_detections_is_one_person_and_stays_empty(gap_s, speed):
    hidden = lambda frame, _: 30 < frame < 30 + 30 * gap_s  # noqa: E731
    walker = Walker(straight(300, Y, speed))
    (followed,), (frames,) = identities([walker], 2 + gap_s, missed=hidden)
    assert followed == [0]
    assert set(range(30)) <= set(frames.tolist())
    assert frames.max() == 60 + 30 * gap_s
    inside = (frames > 32) & (frames < 28 + 30 * gap_s)
    assert not inside.any()


def test_a_gap_of_one_does_not_disturb_another():
    hidden = lambda frame, who: who == 0 and 40 < frame < 80  # noqa: E731
    walkers = [Walker(straight(300, Y, 100)), Walker(straight(1300, Y, -60), facing=-1)]
    assert_one_each(walkers, 5, missed=hidden)


@pytest.mark.parametrize(("away_s", "same"), [(1.0, True), (2.5, True), (3.5, False)])
def test_someone_who_leaves_and_returns(away_s, same):
    def path(t):
        return (300.0 + 100 * min(t, 1.5), Y)  # and waits there, unseen

    walkers = [
        Walker(path, to_s=2.0),
        Walker(standing(450.0), from_s=2.0 + away_s),
        Walker(standing(1400.0), strides_per_s=0.4),
    ]
    followed, _ = identities(walkers, 4 + away_s)
    assert sorted(who for who in followed if who) == ([[0, 1], [2]] if same else [[0], [1], [2]])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crowd_in_lanes(seed):
    rng = np.random.default_rng(seed)
    walkers = []
    for lane in range(6):
        speed = rng.uniform(60, 300) * (-1) ** lane
        path = straight(960 + rng.uniform(-150, 150) - 3 * speed, 250 + 110 * lane, speed)
        walkers.append(Walker(path, 200, rng.uniform(0.7, 1.5), int(np.sign(speed))))
    assert_one_each(walkers[::-1], 6, seed=seed)  # the lowest lane is the nearest


@pytest.mark.parametrize("seed", SEEDS)
def test_three_at_one_place(seed):
    walkers = [
        Walker(standing(960), strides_per_s=0.3),
        Walker(straight(960 - 3 * 200, Y, 200), 310),
        Walker(straight(960 + 3 * 260, Y - 10, -260), 290, facing=-1),
    ]
    assert_one_each(walkers, 6, seed=seed)


def test_a_hidden_persons_box_is_not_kept_twice():
    # Their boxes coincide for a moment: one row, of the one in front.
    walkers = [Walker(standing(960), strides_per_s=0.3), Walker(straight(460, Y, 200))]
    info = media(151)
    rows, track = collect([observe(walkers, info)], info)
    identity = resolve(rows, track)
    amid = (rows.frame >= 73) & (rows.frame <= 77)
    assert np.bincount(rows.frame[amid & (identity >= 0)])[73:].max() == 1


def test_nobody_and_a_single_row():
    info = media(1)
    rows, track = collect([observe([], info)], info)
    assert resolve(rows, track).tolist() == []
    rows, track = collect([observe([Walker(standing(500))], info)], info)
    assert resolve(rows, track).tolist() == [0]
