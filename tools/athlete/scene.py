"""One athlete through a clip: movement, body, look, place and camera, drawn frame by frame."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from tools.athlete.body import Array, Body, Shape, stand
from tools.athlete.camera import PinholeCamera
from tools.athlete.look import Look, background
from tools.athlete.motion import Movement
from tools.athlete.parts import Part, parts_of
from tools.athlete.raster import draw_parts


@dataclass
class Scene:
    """An athlete seen at T times.

    Attributes:
        movement: at these times. shape, look: of the athlete. camera: what sees them.
        place: (h,w,3) uint8 RGB background, of the camera's size.
        noise: standard deviation of the sensor's noise, 0-255.
    """

    movement: Movement
    shape: Shape
    look: Look
    camera: PinholeCamera
    place: Array
    noise: float = 2.0
    seed: int = 0
    _parts: list[Part] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._parts = parts_of(self.body, self.shape, self.look)

    @cached_property
    def body(self) -> Body:
        """The body at all times."""
        m = self.movement
        return stand(m.angles, self.shape, at=m.at, lift=m.lift)

    @cached_property
    def keypoints(self) -> Array:
        """(T,17,2) pixels, exact."""
        return self.camera.project(self.body.keypoints)[0]

    @cached_property
    def extent(self) -> Array:
        """(T,4) x1, y1, x2, y2 around all that is drawn, also beyond the picture."""
        corners = []
        for part in self._parts:
            for end, thick in ((part.start, part.thick[0]), (part.end, part.thick[1])):
                xy, _ = self.camera.project(end)
                radius = self.camera.scale(end)[:, None] * thick
                corners += [xy - radius, xy + radius]
        return np.hstack([np.min(corners, axis=0), np.max(corners, axis=0)])

    @property
    def boxes(self) -> Array:
        """(T,4) x1, y1, x2, y2 of what is seen, within the picture."""
        width, height = self.camera.size
        return np.clip(self.extent, 0, [width, height, width, height])

    def frame(self, index: int) -> Array:
        """(h,w,3) uint8 RGB picture of frame ``index``."""
        picture = self.place.astype(np.float32) / np.float32(255)
        self.draw_on(picture, index)
        if self.noise:
            random = np.random.default_rng([self.seed, index])
            picture += random.standard_normal(picture.shape, np.float32) * np.float32(
                self.noise / 255
            )
        levels: Array = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
        return levels

    def draw_on(self, picture: Array, index: int) -> None:
        """Draw frame ``index`` into (h,w,3) float32 RGB 0-1, in place."""
        self._shadow(picture, index)
        draw_parts(picture, self._parts, index, self.camera, self.look)

    def frames(self) -> Iterator[Array]:
        """All frames in order."""
        yield from (self.frame(i) for i in range(len(self.keypoints)))

    def _shadow(self, picture: Array, index: int) -> None:
        feet = np.mean([self.body.points[f"{s}_ankle"][index] for s in ("left", "right")], axis=0)
        feet[2] = 0.0
        (x, y), _ = self.camera.project(feet)
        scale = float(self.camera.scale(feet))
        axes = (max(round(0.18 * scale), 1), max(round(0.035 * scale), 1))
        dark = np.zeros(picture.shape[:2], np.float32)
        cv2.ellipse(dark, (round(x), round(y)), axes, 0, 0, 360, 0.45, -1, cv2.LINE_AA)
        picture *= (1 - dark)[..., None]


def make_place(size: tuple[int, int], seed: int) -> Array:
    """(h,w,3) uint8 RGB background, another for each seed."""
    return (background(size, np.random.default_rng(seed)) * 255).astype(np.uint8)
