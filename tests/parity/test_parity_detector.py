"""People found in the photographs beside MMDetection's own ``inference_detector``."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from deployments.pose.loading import load_detector
from deployments.pose.model_options import EngineOptions
from deployments.pose.offline.coco_evaluation import detected_boxes, letterbox
from tests.support.random_networks import (
    config_of,
    import_apis,
    quiet,
    random_detector,
    scope,
    write_checkpoint,
)

BOX_PX, SCORE = 1e-3, 1e-5
"""Most that boxes and scores differ on the same weights."""


def reference(network, photograph):
    """Boxes within the photograph and scores of MMDetection's people."""
    _, mmdet = import_apis()
    with quiet(), scope("mmdet"):
        found = mmdet.inference_detector(network, str(photograph.path)).pred_instances
    people = found.labels == 0
    height, width = photograph.pixels.shape[:2]
    boxes = np.clip(found.bboxes[people].numpy(), 0, [width, height, width, height])
    return boxes, found.scores[people].numpy()


@pytest.mark.parametrize("key", ["rtmdet_nano", "rtmdet_tiny", "rtmdet_m"])
def test_boxes_and_scores_are_those_of_inference_detector(registry, photographs, tmp_path, key):
    entry = replace(registry.entry(key), sha256=None)
    seen = photographs[1:3]
    theirs = random_detector(entry, [letterbox(p.pixels, entry.input_size)[0] for p in seen])
    path = write_checkpoint(tmp_path / "net.pth", theirs.state_dict())
    model = load_detector(entry, path, EngineOptions(threads=1))
    for photograph in seen:
        expected, expected_score = reference(theirs, photograph)
        boxes, score = detected_boxes(photograph.pixels, model)
        assert len(boxes) == len(expected) > 20
        assert_allclose(boxes, expected, atol=BOX_PX)
        assert_allclose(score, expected_score, atol=SCORE)
        assert len(np.unique(boxes, axis=0)) == len(boxes)
        assert np.ptp(score) > 0.1


@pytest.fixture(scope="module")
def folded(registry, published):
    """Entry and file of the real detector."""
    entry = registry.entry("rtmdet_nano_folded")
    return entry, published / entry.checkpoint


def test_the_real_detector_is_inference_detectors(folded, photographs):
    entry, path = folded
    _, mmdet = import_apis()
    with quiet():
        theirs = mmdet.init_detector(config_of(entry), str(path), device="cpu")
    model = load_detector(entry, path, EngineOptions(threads=1))
    for photograph in photographs:
        expected, expected_score = reference(theirs, photograph)
        boxes, score = detected_boxes(photograph.pixels, model)
        assert len(boxes) == len(expected) >= 1
        assert_allclose(boxes, expected, atol=BOX_PX)
        assert_allclose(score, expected_score, atol=SCORE)


def test_the_real_detector_is_its_export(folded, published, registry, photographs):
    by_torch = load_detector(*folded, EngineOptions(threads=1))
    entry = registry.entry("rtmdet_nano_onnx")
    exported = load_detector(entry, published / entry.checkpoint, EngineOptions(threads=1))
    for photograph in photographs:
        boxes, score = detected_boxes(photograph.pixels, by_torch)
        other, other_score = detected_boxes(photograph.pixels, exported)
        assert len(boxes) == len(other)
        assert_allclose(boxes, other, atol=BOX_PX)
        assert_allclose(score, other_score, atol=SCORE)
