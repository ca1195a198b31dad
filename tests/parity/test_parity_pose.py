"""The whole way from a photograph to keypoints beside MMPose's own ``inference_topdown``."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from deployments.crops import PADDING, crop_transforms, to_image
from deployments.pose.loading import load_pose_model
from deployments.pose.model_options import EngineOptions
from deployments.pose.offline.coco_evaluation import cut_crops
from tests.support.random_networks import (
    config_of,
    import_apis,
    quiet,
    random_pose_network,
    scope,
    write_checkpoint,
)

SIZE = (192, 256)
PEOPLE = 2  # of each photograph: HRNet takes a quarter of a second for one
NETWORKS = ["rtmpose_medium", "rtmpose_small", "hrnet_w48"]


def snapped(boxes):
    """The boxes grown to the crop's aspect and moved to where MMPose's float32 matrix is exact.

    With other boxes its crop differs from one cut in float64 by one level of some values, which a
    network of random weights answers with another maximum now and then.
    """
    center = np.round((boxes[:, :2] + boxes[:, 2:]) * 4) / 8
    step = np.max((boxes[:, 2:] - boxes[:, :2]) * PADDING / SIZE, axis=1)
    half = np.round(step * 64)[:, None] / 64 * np.array(SIZE) / 2 / PADDING
    return np.hstack([center - half, center + half])


def ours(model, photograph, boxes):
    """Keypoints in pixels of the photograph, raw scores, and the crops."""
    maps = crop_transforms(boxes, SIZE)
    crops = cut_crops(photograph.pixels, maps, SIZE)
    poses = model.infer(crops)
    return to_image(poses.keypoints, maps), poses.raw_score, crops


@pytest.fixture(scope="module", params=NETWORKS)
def network(request, registry, photographs, tmp_path_factory):
    """(entry, its published-like checkpoint, MMPose's estimator of the same weights)."""
    entry = replace(registry.entry(request.param), sha256=None)
    crops = [
        cut_crops(p.pixels, crop_transforms(p.boxes, SIZE), SIZE)[:PEOPLE] for p in photographs
    ]
    theirs = random_pose_network(entry, np.concatenate(crops)[:4])
    path = write_checkpoint(tmp_path_factory.mktemp("weights") / "net.pth", theirs.state_dict())
    return entry, path, theirs


@pytest.mark.parametrize("flip_test", [False, True], ids=["once", "flip test"])
def test_keypoints_and_scores_are_those_of_inference_topdown(network, photographs, flip_test):
    entry, checkpoint, theirs = network
    model = load_pose_model(
        entry, checkpoint, EngineOptions(flip_test=flip_test, threads=1), "pose"
    )
    theirs.test_cfg["flip_test"] = flip_test
    mmpose, _ = import_apis()
    seen = []
    for photograph in photographs[:3]:
        boxes = snapped(photograph.boxes)[:PEOPLE]
        with quiet():
            samples = mmpose.inference_topdown(theirs, str(photograph.path), boxes)
        keypoints, scores, _ = ours(model, photograph, boxes)
        expected = np.concatenate([s.pred_instances.keypoints for s in samples])
        assert_allclose(keypoints, expected, atol=0.01, rtol=0)
        expected = np.concatenate([s.pred_instances.keypoint_scores for s in samples])
        assert_allclose(scores, expected, atol=1e-5)
        seen.append(np.dstack([keypoints, scores]).reshape(-1, 3))
    # The responses have maxima of their own: hardly two points or scores are alike.
    everything = np.concatenate(seen)
    assert len(np.unique(everything[:, :2], axis=0)) > 0.95 * len(everything)
    assert len(np.unique(everything[:, 2])) > 0.95 * len(everything)
    assert (everything[:, :2].std(0) > 30).all()


@pytest.fixture(scope="module")
def mmpose_crop(registry):
    """Crop of a photograph by MMPose's test pipeline."""
    import_apis()
    config = config_of(registry.entry("rtmpose_medium"))
    with quiet():
        from mmengine.dataset import Compose

        with scope("mmpose"):
            pipeline = Compose(config.test_dataloader.dataset.pipeline)

    def crop(photograph, box):
        data = {"bbox": box[None], "bbox_score": np.ones(1, np.float32)}
        with quiet():
            packed = pipeline({"img_path": str(photograph.path), **data})
        return packed["inputs"].numpy().transpose(1, 2, 0)

    return crop


def test_crops_of_the_labelled_boxes_are_mmposes_but_for_rounding(photographs, mmpose_crop):
    for photograph in photographs:
        crops = cut_crops(photograph.pixels, crop_transforms(photograph.boxes, SIZE), SIZE)
        for box, crop in zip(photograph.boxes, crops, strict=True):
            difference = np.abs(mmpose_crop(photograph, box).astype(int) - crop)
            assert difference.max() <= 1
            assert np.mean(difference > 0) < 1e-3
        boxes = snapped(photograph.boxes)
        crops = cut_crops(photograph.pixels, crop_transforms(boxes, SIZE), SIZE)
        assert_array_equal(crops, [mmpose_crop(photograph, box) for box in boxes])


def test_a_trained_network_finds_the_same_points_in_mmposes_crops(
    movenet, registry, photographs, mmpose_crop
):
    entry = registry.entry("movenet_multipose")
    model = load_pose_model(entry, movenet, EngineOptions(threads=1), "rtmpose")
    for photograph in photographs:
        _, _, crops = ours(model, photograph, photograph.boxes)
        theirs = np.stack([mmpose_crop(photograph, box) for box in photograph.boxes])
        found, expected = model.infer(crops), model.infer(theirs)
        # One level more or less of some values moves the offsets: by 0.7 px at most, 0.01 px
        # in the mean.
        apart = np.abs(found.keypoints - expected.keypoints)
        assert apart.max() < 1.5
        assert apart.mean() < 0.05
        assert np.abs(found.raw_score - expected.raw_score).mean() < 0.01
