"""Measure the COCO keypoint AP of a pose model, comparable with MMPose's published figures.

Boxes, crops, rescoring and suppression are those of MMPose's ``CocoMetric`` in its defaults
(``bbox_keypoint``, keypoint score over 0.2, OKS suppression at 0.9); the figures are pycocotools'.
"""

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval, Params

from deployments.crops import PADDING, crop_transforms, to_image
from deployments.errors import BadParameterError
from deployments.media.picture import LETTERBOX_FILL
from deployments.messages import F64, U8, Bools
from deployments.pose.interface import PersonDetector, PoseModel

MIN_KEYPOINT_SCORE: Final = 0.2
"""Keypoints below do not count in a person's score."""

OKS_THRESHOLD: Final = 0.9
"""Of two predictions more alike than this, the weaker goes."""

_PERSON = 1
_LAYOUTS: Final = (
    ("annotations/person_keypoints_val2017.json", "val2017"),
    ("annotations/person_keypoints_val2017.json", "images/val2017"),
    ("coco_keypoints.json", "."),
)


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """COCO keypoint figures as fractions of 1.

    Attributes:
        ap, ap50, ap75: average precision, over OKS 0.5 to 0.95, and at 0.5 and 0.75.
        ar: average recall over OKS 0.5 to 0.95.
        images: pictures evaluated. people: labelled people in them.
        model: display name.
        published_ap: what MMPose publishes on the whole of COCO val2017, with flip test and the
            boxes of a detector of 56.4 person AP; None where nothing is published.
        boxes: where the boxes came from.
    """

    ap: float
    ap50: float
    ap75: float
    ar: float
    images: int
    people: int
    model: str
    published_ap: float | None
    boxes: Literal["ground_truth", "detector"]


@dataclass(frozen=True, slots=True)
class _Crops:
    """People of one picture: box_score (n,), maps (n,2,3) to it from pixels (n,h,w,3)."""

    image_id: int
    box_score: F64
    maps: F64
    pixels: U8


def find_coco(folder: Path) -> tuple[Path, Path]:
    """Find the annotation file and picture folder of a copy of COCO.

    Either COCO's own layout (``annotations/person_keypoints_val2017.json`` and ``val2017``), or a
    flat folder of ``coco_keypoints.json`` and pictures.

    Raises:
        BadParameterError: neither.
    """
    for annotations, images in _LAYOUTS:
        if (folder / annotations).is_file() and (folder / images).is_dir():
            return folder / annotations, folder / images
    looked_for = " or ".join(f"{a} with {i}" for a, i in _LAYOUTS)
    raise BadParameterError(f"{folder} is not a copy of COCO: it has no {looked_for}")


def evaluate(
    annotations: Path,
    images: Path,
    model: PoseModel,
    detector: PersonDetector | None = None,
    *,
    padding: float = PADDING,
    batch: int = 64,
    published_ap: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> EvaluationResult:
    """Measure the COCO keypoint AP of ``model``.

    Args:
        annotations: COCO keypoint file. images: folder of its pictures.
        model: to be evaluated.
        detector: gives the boxes; without one they are those of the labels.
        padding: growth of a box before it is cropped.
        batch: crops gathered for one call of ``model``.
        published_ap: of the model, fraction of 1, to be carried into the result.
        progress: told how many pictures are done, and of how many.

    Raises:
        BadParameterError: the file is no COCO keypoint file or labels nobody, or a picture cannot
            be read.
        InferenceError: a network failed.
    """
    truth, people = read_labels(annotations)
    rows: list[dict[str, Any]] = []
    waiting: list[_Crops] = []
    size = model.status.input_size
    image_ids = sorted(truth.imgs)
    for done, image_id in enumerate(image_ids, 1):
        picture = read_picture(images / truth.imgs[image_id]["file_name"])
        boxes, score = (
            detected_boxes(picture, detector) if detector else labelled_boxes(truth, image_id)
        )
        maps = crop_transforms(boxes, size, padding)
        waiting.append(_Crops(image_id, score, maps, cut_crops(picture, maps, size)))
        if sum(len(w.maps) for w in waiting) >= batch or done == len(image_ids):
            rows += _predict(model, waiting)
            waiting = []
        if progress:
            progress(done, len(image_ids))
    ap, ap50, ap75, ar = _measure(truth, rows)
    return EvaluationResult(
        ap=ap,
        ap50=ap50,
        ap75=ap75,
        ar=ar,
        images=len(image_ids),
        people=people,
        model=model.status.name,
        published_ap=published_ap,
        boxes="detector" if detector else "ground_truth",
    )


def read_labels(annotations: Path) -> tuple[Any, int]:
    """Read a keypoint file as pycocotools' ``COCO``, and count the people it labels.

    Raises:
        BadParameterError: it is none, or labels nobody.
    """
    try:
        with _quiet():
            truth = COCO(str(annotations))
        people = sum(len(labelled_boxes(truth, image_id)[0]) for image_id in truth.imgs)
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise BadParameterError(
            f"{annotations} is not a COCO keypoint file: {type(error).__name__}: {error}"
        ) from error
    if not people:
        raise BadParameterError(f"{annotations} labels the keypoints of nobody")
    return truth, people


def labelled_people(truth: Any, image_id: int) -> list[tuple[list[float], dict[str, Any]]]:
    """Return box (4,) and label of the people that MMPose's COCO dataset takes.

    Those are no crowds and have some labelled keypoint and some area.

    Args:
        truth: pycocotools' ``COCO``. image_id: of the picture.
    """
    picture = truth.imgs[image_id]
    last = np.array([picture["width"], picture["height"]]) - 1
    people = []
    for label in truth.imgToAnns[image_id]:
        if label["category_id"] == _PERSON and not label["iscrowd"] and label["num_keypoints"]:
            corner, extent = np.array(label["bbox"], np.float64).reshape(2, 2)
            low, high = np.clip(corner, 0, last), np.clip(corner + extent, 0, last)
            if (high > low).all():
                people.append(([*low, *high], label))
    return people


def labelled_boxes(truth: Any, image_id: int) -> tuple[F64, F64]:
    """Return boxes (n,4) and scores (n,), all 1, of the labelled people of a picture."""
    boxes = [box for box, _ in labelled_people(truth, image_id)]
    return np.array(boxes, np.float64).reshape(-1, 4), np.ones(len(boxes))


def read_picture(path: Path) -> U8:
    """Read a picture (h,w,3) uint8 BGR.

    Raises:
        BadParameterError: it is missing or cannot be read.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise BadParameterError(f"{path} is missing or not a picture")
    return np.asarray(picture, np.uint8)


def detected_boxes(picture: U8, detector: PersonDetector) -> tuple[F64, F64]:
    """Return boxes (n,4) in pixels of the picture and scores (n,) of the people in it.

    It is letterboxed as in RTMDet's test pipeline. Boxes end at the picture's edges.
    """
    height, width = picture.shape[:2]
    letterboxed, (scaled_width, scaled_height) = letterbox(picture, detector.status.input_size)
    found = detector.infer(letterboxed[None])[0]
    boxes = found.boxes * np.tile([width / scaled_width, height / scaled_height], 2)
    return np.clip(boxes, 0, [width, height, width, height]), found.score.astype(np.float64)


def letterbox(picture: U8, size: tuple[int, int]) -> tuple[U8, tuple[int, int]]:
    """Scale the picture to fit ``size`` (w, h), at its top left; return it and its size there."""
    height, width = picture.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    scaled = (int(width * scale + 0.5), int(height * scale + 0.5))
    whole = np.full((size[1], size[0], 3), LETTERBOX_FILL, np.uint8)
    whole[: scaled[1], : scaled[0]] = cv2.resize(picture, scaled, interpolation=cv2.INTER_LINEAR)
    return whole, scaled


def cut_crops(picture: U8, maps: F64, size: tuple[int, int]) -> U8:
    """Cut crops (n,h,w,3) of ``size`` (w, h), to which ``maps`` (n,2,3) lead the picture's pixels.

    ``maps`` are those of :func:`deployments.crops.crop_transforms`, from the crop to the picture.
    """
    crops = np.empty((len(maps), size[1], size[0], 3), np.uint8)
    for crop, image_from_crop in zip(crops, maps, strict=True):
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop[:] = cv2.warpAffine(picture, image_from_crop, size, flags=flags)
    return crops


def _predict(model: PoseModel, people: list[_Crops]) -> Iterator[dict[str, Any]]:
    """Yield COCO result rows of the crops of some pictures."""
    poses = model.infer(np.concatenate([p.pixels for p in people]))
    # COCO wants a place for every keypoint. Where there is none, MMPose's is at the crop's corner.
    points = np.nan_to_num(poses.keypoints, nan=0.0)
    first = 0
    for picture in people:
        rows = slice(first, first + len(picture.maps))
        first = rows.stop
        keypoints = to_image(points[rows], picture.maps).astype(np.float64)
        keypoint_score = poses.raw_score[rows].astype(np.float64)
        score = picture.box_score * _mean_over(keypoint_score, MIN_KEYPOINT_SCORE)
        area = picture.maps[:, 0, 0] ** 2 * float(np.prod(picture.pixels.shape[1:3]))
        for i in suppress(keypoints, score, area):
            yield {
                "image_id": picture.image_id,
                "category_id": _PERSON,
                "keypoints": np.c_[keypoints[i], keypoint_score[i]].ravel().tolist(),
                "score": float(score[i]),
            }


def _mean_over(score: F64, minimum: float) -> F64:
    """Return the mean (n,) of those scores (n,k) over ``minimum``, 0 where there are none."""
    counts: Bools = score > minimum
    mean: F64 = (score * counts).sum(1) / np.maximum(counts.sum(1), 1)
    return mean


def suppress(keypoints: F64, score: F64, area: F64) -> list[int]:
    """Return indices, best first, of predictions that no better one resembles by OKS > 0.9.

    Args:
        keypoints: (n,17,2) of the people of one picture. score: (n,). area: (n,) of the crops.
    """
    variance = (2 * np.asarray(Params(iouType="keypoints").kpt_oks_sigmas)) ** 2
    order = np.argsort(score, kind="stable")[::-1]
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        squares: NDArray[np.float64] = ((keypoints[rest] - keypoints[best]) ** 2).sum(-1)
        half_area = (area[best] + area[rest])[:, None] / 2 + np.spacing(1)
        oks = np.exp(-squares / variance / half_area / 2).mean(1)
        order = rest[oks <= OKS_THRESHOLD]
    return kept


def _measure(truth: Any, rows: list[dict[str, Any]]) -> tuple[float, float, float, float]:
    """Compute AP, AP50, AP75 and AR by pycocotools."""
    if not rows:  # which pycocotools cannot read
        return 0.0, 0.0, 0.0, 0.0
    with _quiet():
        measured = COCOeval(truth, truth.loadRes(rows), "keypoints")
        measured.evaluate()
        measured.accumulate()
        measured.summarize()
    ap, ap50, ap75, _, _, ar = (float(value) for value in measured.stats[:6])
    return ap, ap50, ap75, ar


def _quiet() -> contextlib.redirect_stdout[io.StringIO]:
    """Keep what pycocotools prints from the caller's output."""
    return contextlib.redirect_stdout(io.StringIO())
