"""Small networks with known answers: the keypoints of a picture are where its red dot is.

Keypoint k of a dot at (x, y) is at (x + k / 2, y). The score of every one is 0.3 times the dot's
normalized red, so that order and normalization of the channels show.
"""

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from deployments.pose.registry import ModelEntry

SIZE = (32, 48)  # width, height
KEYPOINTS = 17
GAIN = 0.3
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # red, green, blue


def entry(**changes):
    """A registry entry of such a network."""
    facts = {
        "key": "dot",
        "name": "Dot",
        "task": "pose",
        "family": "rtmpose",
        "config": "dot",
        "mm_config": "",
        "checkpoint": "dot.onnx",
        "sha256": None,
        "input_size": SIZE,
        "codec": "simcc",
    }
    return ModelEntry(**{**facts, **changes})


def pictures(dots, red=255):
    """Pictures (n, h, w, 3) uint8 BGR, black with a dot at each (x, y), which is a bit blue."""
    drawn = np.zeros((len(dots), SIZE[1], SIZE[0], 3), np.uint8)
    for picture, (x, y) in zip(drawn, dots, strict=True):
        picture[y, x] = (30, 0, red)
    return drawn


def keypoints(dots):
    """(n, 17, 2) of such pictures, crop pixels."""
    return np.array([[(x + k / 2, y) for k in range(KEYPOINTS)] for x, y in dots], np.float32)


def score(red=255):
    """Of every keypoint."""
    return GAIN * (red - MEAN[0]) / STD[0]


def placed(pixels, shift):
    """(pixels, 17 * bins) weights that put pixel p at bin 2p, plus ``shift`` times the keypoint."""
    bins = 2 * pixels
    weights = np.zeros((pixels, KEYPOINTS, bins), np.float32)
    for p in range(pixels):
        for k in range(KEYPOINTS):
            weights[p, k, (2 * p + shift * k) % bins] = GAIN
    return weights.reshape(pixels, -1)


class DotNetwork(torch.nn.Module):
    """As MMPose's estimators are called: normalized RGB in, responses of both axes out."""

    def __init__(self):
        super().__init__()
        self.x, self.y = (
            torch.nn.Parameter(torch.from_numpy(placed(p, s)), requires_grad=False)
            for p, s in zip(SIZE, (1, 0), strict=True)
        )

    def extract_feat(self, inputs):
        return inputs[:, 0]

    def head(self, red):
        sides = (red.amax(1) @ self.x, red.amax(2) @ self.y)
        return tuple(s.reshape(len(red), KEYPOINTS, -1) for s in sides)


def responses(crops):
    """Of the network to uint8 BGR crops, worked out in torch."""
    images = torch.from_numpy(crops[..., ::-1].astype(np.float32))
    inputs = ((images - torch.tensor(MEAN)) / torch.tensor(STD)).permute(0, 3, 1, 2)
    network = DotNetwork()
    return network.head(network.extract_feat(inputs))


def write_pose(
    path, names=("simcc_x", "simcc_y"), ranks=(3, 3), people=KEYPOINTS, bins=(2, 2), batch=-1
):
    """An ONNX file of the network; with other outputs than RTMPose's where told."""
    nodes, outputs, constants = [], [], [constant("red", np.array(0))]
    nodes.append(helper.make_node("Gather", ["input", "red"], ["image"], axis=1))
    for axis, name in enumerate(names):
        shift = 1 - axis
        weights = placed(SIZE[axis], shift).reshape(SIZE[axis], KEYPOINTS, -1)
        weights = weights[:, :people, : bins[axis] * SIZE[axis]].reshape(SIZE[axis], -1)
        shape = [batch, people, bins[axis] * SIZE[axis]][-ranks[axis] :]
        shape = [1] * (ranks[axis] - len(shape)) + shape
        constants += [constant(f"w{axis}", weights), constant(f"s{axis}", np.array(shape))]
        nodes += [
            helper.make_node("ReduceMax", ["image"], [f"side{axis}"], axes=[axis + 1], keepdims=0),
            helper.make_node("MatMul", [f"side{axis}", f"w{axis}"], [f"flat{axis}"]),
            helper.make_node("Reshape", [f"flat{axis}", f"s{axis}"], [name]),
        ]
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * ranks[axis]))
    return save(path, nodes, outputs, constants, "n")


def write_detector(path, rows, labels):
    """An ONNX file as MMDeploy exports RTMDet: always the same ``rows`` (n, 5) and ``labels``.

    But the first value of the first row is more by the normalized blue of the bluest pixel.
    """
    mask = np.zeros((1, len(rows), 5), np.float32)
    mask[0, 0, 0] = 1
    constants = [
        constant("channel", np.array([0])),
        constant("mask", mask),
        constant("rows", np.array(rows, np.float32)[None]),
        constant("kinds", np.array(labels, np.int64)[None]),
    ]
    nodes = [
        helper.make_node("Gather", ["input", "channel"], ["blue"], axis=1),
        helper.make_node("ReduceMax", ["blue"], ["bluest"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["bluest", "mask"], ["moved"]),
        helper.make_node("Add", ["moved", "rows"], ["dets"]),
        helper.make_node("Identity", ["kinds"], ["labels"]),
    ]
    outputs = [
        helper.make_tensor_value_info("dets", TensorProto.FLOAT, [1, len(rows), 5]),
        helper.make_tensor_value_info("labels", TensorProto.INT64, [1, len(rows)]),
    ]
    return save(path, nodes, outputs, constants, 1)


def constant(name, values):
    return numpy_helper.from_array(np.asarray(values), name)


def save(path, nodes, outputs, constants, batch, inputs=("input",)):
    shape = [batch, 3, SIZE[1], SIZE[0]]
    taken = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs]
    graph = helper.make_graph(nodes, "dot", taken, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path
