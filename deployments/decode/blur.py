"""Measure the blur of a person from the pixels of the body alone.

Uses the blur effect of Crété-Roffet et al. (2007) under a mask. If blurred once more, a sharp
picture loses most of the differences between neighboring pixels, and a blurred one keeps them. The
measure is a ratio, independent of brightness and contrast. Rows and columns are measured
separately, because motion blurs only along its direction. The background is excluded: a person who
runs past a sharp wall is blurred, and one followed by the camera past a blurred wall is not.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from biomech.config import CONFIDENCE_THRESHOLD
from biomech.skeleton import LIMBS
from deployments.messages import F32, U8, CropPoses

I16 = NDArray[np.int16]

_ROWS = 128
"""Rows that every crop is scaled to. Blur is then relative to the size of the body, and averaging
pixels reduces camera noise, which would look like sharpness."""

_TAPS = 5
_LIMB = 8
"""Width of the body mask along each limb, in pixels of the scaled crop."""

_SUBPIXEL_BITS = 4
_LEVELS = 16
"""Gray levels for one of the picture, to preserve low contrast in integers."""


def blur_of(crops: U8, poses: CropPoses) -> F32:
    """Measure the blur of the person in each crop.

    Args:
        crops: (n, h, w, 3) BGR. poses: of the same crops, in their pixels.

    Returns:
        (n,) from 0, sharp, towards 1; NaN where no limb is seen, or nothing differs.
    """
    found = (
        _blur(crop, points, score >= CONFIDENCE_THRESHOLD)
        for crop, points, score in zip(crops, poses.keypoints, poses.score, strict=True)
    )
    return np.fromiter(found, np.float32, len(crops))


def _blur(crop: U8, points: F32, seen: NDArray[np.bool_]) -> float:
    scale = _ROWS / crop.shape[0]
    size = (round(crop.shape[1] * scale), _ROWS)
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).astype(np.int16) * _LEVELS
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    body = _body((points + 0.5) * scale - 0.5, seen, size)
    return float(np.fmax(_kept(grey, body), _kept(grey.T, body.T)))


def _body(points: F32, seen: NDArray[np.bool_], size: tuple[int, int]) -> U8:
    """Return a mask, 255 near the limbs between seen points (17, 2), else 0."""
    body = np.zeros(size[::-1], np.uint8)
    usable = seen & np.isfinite(points).all(1)
    fixed = np.round(np.where(usable[:, None], points, 0) * 2**_SUBPIXEL_BITS).astype(int).tolist()
    for a, b in LIMBS:
        if usable[a] and usable[b]:
            cv2.line(body, fixed[a], fixed[b], 255, _LIMB, shift=_SUBPIXEL_BITS)
    return body


def _kept(grey: I16, body: U8) -> float:
    """Return the share of the differences along rows that remains after another blur."""
    # In integers, times the taps, so that the result is reproducible everywhere.
    again = cv2.boxFilter(grey, cv2.CV_16S, (_TAPS, 1), normalize=False)
    before = cv2.absdiff(grey[:, 1:], grey[:, :-1]) * _TAPS
    after = cv2.absdiff(again[:, 1:], again[:, :-1])
    inside = cv2.min(body[:, 1:], body[:, :-1])
    total = cv2.mean(before, inside)[0]
    return float(cv2.mean(cv2.min(before, after), inside)[0] / total) if total else float("nan")
