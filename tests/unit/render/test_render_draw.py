"""What is drawn on a picture: people by side, their angles; nothing for what is missing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from biomech.joints import JOINT_ANGLES
from biomech.skeleton import INDEX
from deployments.render import draw as draw_module
from deployments.render.draw import (
    CENTER_RGB,
    OTHER_RGB,
    FrameOverlay,
    draw,
)
from deployments.render.labels import label_size
from deployments.side_colors import SIDE_RGB
from tests.support.annotated import grey_planes, rgb_of_planes

GREY = 90
SIZES = {"360p": (640, 360), "1080p": (1920, 1080), "2160p": (3840, 2160), "upright": (1080, 1920)}

# A person in front, in parts of the picture's width and height.
_BODY = {
    "nose": (0.50, 0.15),
    "left_eye": (0.52, 0.13),
    "right_eye": (0.48, 0.13),
    "left_ear": (0.54, 0.14),
    "right_ear": (0.46, 0.14),
    "left_shoulder": (0.60, 0.30),
    "right_shoulder": (0.40, 0.30),
    "left_elbow": (0.70, 0.42),
    "right_elbow": (0.30, 0.42),
    "left_wrist": (0.75, 0.55),
    "right_wrist": (0.25, 0.55),
    "left_hip": (0.57, 0.58),
    "right_hip": (0.43, 0.58),
    "left_knee": (0.60, 0.75),
    "right_knee": (0.40, 0.75),
    "left_ankle": (0.62, 0.92),
    "right_ankle": (0.38, 0.92),
}
BODY = np.array([_BODY[name] for name in INDEX])


def one_person(size, angles=(np.nan,) * 6):
    """An overlay of a whole person without a box."""
    return FrameOverlay(
        keypoints=(BODY * size)[None].astype(np.float32),
        score=np.ones((1, 17), np.float32),
        box=np.full((1, 4), np.nan, np.float32),
        track_id=np.array([1], np.int32),
        angles_deg=np.array(angles, np.float64),
        min_score=0.3,
    )


def changed(overlay, **fields):
    values = {name: getattr(overlay, name) for name in overlay.__slots__}
    return FrameOverlay(**values | fields)


def drawn(size, overlay):
    """RGB of a grey picture with the overlay."""
    y, u, v = grey_planes(size)
    draw(y, u, v, overlay)
    return rgb_of_planes(y, u, v).astype(int)


def middle_of(size, a, b):
    x, y = (BODY[INDEX[a]] + BODY[INDEX[b]]) / 2 * size
    return round(y), round(x)


def labels_of(monkeypatch, size, overlay):
    """The labels asked for."""
    asked = []
    monkeypatch.setattr(draw_module, "write_labels", lambda _, labels: asked.extend(labels))
    draw(*grey_planes(size), overlay)
    return asked


@pytest.mark.parametrize(
    ("limb", "rgb"),
    [
        (("left_shoulder", "left_elbow"), SIDE_RGB["left"]),
        (("left_elbow", "left_wrist"), SIDE_RGB["left"]),
        (("left_shoulder", "left_hip"), SIDE_RGB["left"]),
        (("left_knee", "left_ankle"), SIDE_RGB["left"]),
        (("right_shoulder", "right_elbow"), SIDE_RGB["right"]),
        (("right_hip", "right_knee"), SIDE_RGB["right"]),
        (("right_knee", "right_ankle"), SIDE_RGB["right"]),
        (("left_shoulder", "right_shoulder"), CENTER_RGB),
        (("left_hip", "right_hip"), CENTER_RGB),
    ],
)
@pytest.mark.parametrize("size", [SIZES["1080p"], SIZES["2160p"]], ids=["1080p", "2160p"])
def test_limbs_are_colored_by_side(size, limb, rgb):
    pixel = drawn(size, one_person(size))[middle_of(size, *limb)]

    assert np.abs(pixel - rgb).max() <= 12


def test_colors_stay_apart_at_360p():
    size = SIZES["360p"]
    image = drawn(size, one_person(size))

    left = image[middle_of(size, "left_knee", "left_ankle")]
    right = image[middle_of(size, "right_knee", "right_ankle")]

    assert left[0] - left[2] > 100  # orange
    assert right[2] - right[0] > 80  # blue


def test_limbs_have_a_dark_outline():
    size = SIZES["1080p"]
    image = drawn(size, one_person(size))

    row, column = middle_of(size, "left_shoulder", "right_shoulder")

    assert image[row - 9 : row + 10, column].sum(axis=-1).min() < 120


def test_other_people_are_grey_and_thinner():
    size = SIZES["1080p"]
    overlay = one_person(size)
    absent = np.full_like(overlay.keypoints, np.nan)
    second = changed(
        overlay,
        keypoints=np.concatenate([absent, overlay.keypoints]),
        score=np.ones((2, 17), np.float32),
        box=np.full((2, 4), np.nan, np.float32),
        track_id=np.array([1, 2], np.int32),
    )
    row, column = middle_of(size, "left_shoulder", "left_elbow")

    as_primary, as_other = drawn(size, overlay), drawn(size, second)

    assert np.abs(as_other[row, column] - OTHER_RGB).max() <= 12
    grey = drawn(size, changed(overlay, keypoints=absent))
    touched = [int((image != grey).any(-1).sum()) for image in (as_primary, as_other)]
    assert touched[1] < 0.75 * touched[0]


def test_primary_person_is_on_top():
    size = SIZES["1080p"]
    overlay = one_person(size)
    both = changed(
        overlay,
        keypoints=np.concatenate([overlay.keypoints] * 2),
        score=np.ones((2, 17), np.float32),
        box=np.full((2, 4), np.nan, np.float32),
        track_id=np.array([1, 2], np.int32),
    )

    pixel = drawn(size, both)[middle_of(size, "left_knee", "left_ankle")]

    assert np.abs(pixel - SIDE_RGB["left"]).max() <= 12


def test_box_is_drawn_with_the_track_id(monkeypatch):
    size = SIZES["1080p"]
    box = np.array([[400, 200, 1500, 1000]], np.float32)
    overlay = changed(one_person(size), box=box, track_id=np.array([7], np.int32))

    image = drawn(size, overlay)
    (label,) = labels_of(monkeypatch, size, overlay)

    for row, column in ((600, 400), (600, 1500), (1000, 900)):
        assert image[row, column].min() > 225
    assert label.text == "#7"
    assert (label.x, label.y + label_size("#7", 3)[1]) == (400, 200)


@pytest.mark.parametrize(
    ("angle", "text"), [(142.5, "142°"), (142.51, "143°"), (0.2, "0°"), (-0.3, "0°"), (180, "180°")]
)
def test_angles_are_rounded_degrees_beside_their_joints(monkeypatch, angle, text):
    size = SIZES["1080p"]

    labels = labels_of(monkeypatch, size, one_person(size, [angle] * 6))

    assert [label.text for label in labels] == [text] * 6
    for label in labels:
        side = "left" if label.rgb == SIDE_RGB["left"] else "right"
        width, height = label_size(label.text, 3)
        nearest = min(
            np.hypot(
                max(label.x - x, x - label.x - width, 0), max(label.y - y, y - label.y - height, 0)
            )
            for x, y in (BODY[INDEX[name]] * size for name in JOINT_ANGLES if name.startswith(side))
        )
        assert nearest < 20


@pytest.mark.parametrize("lost", range(6), ids=JOINT_ANGLES)
@pytest.mark.parametrize("how", ["angle", "keypoint", "score"])
def test_missing_angles_are_not_written(monkeypatch, lost, how):
    size = SIZES["1080p"]
    angles = 10.0 * np.arange(1, 7)
    overlay = one_person(size, angles)
    joint = INDEX[JOINT_ANGLES[lost]]
    if how == "angle":
        overlay.angles_deg[lost] = np.nan
    elif how == "keypoint":
        overlay.keypoints[0, joint] = np.nan
    else:
        overlay.score[0, joint] = 0.29

    labels = labels_of(monkeypatch, size, overlay)

    assert {label.text for label in labels} == {
        f"{angle:.0f}°" for i, angle in enumerate(angles) if i != lost
    }


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_missing_people_leave_the_picture_alone(bad):
    size = SIZES["360p"]
    overlay = changed(
        one_person(size, [90.0] * 6),
        keypoints=np.full((1, 17, 2), bad, np.float32),
        box=np.full((1, 4), bad, np.float32),
    )
    empty = FrameOverlay(
        np.empty((0, 17, 2), np.float32),
        np.empty((0, 17), np.float32),
        np.empty((0, 4), np.float32),
        np.empty(0, np.int32),
        np.full(6, np.nan),
        0.3,
    )

    for nobody in (overlay, empty):
        y, u, v = grey_planes(size)
        draw(y, u, v, nobody)
        assert (y == GREY).all()
        assert (u == 128).all()
        assert (v == 128).all()


_ANY = st.one_of(
    st.floats(-200, 400, width=32),
    st.sampled_from([np.nan, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-40, -0.0]),
)


@settings(max_examples=150, deadline=None)
@given(
    keypoints=hnp.arrays(np.float32, (2, 17, 2), elements=_ANY),
    box=hnp.arrays(np.float32, (2, 4), elements=_ANY),
    angles=hnp.arrays(np.float64, 6, elements=_ANY),
    score=hnp.arrays(np.float32, (2, 17), elements=st.sampled_from([0.0, 0.5, 1.0, np.nan])),
    size=st.sampled_from([(2, 2), (16, 2), (2, 64), (64, 48), (200, 120)]),
)
def test_any_numbers_can_be_drawn(keypoints, box, angles, score, size):
    draw(*grey_planes(size), FrameOverlay(keypoints, score, box, np.array([1, 2]), angles, 0.3))


def test_thousands_of_overlays_can_be_drawn():
    """Wilder than a shrinking search has time for: far, near, missing, several people."""
    rng = np.random.default_rng(7)
    special = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0, 1e5, -1e5], np.float32)
    y, u, v = grey_planes((96, 64))
    for _ in range(2_000):
        people = int(rng.integers(0, 4))
        keypoints = rng.normal(40, rng.choice([10, 100, 3000]), (people, 17, 2))
        box = rng.normal(40, rng.choice([10, 100, 3000]), (people, 4))
        angles = rng.normal(90, 60, 6)
        for array in (keypoints, box, angles):
            wild = rng.random(array.shape) < 0.1
            array[wild] = rng.choice(special, int(wild.sum()))
        draw(
            y,
            u,
            v,
            FrameOverlay(
                keypoints.astype(np.float32),
                rng.random((people, 17)).astype(np.float32),
                box.astype(np.float32),
                np.arange(people, dtype=np.int32),
                angles,
                0.3,
            ),
        )
    assert np.ptp(y) > 100  # something was drawn
