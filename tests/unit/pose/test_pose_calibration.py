"""Calibrations: files, what they do to poses, and that responses tell of them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from biomech.skeleton import KEYPOINTS
from deployments.errors import ConfigurationError
from deployments.messages import CropPoses, ModelStatus
from deployments.pose.calibration import (
    CalibratedPose,
    Calibration,
    calibrated,
    load_calibrations,
    save_calibration,
)
from serve_app.local import local_service
from serve_app.model_plan import plan_models
from serve_app.settings import load_settings
from tests.support import markers
from tests.support.saved_results import saved, squatting

KEY, CHECKPOINT = "rtmpose_medium", "rtmpose.pth"
COVERAGE = {"within_68": 0.6, "within_95": 0.9, "coordinates": 100}


def calibration(**changes):
    """Factors 1.0, 1.1, ... by keypoint, and half the raw score up to 1."""
    document = {
        "key": KEY,
        "checkpoint": CHECKPOINT,
        "flip_test": False,
        "sigma_scale": {name: 1 + i / 10 for i, name in enumerate(KEYPOINTS)},
        "pooled": [],
        "confidence": {"raw": [0.0, 1.0], "confidence": [0.0, 0.5]},
        "min_confidence": 0.3,
        "labels": "coco_keypoints.json",
        "images": 2,
        "points": 100,
        "held_out": {
            "images": 2,
            "points": 80,
            "before": COVERAGE,
            "after": COVERAGE,
            "confidence_error_before": 0.3,
            "confidence_error_after": 0.1,
        },
    }
    return Calibration.model_validate(document | changes)


class Model:
    """Answers the same for any crops; one wrist is not found."""

    calls_at_once = 3

    def __init__(self, **status):
        told = {"role": "rtmpose", "loaded": True, "key": KEY, "checkpoint": CHECKPOINT}
        self.status = ModelStatus(**(told | status))

    def infer(self, crops):
        n = len(crops)
        points = np.full((n, 17, 2), 100, np.float32)
        raw = np.full((n, 17), 0.8, np.float32)
        raw[:, 3] = 1.6  # a SimCC maximum can exceed 1
        sigma = np.full((n, 17, 2), 2, np.float32)
        points[:, 9], raw[:, 9], sigma[:, 9] = np.nan, 0, np.nan
        return CropPoses(points, raw.clip(0, 1), raw, sigma)


def test_deviations_are_scaled_by_keypoint_and_scores_mapped():
    crops = np.zeros((2, 256, 192, 3), np.uint8)
    before, after = Model().infer(crops), CalibratedPose(Model(), calibration()).infer(crops)
    wanted = 2 * (1 + np.arange(17) / 10)
    wanted[9] = np.nan
    assert after.sigma[1, :, 0] == pytest.approx(wanted, nan_ok=True)
    scores = np.full(17, 0.4)
    scores[3], scores[9] = 0.5, 0.0
    assert after.score[1] == pytest.approx(scores)
    assert {a.dtype for a in (after.score, after.sigma)} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(after.raw_score, before.raw_score)
    np.testing.assert_array_equal(after.keypoints, before.keypoints)


def test_a_point_that_was_not_found_has_confidence_0_whatever_the_map_says():
    level = {"raw": [0.5], "confidence": [0.7]}
    poses = CalibratedPose(Model(), calibration(confidence=level)).infer(np.zeros((1, 4, 4, 3)))
    assert poses.score[0, 9] == 0
    assert poses.score[0, 0] == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("status", "flip_test", "applies"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"key": "hrnet_w48"}, False, False),
        ({"checkpoint": "another.pth"}, False, False),
    ],
)
def test_a_calibration_is_for_one_checkpoint_run_in_one_way(status, flip_test, applies):
    model = Model(**status)
    found = calibrated(model, (calibration(key="other"), calibration()), flip_test)
    assert found.status.calibrated == applies
    assert (found is model) != applies
    assert found.calls_at_once == model.calls_at_once
    assert replace(found.status, calibrated=False) == model.status


def test_files_keep_the_calibrations_of_other_models(tmp_path):
    path = tmp_path / "calibration.json"
    save_calibration(calibration(), path)
    save_calibration(calibration(key="hrnet_w48", points=7), path)
    save_calibration(calibration(points=9), path)
    assert {c.key: c.points for c in load_calibrations(path)} == {KEY: 9, "hrnet_w48": 7}
    assert {c.key: c for c in load_calibrations(path)}[KEY] == calibration(points=9)


def broken(change):
    document = {"format": 1, "models": {KEY: calibration().model_dump(mode="json")}}
    change(document, document["models"][KEY])
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "Invalid JSON"),
        ("{}", "models"),
        (broken(lambda d, c: d.update(format=2)), "format"),
        (broken(lambda d, c: c["sigma_scale"].pop("nose")), "17 COCO keypoints"),
        (broken(lambda d, c: c["sigma_scale"].update(nose=0)), "sigma_scale.nose"),
        (broken(lambda d, c: c["confidence"].update(raw=[1.0, 1.0])), "raw must ascend"),
        (broken(lambda d, c: c["confidence"].update(confidence=[0.5, 0.4])), "must not fall"),
        (broken(lambda d, c: c["confidence"].update(confidence=[0.5])), "as many"),
        (broken(lambda d, c: c["confidence"].update(confidence=[0.5, 1.5])), "confidence.1"),
        (broken(lambda d, c: c.update(extra=1)), "extra"),
    ],
)
def test_a_file_that_is_none_is_refused_by_name_and_place(tmp_path, text, says):
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=says) as told:
        load_calibrations(path)
    assert str(path) in told.value.detail


def test_a_setting_that_names_no_file_is_refused_at_start(tmp_path):
    settings = load_settings({"calibration": tmp_path / "missing.json"})
    with pytest.raises(ConfigurationError, match=r"missing.json cannot be read"):
        plan_models(settings)


@pytest.mark.parametrize("is_calibrated", [False, True])
def test_responses_say_whether_deviations_are_calibrated(is_calibrated):
    first, second = squatting(12), squatting(12) + 9.0
    data = json.loads(saved(first, second, calibrated=is_calibrated))["data"]
    told = [s["sigma_calibrated"] for s in data["biomechanics_summary"]]
    for frame in data["poses_per_frame"]:
        told.append(frame["biomechanics"]["detail"]["sigma_calibrated"])
        told.append(frame["people"][0]["biomechanics"]["detail"]["sigma_calibrated"])
    assert told == [is_calibrated] * (2 + 24)


def test_deviations_that_are_not_the_models_are_never_calibrated():
    data = json.loads(saved(squatting(12), sigma=np.nan, calibrated=True))["data"]
    assert data["biomechanics_summary"][0]["sigma_source"] == "oks_prior"
    assert data["biomechanics_summary"][0]["sigma_calibrated"] is False
    assert data["poses_per_frame"][0]["biomechanics"]["detail"]["sigma_calibrated"] is False


def test_the_setting_puts_a_calibration_to_use(marker_config, tmp_path):
    import asyncio

    from serve_app.results.response_schema import PoseOptions

    video = markers.write_video(tmp_path / "v.mp4", markers.squat(4))
    settings = load_settings({"config": marker_config, "spool_dir": tmp_path / "spool"})
    entry = plan_models(settings).choices["rtmpose"].entries[0]
    path = tmp_path / "calibration.json"
    checkpoint = json.loads(marker_config.read_text())["models"][entry.key]["checkpoint"]
    own = calibration(
        key=entry.key,
        checkpoint=checkpoint.rpartition("/")[2],
        sigma_scale=dict.fromkeys(KEYPOINTS, 3.0),
        confidence={"raw": [0.0], "confidence": [0.75]},
    )
    save_calibration(own, path)

    def analyzed(settings):
        with local_service(settings) as service:
            options = PoseOptions(video=False)
            done = service.analyze_file(video, tmp_path, options, "id")
            return asyncio.run(done).response().data

    plain = analyzed(settings)
    told = analyzed(settings.model_copy(update={"calibration": path}))
    assert plain.biomechanics_summary[0].sigma_calibrated is False
    assert told.biomechanics_summary[0].sigma_calibrated is True
    for before, after in zip(plain.poses_per_frame, told.poses_per_frame, strict=True):
        for name in KEYPOINTS:
            assert after.keypoints[name].confidence == 0.75
            assert after.keypoints[name].raw_score == before.keypoints[name].raw_score
            assert after.keypoints[name].sigma == pytest.approx(
                [3 * v for v in before.keypoints[name].sigma], abs=0.02
            )
