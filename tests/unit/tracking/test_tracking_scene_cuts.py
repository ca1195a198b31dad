"""Hard cuts (M7): found where they are, and in nothing else that changes pictures."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from deployments.decode.scene_change_watch import ChangeWatch
from deployments.media.scene_change import Look, changed
from deployments.tracking.scene_cuts import cuts_of

SIZE = (320, 240)
STRIDE = 4


def scene(seed, size=(640, 480)):
    """Luma of a background with large and small texture, wider than a picture."""
    random = np.random.default_rng(seed)
    luma = np.zeros(size[::-1])
    for cell in (6, 20, 60):
        grain = random.uniform(-1, 1, (size[1] // cell + 2, size[0] // cell + 2))
        luma += cv2.resize(grain, size, interpolation=cv2.INTER_CUBIC) * cell
    return 110 + 35 * luma / luma.std()


def view(luma, x=0.0, y=0.0, zoom=1.0):
    """A picture of part of a scene."""
    move = np.array([[zoom, 0, -x], [0, zoom, -y]])
    return cv2.warpAffine(luma, move, SIZE, borderMode=cv2.BORDER_REFLECT)


def with_person(picture, x, y=60.0, height=140):
    """Draw somebody dark at x, with a box (4,)."""
    width = height // 4
    drawn = picture.copy()
    cv2.ellipse(
        drawn, (round(x), round(y + height / 2)), (width // 2, height // 2), 0, 0, 360, 25, -1
    )
    return drawn, np.array([x - width / 2, y, x + width / 2, y + height])


def cuts_in(pictures, boxes=None, times_s=None):
    """Cuts of a video of one segment."""
    watch = ChangeWatch(0, len(pictures))
    for start in range(-STRIDE, len(pictures), STRIDE):
        watch.begin(start)
        for index in range(max(start + 1, 0), min(start + STRIDE + 1, len(pictures))):
            luma = np.clip(np.rint(pictures[index]), 0, 255).astype(np.uint8)
            watch.compare(SimpleNamespace(index=index, y=luma))
        watch.end()
    shares = np.concatenate([[np.nan], watch.shares])[:-1].astype(np.float32)
    times_s = np.arange(len(pictures)) / 30 if times_s is None else times_s
    frames = np.arange(len(pictures) if boxes is not None else 0, dtype=np.int32)
    rows = np.array([] if boxes is None else boxes, np.float32).reshape(-1, 4)
    return cuts_of(shares, watch.found(), times_s, frames, rows, SIZE)


def walk(luma, xs, **how):
    """Pictures, and boxes, of somebody at each of ``xs``."""
    found = [with_person(view(luma), x, **how) for x in xs]
    return [p for p, _ in found], [b for _, b in found]


def noisy(pictures, deviation=6.0, seed=5):
    random = np.random.default_rng(seed)
    return [picture + random.normal(0, deviation, picture.shape) for picture in pictures]


STILL = [view(scene(1))] * 20
OTHER = [view(scene(2))] * 20
TAKES = {
    "another place": STILL + OTHER,
    "noise": noisy(STILL + OTHER),
    "the same place mirrored": STILL + [p[:, ::-1] for p in STILL],
    "both pan": [view(scene(1), 5 * i) for i in range(20)]
    + [view(scene(2), 7 * i) for i in range(20)],
    "both shake": [
        view(scene(1 + i // 20), *shake)
        for i, shake in enumerate(40 + np.random.default_rng(0).normal(0, 6, (40, 2)))
    ],
    "another exposure, too": STILL + [p * 0.5 for p in OTHER],
}


@pytest.mark.parametrize("pictures", TAKES.values(), ids=TAKES)
def test_a_cut_to_another_scene_is_found_where_it_is(pictures):
    assert cuts_in(pictures) == [20]


@pytest.mark.parametrize("black", [1, 3, 12])
def test_black_pictures_between_two_takes_are_a_take_of_nobody(black):
    assert cuts_in(STILL + [np.zeros(SIZE[::-1])] * black + OTHER) == [20, 20 + black]


def test_each_of_several_cuts_is_found():
    assert cuts_in([view(scene(i // 25)) for i in range(100)]) == [25, 50, 75]


@pytest.mark.parametrize("jump", [-120, -60, 50, 100])
def test_a_cut_within_one_place_is_found_by_its_people(jump):
    first = 160 + 2.0 * np.arange(20)
    xs = np.concatenate([first, first + 40 + jump])
    pictures, boxes = walk(scene(3), xs)
    assert cuts_in(noisy(pictures), boxes) == [20]


ONE_TAKE = {
    "pan": [view(scene(1), 4 * i) for i in range(60)],
    "fast pan": [view(scene(1), 20 * min(max(i - 20, 0), 15)) for i in range(60)],
    "a jerk": [view(scene(1), 40 * (i >= 20), 20 * (i >= 20)) for i in range(40)],
    "shaking": [view(scene(1), *s) for s in 40 + np.random.default_rng(1).normal(0, 8, (60, 2))],
    "zoom": [view(scene(1), zoom=1 + 0.01 * i) for i in range(60)],
    "one flash": [*STILL, np.full(SIZE[::-1], 255.0), *STILL],
    "a long flash": [*STILL, *[STILL[0] * 0.2 + 200] * 15, *STILL],
    "white for half a second": [*STILL, *[np.full(SIZE[::-1], 255.0)] * 15, *STILL],
    "exposure falls": STILL + [p * 0.5 for p in STILL],
    "exposure rises and clips": STILL + [p * 1.8 for p in STILL],
    "gamma": STILL + [255 * (p / 255) ** 0.5 for p in STILL],
    "fade to another scene": [
        a * (1 - part) + b * part
        for a, b, part in zip(
            STILL * 2, OTHER * 2, np.clip((np.arange(40) - 10) / 15, 0, 1), strict=True
        )
    ],
    "fade from black": [p * min(i / 15, 1.0) for i, p in enumerate(STILL * 2)],
    "noise alone": noisy(STILL * 2, 15.0),
    "a freeze": [view(scene(1), 3 * (i - min(max(i - 20, 0), 6))) for i in range(60)],
    "the end of a take": STILL + OTHER[:3],
}


@pytest.mark.parametrize("pictures", ONE_TAKE.values(), ids=ONE_TAKE)
def test_no_cut_is_found_in_one_take(pictures):
    assert cuts_in(pictures, np.tile([100.0, 60, 140, 200], (len(pictures), 1))) == []


@pytest.mark.parametrize("step", [3.0, 12.0, 25.0])
def test_a_runner_is_no_cut_however_fast(step):
    xs = np.concatenate([np.full(15, 20.0), 20 + np.arange(0, 290, step), np.full(15, 310.0)])
    pictures, boxes = walk(scene(3), xs)
    assert cuts_in(noisy(pictures), boxes) == []


def test_a_caption_is_no_cut():
    pictures, boxes = walk(scene(3), 100 + 1.5 * np.arange(40))
    for picture in pictures[20:]:
        picture[215:235, 20:220] = 230
        picture[220:230, 30:210:12] = 20
    assert cuts_in(pictures, boxes) == []


def test_a_ray_of_sun_is_no_cut():
    pictures, boxes = walk(scene(3), 100 + 1.5 * np.arange(40))
    ray = np.clip(1 - np.abs(np.arange(SIZE[0]) - 190) / 25, 0, 1) * 90
    pictures[20:] = [np.minimum(picture + ray, 255) for picture in pictures[20:]]
    assert cuts_in(pictures, boxes) == []


def test_who_moved_while_pictures_were_missing_is_no_cut():
    times_s = np.arange(40) / 30 + 0.2 * (np.arange(40) >= 20)
    pictures, boxes = walk(scene(3), 60 + 120 * times_s)
    assert cuts_in(noisy(pictures), boxes, times_s) == []


def test_a_picture_differs_from_itself_nowhere():
    look = Look.of(np.rint(scene(4)).astype(np.uint8))
    assert changed(look, look)[0] == 0.0


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2, 2), (240, 3), (16, 16)])
def test_pictures_of_any_shape_are_compared(shape):
    black, white = (Look.of(np.full(shape, level, np.uint8)) for level in (0, 255))
    noise = Look.of(np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8))
    for other in (white, noise):
        assert 0 <= changed(black, other)[0] <= 1
