"""Build networks of MMPose and MMDetection from their own configs."""

import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from biomech.skeleton import KEYPOINTS
from deployments.errors import ConfigurationError
from deployments.pose import checkpoint as checkpoints
from deployments.pose import compat
from deployments.pose.codecs.responses import Codec
from deployments.pose.families import FAMILIES
from deployments.pose.registry import ModelEntry


@dataclass(frozen=True, slots=True)
class Network:
    """A network with its weights, in evaluation mode on the CPU.

    Attributes:
        module: ``TopdownPoseEstimator`` or ``RTMDet``.
        model_config: the ``model`` section of its config.
        mean, std: (3,) of the normalization, in the order of the network's channels.
        bgr_to_rgb: whether the channels are reversed before they are normalized.
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
    model_config = read_model_config(entry)
    package, _, _ = entry.mm_config.partition("::")
    module = _build(model_config, package, use_compiled_ops=use_compiled_ops)
    checkpoints.load_state(module, state, path)
    normalization = model_config.data_preprocessor
    return Network(
        module=module.eval().requires_grad_(requires_grad=False),
        model_config=model_config,
        mean=torch.tensor(normalization.mean),
        std=torch.tensor(normalization.std),
        bgr_to_rgb=bool(normalization.get("bgr_to_rgb", False)),
    )


def read_model_config(entry: ModelEntry) -> Any:
    """Read the ``model`` section of the config of ``entry``, without references to other weights.

    Raises:
        ConfigurationError: the config is not there.
    """
    package, _, below = entry.mm_config.partition("::")
    if not below:
        raise ConfigurationError(
            f"models.{entry.key}.mm_config: a .pth file needs a config, such as "
            "mmpose::configs/body_2d_keypoint/rtmpose/coco/rtmpose-m_8xb256-420e_aic-coco-256x192.py"
        )
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
    return config.model


def codec_of(model_config: Any, entry: ModelEntry) -> Codec:
    """Return the codec that a config states; ``model_config`` is the ``model`` section of it.

    Raises:
        ConfigurationError: it is not one that is decoded here, or does not fit the entry.
    """
    decoder = model_config.head.decoder
    families = (FAMILIES[entry.family], *FAMILIES.values())
    family = next(
        (f for f in families if (f.codec, f.decoder) == (entry.codec, decoder.type)), None
    )
    refined = decoder.get("use_dark") or decoder.get("unbiased")
    if family is None or refined:
        raise ConfigurationError(
            f"models.{entry.key}: the config's codec is {dict(decoder)}, which is not decoded as "
            f"{entry.codec}"
        )
    if tuple(decoder.input_size) != entry.input_size:
        raise ConfigurationError(
            f"models.{entry.key}.input_size is {entry.input_size}, its config has "
            f"{tuple(decoder.input_size)}"
        )
    keypoints = model_config.head.out_channels
    if keypoints != len(KEYPOINTS):
        raise ConfigurationError(
            f"models.{entry.key} has {keypoints} keypoints, {len(KEYPOINTS)} are needed"
        )
    return family.codec_of(model_config, entry)


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
