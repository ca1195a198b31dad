"""Compare a picture with the one before, regardless of light and camera motion.

Small pictures are compared by the logarithm of their luma about its local mean, which is invariant
to exposure. Camera rotation and changed tone curves do not count as changes. Whether a change is a
cut is decided on the whole clip, in ``deployments.tracking.scene_cuts``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from deployments.messages import F32, U8, Bools

LEAST_SHARE = 0.002
"""Smallest changed share of the picture for a scene change: a person of a tenth of its height."""

WHOLE_SHARE = 0.2
"""Smallest changed share of the picture if the background changes too."""

_OF_PEOPLE = 0.03  # share of their boxes
_SPIKE = 3.0  # times what changes in the pictures around
_AROUND = 8  # pictures before and after
_QUIET_SHARE = 0.001  # noise changes less
_SIDE_PX = 96
_SAMPLES = 2  # along either side of a small pixel
_SOFT, _LOCAL = (3, 3), (25, 25)  # small pixels of the blur, and of the local mean
_LEVELS = np.log(np.arange(256) + 24).astype(np.float32)  # the offset suppresses noise in the dark
_CONTRAST = 0.15
_MUCH_SHARE = 0.01
_TEXTURE = 0.07  # contrast
_COMPARABLE = 0.25  # share of the texture of one picture in another of the same scene
_BACKGROUND = 0.1  # share of texture that people alone have not
_LEAST_SHIFT_PX, _MOST_SHIFT = 0.3, 1 / 3


@dataclass(frozen=True, slots=True)
class Look:
    """A small picture: luma (h,w), and the logarithm of its local contrast (h,w)."""

    luma: U8
    contrast: F32

    @staticmethod
    def of(luma: U8) -> "Look":
        """Shrink the luma (h,w) of a picture."""
        height, width = luma.shape
        scale = min(_SIDE_PX / max(height, width), 1.0)
        small = max(round(width * scale), 1), max(round(height * scale), 1)
        x, y = (max(n // (_SAMPLES * m), 1) for n, m in zip((width, height), small, strict=True))
        shrunk = cv2.resize(luma[::y, ::x], small, interpolation=cv2.INTER_AREA)
        return Look.of_small(cv2.GaussianBlur(shrunk, _SOFT, 0))

    @staticmethod
    def of_small(luma: U8) -> "Look":
        """Build from luma (h,w) that is already small."""
        level = cv2.LUT(luma, _LEVELS)
        return Look(luma, level - cv2.blur(level, _LOCAL))


@dataclass(frozen=True, slots=True)
class SceneChange:
    """A picture that differs strongly from the one before.

    Attributes:
        frame: index in the video. before, after: small luma (h,w).
        share: changed share of the picture. changed: (h,w) changed pixels.
    """

    frame: int
    before: U8
    after: U8
    share: float
    changed: Bools

    def is_of_scene(self, box: F32, size: tuple[int, int]) -> bool:
        """Return True if the background is different, or people are suddenly elsewhere.

        A caption does not change people, and a ray of sun changes more than people.

        Args:
            box: (n,4) of the people before and after. size: (width, height) of the picture.
        """
        if self.share >= WHOLE_SHARE:
            return True
        height, width = self.changed.shape
        bodies = np.zeros((height, width), np.bool_)
        for x1, y1, x2, y2 in box * np.divide([width, height] * 2, [*size, *size]):
            bodies[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] = True
        inside, outside = (
            np.mean(self.changed[where]) if where.any() else 0.0 for where in (bodies, ~bodies)
        )
        return bool(inside >= max(_OF_PEOPLE, _SPIKE * float(outside)))


def changed(before: Look, after: Look) -> tuple[float, Bools]:
    """Compare two pictures.

    Returns:
        The changed share, and the changed pixels (h,w). From a large share, changes that a shift of
        the picture or other tones explain are subtracted.
    """
    where = _differing(before.contrast, after.contrast)
    share = _share(where)
    if share >= _MUCH_SHARE:
        where = min([where, *_explained(before, after)], key=_share)
        share = max(_share(where), _MUCH_SHARE)
    return share, where > 0


def _share(mask: F32) -> float:
    return cv2.countNonZero(mask) / mask.size


def stands_out(shares: F32, at: int, also: int = 0) -> bool:
    """Return True if a picture changes by far more than those around it.

    Args:
        shares: (n,) changed share of each picture, NaN if unknown.
        at: index of the picture. also: number of others around it that may change as much.
    """
    if not shares[at] >= LEAST_SHARE:
        return False
    around = np.concatenate([shares[max(at - _AROUND, 0) : at], shares[at + 1 : at + 1 + _AROUND]])
    usual = np.sort(around[np.isfinite(around)])[::-1][also:].max(initial=_QUIET_SHARE)
    return bool(shares[at] >= _SPIKE * usual)


def _explained(before: Look, after: Look) -> Iterator[F32]:
    """Compare pictures again after undoing camera rotation, and after matching tones."""
    texture = [(np.abs(look.contrast) > _TEXTURE).mean() for look in (before, after)]
    # Without a background, the shift may be that of the only person.
    if min(texture) > _BACKGROUND:
        shifted = _shifted(before.contrast, after.contrast)
        if shifted is not None:
            yield _differing(shifted, after.contrast)  # NaN, outside, differs from nothing
    if min(texture) > _COMPARABLE * max(texture):  # tones map a black picture to any other
        for one, other in ((before, after), (after, before)):
            toned = Look.of_small(_with_tones(one.luma, other.luma))
            yield _differing(toned.contrast, other.contrast)


def _differing(before: F32, after: F32) -> F32:
    # By OpenCV, which takes a fifth of numpy's time for arrays as small as these.
    apart = cv2.absdiff(before, after)
    mask: F32 = cv2.threshold(apart, _CONTRAST, 1.0, cv2.THRESH_BINARY)[1]
    return mask


def _shifted(before: F32, after: F32) -> F32 | None:
    """Shift a picture onto another, with NaN at the borders; None if not needed."""
    height, width = before.shape
    if min(height, width) < 2:
        return None
    # OpenCV multiplies the pictures that it is given by the window.
    (x, y), _ = cv2.phaseCorrelate(before.copy(), after.copy(), _window(width, height))
    if max(abs(x), abs(y)) < _LEAST_SHIFT_PX:
        return None
    if abs(x) > _MOST_SHIFT * width or abs(y) > _MOST_SHIFT * height:
        return None
    move = np.array([[1.0, 0.0, x], [0.0, 1.0, y]])
    moved: F32 = cv2.warpAffine(before, move, (width, height), borderValue=float("nan"))
    return moved


@cache
def _window(width: int, height: int) -> F32:
    window: F32 = cv2.createHanningWindow((width, height), cv2.CV_32F)
    return window


def _with_tones(luma: U8, other: U8) -> U8:
    """Map tones by the ascending curve that makes the histogram that of ``other``."""
    own, wanted = (np.cumsum(np.bincount(p.ravel(), minlength=256)) for p in (luma, other))
    curve = np.minimum(np.searchsorted(wanted, own), 255).astype(np.uint8)
    toned: U8 = cv2.LUT(luma, curve)
    return toned
