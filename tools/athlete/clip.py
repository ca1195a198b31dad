"""Videos of the athlete, with the truth of every frame."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from biomech.kinematics.geometry import ANGLES, flexion, unsigned
from tools.athlete.body import Array, Shape
from tools.athlete.camera import PinholeCamera
from tools.athlete.look import Look
from tools.athlete.motion import MOVEMENTS, Style
from tools.athlete.scene import Scene, make_place

_DRAWN_HEIGHT = 720  # larger pictures are scaled up from this
_ALIKE = {"libx264": {"mbtree": "0"}}
"""By codec, what makes one take one file: x264's macroblock tree differs from run to run."""


@dataclass(frozen=True, slots=True)
class Take:
    """Subject and camera of a take.

    Attributes:
        movement: one of :data:`tools.athlete.motion.MOVEMENTS`. style: of it.
        view: degrees between where the athlete faces and the camera; 0 from the front, 90 from
            the athlete's left, 180 from behind.
        seconds: of the clip. fps: pictures a second, unless ``times_s`` are given.
        size: (width, height) of the upright picture.
        stature: of the picture's height, how tall the athlete stands in it.
        seed: of body, clothes, place and light.
        exposure: part of a frame's time during which the shutter is open; 0 draws no blur.
        treadmill: who walks or runs stays in place.
    """

    movement: str = "squat"
    style: Style = field(default_factory=Style)
    view: float = 0.0
    seconds: float = 6.0
    fps: float = 30.0
    size: tuple[int, int] = (640, 720)
    stature: float = 0.7
    seed: int = 0
    elevation: float = 4.0
    times_s: tuple[float, ...] | None = None
    exposure: float = 0.0
    treadmill: bool = False

    @property
    def times(self) -> Array:
        """(T,) seconds."""
        if self.times_s is not None:
            return np.array(self.times_s)
        return np.arange(round(self.seconds * self.fps) + 1) / self.fps


@dataclass(frozen=True, slots=True)
class Truth:
    """Content of a video.

    Attributes:
        times_s: (T,). keypoints: (T,17,2) pixels of the upright picture. boxes: (T,4).
        repetitions: whole ones.
    """

    times_s: Array
    keypoints: Array
    boxes: Array
    repetitions: int

    def angle(self, name: str) -> Array:
        """(T,) the angle ``name`` of the response, degrees, of the exact points."""
        if name not in ANGLES:
            raise KeyError(name)
        return unsigned(name, flexion(name, self.keypoints))


def stage(take: Take, late_s: float = 0.0) -> Scene:
    """Return the scene of a take, shifted by seconds."""
    random = np.random.default_rng([take.seed, 5])
    scale = min(_DRAWN_HEIGHT / take.size[1], 1.0)
    size = (round(take.size[0] * scale), round(take.size[1] * scale))
    made = MOVEMENTS[take.movement](take.times + late_s, take.style)
    if take.treadmill:
        made = replace(made, at=np.zeros_like(made.at))
    camera = PinholeCamera(
        size=size,
        azimuth=take.style.heading + take.view,
        elevation=take.elevation,
        distance=5.0,
        target=(0.0, 0.0, 0.52),
        height_px=take.stature * size[1],
    )
    return Scene(
        made, Shape.sample(random), Look.sample(random), camera, make_place(size, take.seed),
        seed=take.seed,
    )  # fmt: skip


def film(
    take: Take,
    path: Path,
    *,
    codec: str = "libx264",
    rotation_deg: int = 0,
    time_base: Fraction = Fraction(1, 90_000),
    options: dict[str, str] | None = None,
) -> Truth:
    """Write a take as a video.

    Args:
        take: what is filmed. path: file to write; its suffix chooses the container.
        codec: FFmpeg's name of the encoder.
        rotation_deg: clockwise turn that a player has to give the stored picture: it is stored
            turned the other way.
        options: of the encoder; the same take with the same ones is the same film.
    """
    scene = stage(take)
    factor = take.size[0] / scene.camera.size[0]
    with av.open(str(path), "w") as container:
        chosen = _ALIKE.get(codec, {}) | (options or {"crf": "18"})
        stream = cast(
            VideoStream, container.add_stream(codec, rate=round(take.fps), options=chosen)
        )
        width, height = take.size if rotation_deg % 180 == 0 else take.size[::-1]
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = time_base
        context.colorspace, context.color_range = Colorspace.ITU709, ColorRange.MPEG
        if rotation_deg:
            stream.set_display_rotation(-rotation_deg)
        ticks = np.round(take.times / float(time_base)).astype(int).tolist()
        for tick, picture in zip(ticks, _pictures(scene, take), strict=True):
            stored = np.ascontiguousarray(np.rot90(picture, rotation_deg // 90))
            frame = av.VideoFrame.from_ndarray(stored, format="rgb24").reformat(
                format="yuv420p",
                src_colorspace=Colorspace.ITU709,
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
            )
            frame.pts, frame.time_base = tick, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return Truth(
        take.times,
        (scene.keypoints + 0.5) * factor - 0.5,
        scene.boxes * factor,
        scene.movement.repetitions,
    )


def _pictures(scene: Scene, take: Take) -> Iterator[Array]:
    """(h,w,3) uint8 RGB of every frame, blurred by what moves while the shutter is open."""
    open_s = take.exposure / take.fps
    scenes = [scene]
    if open_s:
        scenes += [stage(take, late) for late in (-open_s / 2, open_s / 2)]
    for i in range(len(take.times)):
        picture = np.mean([s.frame(i) for s in scenes], axis=0).astype(np.uint8)
        if scene.camera.size != take.size:
            picture = cv2.resize(picture, take.size, interpolation=cv2.INTER_CUBIC)
        yield picture
