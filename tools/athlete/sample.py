"""Single pictures for training: any movement, body, look, place, light, camera and damage."""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from tools.athlete.body import Array, Shape
from tools.athlete.camera import PinholeCamera
from tools.athlete.look import Look, background
from tools.athlete.motion import MOVEMENTS, Style, freely
from tools.athlete.scene import Scene

WILD = 0.12
"""Of the portraits are unlike anything that is filmed here."""

OFTEN: Final = {"squat": 2, "lunge": 5, "gait": 2, "run": 3, "arm_raise": 3}
"""Weights of movements, others 1: more for limbs that are hard to tell apart."""
_NOTHING = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture and what is in it.

    Attributes:
        picture: (h,w,3) uint8 RGB.
        keypoints: (p,17,2) pixels, also where outside the picture. boxes: (p,4) within it.
    """

    picture: Array
    keypoints: Array
    boxes: Array


def portrait(seed: int) -> Sample:
    """One person who fills most of the picture, at times cut by its edge, with another behind.

    Most are as the films of :mod:`tools.athlete.clip`; the wild rest is posed, seen, hidden and
    damaged in ways that no film is.

    Args:
        seed: what is seen of one never changes.
    """
    random = np.random.default_rng([seed, 1])
    wild = random.random() < WILD
    height_px = float(np.exp(random.uniform(np.log(130), np.log(340))))
    someone = _person(random, height_px, wild=wild)
    person, size = _framed(someone, random, wild=wild)
    others = []
    if random.random() < (0.2 if wild else 0.05):
        tall = person.camera.height_px * random.uniform(0.5, 1.1)
        other = _person(random, tall, wild=True)
        at = random.uniform(0, 1, 2) * size
        others = [_moved(other, size, (float(at[0]), float(at[1])))]
    picture = _drawn([*others, person], size, random, wild=wild)
    return Sample(picture, person.keypoints, person.boxes)


def _person(random: np.random.Generator, height_px: float, *, wild: bool) -> Scene:
    """Someone at the origin, seen from any side."""
    style = Style.sample(random)
    time = np.array([random.uniform(0, 10)])
    if random.random() < (0.45 if wild else 0.1):
        movement = freely(time, style, random)
    else:
        shares = np.array([OFTEN.get(name, 1) for name in MOVEMENTS], float)
        name = str(random.choice(list(MOVEMENTS), p=shares / shares.sum()))
        movement = MOVEMENTS[name](time, style)
        for name in movement.angles:  # nobody does it quite so
            movement.angles[name] = movement.angles[name] + random.normal(0, 4, 1)
        movement.angles["head_yaw"] = movement.angles["head_yaw"] + random.normal(0, 25)
    camera = PinholeCamera(
        size=(16, 16),
        azimuth=0.0,  # the heading is anywhere
        elevation=float(np.clip(random.normal(6, 9 if wild else 3), -15, 45)),
        roll=float(random.normal(0, 4 if wild else 1)),
        distance=float(random.uniform(1.8, 9) if wild else random.uniform(3.5, 7)),
        target=(0.0, 0.0, 0.5),
        height_px=height_px,
    )
    movement = replace(movement, at=movement.at * 0, lift=movement.lift)
    return Scene(movement, Shape.sample(random), Look.sample(random), camera, _NOTHING, noise=0)


def _framed(
    person: Scene, random: np.random.Generator, *, wild: bool
) -> tuple[Scene, tuple[int, int]]:
    """The person in a picture around them, with margins, or cut where a margin is negative."""
    low, high = person.extent[0, :2], person.extent[0, 2:]
    extent = high - low
    before, after = random.uniform(0.08, 0.55, (2, 2)) * extent.max() * (0.7, 0.7)
    if random.random() < (0.15 if wild else 0.04):
        cut = random.integers(4)
        (before if cut < 2 else after)[cut % 2] = -random.uniform(0.05, 0.4) * extent[cut % 2]
    size = np.maximum(np.ceil(extent + before + after), 32).astype(int)
    middle = (np.array(person.camera.size) - 1) / 2
    shift = middle - low + before - (size - 1) / 2
    framed = (int(size[0]), int(size[1]))
    return _with_camera(person, framed, (float(shift[0]), float(shift[1]))), framed


def _moved(person: Scene, size: tuple[int, int], at: tuple[float, float]) -> Scene:
    shift = (at[0] - (size[0] - 1) / 2, at[1] - (size[1] - 1) / 2)
    return _with_camera(person, size, shift)


def _with_camera(person: Scene, size: tuple[int, int], shift: tuple[float, float]) -> Scene:
    camera = replace(person.camera, size=size, shift=shift)
    return Scene(person.movement, person.shape, person.look, camera, _NOTHING, noise=0)


def _drawn(
    people: list[Scene], size: tuple[int, int], random: np.random.Generator, *, wild: bool
) -> Array:
    """People over a background, the last of them at times partly hidden, then damaged."""
    picture = background(size, random)
    for scene in people:
        scene.draw_on(picture, 0)
    if random.random() < (0.3 if wild else 0.08):
        _hide(picture, people[-1].boxes[0], random)
    return _damaged(picture, random, 1.0 if wild else 0.35)


def _hide(picture: Array, box: Array, random: np.random.Generator) -> None:
    """Something in front of a part of a person."""
    extent = box[2:] - box[:2]
    middle = box[:2] + random.uniform(0, 1, 2) * extent
    half = random.uniform(0.06, 0.25, 2) * extent.max()
    color = tuple(random.uniform(0, 1, 3).tolist())
    a, b = (middle - half).astype(int).tolist(), (middle + half).astype(int).tolist()
    if random.random() < 0.5:
        cv2.rectangle(picture, a, b, color, -1)
    else:
        center, axes = middle.astype(int).tolist(), np.maximum(half, 1).astype(int).tolist()
        cv2.ellipse(picture, center, axes, random.uniform(0, 180), 0, 360, color, -1)


def _damaged(picture: Array, random: np.random.Generator, share: float) -> Array:
    """Degrade a picture at random as cameras and encoders do."""
    if random.random() < 0.2 * share:
        length = int(random.integers(3, 10))
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1 / length
        turn = cv2.getRotationMatrix2D(((length - 1) / 2,) * 2, random.uniform(0, 180), 1)
        kernel = cv2.warpAffine(kernel, turn, (length, length))
        picture = cv2.filter2D(picture, -1, kernel / max(kernel.sum(), 1e-6))
    elif random.random() < 0.4 * share:
        picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.4, 1.8))
    picture = picture ** np.float32(np.exp(random.normal(0, 0.25 * share)))
    picture = picture * np.float32(random.uniform(1 - 0.3 * share, 1 + 0.15 * share))
    picture = picture + np.float32(random.normal(0, 0.03 * share))
    if random.random() < 0.6:
        noise = random.standard_normal(picture.shape, np.float32)
        picture = picture + noise * np.float32(random.uniform(0.003, 0.04 * share))
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
