"""Drawing rounded cones with light and depth, in numpy."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from tools.athlete.body import Array
from tools.athlete.camera import PinholeCamera
from tools.athlete.look import Cloth, Look
from tools.athlete.parts import Part

_NEAR = -3.0e6
_REACH: Final = 0.05
"""Statures around what lies in front into which it keeps light from what lies behind."""
_OWN_RELIEF: Final = 0.04
"""Statures of depth within one limb: nothing is darkened by so little."""
_DARKEST_AT: Final = 0.16
_DARKEST: Final = 0.6


def draw_parts(
    picture: Array, parts: Sequence[Part], frame: int, camera: PinholeCamera, look: Look
) -> Array:
    """Draw parts into (h,w,3) float32 RGB 0-1, in place.

    Args:
        picture: of the camera's size. parts: of one or more bodies.
        frame: of the parts' arrays. camera: what sees them. look: for the light.

    Returns:
        (h,w) bool: where something was drawn.
    """
    height, width = picture.shape[:2]
    depth = np.full((height, width), np.inf, np.float32)
    light = np.array(look.light, np.float32)
    for part in parts:
        ends = np.stack([part.start[frame], part.end[frame]])
        xy, z = camera.project(ends)
        radius = camera.scale(ends) * part.thick
        if z.min() < _NEAR or not np.isfinite(xy).all():
            continue
        _draw(picture, depth, xy, z, radius, part, light, look.ambient)
    drawn: Array = np.isfinite(depth)
    _occlude(picture, depth, drawn, camera.height_px)
    return drawn


def _occlude(picture: Array, depth: Array, drawn: Array, stature_px: float) -> None:
    """Darken what lies close behind something else, as ambient light does: it tells the near
    leg from the far one where both have one color."""
    reach = 2 * max(round(_REACH * stature_px), 1) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    front = cv2.erode(np.where(drawn, depth, np.float32(1e9)), disc)
    behind = (depth - front) / np.float32(stature_px) - np.float32(_OWN_RELIEF)
    share = np.where(drawn, np.clip(behind / np.float32(_DARKEST_AT - _OWN_RELIEF), 0, 1), 0)
    soft = cv2.blur(share.astype(np.float32), (reach, reach))
    picture *= np.where(drawn, 1 - np.float32(_DARKEST) * soft, 1)[..., None].astype(np.float32)


def _draw(
    picture: Array,
    depth: Array,
    xy: Array,
    z: Array,
    radius: Array,
    part: Part,
    light: Array,
    ambient: float,
) -> None:
    height, width = depth.shape
    low = np.floor((xy - radius[:, None]).min(0)).astype(int)
    high = np.ceil((xy + radius[:, None]).max(0)).astype(int) + 1
    left, top = max(low[0], 0), max(low[1], 0)
    right, bottom = min(high[0], width), min(high[1], height)
    if left >= right or top >= bottom:
        return
    f = np.float32
    x = np.arange(left, right, dtype=f)[None] - f(xy[0, 0])
    y = np.arange(top, bottom, dtype=f)[:, None] - f(xy[0, 1])
    ux, uy = (xy[1] - xy[0]).astype(f)
    square = float(ux * ux + uy * uy)
    if square > 1e-6:
        t = np.clip((x * ux + y * uy) * f(1 / square), f(0), f(1))
    else:
        t = np.zeros(np.broadcast_shapes(x.shape, y.shape), f)
    dx, dy = x - t * ux, y - t * uy
    r = f(radius[0]) + t * f(radius[1] - radius[0])
    share = (dx * dx + dy * dy) / (r * r)
    bulge = np.sqrt(np.maximum(f(1) - share, f(0)))
    near = f(z[0]) + t * f(z[1] - z[0]) - r * bulge
    window = depth[top:bottom, left:right]
    shown = (share < 1) & (near < window)
    if not shown.any():
        return
    window[shown] = near[shown]
    normal = (dx[shown] / r[shown], dy[shown] / r[shown], -bulge[shown])
    lit = np.maximum(sum(n * c for n, c in zip(normal, light, strict=True)), f(0))
    bright = f(ambient) + f(1.05 - ambient) * lit
    around = normal[0] * uy - normal[1] * ux
    if square > 1e-6:
        around = around / np.sqrt(square, dtype=f)
    color = _color(part, t[shown], around)
    picture[top:bottom, left:right][shown] = np.minimum(color * bright[:, None], f(1))


def _color(part: Part, along: Array, around: Array) -> Array:
    """(n,3) by the share of the way along a part, and from one edge (-1) to the other (1)."""
    color = _woven(part.cloth, along, around)
    if part.upper is None or part.split <= 0:
        return color
    return np.where((along < part.split)[:, None], _woven(part.upper, along, around), color)


def _woven(cloth: Cloth, along: Array, around: Array) -> Array:
    first = np.array(cloth.color, np.float32)
    if cloth.pattern == "plain":
        return np.broadcast_to(first, (len(along), 3))
    rings = np.floor(along / np.float32(cloth.pitch)) % 2
    stripes = np.floor((around + 1) / np.float32(cloth.pitch)) % 2
    pick = {"rings": rings, "stripes": stripes, "checks": (rings + stripes) % 2}[cloth.pattern]
    return np.where((pick > 0)[:, None], np.array(cloth.second, np.float32), first)
