"""A figure of colored discs, and two real networks that find it: every point's truth is known.

The networks are small ONNX graphs with the interfaces of exported RTMPose and RTMDet: colors are
compared, smoothed, and the best row and column taken. With them the whole service runs anywhere,
without any trained weights, and what comes out can be held against what was drawn.
"""

import colorsys
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from biomech.skeleton import INDEX, KEYPOINTS
from tests.support.stick_figure import FIGURE

Array = np.ndarray[Any, Any]

BACKGROUND = 110  # grey: no saturation
RADIUS = 0.022  # of a disc, of the figure's height
_SATURATED = 70.0
_COLOR_SPAN = 110.0  # difference of color, summed over channels, at which the response is 0
_POOL = 9
_RGB_MEAN, _RGB_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def _colors() -> Array:
    """(17, 3) RGB of the keypoints: hues all round, bright and dim in turn."""
    return np.array(
        [
            np.array(colorsys.hsv_to_rgb(k / len(KEYPOINTS), 1.0, 1.0 if k % 2 else 0.72)) * 255
            for k in range(len(KEYPOINTS))
        ]
    )


COLORS = _colors()


def squat(frames: int, fps: float = 30.0) -> Array:
    """(f, 17, 2) a figure that faces the camera, bends its knees and raises its arms, again and
    again, in pictures of 480 by 640."""
    time = np.arange(frames) / fps
    depth = 0.5 - 0.5 * np.cos(2 * np.pi * time / 1.6)
    xy = np.repeat(FIGURE[None] - [80.0, 0.0], frames, axis=0)
    for name, (x, y) in {"eye": (20, -12), "ear": (44, 4)}.items():  # apart from one another
        for side, sign in (("left", 1), ("right", -1)):
            xy[:, INDEX[f"{side}_{name}"]] = xy[:, INDEX["nose"]] + [sign * x, y]
    upper = [i for i in range(17) if not KEYPOINTS[i].endswith(("knee", "ankle"))]
    xy[:, upper, 1] += 40 * depth[:, None]
    for side, sign in (("left", 1), ("right", -1)):
        xy[:, INDEX[f"{side}_knee"], 0] += sign * 45 * depth
        xy[:, INDEX[f"{side}_knee"], 1] += 12 * depth
        xy[:, INDEX[f"{side}_wrist"], 1] -= 30 * depth
    return xy


def draw(xy: Array, size: tuple[int, int]) -> Array:
    """(h, w, 3) BGR picture of keypoints (17, 2), NaN not drawn; people (p, 17, 2) likewise."""
    width, height = size
    picture = np.full((height, width, 3), BACKGROUND, np.uint8)
    for person in np.asarray(xy, float).reshape(-1, 17, 2):
        span = np.nanmax(person[:, 1]) - np.nanmin(person[:, 1])
        for point, color in zip(person, COLORS, strict=True):
            if np.isfinite(point).all():
                center = tuple(np.round(point * 16).astype(int).tolist())
                bgr = tuple(color[::-1].tolist())
                radius = round(RADIUS * span * 16)
                cv2.circle(picture, center, radius, bgr, -1, cv2.LINE_AA, 4)
    return picture


def write_video(
    path: Path,
    poses: Array,
    size: tuple[int, int] = (480, 640),
    *,
    ticks: Array | None = None,
    time_base: Fraction = Fraction(1, 30),
    codec: str = "libx264",
    keyint: int = 15,
) -> Path:
    """A video of poses (f, 17, 2) or (f, p, 17, 2); ``ticks`` (f,) in ``time_base``."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options={"crf": "12", "g": str(keyint)})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = time_base
        for i, pose in enumerate(poses):
            frame = av.VideoFrame.from_ndarray(draw(pose, size), format="bgr24")
            frame.pts = i if ticks is None else int(ticks[i])
            frame.time_base = time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_models(folder: Path) -> Path:
    """The networks and a registry that names them; gives the registry's path."""
    onnx.save(pose_network(), folder / "marker-pose.onnx")
    onnx.save(pose_network(), folder / "marker-pose-2.onnx")
    onnx.save(detector_network(), folder / "marker-detector.onnx")
    pose = {"task": "pose", "family": "rtmpose", "codec": "simcc", "input_size": [192, 256]}
    detector = {"task": "detect", "family": "rtmdet", "codec": "boxes", "input_size": [320, 320]}
    models = {
        "marker_pose": {**pose, "role": "primary", "name": "Marker-Pose"},
        "marker_fallback": {**pose, "role": "fallback", "name": "Marker-Fallback"},
        "marker_detector": {**detector, "role": "primary", "name": "Marker-Detector"},
    }
    files = ("marker-pose.onnx", "marker-pose-2.onnx", "marker-detector.onnx")
    for (key, entry), file in zip(models.items(), files, strict=True):
        entry |= {"config": key, "mm_config": "", "checkpoint": str(folder / file)}
    path = folder / "model_config.json"
    path.write_text(json.dumps({"service": "mmpose", "version": "1.0.0", "models": models}))
    return path


def pose_network(width: int = 192, height: int = 256) -> onnx.ModelProto:
    """Crops (n,3,h,w), RGB normalized -> SimCC of the keypoints, two bins a pixel."""
    g = _Graph()
    scaled = g.unnormalized("input", _RGB_MEAN, _RGB_STD)
    colors = []
    for k, color in enumerate(COLORS):
        apart = g("Abs", g("Sub", scaled, g.constant(color.reshape(1, 3, 1, 1))))
        total = g("ReduceSum", apart, g.indices(1), keepdims=1)
        share = g("Div", total, g.constant(np.array(_COLOR_SPAN)))
        colors.append(g("Relu", g("Sub", g.constant(np.array(1.0)), share), out=f"map{k}"))
    maps = g("Concat", *colors, axis=1)
    half = _POOL // 2
    peaks = g("AveragePool", maps, kernel_shape=[_POOL] * 2, pads=[half] * 4, strides=[1, 1])
    for axis, name in ((2, "simcc_x"), (3, "simcc_y")):
        best = g("ReduceMax", peaks, g.indices(axis), keepdims=0)
        doubled = g("Concat", *[g("Unsqueeze", best, g.indices(3))] * 2, axis=3)
        g("Reshape", doubled, g.indices(0, 17, -1), out=name)
    return g.model(
        [("input", ["n", 3, height, width])],
        [("simcc_x", ["n", 17, 2 * width]), ("simcc_y", ["n", 17, 2 * height])],
    )


def detector_network(size: int = 320) -> onnx.ModelProto:
    """Pictures (1,3,s,s), BGR normalized -> the box about everything colorful, as one person."""
    g = _Graph()
    scaled = g.unnormalized("input", _RGB_MEAN[::-1], _RGB_STD[::-1])
    most, least = (g(f, scaled, g.indices(1), keepdims=1) for f in ("ReduceMax", "ReduceMin"))
    colorful = g("Greater", g("Sub", most, least), g.constant(np.array(_SATURATED)))
    mask = g("Cast", colorful, to=TensorProto.FLOAT)
    edges = []
    for axis in (2, 3):  # x from the columns, y from the rows
        line = g("ReduceMax", mask, g.indices(1, axis), keepdims=0)
        for last in (0, 1):
            found = g("ArgMax", line, axis=1, keepdims=1, select_last_index=last)
            moved = g("Add", g("Cast", found, to=TensorProto.FLOAT), g.constant(np.array(last)))
            edges.append(moved)
    x1, x2, y1, y2 = edges
    score = g("ReduceMax", mask, g.indices(1, 2, 3), keepdims=0)
    row = g("Concat", x1, y1, x2, y2, g("Unsqueeze", score, g.indices(1)), axis=1)
    g("Unsqueeze", row, g.indices(1), out="dets")
    g("Cast", g("Sub", x1, x1), to=TensorProto.INT64, out="labels")
    return g.model(
        [("input", [1, 3, size, size])],
        [("dets", [1, 1, 5]), ("labels", [1, 1])],
        integers=("labels",),
    )


class _Graph:
    """Nodes by call, each giving the name of its output."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def __call__(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        name = out or f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, value: Array, dtype: type = np.float32) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def indices(self, *values: int) -> str:
        return self.constant(np.array(values), np.int64)

    def unnormalized(self, name: str, mean: Any, std: Any) -> str:
        spread, middle = (self.constant(np.reshape(v, (1, 3, 1, 1))) for v in (std, mean))
        return self("Add", self("Mul", name, spread), middle)

    def model(
        self, inputs: list[Any], outputs: list[Any], integers: tuple[str, ...] = ()
    ) -> onnx.ModelProto:
        def info(name: str, shape: list[Any]) -> Any:
            kind = TensorProto.INT64 if name in integers else TensorProto.FLOAT
            return helper.make_tensor_value_info(name, kind, shape)

        graph = helper.make_graph(
            self._nodes,
            "markers",
            [info(*i) for i in inputs],
            [info(*o) for o in outputs],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
        onnx.checker.check_model(model)
        return model
