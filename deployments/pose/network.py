"""Networks as MMPose and MMDetection build them from their own configs."""

import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from deployments.errors import ConfigurationError
from deployments.pose import checkpoint as checkpoints
from deployments.pose import compat
from deployments.pose.registry import ModelEntry


@dataclass(frozen=True, slots=True)
class Network:
    """A network with its weights, in evaluation mode on the CPU.

    Attributes:
        module: ``TopdownPoseEstimator`` or ``RTMDet``.
        model_config: the ``model`` section of its config.
        mean, std: (3,) of the normalisation, in the order of the network's channels.
        bgr_to_rgb: whether the channels are reversed before they are normalised.
    """

    module: Any
    model_config: Any
    mean: Tensor
    std: Tensor
    bgr_to_rgb: bool


def load_network(entry: ModelEntry, path: Path, *, use_compiled_ops: bool = True) -> Network:
    """Build the network of ``entry`` and load its weights.

    Nothing is downloaded: the pretrained backbones that configs name are left out.

    Raises:
        ConfigurationError: the config is not there.
        WeightsCorruptError: the file is damaged or of another network.
    """
    state = checkpoints.read_state(path)
    package, _, below = entry.mm_config.partition("::")
    if not below:
        raise ConfigurationError(
            f"models.{entry.key}.mm_config: a .pth file needs a config, such as "
            "mmpose::configs/body_2d_keypoint/rtmpose/coco/rtmpose-m_8xb256-420e_aic-coco-256x192.py"
        )
    config = _read_config(entry, package, below)
    module = _build(config.model, package, use_compiled_ops=use_compiled_ops)
    checkpoints.load_state(module, state, path)
    normalisation = config.model.data_preprocessor
    return Network(
        module=module.eval().requires_grad_(requires_grad=False),
        model_config=config.model,
        mean=torch.tensor(normalisation.mean),
        std=torch.tensor(normalisation.std),
        bgr_to_rgb=bool(normalisation.get("bgr_to_rgb", False)),
    )


def _read_config(entry: ModelEntry, package: str, below: str) -> Any:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ConfigurationError(f"models.{entry.key}.mm_config: {package} is not installed")
    file = Path(spec.origin).parent / ".mim" / below
    if not file.is_file():
        raise ConfigurationError(f"models.{entry.key}.mm_config: {package} has no {below}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources, by which mmengine finds other packages
        from mmengine.config import Config

        config = Config.fromfile(file)
    _drop_pretrained(config.model)
    return config


def _drop_pretrained(section: Any) -> None:
    """Remove every reference to weights that would be fetched from elsewhere."""
    if isinstance(section, dict):
        init = section.get("init_cfg")
        if isinstance(init, dict) and init.get("type") == "Pretrained":
            section["init_cfg"] = None
        for value in section.values():
            _drop_pretrained(value)
    elif isinstance(section, (list, tuple)):
        for value in section:
            _drop_pretrained(value)


def _build(model_config: Any, package: str, *, use_compiled_ops: bool) -> Any:
    compat.import_models(package, use_compiled_ops=use_compiled_ops)
    from mmengine.model import revert_sync_batchnorm
    from mmengine.registry import MODELS, DefaultScope

    # In a context, so that the scope of the process stays what it was.
    with DefaultScope.overwrite_default_scope(package), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return revert_sync_batchnorm(MODELS.build(model_config))
