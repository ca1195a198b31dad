"""Load pose networks in int8, files of `mmpose-service quantize`, for their own checkpoint.

OpenVINO's own pair of files, `KEY.xml` and `KEY.bin`, with what is known of it in the former.
"""

import logging
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deployments.errors import ConfigurationError, WeightsCorruptError
from deployments.file_digest import sha256_of
from deployments.pose.engines.openvino_runtime import last_line, save_network
from deployments.pose.registry import ModelEntry

logger = logging.getLogger("mmpose_service")

_FACTS = ["mmpose_service", "quantized"]

_Pixels = Annotated[float, Field(ge=0)]
_Count = Annotated[int, Field(ge=1)]


class QuantizedFacts(BaseModel):
    """Origin of an int8 network, and its distance from that origin.

    Attributes:
        sha256: of the checkpoint. fitted_on: crops that its scales were chosen by.
        held_out: other crops, on which it was compared with the network in fp32.
        shift_median_px, shift_p95_px: distance of keypoints seen by both, pixels of the crop.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: str
    fitted_on: _Count
    held_out: _Count
    shift_median_px: _Pixels
    shift_p95_px: _Pixels


def quantized_path(folder: Path, entry: ModelEntry) -> Path:
    """Return the path of the int8 network of ``entry``."""
    return folder / f"{entry.key}.xml"


def save_quantized(model: Any, facts: QuantizedFacts, path: Path) -> None:
    """Write a network and what is known of it.

    Raises:
        ConfigurationError: it cannot be written there.
    """
    model.set_rt_info(facts.model_dump_json(), _FACTS)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)  # for others to read, unlike a cache
        save_network(model, path)
    except (OSError, RuntimeError) as error:
        raise ConfigurationError(
            f"{path} cannot be written: {last_line(error)}", hint="Give another folder."
        ) from error


def quantized_network(entry: ModelEntry, checkpoint: Path, folder: Path) -> Any | None:
    """Return the network of ``checkpoint`` in int8; None if ``folder`` has none that is of it.

    Raises:
        WeightsCorruptError: what is there is no such network.
    """
    import openvino as ov

    path = quantized_path(folder, entry)
    if not path.exists():
        logger.warning("there is no %s: %s runs as it is", path, entry.name)
        return None
    try:
        model = ov.Core().read_model(path)
        facts = QuantizedFacts.model_validate_json(model.get_rt_info(_FACTS).astype(str))
    except (RuntimeError, ValidationError) as error:
        raise WeightsCorruptError(
            f"{path.name} is no network in int8: {last_line(error).replace(str(path), path.name)}",
            hint="Run `mmpose-service quantize` again.",
            private=str(path),
            file=path.name,
        ) from error
    if facts.sha256 != sha256_of(checkpoint):
        logger.warning("%s is of another file than %s, and is left out", path, checkpoint)
        return None
    return model
