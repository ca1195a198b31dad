"""Convert the annotated video's colors to BT.709 in limited range, whatever the source has.

All segments use one color space, because they must have the same header to be joined, and a source
may change its matrix midway (browsers' recordings that grow, untagged pictures).
"""

from functools import cache

import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from deployments.messages import F64, U8
from deployments.side_colors import Rgb

_MIDDLE = 128  # U and V of gray


@cache
def yuv(rgb: Rgb) -> Rgb:
    """Convert a color, 0-255, to Y, U, V in BT.709 limited range."""
    y, u, v = _from_rgb(bt709=True, full_range=False) @ np.array(rgb) + (16, _MIDDLE, _MIDDLE)
    return round(y), round(u), round(v)


def to_bt709(y: U8, u: U8, v: U8, *, bt709: bool, full_range: bool) -> None:
    """Convert planes in place: Y (h, w), U and V (h/2, w/2), from BT.709 or BT.601.

    Gray stays gray in any matrix. Chroma therefore needs no luma, and luma needs chroma only as a
    correction, which is computed at half the size.
    """
    if bt709 and not full_range:
        return
    source = _from_rgb(bt709=bt709, full_range=full_range)
    matrix = _from_rgb(bt709=True, full_range=False) @ np.linalg.inv(source)
    blue, red = u.astype(np.float32) - _MIDDLE, v.astype(np.float32) - _MIDDLE
    black = 16 - matrix[0, 0] * (0 if full_range else 16)
    correction = cv2.addWeighted(blue, matrix[0, 1], red, matrix[0, 2], black)
    correction = cv2.resize(correction, y.shape[::-1], interpolation=cv2.INTER_LINEAR)
    cv2.addWeighted(y, matrix[0, 0], correction, 1.0, 0.0, dst=y, dtype=cv2.CV_8U)
    for plane, row in ((u, matrix[1]), (v, matrix[2])):
        cv2.addWeighted(blue, row[1], red, row[2], _MIDDLE, dst=plane, dtype=cv2.CV_8U)


def tag_bt709(context: VideoCodecContext) -> None:
    """Set the color tags of an output stream."""
    context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
    context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709


def _from_rgb(*, bt709: bool, full_range: bool) -> F64:
    """Return the map (3, 3) from R, G, B to Y, U, V without offsets (ITU-R BT.709, BT.601)."""
    kr, kb = (0.2126, 0.0722) if bt709 else (0.299, 0.114)
    luma = np.array([kr, 1 - kr - kb, kb])
    blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - kb))
    red = (np.array([1, 0, 0]) - luma) / (2 * (1 - kr))
    if full_range:
        return np.array([luma, blue, red])
    return np.array([luma * 219, blue * 224, red * 224]) / 255
