"""Fitting a calibration: draws whose answer is known, made-up and real copies of COCO."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from biomech.kinematics.geometry import ANGLES, flexion
from biomech.kinematics.uncertainty import flexion_sigma
from biomech.skeleton import KEYPOINTS
from deployments.crops import crop_transforms, to_image
from deployments.errors import BadParameterError
from deployments.messages import CropPoses, ModelStatus
from deployments.pose.calibration import load_calibrations
from deployments.pose.offline.calibration_fit import (
    LEAST_POINTS,
    LabelledPoints,
    confidence_error,
    coverage,
    fit,
    fit_confidence,
    fit_scale,
    measure_points,
)
from deployments.pose.offline.coco_evaluation import find_coco
from serve_app.cli.main import main
from tests.support.stick_figure import from_the_side

SIZE = (192, 256)
TRUE_SCALE = np.linspace(0.6, 3.0, 17)
SIGMA = 2.0
SURE = 0.97
"""Confidence over which few are far off: no factor makes room for many."""
PATTERN = np.random.default_rng(8).uniform([30, 30], [162, 226], (17, 2))


class NoisyModel:
    """Off by ``TRUE_SCALE`` times the deviation that it tells, and far off with 1 - raw score^2."""

    def __init__(self, seed=1):
        self.status = ModelStatus(
            role="rtmpose", loaded=True, key="noisy", checkpoint="noisy.onnx", input_size=SIZE
        )
        self._rng = np.random.default_rng(seed)

    def infer(self, crops):
        n = len(crops)
        noise = self._rng.normal(size=(n, 17, 2)) * SIGMA * TRUE_SCALE[:, None]
        raw = self._rng.uniform(0.05, 1.3, (n, 17)).astype(np.float32)
        lost = self._rng.uniform(size=(n, 17)) > raw**2
        points = (PATTERN + noise + 90.0 * lost[..., None]).astype(np.float32)
        sigma = np.full((n, 17, 2), SIGMA, np.float32)
        # A point is not found now and then.
        points[:, 0][raw[:, 0] < 0.1] = np.nan
        return CropPoses(points, raw.clip(0, 1), raw, sigma)


def write_coco(folder, pictures, people, boxes=(120.0, 160.0)):
    """A copy of COCO whose people have ``PATTERN`` in their crops; nobody in the last picture."""
    rng = np.random.default_rng(4)
    images, labels = [], []
    for picture in range(pictures):
        name = f"{picture}.png"
        cv2.imwrite(str(folder / name), np.zeros((400, 400, 3), np.uint8))
        images.append({"id": picture, "file_name": name, "width": 400, "height": 400})
        for _ in range(people if picture < pictures - 1 else 0):
            corner, extent = rng.uniform(5, 150, 2), rng.uniform(*boxes, 2)
            box = np.concatenate([corner, corner + extent])
            points = to_image(PATTERN[None], crop_transforms(box[None], SIZE))[0]
            visible = rng.integers(0, 3, 17)  # 0 is not labelled
            labels.append(
                {
                    "id": len(labels) + 1,
                    "image_id": picture,
                    "category_id": 1,
                    "iscrowd": 0,
                    "bbox": [*corner.tolist(), *extent.tolist()],
                    "area": float(extent.prod()),
                    "num_keypoints": int((visible > 0).sum()),
                    "keypoints": np.c_[points, visible].ravel().tolist(),
                }
            )
    person = {"id": 1, "name": "person", "keypoints": list(KEYPOINTS), "skeleton": []}
    dataset = {"info": {}, "images": images, "annotations": labels, "categories": [person]}
    (folder / "coco_keypoints.json").write_text(json.dumps(dataset))
    return sum(label["num_keypoints"] for label in labels)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """(labelled points found by the noisy model, how many there are)."""
    folder = tmp_path_factory.mktemp("coco")
    count = write_coco(folder, 60, 25)
    told = []
    points = measure_points(*find_coco(folder), NoisyModel(), lambda *args: told.append(args))
    assert told[-1] == (60, 60)
    return points, count


@pytest.fixture(scope="module")
def fitted(measured):
    return fit(measured[0], SURE, model=NoisyModel(), flip_test=True, labels="labels.json")


def test_every_labelled_keypoint_is_measured_and_no_other(measured):
    points, count = measured
    assert len(points) == count
    known = np.isfinite(points.error[:, 0]) & (np.abs(points.error) < 50).all(1)
    spread = np.array([points.deviations[known & (points.kind == k)].std() for k in range(17)])
    # The deviation of an absolute value of a normal one.
    assert spread == pytest.approx(TRUE_SCALE * np.sqrt(1 - 2 / np.pi), rel=0.1)
    assert not points.right[np.isnan(points.error[:, 0])].any()


def test_the_factor_of_each_keypoint_is_found(fitted):
    scales = np.array([fitted.calibration.sigma_scale[name] for name in KEYPOINTS])
    assert fitted.calibration.pooled == ()
    assert scales == pytest.approx(TRUE_SCALE, rel=0.25)
    assert np.corrcoef(scales, TRUE_SCALE)[0, 1] > 0.97


def test_on_pictures_held_out_intervals_hold_what_they_say(fitted):
    held = fitted.calibration.held_out
    assert held.before.within_95 < 0.75
    assert held.after.within_68 == pytest.approx(0.6827, abs=0.05)
    assert held.after.within_95 == pytest.approx(0.95, abs=0.05)
    assert held.points + fitted.calibration.points > 10_000
    assert (held.images, fitted.calibration.images) == (29, 30)


def test_confidence_becomes_the_share_that_is_right(fitted):
    raw = np.array([0.2, 0.5, 0.7, 0.9, 1.2], np.float32)
    found = fitted.calibration.confidence(raw)
    assert found == pytest.approx(np.minimum(raw**2, 1), abs=0.06)
    held = fitted.calibration.held_out
    assert held.confidence_error_after < 0.03 < 0.1 < held.confidence_error_before


def test_halves_share_no_picture_and_are_the_same_every_time(measured, fitted):
    again = fit(measured[0], SURE, model=NoisyModel(), flip_test=True, labels="labels.json")
    assert again.calibration == fitted.calibration
    kept = set(np.unique(fitted.held_out.image).tolist())
    assert len(kept) == fitted.calibration.held_out.images
    assert len(measured[0]) == fitted.calibration.points + len(fitted.held_out)


def test_rare_keypoints_take_the_factor_of_all(measured):
    points = measured[0]
    rare = points[(points.kind != 5) | (np.cumsum(points.kind == 5) <= 60)]
    told = fit(rare, SURE, model=NoisyModel(), flip_test=False, labels="l").calibration
    assert told.pooled == (KEYPOINTS[5],)
    assert told.sigma_scale[KEYPOINTS[5]] == pytest.approx(1.9, rel=0.2)


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(0.01, 50), seed=st.integers(0, 2**32 - 1))
def test_the_factor_of_normal_errors_is_their_deviation(scale, seed):
    errors = scale * np.random.default_rng(seed).normal(size=4000)
    assert fit_scale(np.abs(errors)) == pytest.approx(scale, rel=0.06)


def test_between_two_coverages_that_cannot_both_hold_the_factor_is_in_the_middle():
    z = np.abs(np.random.default_rng(5).standard_t(2, 20_000))
    found = coverage(z / fit_scale(z))
    off = (found.within_68 - 0.6827, 0.95 - found.within_95)
    assert off[0] == pytest.approx(off[1], abs=2e-3)
    assert 0.005 < off[0] < 0.05


def test_a_confidence_map_is_monotone_with_levels_between_the_scores():
    raw = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.5])
    found = fit_confidence(raw, np.array([0, 1, 0, 1, 1, 1], bool))
    assert found.raw == pytest.approx((0.1, 0.25, 14 / 30))
    assert found.confidence == pytest.approx((1 / 8, 0.5, 7 / 8))  # 0 and 1, short of certainty


def test_errors_of_confidence_are_those_of_bins():
    confidence = np.repeat([0.1, 0.9], 50)
    right = np.tile([True, False], 50)
    assert confidence_error(confidence, right) == pytest.approx(0.4)
    assert confidence_error(np.zeros(0), np.zeros(0, bool)) == 0.0


def test_calibrated_intervals_of_angles_hold_the_true_angle():
    """10,000 draws of a figure whose keypoints are off by more than the model says."""
    rng = np.random.default_rng(6)
    told = rng.uniform(1.5, 3.0, (10_000, 17, 1)) * np.ones(2)
    error = rng.normal(size=told.shape) * told * TRUE_SCALE[:, None]
    kinds = np.tile(np.arange(17), 10_000)
    n = len(kinds)
    points = LabelledPoints(
        image=np.repeat(np.arange(10_000), 17),
        kind=kinds,
        raw_score=np.full(n, 0.9),
        sigma=told.reshape(n, 2),
        error=error.reshape(n, 2),
        right=np.ones(n, bool),
    )
    found = fit(points, 0.3, model=NoisyModel(), flip_test=False, labels="l").calibration
    sigma = told * found.scales[:, None]
    xy = from_the_side(hip=70.0, knee=90.0, shoulder=50.0, elbow=60.0, scale=1.5)
    for angle in ANGLES:
        off = np.abs(flexion(angle, xy + error) - flexion(angle, xy))
        inside = off <= 1.96 * flexion_sigma(angle, xy + error, sigma)
        assert 0.93 <= inside.mean() <= 0.97, angle


def points_of(pictures, each):
    """So many labelled points in each picture, all found where they are."""
    n = pictures * each
    return LabelledPoints(
        image=np.repeat(np.arange(pictures), each),
        kind=np.arange(n) % 17,
        raw_score=np.full(n, 0.9),
        sigma=np.ones((n, 2)),
        error=np.ones((n, 2)),
        right=np.ones(n, bool),
    )


@pytest.mark.parametrize(
    ("points", "least", "says"),
    [
        (points_of(2, LEAST_POINTS - 1), 0.3, "98 labelled keypoints are too few"),
        (points_of(1, 500), 0.3, "too few"),
        (
            LabelledPoints(
                **{
                    **{
                        n: getattr(points_of(4, 90), n)
                        for n in ("image", "kind", "raw_score", "sigma", "error")
                    },
                    "right": np.zeros(360, bool),
                }
            ),
            0.3,
            "only 0 keypoints reach the confidence 0.3",
        ),
    ],
    ids=["few", "one-picture", "all-wrong"],
)
def test_too_little_to_fit_on_is_refused(points, least, says):
    with pytest.raises(BadParameterError, match=says):
        fit(points, least, model=NoisyModel(), flip_test=False, labels="l")


def test_the_command_fits_on_the_photographs_and_draws_what_can_be_relied_on(
    labelled, published, tmp_path
):
    out = tmp_path / "calibration.json"
    done = CliRunner().invoke(
        main,
        ["calibrate", str(labelled), "--model", "movenet_lightning", "--out", str(out)],
        env={"MMPOSE_WEIGHTS_DIR": str(published)},
    )
    assert done.exit_code == 0, done.output
    (told,) = load_calibrations(out)
    assert told.points + told.held_out.points == 181
    assert told.held_out.before.coordinates == told.held_out.after.coordinates > 100
    assert told.held_out.after.within_95 > told.held_out.before.within_95
    assert f"95 % intervals {told.held_out.after.within_95:.1%}" in done.stdout
    assert f"MMPOSE_CALIBRATION={out}" in done.stderr.replace("\n", "")
    picture = cv2.imread(str(tmp_path / "calibration.png"))
    blue = (np.abs(picture.astype(int) - (178, 114, 0)).max(2) < 12).sum()
    assert blue > 500  # the curves after calibration
