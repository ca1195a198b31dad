"""RTMPose-t by MMPose's own config, on the portraits."""

from pathlib import Path
from typing import Any

from mmengine.config import Config

from tools.training.runner import backbone_type, package_file

CONFIG = "configs/body_2d_keypoint/rtmpose/coco/rtmpose-t_8xb256-420e_aic-coco-256x192.py"
EPOCHS = 5
BATCH = 48
LR = 1.2e-3
GAIN = 15.0
"""Of convolutions and layers over ``LR``, which biases and norms learn at."""
CHANNELS = [192, 384]
"""Of the backbone's last two levels."""


def config(train: Path, held_out: Path, work: Path, processes: int) -> Config:
    """MMPose's config with the data, schedule and batch of this training.

    Args:
        train, held_out: data sets of :func:`tools.training.data.render`.
        work: folder for checkpoints and logs.
        processes: that share each batch.
    """
    import tools.training.coarse
    import tools.training.muon  # noqa: F401  both register what is named below

    c = Config.fromfile(package_file("mmpose", CONFIG))
    c.model.backbone.init_cfg = (
        None  # it would be downloaded; this one is trained on the athlete alone
    )
    c.model.backbone |= {
        "type": backbone_type(),
        "norm_cfg": {"type": "BN"},
        "out_indices": (3, 4),  # the head looks at the last alone
    }
    # The head's loss is a sum over a process's part of a batch, the other one a mean.
    c.model |= {"type": "CoarselySupervised", "channels": CHANNELS, "weight": 0.1 / processes}
    c.model.test_cfg = {"flip_test": False}
    codec = c.codec
    pipeline = [
        {"type": "LoadImage"},
        {"type": "GetBBoxCenterScale"},
        {"type": "RandomFlip", "direction": "horizontal"},
        {
            "type": "RandomBBoxTransform",
            "shift_factor": 0.06,
            "shift_prob": 0.6,
            "scale_factor": [0.85, 1.2],
            "scale_prob": 1.0,
            "rotate_factor": 15,
            "rotate_prob": 0.4,
        },
        {"type": "TopdownAffine", "input_size": codec["input_size"]},
        {"type": "mmdet.YOLOXHSVRandomAug"},
        {"type": "GenerateTarget", "encoder": codec},
        {"type": "PackPoseInputs"},
    ]
    c.train_dataloader = _loader(train, pipeline, processes, test=False)
    c.val_dataloader = c.test_dataloader = _loader(held_out, c.val_pipeline, processes, test=True)
    c.val_evaluator = c.test_evaluator = [
        {"type": "PCKAccuracy", "thr": 0.05},
        {"type": "EPE"},
    ]
    c.train_cfg = {"by_epoch": True, "max_epochs": EPOCHS, "val_interval": 1}
    c.optim_wrapper = {
        "type": "OptimWrapper",
        "optimizer": {"type": "MuonWithAdamW", "lr": LR, "gain": GAIN, "weight_decay": 0.01},
        "clip_grad": {"max_norm": 35},
        "paramwise_cfg": {"norm_decay_mult": 0, "bias_decay_mult": 0, "bypass_duplicate": True},
    }
    c.param_scheduler = [
        {"type": "LinearLR", "start_factor": 1e-3, "by_epoch": False, "begin": 0, "end": 100},
        {
            "type": "CosineAnnealingLR",
            "eta_min": LR * 0.01,
            "begin": 0,
            "end": EPOCHS,
            "T_max": EPOCHS,
            "by_epoch": True,
            "convert_to_iter_based": True,
        },
    ]
    c.custom_hooks = [
        {"type": "EMAHook", "ema_type": "ExpMomentumEMA", "momentum": 0.001, "update_buffers": True}
    ]
    c.default_hooks.checkpoint = {
        "type": "CheckpointHook",
        "interval": 1,
        "max_keep_ckpts": 2,
        "save_best": None,
    }
    c.default_hooks.logger.interval = 50
    c.visualizer = {"type": "mmengine.Visualizer", "vis_backends": []}
    del c.default_hooks["visualization"]
    c.work_dir = str(work)
    c.resume = True  # from the last checkpoint if there is one
    c.randomness = {"seed": 21, "diff_rank_seed": True}
    if processes > 1:
        c.launcher = "pytorch"
        c.model_wrapper_cfg = {
            "type": "MMDistributedDataParallel",
            "device_ids": None,
            "broadcast_buffers": False,
        }
    return c


def _loader(data: Path, pipeline: Any, processes: int, *, test: bool) -> dict[str, Any]:
    return {
        "batch_size": BATCH // processes,
        "num_workers": int(processes == 1),  # else each process keeps its core busy
        "persistent_workers": processes == 1,
        "drop_last": not test,
        "sampler": {"type": "DefaultSampler", "shuffle": not test, "round_up": False},
        "dataset": {
            "type": "CocoDataset",
            "data_root": str(data),
            "data_mode": "topdown",
            "ann_file": "annotations.json",
            "data_prefix": {"img": "images/"},
            "pipeline": pipeline,
            "test_mode": test,
        },
    }
