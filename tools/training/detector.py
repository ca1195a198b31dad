"""RTMDet-nano by the person detector's own config, on pictures of none to three athletes."""

from pathlib import Path
from typing import Any

from mmengine.config import Config

from tools.training.common import package_file

CONFIG = "demo/mmdetection_cfg/rtmdet_nano_320-8xb32_coco-person.py"
SIZE = 320
BATCH = 16


def config(train: Path, held_out: Path, work: Path, epochs: int, lr: float = 1.5e-3) -> Config:
    """The config with the data, schedule and batch of this training.

    Args:
        train, held_out: data sets of :func:`tools.training.data.render`.
        work: folder for checkpoints and logs.
    """
    c = Config.fromfile(package_file("mmpose", CONFIG))
    c.model.backbone.init_cfg = None
    for part in (c.model.backbone, c.model.neck, c.model.bbox_head):
        part.norm_cfg = {"type": "BN"}
    pipeline = [
        {"type": "LoadImageFromFile"},
        {"type": "LoadAnnotations", "with_bbox": True},
        {
            "type": "RandomResize",
            "scale": (SIZE, SIZE),
            "ratio_range": (0.6, 1.4),
            "keep_ratio": True,
        },
        {"type": "RandomCrop", "crop_size": (SIZE, SIZE), "allow_negative_crop": True},
        {"type": "YOLOXHSVRandomAug"},
        {"type": "RandomFlip", "prob": 0.5},
        {"type": "Pad", "size": (SIZE, SIZE), "pad_val": {"img": (114, 114, 114)}},
        {"type": "PackDetInputs"},
    ]
    c.train_dataloader = _loader(train, pipeline, test=False)
    c.val_dataloader = c.test_dataloader = _loader(held_out, c.test_pipeline, test=True)
    c.val_evaluator = c.test_evaluator = {
        "type": "CocoMetric",
        "ann_file": str(held_out / "annotations.json"),
        "metric": "bbox",
        "proposal_nums": (100, 1, 10),
    }
    c.train_cfg = {"type": "EpochBasedTrainLoop", "max_epochs": epochs, "val_interval": 1}
    c.optim_wrapper = {
        "type": "OptimWrapper",
        "optimizer": {"type": "AdamW", "lr": lr, "weight_decay": 0.05},
        "paramwise_cfg": {"norm_decay_mult": 0, "bias_decay_mult": 0, "bypass_duplicate": True},
    }
    c.param_scheduler = [
        {"type": "LinearLR", "start_factor": 1e-3, "by_epoch": False, "begin": 0, "end": 300},
        {
            "type": "CosineAnnealingLR",
            "eta_min": lr * 0.02,
            "begin": 0,
            "end": epochs,
            "T_max": epochs,
            "by_epoch": True,
            "convert_to_iter_based": True,
        },
    ]
    c.custom_hooks = [
        {
            "type": "EMAHook",
            "ema_type": "ExpMomentumEMA",
            "momentum": 0.001,
            "update_buffers": True,
        }
    ]
    c.default_hooks.checkpoint = {"type": "CheckpointHook", "interval": 1, "max_keep_ckpts": 2}
    c.default_hooks.logger.interval = 50
    del c.default_hooks["visualization"]
    c.visualizer = {"type": "mmengine.Visualizer", "vis_backends": []}
    c.load_from = None
    c.work_dir = str(work)
    c.resume = True
    c.randomness = {"seed": 21}
    return c


def _loader(data: Path, pipeline: Any, *, test: bool) -> dict[str, Any]:
    return {
        "batch_size": BATCH,
        "num_workers": 0,  # one would compete with the threads of the network for two cores
        "persistent_workers": False,
        "drop_last": not test,
        "sampler": {"type": "DefaultSampler", "shuffle": not test},
        "dataset": {
            "type": "CocoDataset",
            "data_root": str(data),
            "ann_file": "annotations.json",
            "data_prefix": {"img": "images/"},
            "metainfo": {"classes": ("person",)},
            "filter_cfg": {"filter_empty_gt": False},
            "pipeline": pipeline,
            "test_mode": test,
        },
    }
