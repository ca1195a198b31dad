"""MoveNet's codec on made heads with known places, and the default network on real pictures."""

from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from biomech.skeleton import INDEX, MIRROR
from deployments.errors import WeightsCorruptError
from deployments.media.picture import LETTERBOX_FILL
from deployments.pose.codecs.movenet import MOST_PEOPLE, STRIDE, Heads, MoveNetCodec, people_in
from deployments.pose.engines.movenet_graph import _without_fill
from deployments.pose.loading import load_detector, load_pose_model
from deployments.pose.model_options import EngineOptions
from deployments.pose.offline.coco_evaluation import letterbox
from tests.support import dot_networks
from tests.support.pictures import frames

WIDTH, HEIGHT = 48, 64  # cells of a crop of 192 by 256
MIDDLE = (24, 32)
OPTIONS = EngineOptions(threads=1)


def made(points, center=MIDDLE, spread=1.0, height=0.9, displacement_error=0.0):
    """Heads (1, ...) of one person whose keypoints (17, 2) are at x, y cells."""
    points = np.asarray(points, float)
    rows, columns = np.arange(HEIGHT)[:, None], np.arange(WIDTH)
    cells = np.floor(points).astype(int)

    def bump(x, y, spread):
        return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))

    heat = np.stack([height * bump(x, y, spread) for x, y in cells])
    peak = 0.8 * bump(*center, 1.5)
    moved = (cells - center)[:, ::-1] + displacement_error
    displacement = np.broadcast_to(moved.reshape(34, 1, 1), (34, HEIGHT, WIDTH))
    offset = np.broadcast_to((points - cells)[:, ::-1].reshape(34, 1, 1), (34, HEIGHT, WIDTH))
    arrays = (heat, peak[None], displacement, offset)
    return [torch.from_numpy(np.array(a, np.float32))[None] for a in arrays]


place = st.tuples(st.floats(5, WIDTH - 6), st.floats(5, HEIGHT - 6))
person = st.lists(place, min_size=17, max_size=17)


@settings(max_examples=15)
@given(person, st.floats(-2, 2))
def test_keypoints_are_where_the_bumps_and_offsets_are(points, error):
    found = MoveNetCodec().decode(made(points, displacement_error=error))
    assert_allclose(found.keypoints[0], np.array(points) * STRIDE, atol=0.01)
    assert_allclose(found.score, 0.9, atol=1e-6)
    assert_allclose(found.raw_score, 0.9, atol=1e-6)


@settings(max_examples=15)
@given(person)
def test_mirroring_twice_changes_nothing(points):
    heads, codec = made(points), MoveNetCodec()
    for once, twice in zip(heads, codec.mirror(codec.mirror(heads)), strict=True):
        assert_allclose(twice, once, atol=1e-6)


@settings(max_examples=15)
@given(person)
def test_heads_of_a_mirrored_person_become_those_of_the_person(points):
    points = np.array(points)
    mirrored = (points * [-1, 1] + [WIDTH, 0])[list(MIRROR)]
    heads = made(mirrored, center=(WIDTH - 1 - MIDDLE[0], MIDDLE[1]))
    found = MoveNetCodec().decode(MoveNetCodec().mirror(heads))
    assert_allclose(found.keypoints[0], points * STRIDE, atol=0.01)


def sigma(spread):
    return MoveNetCodec().decode(made([(20.5, 30.5)] * 17, spread=spread)).sigma


def test_sigma_grows_with_the_width_of_the_response():
    spreads = [0.5, 1.0, 1.5, 2.0, 2.5]
    found = np.array([sigma(spread) for spread in spreads])
    assert np.isfinite(found).all()
    assert_allclose(found[:2], 0.5, atol=0.01)  # no wider than a perfect response
    assert (np.diff(found[1:], axis=0) > 0.5).all()
    assert_allclose(found[2], STRIDE * np.sqrt(1.5**2 - 1) + 0.06, atol=0.5)


def test_without_a_response_there_is_no_point():
    heads = made([(20.5, 30.5)] * 17)
    heads[0][:, 3] = 0
    heads[0][:, 4] = torch.nan
    found = MoveNetCodec().decode(heads)
    for k in (3, 4):
        assert np.isnan(found.keypoints[0, k]).all()
        assert np.isnan(found.sigma[0, k]).all()
        assert found.score[0, k] == 0
    others = [k for k in range(17) if k not in (3, 4)]
    assert np.isfinite(found.keypoints[0, others]).all()


@pytest.mark.parametrize(("nearer", "farther"), [((22, 30), (9, 12)), ((27, 36), (40, 50))])
def test_of_two_people_the_one_nearer_the_middle_is_taken(nearer, farther):
    """Each has a bump of the same height for every keypoint; the center chooses."""
    near, far = (np.array([c]) + [[0.5, 0.5]] * 17 for c in (nearer, farther))
    one, two = made(near, nearer), made(far, farther)
    columns = torch.arange(WIDTH)
    of_one = (columns - nearer[0]).abs() < (columns - farther[0]).abs()
    heads = [
        torch.maximum(one[0], two[0]),
        torch.maximum(one[1], two[1]),
        torch.where(of_one, one[2], two[2]),
        torch.where(of_one, one[3], two[3]),
    ]
    found = MoveNetCodec().decode(heads)
    assert_allclose(found.keypoints[0], near * STRIDE, atol=0.01)


def test_people_of_heads_have_their_boxes_and_the_square_root_of_two_scores():
    heads = Heads(*made([(20.5, 30.5)] * 17))
    size = torch.tensor([40.0, 20.0])[None, :, None, None].expand(1, 2, HEIGHT, WIDTH)
    middle = torch.full((1, 2, HEIGHT, WIDTH), 0.5)
    (found,) = people_in(heads, size, middle)
    assert_allclose(found.boxes[0], [14.5 * 4, 12.5 * 4, 34.5 * 4, 52.5 * 4])
    away = np.exp(-((20 - 20) ** 2) / (0.3 * WIDTH))
    assert found.score[0] == pytest.approx(np.sqrt(0.8 * 0.9 * away), abs=1e-5)


def test_heads_without_centers_have_nobody():
    heads = made([(20.5, 30.5)] * 17)
    heads[1].zero_()
    nothing = torch.zeros(1, 2, HEIGHT, WIDTH)
    (found,) = people_in(Heads(*heads), nothing, nothing)
    assert found.boxes.shape == (0, 4)
    assert found.score.shape == (0,)


@pytest.fixture(scope="module")
def filmed(demo_video):
    return frames(demo_video, (45, 80, 120, 180))


@pytest.fixture(scope="module")
def pose(registry, movenet):
    return load_pose_model(registry.entry("movenet_multipose"), movenet, OPTIONS, "rtmpose")


@pytest.fixture(scope="module")
def detector(registry, movenet):
    return load_detector(registry.entry("movenet_multipose_detector"), movenet, OPTIONS)


@pytest.fixture(scope="module")
def crops(filmed):
    """About the walker."""
    columns = (1350, 1060, 690, 190)
    return np.stack(
        [
            cv2.resize(f[480:980, x : x + 375], (192, 256), interpolation=cv2.INTER_AREA)
            for f, x in zip(filmed, columns, strict=True)
        ]
    )


def test_a_batch_is_as_its_crops_one_by_one(pose, crops):
    together = pose.infer(np.concatenate([crops, crops[:1]]))
    for i, crop in enumerate([*crops, crops[0]]):
        alone = pose.infer(crop[None])
        assert_allclose(together.keypoints[i], alone.keypoints[0], atol=1e-2)
        assert_allclose(together.score[i], alone.score[0], atol=1e-4)
        assert_allclose(together.sigma[i], alone.sigma[0], atol=1e-2)


def test_the_walker_is_upright_in_her_crops(pose, crops):
    found = pose.infer(crops)
    assert (found.score.mean(1) > 0.4).all()
    y = found.keypoints[..., 1]
    for above, below in (
        ("nose", "left_hip"),
        ("left_hip", "left_knee"),
        ("right_hip", "right_ankle"),
    ):
        assert (y[:, INDEX[above]] < y[:, INDEX[below]] - 20).all()


def test_mirrored_crops_have_mirrored_keypoints(registry, movenet, crops):
    """Under the flip test, which sees both."""
    options = replace(OPTIONS, flip_test=True)
    both = load_pose_model(registry.entry("movenet_multipose"), movenet, options, "rtmpose")
    found, turned = both.infer(crops), both.infer(np.ascontiguousarray(crops[:, :, ::-1]))
    back = turned.keypoints[:, list(MIRROR)] * [-1, 1] + [192, 0]
    apart = np.linalg.norm(back - found.keypoints, axis=-1)
    assert_allclose(turned.score[:, list(MIRROR)], found.score, atol=1e-3)
    assert np.median(apart) < 0.1
    assert (apart < 0.5).mean() > 0.95


@pytest.mark.parametrize("shown", [(320, 180), (180, 320), (256, 192), (320, 320)])
def test_what_a_letterbox_fills_in_changes_nothing(registry, movenet, detector, filmed, shown):
    """A network that takes just the shown part, up to whole multiples of 32, finds the same."""
    width, height = (-(-side // 32) * 32 for side in shown)
    entry = registry.entry("movenet_multipose_detector")
    cut = load_detector(replace(entry, input_size=(width, height)), movenet, OPTIONS)
    for frame in filmed:
        picture = np.full((320, 320, 3), LETTERBOX_FILL, np.uint8)
        picture[: shown[1], : shown[0]] = cv2.resize(frame, shown, interpolation=cv2.INTER_AREA)
        (whole,) = detector.infer(picture[None])
        (part,) = cut.infer(np.ascontiguousarray(picture[None, :height, :width]))
        assert_allclose(whole.boxes, part.boxes, atol=1e-3)
        assert_allclose(whole.score, part.score, atol=1e-5)
        assert whole.score[0] > 0.2


def test_pictures_of_a_batch_are_cut_to_what_any_of_them_shows():
    pictures = np.full((2, 320, 320, 3), LETTERBOX_FILL, np.uint8)
    pictures[0, :70, :100] = 3
    pictures[1, :20, 200] = 5
    assert _without_fill(pictures).shape == (2, 96, 224, 3)
    assert_array_equal(_without_fill(pictures), pictures[:, :96, :224])


def test_pictures_of_fill_alone_show_nobody(detector):
    fill = np.full((2, 320, 320, 3), LETTERBOX_FILL, np.uint8)
    for found in detector.infer(fill):
        assert (found.score < 0.1).all()
        assert (found.score > 0).all()
    assert detector.infer(fill[:0]) == []
    assert [len(found.score) for found in detector.infer(np.zeros_like(fill))] == [0, 0]


def test_the_detector_sees_colors_in_their_order(detector, filmed):
    """Red and blue swapped, people are found less surely: the network was trained on red first."""
    pictures = np.stack([letterbox(frame, (320, 320))[0] for frame in filmed])
    right, swapped = (detector.infer(p) for p in (pictures, pictures[..., ::-1].copy()))
    gain = [a.score[0] - b.score[0] for a, b in zip(right, swapped, strict=True)]
    assert np.mean(gain) > 0.02


def test_at_most_six_people_are_found(detector, filmed):
    one = cv2.resize(filmed[1][480:980, 1060:1400], (80, 106), interpolation=cv2.INTER_AREA)
    crowd = np.full((320, 320, 3), LETTERBOX_FILL, np.uint8)
    crowd[:318] = np.tile(one, (3, 4, 1))
    (found,) = detector.infer(crowd[None])
    assert len(found.boxes) == MOST_PEOPLE == 6
    assert (found.score > 0.3).all()
    assert (np.diff(found.score) <= 0).all()


@pytest.mark.parametrize("kind", ["text", "onnx", "cut short", "empty"])
@pytest.mark.parametrize("key", ["movenet_multipose", "movenet_multipose_detector"])
def test_another_file_is_refused(registry, movenet, tmp_path, key, kind):
    path = tmp_path / "net.tflite"
    if kind == "onnx":
        path = dot_networks.write_pose(tmp_path / "net.onnx")
    else:
        half = movenet.read_bytes()[: movenet.stat().st_size // 2]
        path.write_bytes({"text": b"no network\n", "cut short": half, "empty": b""}[kind])
    entry = replace(registry.entry(key), sha256=None)
    load = partial(load_pose_model, role="rtmpose") if entry.task == "pose" else load_detector
    with pytest.raises(WeightsCorruptError) as caught:
        load(entry, path, OPTIONS)
    assert str(path) in str(caught.value)
    if path.suffix == ".tflite":
        assert "models download movenet_multipose" in caught.value.hint
