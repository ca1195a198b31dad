"""Networks of MMPose and MMDetection with random weights whose answers depend on the picture.

As they are initialised their responses are flat. Here every batch norm takes its statistics from
the pictures and the last layer is scaled, so that maxima are distinct and boxes are many.
"""

import sys
import warnings
from collections import OrderedDict
from functools import cache
from pathlib import Path

import numpy as np
import torch

from deployments.pose.compat import import_models
from tools.torchvision_stub import declare_torchvision


@cache
def import_apis():
    """``mmpose.apis`` and ``mmdet.apis``: the packages' own inference."""
    torch.set_num_threads(1)  # two that wait for each other are slow where cores are shared
    for package in ("mmpose", "mmdet"):
        import_models(package)
    with quiet():
        declare_torchvision()
        import mmdet.apis
        import mmpose.apis
    return mmpose.apis, mmdet.apis


def quiet():
    """Context without the warnings of the packages."""
    return warnings.catch_warnings(action="ignore")


def scope(package):
    """Context in which names in configs are those of ``package``."""
    from mmengine.registry import DefaultScope

    return DefaultScope.overwrite_default_scope(package)


def config_of(entry):
    """The config file of an entry as mmengine reads it, untouched."""
    package, _, below = entry.mm_config.partition("::")
    with quiet():
        from mmengine.config import Config

        return Config.fromfile(Path(sys.modules[package].__file__).parent / ".mim" / below)


def random_pose_network(entry, crops, seed=3):
    """MMPose's own estimator; its responses to uint8 BGR ``crops`` are about 0.3 times normal."""
    mmpose, _ = import_apis()
    torch.manual_seed(seed)
    with quiet():
        network = mmpose.init_model(config_of(entry), None, device="cpu")
    inputs = normalized(network, crops)
    calibrate(network, lambda: network.head(network.extract_feat(inputs)))
    last = ["cls_x", "cls_y"] if entry.codec == "simcc" else ["final_layer"]
    with torch.no_grad(), quiet():
        responses = network.head(network.extract_feat(inputs))
        for name, response in zip(last, responses if len(last) == 2 else [responses], strict=True):
            layer = getattr(network.head, name)
            layer.weight *= 0.3 / response.std()
            if layer.bias is not None:
                layer.bias *= 0.3 / response.std()
    return network


def random_detector(entry, images, seed=3):
    """MMDetection's RTMDet, with dozens of boxes in each of the letterboxed ``images``."""
    import_apis()
    torch.manual_seed(seed)
    config = config_of(entry)
    with quiet():
        from mmdet.registry import MODELS
        from mmengine.model import revert_sync_batchnorm

        with scope("mmdet"):
            network = revert_sync_batchnorm(MODELS.build(config.model))
    network.cfg = config  # which ``inference_detector`` asks for
    head, inputs = network.bbox_head, normalized(network, images)
    calibrate(network, lambda: head(network.extract_feat(inputs)))
    with torch.no_grad(), quiet():
        for layer in (*head.rtm_cls, *head.rtm_reg):
            layer.bias.zero_()
        scores, distances = head(network.extract_feat(inputs))
        for level, stride in enumerate((8, 16, 32)):
            classes, sides = head.rtm_cls[level], head.rtm_reg[level]
            classes.weight *= 1.2 / scores[level].std()
            classes.bias.fill_(-12.0)
            classes.bias[[0, -1]] = -3.0  # people, and where there are more classes, the last
            sides_by_stride = distances[level] / stride
            if head.exp_on_reg:
                sides_by_stride = sides_by_stride.log()
            sides.weight *= 0.5 / sides_by_stride.std()
            sides.bias.fill_(1.0 if head.exp_on_reg else 2.5)
    return network


def normalized(network, pictures):
    """Uint8 BGR pictures (n, h, w, 3) by the network's own preprocessor."""
    preprocessor = network.data_preprocessor
    images = [torch.from_numpy(p.transpose(2, 0, 1).copy()).float() for p in pictures]
    if preprocessor._channel_conversion:
        images = [image.flip(0) for image in images]
    return (torch.stack(images) - preprocessor.mean) / preprocessor.std


def calibrate(network, forward):
    """Give every batch norm the statistics of one call of ``forward``."""
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.reset_running_stats()
            module.momentum = None  # the mean of all calls
    network.train()
    with torch.no_grad(), quiet():
        forward()
    network.eval()


def write_checkpoint(path, state):
    """``state`` as OpenMMLab writes checkpoints, with the log of a training and numpy scalars."""
    with quiet():
        from mmengine.logging import HistoryBuffer
    log = HistoryBuffer([1.5, 0.5], [1, 1])
    torch.save(
        {
            "state_dict": OrderedDict(state),
            "meta": {
                "epoch": 420,
                "iter": np.int64(123456),
                "seed": 21,
                "cfg": "codec = dict(type='SimCCLabel')\n",
                "mmengine_version": "0.6.0",
                "time": "20230126_120000",
                "dataset_meta": {
                    "dataset_name": "coco",
                    "flip_indices": [0, 2, 1],
                    "dataset_keypoint_weights": np.ones(17, np.float32),
                    "sigmas": np.full(17, 0.05),
                    "best": np.float64(0.758),
                },
            },
            "message_hub": {
                "log_scalars": OrderedDict(loss=log),
                "runtime_info": OrderedDict(lr=np.float32(0.004), done=np.bool_(1)),
                "resumed_keys": OrderedDict(loss=True),
            },
        },
        path,
    )
    return path
