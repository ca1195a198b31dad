"""One person found by a pose network alone, held against what was drawn."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from deployments.errors import InferenceError
from deployments.media.picture import LETTERBOX_FILL
from deployments.pose.loading import load_pose_model
from deployments.pose.model_options import EngineOptions
from deployments.pose.registry import ModelEntry
from tests.support import markers
from tools.athlete.whole_frame import WholeFrameDetector

ENTRY = ModelEntry(
    key="found", name="Found", task="pose", family="rtmpose", config="marker", mm_config="",
    checkpoint="marker.onnx", sha256=None, input_size=(192, 256), codec="simcc",
    notice="for one person",
)  # fmt: skip


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "marker.onnx"
    onnx.save(markers.pose_network(), path)
    model = load_pose_model(ENTRY, path, EngineOptions(threads=1), "detector")
    return WholeFrameDetector(model)


def letterboxed(points, size):
    """(320, 320, 3) BGR of the figure in a picture of ``size``, no larger than that."""
    picture = np.full((320, 320, 3), LETTERBOX_FILL, np.uint8)
    picture[: size[1], : size[0]] = markers.draw(points, size)
    return picture


def figure(height, at):
    """(17, 2) the figure of ``height`` pixels, its left top corner ``at``."""
    points = markers.squat(1)[0]
    points = points - points.min(0)
    return points * height / points[:, 1].max() + at


@pytest.mark.parametrize("size", [(320, 320), (200, 320), (320, 280)])
def test_the_box_is_about_the_points_of_the_person(detector, size):
    points = figure(0.85 * size[1], (size[0] * 0.2, size[1] * 0.08))
    (found,) = detector.infer(letterboxed(points, size)[None])
    low, high = points.min(0), points.max(0)
    margin = 0.08 * (high - low).max()
    expected = np.clip([*(low - margin), *(high + margin)], 0, 320)
    assert found.boxes[0] == pytest.approx(expected, abs=4)
    assert 0.3 < found.score[0] <= 1


@pytest.mark.parametrize(("size", "at"), [((320, 96), (10, 5)), ((320, 96), (230, 5)),
                                          ((96, 320), (8, 210))])  # fmt: skip
def test_a_person_is_found_anywhere_in_a_long_picture(detector, size, at):
    points = figure(85, at)
    (found,) = detector.infer(letterboxed(points, size)[None])
    low, high = points.min(0), points.max(0)
    assert found.boxes[0] == pytest.approx([*(low - 7), *(high + 7)], abs=5)


def test_each_picture_has_its_own_person(detector):
    people = [figure(270, (10, 20)), figure(260, (70, 40))]
    pictures = np.stack([letterboxed(points, (320, 320)) for points in people])
    together = detector.infer(pictures)
    for picture, found in zip(pictures, together, strict=True):
        (alone,) = detector.infer(picture[None])
        assert found.boxes == pytest.approx(alone.boxes, abs=1e-3)
    assert abs(together[0].boxes[0, 0] - together[1].boxes[0, 0]) > 40


def test_where_nobody_is_nobody_is_found(detector):
    empty = np.full((2, 320, 320, 3), markers.BACKGROUND, np.uint8)
    empty[1] = LETTERBOX_FILL
    for found in detector.infer(empty):
        assert (found.boxes.shape, found.score.shape) == ((0, 4), (0,))
    assert detector.infer(empty[:0]) == []


def test_pictures_of_another_size_are_refused(detector):
    with pytest.raises(InferenceError, match="320"):
        detector.infer(np.zeros((1, 256, 192, 3), np.uint8))


def test_it_says_what_it_is(detector):
    status = detector.status
    assert (status.role, status.input_size, status.notice) == (
        "detector", (320, 320), "for one person",
    )  # fmt: skip
    assert replace(status, role="rtmpose").loaded
