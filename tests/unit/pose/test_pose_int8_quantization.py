"""Networks in int8: that of the athlete, fitted to a film; which checkpoint a file is of."""

import json
import logging
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import openvino
import pytest
from click.testing import CliRunner

from deployments.errors import ConfigurationError, WeightsCorruptError
from deployments.messages import CropPoses
from deployments.pose.engines.openvino_engine import OpenVinoPose, pose_source
from deployments.pose.engines.quantized import quantized_network
from deployments.pose.loading import load_detector
from deployments.pose.offline.int8_quantization import quantize
from deployments.pose.weights import find_weights
from serve_app.cli.main import main
from serve_app.model_plan import plan_models
from serve_app.offline.analysis_diff import crop_shift_px
from serve_app.offline.crop_sampling import crops_throughout
from serve_app.settings import load_settings
from tests.conftest import ROOT
from tests.support import markers
from tests.support.dot_networks import entry as dot
from tests.support.dot_networks import pictures, write_pose
from tools.athlete.clip import Take, film
from tools.athlete.trained_network import KEY, SETTINGS

DETECTOR = "movenet_multipose_detector"


@pytest.fixture(scope="module")
def plan():
    return plan_models(load_settings(SETTINGS, {}))


@pytest.fixture(scope="module")
def entry(plan):
    return plan.config.entry(KEY)


@pytest.fixture(scope="module")
def checkpoint(plan, entry):
    return find_weights(entry, plan.search)


@pytest.fixture(scope="module")
def film_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "squat.mp4"
    film(Take("squat", view=45.0, seconds=4.0, size=(480, 540)), path)
    return path


@pytest.fixture(scope="module")
def command(film_path, tmp_path_factory):
    """What the command says, and the folder that it wrote."""
    folder = tmp_path_factory.mktemp("quantized")
    return called(film_path, folder), folder


def called(video, folder, *arguments):
    environment = {f"MMPOSE_{name.upper()}": str(value) for name, value in SETTINGS.items()}
    given = ["quantize", str(video), "--out", str(folder), "--crops", "32", *arguments]
    return CliRunner(env=environment).invoke(main, given)


def engine(plan, entry, checkpoint, **changes):
    return OpenVinoPose(entry, checkpoint, replace(plan.options, **changes), "rtmpose")


def test_the_command_tells_what_was_measured_and_how_it_is_put_to_use(command):
    result, folder = command
    assert result.exit_code == 0, result.output
    assert "RTMPose-t (synthetic athlete) in int8: on 16 other crops keypoints are" in result.stdout
    assert result.stdout.count("\n") == 1
    assert f"MMPOSE_QUANTIZED={folder}" in result.stderr
    assert sorted(path.name for path in folder.iterdir()) == [f"{KEY}.bin", f"{KEY}.xml"]


def test_keypoints_stay_where_they_are(command, plan, entry, checkpoint, tmp_path):
    film(Take("lunge", view=45.0, seconds=3.0, size=(480, 540), seed=5), tmp_path / "other.mp4")
    detector = load_detector(*found_in(plan, DETECTOR), plan.options)
    places = crops_throughout(
        detector, entry.input_size, [tmp_path / "other.mp4"], load_settings().media_limits, 24
    )
    crops = np.concatenate(places)
    exact = engine(plan, entry, checkpoint)
    model = engine(plan, entry, checkpoint, quantized=command[1])
    assert (exact.status.precision, model.status.precision) == ("fp32", "int8+fp32")
    median, p95 = crop_shift_px(exact.infer(crops), model.infer(crops), 0.3)
    assert 0 <= median <= 0.5
    assert 0 < p95 < 2.5


def found_in(plan, key):
    entry = plan.config.entry(key)
    return entry, find_weights(entry, plan.search)


def test_convolutions_are_in_whole_numbers_but_what_gives_the_bins_is_not(
    command, checkpoint, entry
):
    model = quantized_network(entry, checkpoint, command[1])
    convolutions = [o for o in model.get_ordered_ops() if o.get_type_name() == "Convolution"]
    rounded = [o.input_value(0).get_node().get_type_name() == "FakeQuantize" for o in convolutions]
    assert len(rounded) > 30
    assert np.mean(rounded) > 0.9
    assert not rounded[-1]
    assert not any(
        value.get_node().get_type_name() == "FakeQuantize"
        for o in model.get_ops()
        if o.get_type_name() == "MatMul"
        for value in o.input_values()
    )


def test_mixed_precision_is_for_what_is_not_in_int8(command, plan, entry, checkpoint):
    model = engine(plan, entry, checkpoint, quantized=command[1], precision="mixed")
    capable = "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert model.status.precision == ("int8+bf16" if capable else "int8+fp32")


def test_a_detector_is_never_in_int8(command, plan):
    options = replace(plan.options, quantized=command[1])
    detector = load_detector(*found_in(plan, DETECTOR), options)
    assert detector.status.precision == "fp32"


def test_of_another_checkpoint_it_is_left_out(command, plan, entry, checkpoint, tmp_path, caplog):
    folder = tmp_path / "quantized"
    shutil.copytree(command[1], folder)
    described = folder / f"{KEY}.xml"
    text = described.read_text()
    (sha256,) = {part for part in text.split("&quot;") if len(part) == 64}
    described.write_text(text.replace(sha256, sha256[::-1]))
    with caplog.at_level(logging.WARNING, "mmpose_service"):
        model = engine(plan, entry, checkpoint, quantized=folder)
    assert model.status.precision == "fp32"
    assert "is of another file than" in caplog.text


def test_where_there_is_none_the_checkpoint_answers(plan, entry, checkpoint, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "mmpose_service"):
        model = engine(plan, entry, checkpoint, quantized=tmp_path / "none")
    assert model.status.precision == "fp32"
    assert f"{KEY}.xml: RTMPose-t (synthetic athlete) runs as it is" in caplog.text


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / f"{KEY}.xml").write_text("<net/>"),
        lambda folder: (folder / f"{KEY}.bin").unlink(),
        lambda folder: (folder / f"{KEY}.bin").write_bytes(b""),
        lambda folder: openvino.save_model(plain_model(), folder / f"{KEY}.xml"),
    ],
    ids=["no network", "no weights", "weights torn", "not ours"],
)
def test_a_damaged_file_is_told(command, plan, entry, checkpoint, tmp_path, spoil):
    folder = tmp_path / "quantized"
    shutil.copytree(command[1], folder)
    spoil(folder)
    with pytest.raises(WeightsCorruptError, match=f"{KEY}.xml is no network in int8"):
        engine(plan, entry, checkpoint, quantized=folder)


def test_the_figures_are_printed_as_json(film_path, tmp_path, monkeypatch):
    """The network is replaced by one that stays unchanged: only the command is tested."""
    monkeypatch.setattr(
        "deployments.pose.offline.int8_quantization.quantize", lambda source, crops: source.model
    )
    result = called(film_path, tmp_path, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["model"], told["shift_median_px"], told["held_out"]) == (KEY, 0, 16)
    assert told["path"] == str(tmp_path / f"{KEY}.xml")


def plain_model():
    x = openvino.opset13.parameter([1, 3, 4, 4], np.float32)
    return openvino.Model([openvino.opset13.relu(x)], [x])


def test_nothing_is_written_where_keypoints_move_too_far(film_path, tmp_path, monkeypatch):
    moved = iter((0.0, 3.0))
    infer = OpenVinoPose.infer

    def moving(self, crops):
        poses = infer(self, crops)
        if self.status.role != "rtmpose":
            return poses
        return replace(poses, keypoints=poses.keypoints + np.float32(next(moved)))

    monkeypatch.setattr(OpenVinoPose, "infer", moving)
    monkeypatch.setattr(
        "deployments.pose.offline.int8_quantization.quantize", lambda source, crops: source.model
    )
    result = called(film_path, tmp_path / "out", "--shift-px", "2")
    assert result.exit_code == 2
    assert "more than 2, nothing was written" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--model", DETECTOR], 2, "is not a pose model"),
        (["--crops", "1"], 2, "crops"),
    ],
)
def test_wrong_use_is_told(film_path, tmp_path, arguments, code, says):
    result = called(film_path, tmp_path, *arguments)
    assert result.exit_code == code
    assert says in result.output


def test_nobody_in_the_videos(tmp_path):
    grey = markers.write_video(tmp_path / "grey.mp4", np.empty((30, 0, 17, 2)), (320, 240))
    result = called(grey, tmp_path)
    assert result.exit_code == 2
    assert "at fewer than two sampled times" in result.output


def test_a_network_without_convolutions_is_told(plan, tmp_path):
    path = write_pose(tmp_path / "dot.onnx")
    with pytest.raises(ConfigurationError, match="nothing to quantize"):
        quantize(pose_source(dot(), path, plan.options), pictures([(3, 5)]))


def test_no_telemetry_is_sent():
    program = (
        "from deployments.pose.offline.int8_quantization import _nncf; _nncf()\n"
        "from nncf.telemetry.wrapper import telemetry\n"
        "print(type(telemetry).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "MagicMock"


def poses(keypoints, score):
    keypoints, score = np.float32(keypoints), np.float32(score)
    return CropPoses(keypoints, score, score, np.ones_like(keypoints))


def test_a_shift_is_of_keypoints_that_both_see():
    one = poses([[[0, 0], [5, 5], [9, 9]]], [[0.9, 0.2, 0.9]])
    other = poses([[[3, 4], [50, 5], [9, 99]]], [[0.3, 0.9, 0.1]])
    assert crop_shift_px(one, other, 0.3) == (5.0, 5.0)
    assert np.isnan(crop_shift_px(one, other, 0.95)).all()
