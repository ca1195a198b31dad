"""ONNX models by OpenVINO: small networks with known answers, and files of another interface."""

import fcntl
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import openvino
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from onnx import helper

from deployments.errors import InferenceError, WeightsCorruptError
from deployments.pose.codecs.simcc import SimccCodec, target_sigma_bins
from deployments.pose.engines.openvino_engine import OpenVinoDetector, OpenVinoPose
from deployments.pose.engines.openvino_runtime import CompiledNetwork
from deployments.pose.model_options import EngineOptions
from deployments.pose.sources import UrlSource
from tests.support.dot_networks import (
    MEAN,
    SIZE,
    STD,
    entry,
    keypoints,
    pictures,
    responses,
    save,
    score,
    write_detector,
    write_pose,
)

DOTS = [(3, 5), (10, 40), (20, 0), (7, 47), (15, 24)]


def options(**changes):
    return EngineOptions(**{"threads": 1, **changes})


@pytest.fixture(scope="module")
def dot_file(tmp_path_factory):
    return write_pose(tmp_path_factory.mktemp("onnx") / "dot.onnx")


@pytest.fixture(scope="module")
def model(dot_file):
    return OpenVinoPose(entry(), dot_file, options(), "rtmpose")


def test_points_are_where_the_dot_is(model):
    poses = model.infer(pictures(DOTS))
    assert_allclose(poses.keypoints, keypoints(DOTS))
    assert_array_equal(np.argsort(poses.keypoints[0, :, 0]), np.arange(17))


@pytest.mark.parametrize("red", [140, 200, 255])
def test_red_comes_first_and_is_normalized(model, red):
    poses = model.infer(pictures(DOTS[:1], red))
    assert_allclose(poses.raw_score, score(red), rtol=1e-5)
    assert_allclose(poses.score, min(score(red), 1), rtol=1e-5)


def test_a_dark_picture_has_no_points(model):
    poses = model.infer(np.zeros((1, SIZE[1], SIZE[0], 3), np.uint8))
    assert np.isnan(poses.keypoints).all()
    assert (poses.score == 0).all()


@pytest.mark.parametrize("batch", [1, 2, 5, 16])
def test_answers_do_not_depend_on_the_batch(dot_file, model, batch):
    whole = model.infer(pictures(DOTS))
    parts = OpenVinoPose(entry(), dot_file, options(batch=batch), "rtmpose").infer(pictures(DOTS))
    for name in ("keypoints", "score", "raw_score", "sigma"):
        assert_array_equal(getattr(parts, name), getattr(whole, name))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_parts_of_a_batch_come_back_in_order_from_their_streams(dot_file, threads):
    dots = [(3 + i % 20, 5 + i) for i in range(38)]
    many = OpenVinoPose(entry(), dot_file, options(threads=threads, batch=38), "rtmpose")
    for _ in range(5):
        assert_allclose(many.infer(pictures(dots)).keypoints, keypoints(dots))


def test_no_pictures_have_no_poses(model):
    assert model.infer(pictures([])).keypoints.shape == (0, 17, 2)


def test_read_only_pictures_are_taken(model):
    crops = pictures(DOTS)
    crops.setflags(write=False)
    assert_allclose(model.infer(crops).keypoints, keypoints(DOTS))


@pytest.mark.parametrize("red", [140, 255])
def test_flip_test_averages_with_the_mirrored_picture(dot_file, red):
    flipped = OpenVinoPose(entry(), dot_file, options(flip_test=True), "rtmpose")
    crops = pictures(DOTS, red)
    codec = SimccCodec(2.0, target_sigma_bins(SIZE))
    once, mirrored = responses(crops), responses(crops[:, :, ::-1])
    both = [(a + b) / 2 for a, b in zip(once, codec.mirror(mirrored), strict=True)]
    found, expected = flipped.infer(crops), codec.decode(both)
    assert_allclose(found.keypoints, expected.keypoints)
    assert_allclose(found.raw_score, expected.raw_score, rtol=1e-4)
    assert not np.allclose(found.raw_score, score(red))


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((1, SIZE[0], SIZE[1], 3), np.uint8),
        np.zeros((1, SIZE[1], SIZE[0]), np.uint8),
        np.zeros((1, 3, SIZE[1], SIZE[0]), np.uint8),
        np.zeros((2, SIZE[1], SIZE[0], 3), np.float32),
    ],
    ids=["turned", "grey", "channels first", "float"],
)
def test_other_pictures_are_refused(model, tmp_path, crops):
    with pytest.raises(InferenceError, match="the network takes"):
        model.infer(crops)
    detector = OpenVinoDetector(
        entry(), write_detector(tmp_path / "d.onnx", [[0, 0, 1, 1, 0.5]], [0]), options()
    )
    with pytest.raises(InferenceError, match="the network takes"):
        detector.infer(crops)


class FailsOnce:
    """A request whose first start fails."""

    def __init__(self, request):
        self.request, self.failed = request, False

    def __getattr__(self, name):
        return getattr(self.request, name)

    def start_async(self, inputs):
        if not self.failed:
            self.failed = True
            raise RuntimeError("Exception from src/inference.cpp:1:\nno memory")
        self.request.start_async(inputs)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_failing_runtime_is_an_inference_error_of_that_call_alone(dot_file, threads):
    dots = [DOTS[i % 5] for i in range(16)]
    some = OpenVinoPose(entry(), dot_file, options(threads=threads), "rtmpose")
    idle = some._network._idle
    idle.put(FailsOnce(idle.get_nowait()))
    with pytest.raises(InferenceError, match="OpenVINO: no memory"):
        some.infer(pictures(dots))
    assert_allclose(some.infer(pictures(dots)).keypoints, keypoints(dots))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_calls_under_way_together_get_their_own_answers(dot_file, threads):
    shared = OpenVinoPose(entry(), dot_file, options(threads=threads), "rtmpose")
    calls = [[DOTS[(i + j) % 5] for j in range(1 + i % 9)] for i in range(40)]
    with ThreadPoolExecutor(shared.calls_at_once) as pool:
        answers = list(pool.map(shared.infer, map(pictures, calls)))
    assert shared.calls_at_once > 1
    for answer, dots in zip(answers, calls, strict=True):
        assert_allclose(answer.keypoints, keypoints(dots))


def test_a_picture_goes_through_before_first_calls_that_may_come_together(dot_file, monkeypatch):
    # Threads that come first together to OpenVINO's tables wait for each other for ever.
    shown, part = [], CompiledNetwork._part

    def watched(network, pictures):
        shown.append(pictures.shape)
        return part(network, pictures)

    monkeypatch.setattr(CompiledNetwork, "_part", watched)
    OpenVinoPose(entry(), dot_file, options(threads=2), "rtmpose")
    assert shown == [(1, SIZE[1], SIZE[0], 3)]


def test_networks_are_compiled_one_at_a_time(dot_file):
    with open(openvino.__file__, "rb") as file, ThreadPoolExecutor(1) as pool:
        fcntl.flock(file, fcntl.LOCK_EX)  # another process that compiles holds it
        made = pool.submit(OpenVinoPose, entry(), dot_file, options(), "rtmpose")
        with pytest.raises(TimeoutError):
            made.result(timeout=1)
        fcntl.flock(file, fcntl.LOCK_UN)
        assert_allclose(made.result(timeout=60).infer(pictures(DOTS)).keypoints, keypoints(DOTS))


def test_status_tells_what_runs(model, dot_file):
    status = model.status
    assert (status.role, status.loaded, status.engine) == ("rtmpose", True, "openvino")
    assert (status.device, status.precision, status.input_size) == ("cpu", "fp32", SIZE)
    assert (status.key, status.name, status.checkpoint) == ("dot", "Dot", dot_file.name)
    assert (status.source, status.notice, status.reason) == ("local_file", None, None)
    published = entry(sources=(UrlSource("https://example.org/dot.onnx"),), notice="a toy")
    status = OpenVinoPose(published, dot_file, options(device="cuda:0"), "hrnet").status
    assert (status.role, status.source, status.notice) == ("hrnet", "mmpose_hub", "a toy")
    assert status.device == "cpu"


def test_mixed_precision_is_bf16_where_the_cpu_has_it(dot_file, model):
    mixed = OpenVinoPose(entry(), dot_file, options(precision="mixed"), "rtmpose")
    abilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    assert mixed.status.precision == ("bf16" if "BF16" in abilities else "fp32")
    poses = mixed.infer(pictures(DOTS))
    assert_allclose(poses.keypoints, keypoints(DOTS))
    assert_allclose(poses.raw_score, score(), rtol=0.02)


ROWS = [
    [1, 2, 3, 4, 0.5],
    [5, 6, 9, 9, 0.9],
    [0, 0, 8, 8, 0.7],
    [2, 2, 5, 5, 0.2],
    [0, 0, 0, 0, 0.0],
]


def test_people_come_best_first_without_others_and_padding(tmp_path):
    path = write_detector(tmp_path / "d.onnx", ROWS, [0, 0, 7, 0, 0])
    detector = OpenVinoDetector(entry(task="detect"), path, options())
    images = pictures(DOTS[:2])
    images[1, 0, 0, 0] = 255  # blue
    first, second = detector.infer(images)
    shift = (30 - MEAN[2]) / STD[2]
    assert_allclose(first.boxes, [[5, 6, 9, 9], [1 + shift, 2, 3, 4], [2, 2, 5, 5]], rtol=1e-5)
    assert_allclose(first.score, [0.9, 0.5, 0.2])
    assert_allclose(second.boxes[1, 0], 1 + (255 - MEAN[2]) / STD[2], rtol=1e-5)
    assert first.boxes.dtype == first.score.dtype == np.float32
    assert detector.infer(images[:0]) == []
    assert detector.status.nms == "in the model"


def test_nobody_in_the_picture(tmp_path):
    path = write_detector(tmp_path / "d.onnx", [[0, 0, 0, 0, 0]], [0])
    (found,) = OpenVinoDetector(entry(), path, options()).infer(pictures(DOTS[:1]))
    assert found.boxes.shape == (0, 4)
    assert found.score.shape == (0,)


def write_two_inputs(path):
    node = helper.make_node("Add", ["a", "b"], ["simcc_x"])
    shape = ["n", 3, SIZE[1], SIZE[0]]
    outputs = [helper.make_tensor_value_info("simcc_x", onnx.TensorProto.FLOAT, shape)]
    return save(path, [node], outputs, [], "n", inputs=("a", "b"))


def write_torn(path):
    whole = write_pose(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda p: p.write_bytes(b""), "not a readable ONNX model"),
        (lambda p: p.write_text("<html>Log in</html>"), "not a readable ONNX model"),
        (write_torn, "not a readable ONNX model"),
        (lambda p: torch.save({"a": torch.ones(1)}, p), "not a readable ONNX model"),
        (write_two_inputs, "has 2 inputs"),
        (lambda p: write_pose(p, names=("output", "y")), r"outputs are \['output', 'y'\]"),
        (lambda p: write_pose(p, names=("simcc_x",)), "outputs are"),
        (lambda p: write_pose(p, ranks=(3, 2)), "simcc_y is .*not of rank 3"),
        (lambda p: write_pose(p, ranks=(4, 3)), "simcc_x is .*not of rank 3"),
        (lambda p: write_pose(p, batch=1), "its batch is always 1"),
        (lambda p: write_pose(p, people=16), "16 keypoints, 17 are needed"),
        (lambda p: write_pose(p, bins=(2, 1)), r"\[1.0, 2.0\] bins a pixel"),
    ],
    ids=[
        "empty",
        "html",
        "torn",
        "pth",
        "two inputs",
        "names",
        "one output",
        "rank 2",
        "rank 4",
        "batch",
        "keypoints",
        "bins",
    ],
)
def test_a_file_of_another_interface_is_refused_with_the_reason(tmp_path, write, reason):
    path = tmp_path / "net.onnx"
    write(path)
    with pytest.raises(WeightsCorruptError, match=reason) as caught:
        OpenVinoPose(entry(), path, options(), "rtmpose")
    assert path.name in caught.value.detail
    assert str(path.parent) not in caught.value.detail
    assert str(path) in str(caught.value)
    assert "\n" not in caught.value.detail
    assert caught.value.facts["file"] == "net.onnx"


def test_a_model_that_openvino_cannot_run_is_refused_with_the_reason(dot_file, monkeypatch):
    def fail(*_):
        raise RuntimeError("Exception from src/core.cpp:1:\nunsupported operation: Foo")

    monkeypatch.setattr(openvino.Core, "compile_model", fail)
    with pytest.raises(WeightsCorruptError, match=r"cannot run it \(unsupported operation: Foo\)"):
        OpenVinoPose(entry(), dot_file, options(), "rtmpose")


def test_a_pose_network_is_no_detector_and_the_reverse(dot_file, tmp_path):
    with pytest.raises(WeightsCorruptError, match=r"not \['dets', 'labels'\]"):
        OpenVinoDetector(entry(), dot_file, options())
    path = write_detector(tmp_path / "d.onnx", ROWS, [0] * 5)
    with pytest.raises(WeightsCorruptError, match=r"not \['simcc_x', 'simcc_y'\]"):
        OpenVinoPose(entry(), path, options(), "rtmpose")


def test_another_input_size_than_the_files_is_refused(dot_file):
    with pytest.raises(WeightsCorruptError, match=r"input is \[\?,3,48,32\], not \[\?,3,64,48\]"):
        OpenVinoPose(entry(input_size=(48, 64)), dot_file, options(), "rtmpose")
