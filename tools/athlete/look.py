"""Define the looks of athlete and place: colors, patterns, light, background."""

import colorsys
from dataclasses import dataclass

import cv2
import numpy as np

from tools.athlete.body import Array


@dataclass(frozen=True, slots=True)
class Cloth:
    """A color (3,) RGB 0-1, and a pattern over it.

    Attributes:
        pattern: ``plain``, ``rings``, ``stripes`` or ``checks``; ``second`` is its other color.
        pitch: of the pattern, shares of a segment's length.
    """

    color: tuple[float, float, float]
    pattern: str = "plain"
    second: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pitch: float = 0.2


@dataclass(frozen=True, slots=True)
class Look:
    """Colors of an athlete.

    Attributes:
        sleeve: share of the upper arm that the shirt covers; over 1, of the forearm too.
        leg: share of the thigh that the shorts cover; over 1, of the shank too.
        sock: share of the shank that socks cover.
        hair_length: 0 bald, 1 short, 2 long.
        ambient: light from everywhere; ``light`` (3,) towards the lamp, the camera's axes.
    """

    skin: Cloth
    hair: Cloth
    shirt: Cloth
    shorts: Cloth
    shoes: Cloth
    socks: Cloth
    sleeve: float = 0.5
    leg: float = 0.6
    sock: float = 0.3
    hair_length: float = 1.0
    ambient: float = 0.55
    light: tuple[float, float, float] = (0.3, -0.7, -0.6)

    @staticmethod
    def sample(random: np.random.Generator) -> "Look":
        """Any skin, clothes of any color and pattern, any light."""
        light = random.normal(0, 1, 3) * (1, 0.6, 0.5) + (0, -0.7, -0.6)
        return Look(
            skin=Cloth(_skin(random)),
            hair=Cloth(_dull(random)),
            shirt=_cloth(random),
            shorts=_cloth(random),
            shoes=Cloth(_any(random)),
            socks=Cloth(_any(random)),
            sleeve=float(random.choice([0.0, 0.35, 0.6, 2.0], p=[0.25, 0.35, 0.2, 0.2])),
            leg=float(random.choice([0.35, 0.6, 0.9, 2.0], p=[0.25, 0.3, 0.15, 0.3])),
            sock=float(random.uniform(0.05, 0.6)),
            hair_length=float(random.choice([0, 1, 2], p=[0.15, 0.5, 0.35])),
            ambient=float(random.uniform(0.35, 0.8)),
            light=tuple((light / np.linalg.norm(light)).tolist()),
        )


def background(size: tuple[int, int], random: np.random.Generator) -> Array:
    """(h,w,3) float32 RGB 0-1: a wall and a floor, shapes, and blotches of several sizes."""
    width, height = size
    picture = np.empty((height, width, 3), np.float32)
    horizon = round(height * random.uniform(0.45, 0.85))
    for rows, color in ((slice(0, horizon), _any(random)), (slice(horizon, None), _any(random))):
        part = picture[rows]
        fade = np.linspace(random.uniform(0.7, 1.2), random.uniform(0.7, 1.2), len(part))
        part[:] = np.array(color, np.float32) * fade[:, None, None].astype(np.float32)
    for _ in range(random.integers(0, 14)):
        _shape(picture, random)
    for cells in (4, 16, 64):
        rough = random.normal(0, random.uniform(0, 0.06), (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(rough, size, interpolation=cv2.INTER_LINEAR)
    if random.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.5, 4))
    return np.clip(picture, 0, 1)


def _shape(picture: Array, random: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    a, b = (random.uniform(-0.1, 1.1, 2) * (width, height) for _ in range(2))
    color, kind = _any(random), random.integers(4)
    p, q = tuple(a.astype(int).tolist()), tuple(b.astype(int).tolist())
    size = int(random.uniform(0.01, 0.2) * height) + 1
    if kind == 0:
        cv2.rectangle(picture, p, q, color, -1)
    elif kind == 1:
        cv2.line(picture, p, q, color, max(size // 3, 1), cv2.LINE_AA)
    elif kind == 2:
        cv2.circle(picture, p, size, color, -1, cv2.LINE_AA)
    else:  # a limb-like thing that is none
        cv2.line(picture, p, q, color, size // 2 + 1, cv2.LINE_AA)


def _cloth(random: np.random.Generator) -> Cloth:
    pattern = str(random.choice(["plain", "rings", "stripes", "checks"], p=[0.6, 0.15, 0.15, 0.1]))
    return Cloth(_any(random), pattern, _any(random), float(random.uniform(0.08, 0.5)))


def _any(random: np.random.Generator) -> tuple[float, float, float]:
    hue, saturation, value = random.random(), random.beta(1.2, 1.6), random.uniform(0.08, 1.0)
    return colorsys.hsv_to_rgb(hue, saturation, value)


def _dull(random: np.random.Generator) -> tuple[float, float, float]:
    return colorsys.hsv_to_rgb(
        random.uniform(0, 0.13), random.uniform(0, 0.6), random.uniform(0.03, 0.7)
    )


def _skin(random: np.random.Generator) -> tuple[float, float, float]:
    tone = random.uniform(0, 1)
    light, dark = np.array([0.96, 0.80, 0.69]), np.array([0.27, 0.16, 0.11])
    r, g, b = np.clip(light + (dark - light) * tone + random.normal(0, 0.02, 3), 0, 1).tolist()
    return r, g, b
