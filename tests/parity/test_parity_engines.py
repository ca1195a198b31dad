"""One network by each engine: an RTMPose of random weights, its export, and real detectors."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from deployments.crops import crop_transforms
from deployments.pose.loading import load_detector, load_pose_model
from deployments.pose.model_options import EngineOptions
from deployments.pose.offline.coco_evaluation import cut_crops, detected_boxes, letterbox
from tests.support.random_networks import (
    quiet,
    random_detector,
    random_pose_network,
    write_checkpoint,
)

SIZE = (192, 256)


class Exported(torch.nn.Module):
    """What MMDeploy exports of a pose network: normalized crops in, responses out."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, inputs):
        return self.network.head(self.network.extract_feat(inputs))


@pytest.fixture(scope="module")
def crops(photographs):
    return np.concatenate(
        [cut_crops(p.pixels, crop_transforms(p.boxes, SIZE), SIZE) for p in photographs]
    )


@pytest.fixture(scope="module")
def files(registry, crops, tmp_path_factory):
    """(entry, its checkpoint, its export)."""
    folder = tmp_path_factory.mktemp("weights")
    entry = replace(registry.entry("rtmpose_small"), sha256=None)
    network = random_pose_network(entry, crops[:4])
    onnx = folder / "net.onnx"
    with quiet():
        torch.onnx.export(
            Exported(network),
            torch.zeros(1, 3, 256, 192),
            str(onnx),
            input_names=["input"],
            output_names=["simcc_x", "simcc_y"],
            dynamic_axes={name: {0: "n"} for name in ("input", "simcc_x", "simcc_y")},
            dynamo=False,
        )
    return entry, write_checkpoint(folder / "net.pth", network.state_dict()), onnx


@pytest.mark.parametrize("flip_test", [False, True], ids=["once", "flip test"])
def test_all_engines_give_the_same_arrays(files, crops, flip_test):
    entry, checkpoint, onnx = files
    options = EngineOptions(flip_test=flip_test, threads=1, batch=5)
    by_torch = load_pose_model(entry, checkpoint, options, "rtmpose").infer(crops)
    exported = load_pose_model(entry, onnx, options, "rtmpose").infer(crops)
    options = replace(options, engine="openvino")
    converted = load_pose_model(entry, checkpoint, options, "rtmpose").infer(crops)
    for other in (exported, converted):
        assert_allclose(other.raw_score, by_torch.raw_score, atol=1e-4)
        assert_allclose(other.score, by_torch.score, atol=1e-4)
        same = np.abs(other.keypoints - by_torch.keypoints) <= 0.01
        assert same.mean() > 0.99  # two bins may be alike to the last digits
        assert_allclose(other.sigma[same], by_torch.sigma[same], atol=0.01)


@pytest.fixture(params=["random", "trained"])
def rtmdet(request, registry, photographs, tmp_path):
    """Entry and checkpoint of an RTMDet-nano, and how far its boxes and scores may be apart.

    Random weights have the exponential of the regressed sides enlarge the last digits.
    """
    if request.param == "trained":
        entry = registry.entry("rtmdet_nano_folded")
        return entry, request.getfixturevalue("published") / entry.checkpoint, (1e-2, 1e-4)
    entry = replace(registry.entry("rtmdet_nano"), sha256=None)
    seen = [letterbox(p.pixels, entry.input_size)[0] for p in photographs[1:3]]
    state = random_detector(entry, seen).state_dict()
    return entry, write_checkpoint(tmp_path / "net.pth", state), (1.0, 5e-3)


def test_a_detector_is_the_same_converted(rtmdet, photographs):
    entry, path, (box_px, most_score) = rtmdet
    by_torch, converted = (
        load_detector(entry, path, EngineOptions(threads=1, engine=engine))
        for engine in ("torch", "openvino")
    )
    assert converted.status.engine == "openvino"
    for photograph in photographs:
        boxes, score = detected_boxes(photograph.pixels, by_torch)
        other, other_score = detected_boxes(photograph.pixels, converted)
        assert len(boxes) == len(other) >= 1
        apart = np.abs(boxes[:, None] - other).max(-1)  # the order of equal scores may differ
        nearest = apart.argmin(1)
        assert len(set(nearest.tolist())) == len(boxes)
        assert apart.min(1).max() < box_px
        assert_allclose(score, other_score[nearest], atol=most_score)


@pytest.mark.parametrize("key", ["rtmdet_nano_folded", "rtmdet_nano_onnx"])
def test_half_precision_finds_the_same_people(published, registry, photographs, key):
    entry = registry.entry(key)
    whole, half = (
        load_detector(
            entry,
            published / entry.checkpoint,
            EngineOptions(threads=1, precision=precision),
        )
        for precision in ("fp32", "mixed")
    )
    for photograph in photographs:
        boxes, score = detected_boxes(photograph.pixels, whole)
        rounded, rounded_score = detected_boxes(photograph.pixels, half)
        sure = np.count_nonzero(score > 0.5)
        assert np.count_nonzero(rounded_score > 0.5) == sure >= 1
        assert_allclose(rounded[:sure], boxes[:sure], atol=2.0)
        assert_allclose(rounded_score[:sure], score[:sure], atol=0.02)
