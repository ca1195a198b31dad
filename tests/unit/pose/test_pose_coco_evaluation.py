"""COCO evaluation: on a made-up copy of COCO with known answers, and beside MMPose's own metric."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose
from pycocotools.cocoeval import COCOeval

from biomech.skeleton import KEYPOINTS
from deployments.crops import crop_transforms, to_image
from deployments.errors import BadParameterError
from deployments.messages import CropPoses, Detections, ModelStatus
from deployments.pose.compat import import_models
from deployments.pose.loading import load_detector, load_pose_model
from deployments.pose.model_options import EngineOptions
from deployments.pose.offline.coco_evaluation import evaluate, find_coco, suppress
from deployments.pose.registry import load_model_config
from deployments.pose.weights import find_weights

SIZE = (192, 256)
PEOPLE = [2, 0, 1, 3, 1]  # in each picture
WIDTH, HEIGHT = 640, 360


def pattern(picture):
    """(17, 2) keypoints in crop pixels of the people of a picture."""
    return np.random.default_rng(picture).uniform([20, 20], [172, 236], (17, 2))


class PatternModel:
    """Tells the picture of a crop by its color, and answers with that picture's pattern."""

    def __init__(self, shift=0.0, score=0.9):
        self.status = ModelStatus(role="rtmpose", loaded=True, name="Pattern", input_size=SIZE)
        self.shift, self.score, self.calls = shift, score, []

    def infer(self, crops):
        self.calls.append(len(crops))
        colors = crops[:, SIZE[1] // 2, SIZE[0] // 2, 0].astype(int)
        points = np.array([pattern(c // 20 - 1) for c in colors]).reshape(-1, 17, 2) + self.shift
        score = np.full(points.shape[:2], self.score, np.float32)
        return CropPoses(points.astype(np.float32), score, score, points * np.float32(np.nan))


class TrueBoxes:
    """Answers with the boxes of the labels, in letterboxed pixels."""

    def __init__(self, boxes):
        self.status = ModelStatus(role="detector", loaded=True, input_size=(320, 320))
        self.boxes = boxes

    def infer(self, images):
        assert images.shape[1:] == (320, 320, 3)
        assert (images[:, HEIGHT // 2 :] == 114).all()
        found = [self.boxes[image[10, 10, 0] // 20 - 1] / 2 for image in images]
        return [Detections(b.astype(np.float32), np.full(len(b), 0.8, np.float32)) for b in found]


@pytest.fixture
def coco(tmp_path):
    """A copy of COCO of one color a picture; (folder, boxes of each picture)."""
    rng = np.random.default_rng(3)
    images, labels, boxes = [], [], []
    for picture, count in enumerate(PEOPLE):
        name = f"{picture:012d}.png"
        pixels = np.full((HEIGHT, WIDTH, 3), 20 * (picture + 1), np.uint8)
        cv2.imwrite(str(tmp_path / name), pixels)
        images.append({"id": 100 - picture, "file_name": name, "width": WIDTH, "height": HEIGHT})
        corner = rng.uniform([10, 10], [400, 150], (count, 2))
        extent = rng.uniform([40, 60], [200, 200], (count, 2))
        boxes.append(np.hstack([corner, corner + extent]))
        points = to_image(
            np.tile(pattern(picture), (count, 1, 1)), crop_transforms(boxes[-1], SIZE)
        )
        labels += [
            label(len(labels) + i + 1, 100 - picture, [*corner[i], *extent[i]], points[i])
            for i in range(count)
        ]
    labels.append(label(900, 100, [0, 0, 640, 360], points[0]) | {"iscrowd": 1})
    unlabelled = {"num_keypoints": 0, "keypoints": [0.0] * 51}
    labels.append(label(901, 99, [5, 5, 50, 50], points[0]) | unlabelled)
    save(tmp_path, images, labels)
    return tmp_path, boxes


def label(number, image_id, box, points):
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [float(v) for v in box],
        "area": float(box[2] * box[3] * 0.5),
        "num_keypoints": 17,
        "keypoints": [float(v) for point in points for v in (*point, 2)],
    }


def save(folder, images, labels):
    person = {"id": 1, "name": "person", "keypoints": list(KEYPOINTS), "skeleton": []}
    dataset = {"info": {}, "images": images, "annotations": labels, "categories": [person]}
    (folder / "coco_keypoints.json").write_text(json.dumps(dataset))


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_true_keypoints_in_true_boxes_are_perfect(coco, batch):
    model, told = PatternModel(), []
    result = evaluate(
        *find_coco(coco[0]),
        model,
        batch=batch,
        published_ap=0.758,
        progress=lambda done, total: told.append((done, total)),
    )
    assert (result.ap, result.ap50, result.ap75, result.ar) == pytest.approx((1, 1, 1, 1))
    assert (result.images, result.people) == (5, 7)
    assert (result.model, result.published_ap, result.boxes) == ("Pattern", 0.758, "ground_truth")
    assert sum(model.calls) == 7
    assert told == [(i, 5) for i in range(1, 6)]


def test_true_keypoints_in_detected_boxes_are_perfect(coco):
    result = evaluate(*find_coco(coco[0]), PatternModel(), TrueBoxes(coco[1]))
    assert (result.ap, result.ar, result.boxes) == (pytest.approx(1), pytest.approx(1), "detector")


def test_another_padding_is_another_crop(coco):
    assert evaluate(*find_coco(coco[0]), PatternModel(), padding=2.0).ap < 0.5


@pytest.mark.parametrize(("shift", "low", "high"), [(4.0, 0.3, 0.99), (300.0, 0.0, 0.0)])
def test_wrong_keypoints_cost_precision(coco, shift, low, high):
    assert low <= evaluate(*find_coco(coco[0]), PatternModel(shift)).ap <= high


def test_a_missing_keypoint_is_a_wrong_one_and_no_more(coco):
    class OneMissing(PatternModel):
        def infer(self, crops):
            poses = super().infer(crops)
            poses.keypoints[:, 3] = np.nan
            return poses

    result = evaluate(*find_coco(coco[0]), OneMissing())
    assert 0.5 < result.ap < 1
    assert result.ap50 == pytest.approx(1)


def test_a_detector_that_finds_nobody_scores_nothing(coco):
    result = evaluate(*find_coco(coco[0]), PatternModel(), TrueBoxes([np.empty((0, 4))] * 5))
    assert (result.ap, result.ar, result.people) == (0, 0, 7)


class NoisyModel(PatternModel):
    """Jitters the pattern, scores at random, and remembers its answers."""

    def infer(self, crops):
        rng = np.random.default_rng(1)
        poses = super().infer(crops)
        poses.keypoints[:] += rng.normal(0, 3, poses.keypoints.shape)
        poses.raw_score[:] = rng.uniform(0, 1.2, poses.raw_score.shape)
        self.answer = poses
        return poses


class DoubledBoxes(TrueBoxes):
    """Finds everyone twice, not quite in place, with falling scores, and remembers it."""

    def __init__(self, boxes):
        rng = np.random.default_rng(5)
        super().__init__([np.repeat(b, 2, 0) + rng.normal(0, 4, (2 * len(b), 4)) for b in boxes])
        self.answers = []

    def infer(self, images):
        boxes = super().infer(images)[0].boxes
        self.answers.append(Detections(boxes, np.linspace(0.9, 0.3, len(boxes))))
        return self.answers[-1:]


def test_agrees_with_mmposes_metric(coco, capsys, monkeypatch):
    annotations, images = find_coco(coco[0])
    model, detector = NoisyModel(), DoubledBoxes(coco[1])
    ours = evaluate(annotations, images, model, detector)
    assert capsys.readouterr().out == ""

    import_models("mmpose")
    from mmpose.evaluation.metrics import coco_metric

    monkeypatch.setattr(coco_metric, "COCOeval", by_pycocotools)
    theirs = mmpose_metric(annotations, detector.answers, model.answer)
    expected = [theirs[f"coco/{name}"] for name in ("AP", "AP .5", "AP .75", "AR")]
    assert_allclose([ours.ap, ours.ap50, ours.ap75, ours.ar], expected, atol=1e-9)
    assert 0.1 < ours.ap < 0.99


def by_pycocotools(truth, found, kind, sigmas, use_area):
    """``COCOeval`` with the arguments of xtcocotools."""
    assert use_area
    evaluation = COCOeval(truth, found, kind)
    evaluation.params.kpt_oks_sigmas = sigmas
    return evaluation


def mmpose_metric(annotations, detections, poses):
    """Figures of ``CocoMetric`` for the same answers; pictures are asked for by ascending id."""
    import mmpose
    from mmpose.datasets.datasets.utils import parse_pose_metainfo
    from mmpose.evaluation.metrics import CocoMetric

    image_ids = sorted(i["id"] for i in json.loads(annotations.read_text())["images"])
    ids = np.repeat(image_ids, [len(d.boxes) for d in detections])
    boxes = np.clip(np.concatenate([d.boxes for d in detections]) * 2.0, 0, [WIDTH, HEIGHT] * 2)
    maps = crop_transforms(boxes, SIZE)
    points = to_image(poses.keypoints, maps).astype(np.float64)
    box_score = np.concatenate([d.score for d in detections])
    samples = [
        {
            "id": i,
            "img_id": int(ids[i]),
            "pred_instances": {
                "keypoints": points[i : i + 1],
                "keypoint_scores": poses.raw_score[i : i + 1].astype(np.float64),
            },
            "gt_instances": {
                "bbox_scores": box_score[i : i + 1],
                "bbox_scales": maps[i, 0, 0] * np.array([SIZE]),
            },
        }
        for i in range(len(ids))
    ]
    metric = CocoMetric(ann_file=str(annotations))
    coco_meta = Path(mmpose.__file__).parent / ".mim/configs/_base_/datasets/coco.py"
    metric.dataset_meta = parse_pose_metainfo({"from_file": str(coco_meta)})
    metric.process([], samples)
    return metric.evaluate(size=len(samples))


def test_suppression_is_mmposes():
    import_models("mmpose")
    from mmpose.evaluation.functional import oks_nms

    rng = np.random.default_rng(11)
    for _ in range(30):
        base = rng.uniform(0, 400, (4, 17, 2))
        keypoints = np.repeat(base, 4, 0) + rng.normal(0, 6, (16, 17, 2))
        score, area = rng.uniform(0, 1, 16), rng.uniform(1e4, 1e5, 16)
        people = [
            {"keypoints": np.c_[k, np.ones(17)], "score": s, "area": a}
            for k, s, a in zip(keypoints, score, area, strict=True)
        ]
        kept = suppress(keypoints, score, area)
        assert kept == oks_nms(people, 0.9).tolist()
        assert 4 <= len(kept) <= 16
    assert suppress(np.empty((0, 17, 2)), np.empty(0), np.empty(0)) == []


@pytest.mark.parametrize(
    ("detector", "ap", "ap50", "boxes"),
    [
        (None, 0.543, 0.911, "ground_truth"),
        ("rtmdet_nano_onnx", 0.584, 0.974, "detector"),
        ("rtmdet_nano_folded", 0.584, 0.974, "detector"),
    ],
)
def test_stand_in_on_the_photographs(labelled, published, detector, ap, ap50, boxes):
    registry = Path(__file__).parents[3] / "config" / "model_config.json"
    config, options = load_model_config(registry), EngineOptions(threads=1)

    def checkpoint(key):
        return config.entry(key), find_weights(config.entry(key), [published])

    model = load_pose_model(*checkpoint("movenet_lightning"), options, "rtmpose")
    finder = load_detector(*checkpoint(detector), options) if detector else None
    result = evaluate(*find_coco(labelled), model, finder)
    assert (result.images, result.people, result.boxes) == (4, 12, boxes)
    assert result.ap == pytest.approx(ap, abs=0.01)
    assert result.ap50 == pytest.approx(ap50, abs=0.01)


@pytest.mark.parametrize("images", ["val2017", "images/val2017"])
def test_finds_cocos_own_layout(tmp_path, images):
    (tmp_path / images).mkdir(parents=True)
    (tmp_path / "annotations").mkdir()
    annotations = tmp_path / "annotations" / "person_keypoints_val2017.json"
    annotations.write_text("{}")
    assert find_coco(tmp_path) == (annotations, tmp_path / images)


def test_says_what_a_copy_of_coco_is(tmp_path):
    with pytest.raises(BadParameterError, match="person_keypoints_val2017"):
        find_coco(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not JSON", "not a COCO"),
        ("[]", "not a COCO"),
        ('{"images": [{"id": 1}], "annotations": [{"image_id": 1}]}', "not a COCO"),
        ('{"images": [], "annotations": []}', "nobody"),
    ],
)
def test_refuses_another_file(tmp_path, text, reason):
    path = tmp_path / "coco_keypoints.json"
    path.write_text(text)
    with pytest.raises(BadParameterError, match=reason):
        evaluate(path, tmp_path, PatternModel())


def test_names_a_picture_that_is_missing(coco):
    (coco[0] / "000000000003.png").unlink()
    with pytest.raises(BadParameterError, match=r"000000000003\.png"):
        evaluate(*find_coco(coco[0]), PatternModel())
