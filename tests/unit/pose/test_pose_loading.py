"""Which model a stage loads by the registry, what stands in for it, and what is said of it."""

import errno
import hashlib
import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deployments.errors import ConfigurationError, UnknownModelError
from deployments.messages import ModelStatus
from deployments.pose.loading import choose
from deployments.pose.model_options import EngineOptions
from deployments.pose.registry import load_model_config
from tests.support.dot_networks import SIZE, pictures, write_detector, write_pose

SHIPPED = load_model_config(Path(__file__).parents[3] / "config" / "model_config.json")
OPTIONS = EngineOptions(threads=1)


def described(task, role, **more):
    return {
        "config": "dot",
        "name": f"{role} {task}",
        "task": task,
        "role": role,
        "family": "rtmpose" if task == "pose" else "rtmdet",
        "codec": "simcc" if task == "pose" else "boxes",
        "mm_config": "",
        "checkpoint": f"{role}-{task}.onnx",
        "input_size": list(SIZE),
        **more,
    }


@pytest.fixture
def registry(tmp_path):
    """A registry of small networks, with changes to some of its entries."""

    def load_registry(**changes):
        models = {
            "first": described("pose", "primary", url="https://example.org/primary-pose.onnx"),
            "second": described("pose", "fallback"),
            "other": described("pose", "optional"),
            "spare": described("pose", "default", notice="a stand-in"),
            "finder": described("detect", "primary"),
            "spare_finder": described("detect", "default"),
        }
        for key, change in changes.items():
            models[key].update(change)
        path = tmp_path / "model_config.json"
        path.write_text(json.dumps({"service": "mmpose", "version": "1.0.0", "models": models}))
        return load_model_config(path)

    return load_registry


@pytest.fixture
def weights(tmp_path):
    """An empty folder of weights."""
    folder = tmp_path / "weights"
    folder.mkdir()
    return folder


def keys(choice):
    return [e.key for e in choice.entries]


@pytest.mark.parametrize(
    ("role", "key", "expected"),
    [
        ("rtmpose", None, ["first", "spare"]),
        ("hrnet", None, ["second"]),
        ("detector", None, ["finder", "spare_finder"]),
        ("rtmpose", "other", ["other", "spare"]),
        ("rtmpose", "spare", ["spare"]),
        ("rtmpose", "second", ["second", "spare"]),
        ("detector", "spare_finder", ["spare_finder"]),
        ("hrnet", "other", ["other"]),
    ],
)
def test_a_role_has_its_models_in_order_of_preference(registry, role, key, expected):
    choice = choose(registry(), role, key)
    assert (keys(choice), choice.role, choice.disabled) == (expected, role, None)


def test_a_disabled_entry_is_not_chosen_unless_it_is_named(registry):
    config = registry(first={"enabled": False}, spare={"enabled": False})
    assert keys(choose(config, "rtmpose", None)) == []
    assert keys(choose(config, "rtmpose", "first")) == ["first"]


@pytest.mark.parametrize(
    ("role", "key", "named"),
    [
        ("rtmpose", "third", "first, second"),
        ("rtmpose", "finder", "'finder' cannot be rtmpose; those that can are first, second"),
        ("detector", "first", "'first' cannot be detector; those that can are finder, spare"),
    ],
)
def test_a_key_that_cannot_be_is_answered_with_those_that_can(registry, role, key, named):
    with pytest.raises(UnknownModelError, match=named):
        choose(registry(), role, key)


def test_the_shipped_registry_has_a_model_for_every_role():
    assert keys(choose(SHIPPED, "rtmpose", None)) == ["rtmpose_medium", "movenet_multipose"]
    assert keys(choose(SHIPPED, "hrnet", None)) == ["hrnet_w48"]
    finders = ["rtmdet_nano", "movenet_multipose_detector"]
    assert keys(choose(SHIPPED, "detector", None)) == finders


def test_the_first_file_that_is_there_is_loaded(registry, weights, caplog):
    config = registry()
    write_pose(weights / "default-pose.onnx")
    choice = choose(config, "rtmpose", None)
    with caplog.at_level(logging.WARNING, "mmpose_service"):
        stand_in = choice.load([weights], OPTIONS)
    assert (stand_in.status.key, stand_in.status.notice) == ("spare", "a stand-in")
    assert "default pose answers as rtmpose: primary pose: primary-pose.onnx is in none" in (
        caplog.text
    )
    write_pose(weights / "primary-pose.onnx")
    caplog.clear()
    model = choice.load([weights], OPTIONS)
    assert (model.status.key, model.status.notice, model.status.role) == ("first", None, "rtmpose")
    assert model.infer(pictures([(3, 4)])).keypoints[0, 0].tolist() == [3, 4]
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("entry", "setting", "mirrored"),
    [(False, False, False), (True, False, True), (False, True, True)],
    ids=["nobody asks", "the entry", "the setting"],
)
def test_a_model_averages_with_the_mirrored_crop_where_entry_or_setting_asks(
    registry, weights, entry, setting, mirrored
):
    write_pose(weights / "primary-pose.onnx")
    choice = choose(registry(first={"flip_test": entry}), "rtmpose", None)
    crops = pictures([(3, 4)])
    found = choice.load([weights], replace(OPTIONS, flip_test=setting)).infer(crops)
    alone = choose(registry(), "rtmpose", None).load([weights], OPTIONS).infer(crops)
    assert (not np.allclose(found.raw_score, alone.raw_score)) == mirrored


def test_a_detector_is_loaded_as_one(registry, weights):
    write_detector(weights / "primary-detect.onnx", [[0, 0, 5, 5, 0.5]], [0])
    detector = choose(registry(), "detector", None).load([weights], OPTIONS)
    assert (detector.status.role, detector.status.key) == ("detector", "finder")
    assert len(detector.infer(pictures([(3, 4)]))[0].boxes) == 1


def test_a_missing_file_is_named_with_the_command_and_the_places_are_logged(
    registry, weights, caplog
):
    status = choose(registry(), "rtmpose", None).load([weights], OPTIONS)
    assert isinstance(status, ModelStatus)
    assert (status.role, status.loaded) == ("rtmpose", False)
    assert status.code == "weights_missing"
    assert "primary-pose.onnx" in status.reason
    assert str(weights) not in status.reason
    for folder in (weights, weights / "mmpose"):
        assert str(folder) in caplog.text
    assert status.reason.endswith("; get it by: mmpose-service models download first")
    status = choose(registry(), "hrnet", None).load([weights], OPTIONS)
    assert "Put fallback-pose.onnx into one of them" in status.reason


def test_a_role_without_a_model_says_so(registry, weights):
    config = registry(second={"enabled": False})
    status = choose(config, "hrnet", None).load([weights], OPTIONS)
    assert status.reason == "the registry has no enabled model for hrnet"


def test_a_role_that_is_switched_off_says_so_whatever_is_there(registry, weights):
    write_pose(weights / "primary-pose.onnx")
    choice = choose(registry(), "rtmpose", None, enabled=False)
    status = choice.load([weights], OPTIONS)
    reason = "rtmpose is disabled by the settings"
    assert status == ModelStatus("rtmpose", False, reason=reason, code="disabled")
    assert choose(registry(), "rtmpose", "nobody", enabled=False).disabled


def test_a_damaged_file_is_an_error_and_not_replaced_by_the_default(registry, weights, caplog):
    write_pose(weights / "default-pose.onnx")
    path = weights / "primary-pose.onnx"
    path.write_text("<html>Log in</html>")
    status = choose(registry(), "rtmpose", None).load([weights], OPTIONS)
    assert (status.loaded, status.key, status.name) == (False, "first", "primary pose")
    assert status.code == "weights_corrupt"
    assert status.reason.startswith(f"{path.name} cannot be used: it is not a readable ONNX model")
    assert "export the model again" in status.reason
    assert str(path) in caplog.text


def test_a_file_of_another_digest_names_both_and_the_way_out(registry, weights):
    path = write_pose(weights / "primary-pose.onnx")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    status = choose(registry(first={"sha256": "0" * 64}), "rtmpose", None).load([weights], OPTIONS)
    assert not status.loaded
    for part in (path.name, found, "0" * 64, "models download first", "models.first.sha256"):
        assert part in status.reason
    config = registry(first={"sha256": found[:12]})
    assert choose(config, "rtmpose", None).load([weights], OPTIONS).status.loaded


def test_a_file_that_may_not_be_read_is_named(registry, weights, monkeypatch):
    path = write_pose(weights / "primary-pose.onnx")

    def refused(_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("deployments.pose.weights.sha256_of", refused)
    status = choose(registry(), "rtmpose", None).load([weights], OPTIONS)
    assert f"{path.name} cannot be read: Permission denied; Let the user" in status.reason


def test_a_wrong_setting_is_raised_at_start(registry, weights):
    """A checkpoint without a config, or a GPU that is not here: restarting does not help."""
    import torch

    torch.save({"state_dict": {"a": torch.ones(1)}}, weights / "net.pth")
    config = registry(first={"checkpoint": "net.pth"})
    with pytest.raises(ConfigurationError, match=r"models\.first\.mm_config"):
        choose(config, "rtmpose", None).load([weights], OPTIONS)


@pytest.mark.parametrize(
    ("role", "key", "noticed"),
    [("rtmpose", "movenet_lightning", True), ("detector", "rtmdet_nano_onnx", False)],
)
def test_stand_ins_are_loaded_by_their_keys(published, role, key, noticed):
    loaded_by_key(published, role, key, noticed=noticed)


@pytest.mark.parametrize(
    ("role", "key"),
    [("rtmpose", "movenet_multipose"), ("detector", "movenet_multipose_detector")],
)
@pytest.mark.parametrize("named", [True, False], ids=["by its key", "by default"])
def test_the_default_network_is_loaded_in_either_role(movenet, role, key, named):
    loaded_by_key(movenet.parent, role, key, named=named, noticed=True)


def loaded_by_key(folder, role, key, *, named=True, noticed):
    status = choose(SHIPPED, role, key if named else None).load([folder], OPTIONS).status
    assert (status.key, status.engine, status.source) == (key, "openvino", "local_file")
    assert (status.notice is not None) is noticed
