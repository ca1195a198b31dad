"""Fit a calibration on a copy of COCO, and measure it on pictures held out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy
from pycocotools.cocoeval import Params

from biomech.skeleton import KEYPOINTS
from deployments.crops import crop_transforms, sigma_to_image, to_image
from deployments.errors import BadParameterError
from deployments.messages import F64, I64, Bools
from deployments.pose.calibration import Calibration, ConfidenceMap, Coverage, HeldOut
from deployments.pose.interface import PoseModel
from deployments.pose.offline.coco_evaluation import (
    cut_crops,
    labelled_people,
    read_labels,
    read_picture,
)

LEAST_POINTS: Final = 50
"""Labelled keypoints that either half must have."""

LEAST_OF_ITS_OWN: Final = 50
"""Least labelled keypoints of a kind for a separate factor."""

NOMINAL: Final = (0.6827, 0.95)
"""Shares within 1 and 1.96 standard deviations, of a normal distribution."""

_REACH: Final = np.array([1.0, 1.96])
_BINS: Final = 10
_HALF_OKS: Final = 2.0 * np.log(2.0)
_SEED: Final = 20240229
_DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class LabelledPoints:
    """Keypoints that were labelled and looked for.

    Attributes:
        image: (n,) id. kind: (n,) index of the keypoint.
        raw_score: (n,). sigma, error: (n, 2) pixels, NaN where the model gave no point.
        right: (n,) whether the point lies where COCO's similarity for it is at least a half.
    """

    image: I64
    kind: I64
    raw_score: F64
    sigma: F64
    error: F64
    right: Bools

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, chosen: Bools) -> "LabelledPoints":
        return LabelledPoints(
            self.image[chosen],
            self.kind[chosen],
            self.raw_score[chosen],
            self.sigma[chosen],
            self.error[chosen],
            self.right[chosen],
        )

    @property
    def deviations(self) -> F64:
        """(n, 2) distance from the label in standard deviations, of each axis."""
        distance: F64 = np.abs(self.error) / self.sigma
        return distance


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibration, and the points held out that show how good it is."""

    calibration: Calibration
    held_out: LabelledPoints


def measure_points(
    annotations: Path,
    images: Path,
    model: PoseModel,
    progress: Callable[[int, int], None] | None = None,
) -> LabelledPoints:
    """Run ``model`` on labelled people, in the labels' boxes.

    Args:
        annotations: COCO keypoint file. images: folder of its pictures. model: not calibrated.
        progress: told how many pictures are done, and of how many.

    Raises:
        BadParameterError: no COCO keypoint file, or a picture that cannot be read.
        InferenceError: the network failed.
    """
    truth, _ = read_labels(annotations)
    parts: list[LabelledPoints] = []
    image_ids = sorted(truth.imgs)
    for done, image_id in enumerate(image_ids, 1):
        people = labelled_people(truth, image_id)
        if people:
            picture = read_picture(images / truth.imgs[image_id]["file_name"])
            maps = crop_transforms(np.array([box for box, _ in people]), model.status.input_size)
            poses = model.infer(cut_crops(picture, maps, model.status.input_size))
            labels = [label for _, label in people]
            points = to_image(poses.keypoints, maps).astype(np.float64)
            sigma = sigma_to_image(poses.sigma, maps).astype(np.float64)
            parts.append(_against_labels(image_id, labels, points, poses.raw_score, sigma))
        if progress:
            progress(done, len(image_ids))
    return LabelledPoints(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("image", "kind", "raw_score", "sigma", "error", "right")
        )
    )


def _against_labels(
    image_id: int, labels: list[dict[str, Any]], points: F64, raw: Any, sigma: F64
) -> LabelledPoints:
    truth = np.array([label["keypoints"] for label in labels], np.float64).reshape(
        -1, len(KEYPOINTS), 3
    )
    area = np.array([label["area"] for label in labels], np.float64)
    kappa = 2.0 * np.asarray(Params(iouType="keypoints").kpt_oks_sigmas)
    error = points - truth[..., :2]
    tolerance = _HALF_OKS * area[:, None] * kappa**2
    right = (error**2).sum(-1) <= tolerance  # NaN is not
    person, kind = np.nonzero(truth[..., 2] > 0)
    return LabelledPoints(
        image=np.full(len(kind), image_id, np.int64),
        kind=kind.astype(np.int64),
        raw_score=np.asarray(raw, np.float64)[person, kind],
        sigma=sigma[person, kind],
        error=error[person, kind],
        right=right[person, kind],
    )


def fit(
    points: LabelledPoints, min_confidence: float, *, model: PoseModel, flip_test: bool, labels: str
) -> Fitted:
    """Fit on half of the pictures, measure on the other half.

    Args:
        points: of all pictures. min_confidence: weaker keypoints are missing in the service, so
            the factors are fitted without them.
        model: that found the points. flip_test: how. labels: name of the annotation file.

    Raises:
        BadParameterError: too few labelled keypoints.
    """
    chosen = _half_of(points.image)
    fitted, held = points[chosen], points[~chosen]
    if min(len(fitted), len(held)) < LEAST_POINTS:
        raise BadParameterError(
            f"{len(points)} labelled keypoints are too few: each half of the pictures must have "
            f"{LEAST_POINTS}",
            hint="Take more pictures; COCO val2017 has 68,000.",
        )
    confidence = fit_confidence(fitted.raw_score, fitted.right)
    used = usable(fitted, confidence, min_confidence)
    if len(used) < LEAST_POINTS:
        raise BadParameterError(
            f"only {len(used)} keypoints reach the confidence {min_confidence:g}",
            hint="The model does not find these people; check the pictures and the model.",
        )
    scales, pooled = _fit_scales(used)
    told = Calibration(
        key=model.status.key,
        checkpoint=model.status.checkpoint,
        flip_test=flip_test,
        sigma_scale=scales,
        pooled=pooled,
        confidence=confidence,
        min_confidence=min_confidence,
        labels=labels,
        images=len(np.unique(fitted.image)),
        points=len(fitted),
        held_out=_measured(held, confidence, min_confidence, scales),
    )
    return Fitted(told, held)


def _half_of(images: I64) -> Bools:
    """Return (n,) whether each point is of the half of the pictures that is fitted on."""
    known = np.unique(images)
    order = np.random.default_rng(_SEED).permutation(known)
    return np.isin(images, order[: (len(known) + 1) // 2])


def fit_confidence(raw: F64, right: Bools) -> ConfidenceMap:
    """Fit isotonic regression of ``right`` (n,) on the raw scores (n,): one knot a level.

    Nothing is certain by n cases: levels end 1/(n+2) short of 0 and 1, as by Laplace's rule.
    """
    scores, place, counts = np.unique(
        np.round(raw, _DECIMALS), return_inverse=True, return_counts=True
    )
    share = np.bincount(place, weights=right.astype(np.float64)) / counts
    levels = scipy.optimize.isotonic_regression(share, weights=counts.astype(np.float64))
    starts = np.asarray(levels.blocks)
    unsure = 1.0 / (len(raw) + 2)
    knots = [
        (float(np.average(scores[a:b], weights=counts[a:b])), float(levels.x[a]))
        for a, b in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    ]
    return ConfidenceMap(
        raw=tuple(score for score, _ in knots),
        confidence=tuple(
            round(min(max(level, unsure), 1.0 - unsure), _DECIMALS) for _, level in knots
        ),
    )


def fit_scale(deviations: F64) -> float:
    """Fit the factor on the standard deviation whose two coverages are least off their shares.

    Errors have longer tails than a normal distribution: a factor that is right for 68 % is too
    small for 95 %, and this one lies between. For normal errors it is their standard deviation.

    Args:
        deviations: (n,) distances in standard deviations, n >= 1.
    """
    z = np.sort(deviations)
    factors = np.unique(np.concatenate([z, z / _REACH[1]]))
    factors = factors[factors > 0]
    covered = np.searchsorted(z, factors[:, None] * _REACH, side="right") / len(z)
    off = np.abs(covered - np.array(NOMINAL)).max(-1)
    best = factors[off <= off.min() + 1e-12]
    return float(best[len(best) // 2])


def _fit_scales(points: LabelledPoints) -> tuple[dict[str, float], tuple[str, ...]]:
    whole = fit_scale(points.deviations.ravel())
    scales, pooled = {}, []
    for kind, name in enumerate(KEYPOINTS):
        own = points.deviations[points.kind == kind]
        if len(own) >= LEAST_OF_ITS_OWN:
            scales[name] = round(fit_scale(own.ravel()), _DECIMALS)
        else:
            scales[name] = round(whole, _DECIMALS)
            pooled.append(name)
    return scales, tuple(pooled)


def usable(
    points: LabelledPoints, confidence: ConfidenceMap, min_confidence: float
) -> LabelledPoints:
    """Return the points that the service would take, with a standard deviation."""
    enough = confidence(points.raw_score.astype(np.float32)) >= min_confidence
    return points[enough & np.isfinite(points.deviations).all(-1)]


def _measured(
    held: LabelledPoints, confidence: ConfidenceMap, min_confidence: float, scales: dict[str, float]
) -> HeldOut:
    used = usable(held, confidence, min_confidence)
    factor = np.array([scales[name] for name in KEYPOINTS])[used.kind, None]
    return HeldOut(
        images=len(np.unique(held.image)),
        points=len(held),
        before=coverage(used.deviations.ravel()),
        after=coverage((used.deviations / factor).ravel()),
        confidence_error_before=confidence_error(np.clip(held.raw_score, 0, 1), held.right),
        confidence_error_after=confidence_error(confidence_of(held, confidence), held.right),
    )


def confidence_of(points: LabelledPoints, confidence: ConfidenceMap) -> F64:
    """Return the calibrated confidence (n,); 0 where there is no point."""
    found = np.isfinite(points.error).all(-1)
    return np.where(found, confidence(points.raw_score.astype(np.float32)), 0.0).astype(np.float64)


def coverage(deviations: F64) -> Coverage:
    """Return the coverage of the distances (n,) in standard deviations; 0 of none."""
    shares = (deviations[:, None] <= _REACH).mean(0) if len(deviations) else np.zeros(2)
    return Coverage(
        within_68=round(float(shares[0]), 4),
        within_95=round(float(shares[1]), 4),
        coordinates=len(deviations),
    )


def reliability(confidence: F64, right: Bools) -> Iterator[tuple[float, float, int]]:
    """Yield mean confidence, share that is right, and count, of equally large bins by confidence.

    Args:
        confidence, right: (n,).
    """
    order = np.argsort(confidence, kind="stable")
    for part in np.array_split(order, min(_BINS, len(order)) or 1):
        if len(part):
            yield float(confidence[part].mean()), float(right[part].mean()), len(part)


def confidence_error(confidence: F64, right: Bools) -> float:
    """Return the mean distance of confidence from the share that is right."""
    total = sum(n * abs(told - share) for told, share, n in reliability(confidence, right))
    return round(total / max(len(right), 1), 4)
