"""Blur of a person: by the body's pixels, whatever the light, the size and what is behind."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from biomech.results.cautions import MAX_BLUR
from biomech.skeleton import LIMBS, MIRROR
from deployments.crops import crop_transforms
from deployments.decode.blur import blur_of
from deployments.messages import CropPoses
from deployments.pose.offline.coco_evaluation import (
    cut_crops,
    labelled_people,
    read_labels,
    read_picture,
)
from tools.athlete.clip import Take, stage

SIZE = (192, 256)
LEAST_HEIGHT_PX = 110  # of a person who is resolved as a crop resolves them
STRONG = 0.015  # of the body's height, as the deviation of a Gaussian
SHOWN = [(1, 0), (1, 90), (2, 45), (4, 180), (5, 90), (7, 0)]


def poses(keypoints, score=None):
    """Of one crop, (17, 2) pixels."""
    keypoints = np.asarray(keypoints, np.float32)[None]
    score = np.ones((1, 17)) if score is None else score[None]
    sigma = np.ones((1, 17, 2), np.float32)
    return CropPoses(keypoints, score.astype(np.float32), score.astype(np.float32), sigma)


def cropped(picture, box, keypoints, size=SIZE):
    """The crop of a person and the points in it."""
    maps = crop_transforms(np.asarray(box)[None], size)
    (crop,) = cut_crops(picture, maps, size)
    return crop, (keypoints - maps[0, :, 2]) / maps[0, 0, 0]


def blur(picture, box, keypoints, size=SIZE, score=None):
    crop, points = cropped(picture, box, keypoints, size)
    return float(blur_of(crop[None], poses(points, score))[0])


def out_of_focus(picture, box, share=STRONG):
    """Blurred by a Gaussian of this share of the box's height."""
    return cv2.GaussianBlur(picture, (0, 0), share * (box[3] - box[1]))


def dragged(picture, pixels, along):
    """Blurred by an even motion of so many pixels along x or y."""
    return cv2.blur(picture, (pixels, 1) if along == "x" else (1, pixels))


@pytest.fixture(scope="module")
def athletes():
    """Pictures BGR with box and points, by seed and view."""
    shown = {}
    for seed, view in SHOWN:
        scene = stage(Take(seed=910_000 + seed, view=view, seconds=0.5))
        picture = np.ascontiguousarray(scene.frame(6)[..., ::-1].astype(np.uint8))
        shown[seed, view] = picture, scene.boxes[6], scene.keypoints[6]
    return shown


@pytest.fixture(params=SHOWN, ids=[f"athlete {seed} from {view}" for seed, view in SHOWN])
def athlete(request, athletes):
    return athletes[request.param]


def test_a_sharp_athlete_is_below_the_threshold_and_one_out_of_focus_above(athlete):
    picture, box, points = athlete
    assert blur(picture, box, points) < MAX_BLUR - 0.05
    assert blur(out_of_focus(picture, box), box, points) > MAX_BLUR


def test_it_grows_with_the_blur(athlete):
    picture, box, points = athlete
    shares = [0.0025, 0.005, 0.01, 0.015, 0.02, 0.03]
    found = [blur(out_of_focus(picture, box, share), box, points) for share in shares]
    assert (np.diff([blur(picture, box, points), *found]) > 0).all()
    assert 0 < found[0] < found[-1] < 1


@pytest.mark.parametrize("along", ["x", "y"])
def test_motion_along_either_axis_counts_in_full(athlete, along):
    picture, box, points = athlete
    moved = dragged(picture, round(0.08 * (box[3] - box[1])) | 1, along)
    assert blur(moved, box, points) > MAX_BLUR


def test_a_blurred_wall_behind_a_sharp_athlete_does_not_count(athlete):
    picture, box, points = athlete
    body = near_body(picture, points)
    tracked = np.where(body[..., None] > 0, picture, dragged(picture, 41, "x"))
    assert blur(tracked, box, points) == pytest.approx(blur(picture, box, points), abs=0.05)


def test_a_sharp_wall_behind_a_blurred_athlete_does_not_hide_it(athlete):
    picture, box, points = athlete
    body = near_body(picture, points)
    passing = np.where(body[..., None] > 0, out_of_focus(picture, box), picture)
    assert blur(passing, box, points) > MAX_BLUR


def near_body(picture, points):
    """255 about the limbs, more widely than counts as body, else 0."""
    body = np.zeros(picture.shape[:2], np.uint8)
    at = points.round().astype(int).tolist()
    for a, b in LIMBS:
        cv2.line(body, at[a], at[b], 255, 60)
    return body


@pytest.mark.parametrize(
    ("gain", "lift"), [(1.0, 30), (0.8, 0), (0.8, 50), (0.6, 0), (0.6, 100), (-1.0, 255)]
)
def test_light_and_contrast_hardly_move_it(athlete, gain, lift):
    picture, box, points = athlete
    for shown in (picture, out_of_focus(picture, box)):
        other = (gain * shown + lift).clip(0, 255).round().astype(np.uint8)
        assert blur(other, box, points) == pytest.approx(blur(shown, box, points), abs=0.03)


def test_noise_of_a_camera_does_not_pass_for_sharpness(athlete):
    picture, box, points = athlete
    noise = np.random.default_rng(0).normal(0, 4, picture.shape)
    noisy = (out_of_focus(picture, box, 0.02) + noise).clip(0, 255).astype(np.uint8)
    assert blur(noisy, box, points) > MAX_BLUR


def test_a_mirrored_crop_is_as_blurred(athlete):
    picture, box, points = athlete
    crop, at = cropped(picture, box, points)
    mirrored = np.stack([SIZE[0] - 1 - at[:, 0], at[:, 1]], 1)[list(MIRROR)]
    assert_allclose(
        blur_of(np.ascontiguousarray(crop[:, ::-1])[None], poses(mirrored)),
        blur_of(crop[None], poses(at)),
        atol=0.01,
    )


def test_crops_of_other_sizes_are_as_blurred(athlete):
    picture, box, points = athlete
    for shown in (picture, out_of_focus(picture, box, 0.01)):
        values = [blur(shown, box, points, size) for size in (SIZE, (288, 384), (144, 192))]
        assert np.ptp(values) < 0.05


def test_every_crop_is_judged_by_itself_and_always_alike(athletes):
    cut = [cropped(*shown) for shown in athletes.values()]
    crops = np.stack([crop for crop, _ in cut])
    together = CropPoses.concatenate([poses(points) for _, points in cut])
    found = blur_of(crops, together)
    assert found.dtype == np.float32
    assert_array_equal(found, blur_of(crops, together))
    alone = [blur_of(crop[None], poses(points))[0] for crop, points in cut]
    assert_array_equal(found, alone)


def test_without_a_limb_that_is_seen_it_is_not_known(athlete):
    picture, box, points = athlete
    assert np.isnan(blur(picture, box, points, score=np.full(17, 0.2)))
    assert np.isnan(blur(picture, box, np.full((17, 2), np.nan)))
    alone = np.where(np.arange(17) == 0, 0.9, 0.1)
    assert np.isnan(blur(picture, box, points, score=alone))


def test_where_nothing_differs_it_is_not_known(athlete):
    picture, box, points = athlete
    assert np.isnan(blur(np.full_like(picture, 90), box, points))


@pytest.mark.parametrize("along", ["x", "y"])
def test_stripes_one_way_are_judged_across_them(athlete, along):
    picture, box, points = athlete
    bright = np.arange(720) % 160 < 80
    stripes = np.where(bright[:640] if along == "x" else bright[:, None], 200, 60)
    shown = np.broadcast_to(stripes[..., None], picture.shape).astype(np.uint8)
    assert blur(shown, box, points) < 0.5 < MAX_BLUR < blur(out_of_focus(shown, box), box, points)


def test_points_outside_the_crop_are_no_error(athlete):
    picture, box, points = athlete
    assert np.isfinite(blur(picture, box, points + np.array([60.0, 0.0])))
    assert np.isnan(blur(picture, box, points + np.array([1e5, -1e5])))


def test_no_crops_no_values():
    nothing = CropPoses.concatenate([])
    assert blur_of(np.empty((0, 256, 192, 3), np.uint8), nothing).shape == (0,)


def test_photographs_are_below_the_threshold_and_above_it_once_blurred(labelled):
    truth, _ = read_labels(labelled / "coco_keypoints.json")
    sharp, blurred = [], []
    for image_id, about in truth.imgs.items():
        picture = read_picture(labelled / about["file_name"])
        for box, label in labelled_people(truth, image_id):
            if box[3] - box[1] < LEAST_HEIGHT_PX:
                continue
            x, y, seen = np.array(label["keypoints"], float).reshape(17, 3).T
            person = {"box": np.array(box), "keypoints": np.stack([x, y], 1), "score": seen > 0}
            sharp.append(blur(picture, **person))
            blurred.append(blur(out_of_focus(picture, person["box"], 0.02), **person))
    assert len(sharp) >= 10
    assert max(sharp) < MAX_BLUR < min(blurred)
