"""The torch engine around its networks: batches, mirrored crops, memory, devices, precision."""

import logging

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from deployments.errors import ConfigurationError, InferenceError
from deployments.pose.codecs.simcc import SimccCodec, target_sigma_bins
from deployments.pose.engines import torch_engine
from deployments.pose.engines.torch_engine import TorchDetector, TorchPose, choose_device
from deployments.pose.model_options import EngineOptions
from deployments.pose.network import Network
from tests.support.dot_networks import (
    MEAN,
    SIZE,
    STD,
    DotNetwork,
    entry,
    keypoints,
    pictures,
    responses,
    score,
)

DOTS = [(3, 5), (10, 40), (20, 0), (7, 47), (15, 24)]


class Section(dict):
    """A section of a config: values by key and by attribute."""

    __getattr__ = dict.__getitem__


def decoder(**changes):
    stated = {
        "type": "SimCCLabel",
        "input_size": SIZE,
        "sigma": target_sigma_bins(SIZE),
        "simcc_split_ratio": 2.0,
        "use_dark": False,
    }
    return Section({**stated, **changes})


def heatmap_decoder(**changes):
    stated = {"type": "MSRAHeatmap", "input_size": SIZE, "heatmap_size": (8, 12), "sigma": 2}
    return Section({**stated, **changes})


@pytest.fixture
def build(monkeypatch, tmp_path):
    """An engine around a module instead of a network from a file."""

    def build_engine(
        module=None, head=None, engine=TorchPose, role="rtmpose", codec="simcc", **options
    ):
        network = Network(
            module=(module or DotNetwork()).eval(),
            model_config=Section(
                head=head or Section(decoder=decoder(), out_channels=17), test_cfg={}
            ),
            mean=torch.tensor(MEAN),
            std=torch.tensor(STD),
            bgr_to_rgb=True,
        )
        monkeypatch.setattr(torch_engine, "load_network", lambda *_, **__: network)
        (tmp_path / "dot.pth").write_bytes(b"a checkpoint's digest is in its status")
        arguments = (
            entry(codec=codec),
            tmp_path / "dot.pth",
            EngineOptions(**{"threads": 1, **options}),
        )
        return engine(*arguments, *([role] if engine is TorchPose else []))

    return build_engine


def test_points_and_scores_are_the_dots(build):
    poses = build().infer(pictures(DOTS))
    assert_allclose(poses.keypoints, keypoints(DOTS))
    assert_allclose(poses.raw_score, score(), rtol=1e-5)


@pytest.mark.parametrize("batch", [1, 2, 5, 16])
def test_the_network_is_called_with_so_many_at_most(build, batch):
    seen = []

    class Counting(DotNetwork):
        def extract_feat(self, inputs):
            seen.append(len(inputs))
            return super().extract_feat(inputs)

    poses = build(Counting(), batch=batch).infer(pictures(DOTS))
    assert_allclose(poses.keypoints, keypoints(DOTS))
    assert sum(seen) == len(DOTS)
    assert max(seen) <= batch


def test_no_pictures_have_no_answers(build):
    assert build().infer(pictures([])).keypoints.shape == (0, 17, 2)
    assert build(engine=TorchDetector).infer(pictures([])) == []


def test_read_only_pictures_are_taken_and_left_as_they_are(build):
    crops = pictures(DOTS)
    before = crops.copy()
    crops.setflags(write=False)
    assert_allclose(build().infer(crops).keypoints, keypoints(DOTS))
    assert_array_equal(crops, before)


def test_flip_test_averages_with_the_mirrored_picture(build):
    crops = pictures(DOTS)
    codec = SimccCodec(2.0, target_sigma_bins(SIZE))
    mirrored = codec.mirror(responses(crops[:, :, ::-1]))
    both = [(a + b) / 2 for a, b in zip(responses(crops), mirrored, strict=True)]
    found, expected = build(flip_test=True).infer(crops), codec.decode(both)
    assert_allclose(found.keypoints, expected.keypoints)
    assert_allclose(found.raw_score, expected.raw_score, rtol=1e-4)


@pytest.mark.parametrize("engine", [TorchPose, TorchDetector])
@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((1, SIZE[0], SIZE[1], 3), np.uint8),
        np.zeros((1, 3, SIZE[1], SIZE[0]), np.uint8),
        np.zeros((2, SIZE[1], SIZE[0], 3), np.float32),
    ],
    ids=["turned", "channels first", "float"],
)
def test_other_pictures_are_refused(build, engine, crops):
    with pytest.raises(InferenceError, match="the network takes"):
        build(engine=engine).infer(crops)


def test_a_failing_network_is_an_inference_error(build):
    class Failing(DotNetwork):
        def head(self, red):
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(InferenceError, match="torch: CUDA error"):
        build(Failing()).infer(pictures(DOTS))


class SmallMemory(DotNetwork):
    """Holds so many pictures at once; remembers how many it was asked for."""

    def __init__(self, room):
        super().__init__()
        self.room, self.asked = room, []

    def extract_feat(self, inputs):
        self.asked.append(len(inputs))
        if len(inputs) > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().extract_feat(inputs)


def test_where_memory_runs_out_the_batch_is_halved_and_stays_so(build, caplog):
    network = SmallMemory(room=3)
    engine = build(network, batch=16)
    dots = [(i, i) for i in range(14)]
    with caplog.at_level(logging.WARNING, "mmpose_service"):
        assert_allclose(engine.infer(pictures(dots)).keypoints, keypoints(dots))
    assert network.asked == [14, 7, 3, 3, 3, 3, 2]
    assert caplog.text.count("does not hold") == 2
    network.asked.clear()
    assert_allclose(engine.infer(pictures(dots)).keypoints, keypoints(dots))
    assert max(network.asked) == 3


@pytest.mark.parametrize("flip_test", [False, True])
def test_one_picture_that_does_not_fit_is_an_inference_error(build, flip_test):
    network = SmallMemory(room=0)
    with pytest.raises(InferenceError, match="does not hold one picture") as caught:
        build(network, batch=4, flip_test=flip_test).infer(pictures(DOTS))
    assert network.asked == [4, 2, 1]
    assert "share of the GPU" in caught.value.hint


def test_status_tells_what_runs(build):
    status = build(role="hrnet").status
    assert (status.role, status.loaded, status.engine) == ("hrnet", True, "torch")
    assert (status.device, status.precision, status.input_size) == ("cpu", "fp32", SIZE)
    assert (status.key, status.name, status.checkpoint) == ("dot", "Dot", "dot.pth")
    assert status.nms == ""


@pytest.mark.parametrize("kind", ["compiled", "python"])
def test_a_detector_tells_whose_suppression_it_uses(build, monkeypatch, kind):
    monkeypatch.setattr(torch_engine.compat, "nms_kind", lambda: kind)
    assert build(engine=TorchDetector).status.nms == kind


@pytest.mark.parametrize(
    ("name", "gpus", "expected"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cpu", 1, "cpu"),
        ("cuda", 1, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
        ("cuda:0", 0, None),
        ("cuda:2", 2, None),
        ("cuda", 0, None),
        ("mps", 1, None),
        ("gpu", 1, None),
        ("", 0, None),
    ],
)
def test_devices(monkeypatch, name, gpus, expected):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    if expected:
        assert str(choose_device(name)) == expected
    else:
        with pytest.raises(ConfigurationError, match=f"device '{name}'"):
            choose_device(name)


@pytest.mark.parametrize(
    ("abilities", "expected"),
    [({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx2": True}, "fp32")],
)
def test_mixed_precision_is_bf16_where_the_cpu_has_it(build, monkeypatch, abilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities)
    engine = build(precision="mixed")
    assert engine.status.precision == expected
    poses = engine.infer(pictures(DOTS))
    assert_allclose(poses.keypoints, keypoints(DOTS))
    assert_allclose(poses.raw_score, score(), rtol=0.02)
    assert poses.raw_score.dtype == np.float32


def test_threads_are_those_of_the_options(build):
    before = torch.get_num_threads()
    try:
        build(threads=3)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (Section(decoder=decoder(use_dark=True), out_channels=17), "the config's codec is"),
        (Section(decoder=heatmap_decoder(), out_channels=17), "the config's codec is"),
        (Section(decoder=decoder(type="RegressionLabel"), out_channels=17), "RegressionLabel"),
        (Section(decoder=decoder(input_size=(192, 256)), out_channels=17), r"\(192, 256\)"),
        (Section(decoder=decoder(), out_channels=133), "133 keypoints, 17 are needed"),
    ],
    ids=["dark", "heatmap", "regression", "input size", "whole body"],
)
def test_a_config_that_is_decoded_otherwise_is_refused(build, head, reason):
    with pytest.raises(ConfigurationError, match=reason) as caught:
        build(head=head)
    assert "models.dot" in caught.value.detail


class HeatmapNetwork(DotNetwork):
    def head(self, red):
        return red[:, None, ::4, ::4].expand(-1, 17, -1, -1)


def test_heatmaps_are_decoded_by_the_stride_of_the_config(build):
    head = Section(decoder=heatmap_decoder(), out_channels=17)
    poses = build(HeatmapNetwork(), head, codec="heatmap").infer(pictures([(8, 20), (16, 4)]))
    assert_allclose(poses.keypoints, np.repeat([[[8, 20]], [[16, 4]]], 17, axis=1))


def test_refined_heatmaps_are_not_decoded_here(build):
    head = Section(decoder=heatmap_decoder(unbiased=True), out_channels=17)
    with pytest.raises(ConfigurationError, match="unbiased"):
        build(head=head, codec="heatmap")
