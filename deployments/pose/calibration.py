"""Apply a calibration of keypoint errors that was fitted on labelled pictures.

A calibration has a factor on the standard deviation of each keypoint, and a monotone map from the
raw score to the share of such keypoints that are right. It is of one checkpoint, run in one way.
"""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from biomech.skeleton import KEYPOINTS
from deployments.errors import ConfigurationError
from deployments.messages import F32, U8, CropPoses, ModelStatus
from deployments.pose.interface import PoseModel

logger = logging.getLogger("mmpose_service")

FORMAT: Final = 1
_MOST_KNOTS: Final = 10_000

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0)]


class ConfidenceMap(BaseModel):
    """Knots of a monotone map from raw score to confidence, straight between, level outside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    raw: tuple[_Finite, ...] = Field(min_length=1, max_length=_MOST_KNOTS)
    confidence: tuple[_Share, ...]

    @model_validator(mode="after")
    def _monotone(self) -> "ConfidenceMap":
        if len(self.raw) != len(self.confidence):
            raise ValueError("raw and confidence must be as many")
        if np.any(np.diff(self.raw) <= 0) or np.any(np.diff(self.confidence) < 0):
            raise ValueError("raw must ascend, and confidence must not fall")
        return self

    def __call__(self, raw: F32) -> F32:
        """Return the confidence of raw scores of any shape."""
        return np.interp(raw, self.raw, self.confidence).astype(np.float32)


class Coverage(BaseModel):
    """Shares of the labelled coordinates that lie in the central intervals of 68 and 95 %."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    within_68: _Share
    within_95: _Share
    coordinates: _Count


class HeldOut(BaseModel):
    """Coverage of a calibration on pictures that it was not fitted on.

    Attributes:
        images, points: how many.
        before, after: coverage with the factor 1, and with the fitted ones.
        confidence_error_before, confidence_error_after: mean distance of confidence from the share
            that is right, over bins as large as one another.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: _Count
    points: _Count
    before: Coverage
    after: Coverage
    confidence_error_before: _Share
    confidence_error_after: _Share


class Calibration(BaseModel):
    """Calibration of one model.

    Attributes:
        key: in the registry. checkpoint: name of its file. flip_test: whether it was on.
        sigma_scale: factor on the standard deviation, by keypoint.
        pooled: keypoints that were too rare for a factor of their own and have that of all.
        confidence: map from the raw score.
        min_confidence: factors were fitted on keypoints at or over it.
        labels: name of the annotation file. images, points: what was fitted on.
        held_out: how it does on the rest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    checkpoint: str
    flip_test: bool
    sigma_scale: dict[str, Annotated[float, Field(gt=0, le=1000)]]
    pooled: tuple[str, ...]
    confidence: ConfidenceMap
    min_confidence: _Share
    labels: str
    images: _Count
    points: _Count
    held_out: HeldOut

    @model_validator(mode="after")
    def _whole(self) -> "Calibration":
        if self.sigma_scale.keys() != set(KEYPOINTS):
            raise ValueError(f"sigma_scale must have the {len(KEYPOINTS)} COCO keypoints")
        return self

    @property
    def scales(self) -> F32:
        """(17,) factors in the order of the skeleton."""
        return np.array([self.sigma_scale[name] for name in KEYPOINTS], np.float32)

    def apply(self, poses: CropPoses) -> CropPoses:
        """Return poses with calibrated standard deviation and confidence."""
        found = np.isfinite(poses.keypoints).all(-1)
        return replace(
            poses,
            score=np.where(found, self.confidence(poses.raw_score), np.float32(0.0)),
            sigma=poses.sigma * self.scales[:, None],
        )


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Annotated[int, Field(ge=FORMAT, le=FORMAT)] = FORMAT
    models: dict[str, Calibration]


def load_calibrations(path: Path) -> tuple[Calibration, ...]:
    """Load the calibrations in a file, of one model each.

    Raises:
        ConfigurationError: the file cannot be read or is none; says where.
    """
    try:
        file = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"the calibration {path} cannot be read: {error.strerror}",
            hint="`mmpose-service calibrate COCO_DIR` makes one.",
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise ConfigurationError(
            f"{path} is not a calibration: {where}: {first['msg']}",
            hint="`mmpose-service calibrate COCO_DIR` makes one.",
        ) from error
    return tuple(file.models.values())


def save_calibration(calibration: Calibration, path: Path) -> None:
    """Write ``calibration`` to ``path``; those of other models that are there stay.

    Raises:
        ConfigurationError: there is something else, or it cannot be written.
    """
    others = load_calibrations(path) if path.exists() else ()
    models = {other.key: other for other in others} | {calibration.key: calibration}
    document = _File(models=models).model_dump(mode="json")
    try:
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error


class CalibratedPose:
    """A pose model whose standard deviations and confidences are calibrated."""

    def __init__(self, model: PoseModel, calibration: Calibration) -> None:
        self._model = model
        self._calibration = calibration
        self.status = replace(model.status, calibrated=True)
        self.calls_at_once = model.calls_at_once

    def infer(self, crops: U8) -> CropPoses:
        """See ``PoseModel``."""
        return self._calibration.apply(self._model.infer(crops))


def calibrated(
    model: PoseModel, calibrations: tuple[Calibration, ...], flip_test: bool
) -> PoseModel:
    """Wrap ``model`` with its calibration, if there is one."""
    status: ModelStatus = model.status
    for calibration in calibrations:
        if calibration.key != status.key:
            continue
        if (calibration.checkpoint, calibration.flip_test) == (status.checkpoint, flip_test):
            return CalibratedPose(model, calibration)
        logger.warning(
            "the calibration of %s is of %s with flip test %s, and is left out",
            status.key,
            calibration.checkpoint,
            "on" if calibration.flip_test else "off",
        )
    return model
