"""Text on pictures: legible, inside the picture, apart from other text, at any size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.render.canvas import Canvas
from deployments.render.labels import Label, label_size, write_labels
from tests.support.annotated import grey_planes, rgb_of_planes

GREY = 90
SIZES = {
    "36p": (64, 36),
    "360p": (640, 360),
    "1080p": (1920, 1080),
    "2160p": (3840, 2160),
    "upright": (1080, 1920),
}
RGB = (230, 159, 0)


def are_apart(plates):
    return all(
        x1 >= a2 or a1 >= x2 or y1 >= b2 or b1 >= y2
        for i, (x1, y1, x2, y2) in enumerate(plates)
        for a1, b1, a2, b2 in plates[:i]
    )


def write(size, labels, luma=GREY):
    """Planes with the labels on them, and the plates."""
    planes = grey_planes(size, luma)
    return planes, write_labels(Canvas(*planes), labels)


@pytest.mark.parametrize(
    ("size", "least_px", "most_px"),
    [
        (SIZES["36p"], 5, 7),
        (SIZES["360p"], 6, 9),
        (SIZES["1080p"], 18, 24),
        (SIZES["2160p"], 36, 48),
        (SIZES["upright"], 18, 24),
    ],
    ids=SIZES,
)
def test_text_is_legible(size, least_px, most_px):
    """Height of the digits, by their pixels, and contrast to the plate on a white picture."""
    (y, _, _), (plate,) = write(size, [Label("180°", 8, 8, RGB)], luma=235)
    x1, y1, x2, y2 = plate
    digits = y[y1:y2, x1 : x1 + (x2 - x1) * 2 // 3]
    edge = max(round(min(size) / 360), 1) + 1

    rows = np.flatnonzero((digits[:-edge] > 180).any(axis=1))

    assert least_px <= np.ptp(rows) + 1 <= most_px
    assert digits[:-edge].max() - int(np.median(digits)) > 120


@pytest.mark.parametrize("text", ["180°", "0°", "#7", "#123456"])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_text_keeps_a_margin_to_the_edge_of_its_plate(size, text):
    (y, _, _), (plate,) = write(size, [Label(text, 4, 4, RGB)], luma=16)
    x1, y1, x2, y2 = plate
    edge = max(round(min(size) / 360), 1) + 1

    bright = y[y1 : y2 - edge, x1:x2] > 60

    assert bright.any()
    assert not bright[0].any()
    assert not bright[:, [0, -1]].any()


@pytest.mark.parametrize("luma", [16, 90, 235])
def test_color_of_a_label_is_that_of_its_lower_edge(luma):
    size = SIZES["1080p"]
    planes, (plate,) = write(size, [Label("90°", 500, 500, RGB)], luma)
    x1, _, x2, y2 = plate

    below = rgb_of_planes(*planes)[y2 - 2, (x1 + x2) // 2]

    assert np.abs(below.astype(int) - RGB).max() <= 40


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize(
    "point", [(0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0.5), (-3, 0.5), (0.5, 4)], ids=str
)
def test_labels_stay_inside_and_apart(size, point):
    """Eight labels at one point; not all have room in the smallest picture."""
    x, y = np.array(point) * size

    _, plates = write(size, [Label(f"{20 * i}°", x, y, RGB) for i in range(8)])

    assert len(plates) == 8 or (size == SIZES["36p"] and len(plates) >= 4)
    for x1, y1, x2, y2 in plates:
        assert 0 <= x1 < x2 <= size[0]
        assert 0 <= y1 < y2 <= size[1]
    assert are_apart(plates)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 160), st.integers(1, 120)).map(lambda s: (2 * s[0], 2 * s[1])),
    labels=st.lists(
        st.builds(
            Label,
            st.sampled_from(["0°", "45°", "180°", "#1", "#4711"]),
            st.floats(-1e6, 1e6),
            st.floats(-50, 300),
            st.just(RGB),
        ),
        max_size=9,
    ),
)
def test_nothing_is_changed_outside_the_plates(size, labels):
    (y, u, v), plates = write(size, labels)

    outside = np.ones(y.shape, bool)
    for x1, y1, x2, y2 in plates:
        outside[y1:y2, x1:x2] = False
    # A color sample is of four pixels.
    fully = outside.reshape(size[1] // 2, 2, size[0] // 2, 2).all(axis=(1, 3))
    assert (y[outside] == GREY).all()
    assert (u[fully] == 128).all()
    assert (v[fully] == 128).all()
    assert are_apart(plates)


def test_labels_go_no_further_than_they_must():
    size = SIZES["1080p"]
    height = label_size("90°", 3)[1]

    _, (first, second, third) = write(
        size, [Label("90°", x, y, RGB) for x, y in ((500, 500), (500, 510), (900, 500))]
    )

    assert first[:2] == (500, 500)
    assert second[:2] == (500, 500 + height)
    assert third[:2] == (900, 500)


def test_labels_go_sideways_where_a_column_is_full():
    width, height = label_size("90°", 0.25)

    _, plates = write((2 * width, 3 * height), [Label("90°", 0, 0, RGB)] * 7)

    assert [p[:2] for p in plates] == [(x, y) for x in (0, width) for y in (0, height, 2 * height)]


def test_labels_larger_than_the_picture_are_left_out():
    (y, _, _), plates = write((16, 8), [Label("180°", 2, 2, RGB)])

    assert plates == []
    assert (y == GREY).all()
