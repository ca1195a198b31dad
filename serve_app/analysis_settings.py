"""Define the settings of the models and of the analysis."""

import os
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from deployments.decode.segments import SEGMENT_S
from deployments.messages import AnalysisOptions
from deployments.pose.registry import Performance
from deployments.process_setup import usable_cpus
from serve_app.setting_types import (
    CONFIG_FOLDER,
    PREFIX,
    Address,
    PeopleLimit,
    Share,
    Stride,
    named,
)

ANALYSIS = AnalysisOptions()
"""The defaults of settings that end up in it."""


class AnalysisSettings(BaseSettings):
    """Settings of the models and of the analysis; see :class:`serve_app.settings.Settings`."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        protected_namespaces=(),
        populate_by_name=True,
    )

    # Models. None: as config/model_config.json says.
    rtmpose_enabled: bool | None = Field(
        None,
        validation_alias=named("rtmpose_enabled"),
        description="Use RTMPose, the primary.",
        json_schema_extra={"unset": "as the registry says"},
    )
    hrnet_enabled: bool | None = Field(
        None,
        validation_alias=named("hrnet_enabled"),
        description="Use HRNet, the fallback.",
        json_schema_extra={"unset": "as the registry says"},
    )
    config: Path = Field(CONFIG_FOLDER / "model_config.json", description="The registry of models.")
    weights_dir: Path | None = Field(None, description="First folder searched for checkpoints.")
    mirrors: Annotated[tuple[Address, ...], NoDecode] = Field(
        (),
        description=(
            "Mirrors of the published checkpoints, by file name, tried after the publisher's "
            "address; separated by commas or spaces."
        ),
    )
    pose_model: str | None = Field(
        None,
        description="Registry key of the model that answers as RTMPose.",
        json_schema_extra={"unset": "the primary"},
    )
    detector: str | None = Field(
        None,
        description="Registry key of the person detector.",
        json_schema_extra={"unset": "the primary"},
    )
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="`auto`, `cpu` or `cuda:N`."
    )
    engine: Literal["auto", "torch", "openvino"] = Field(
        "auto",
        description=(
            "Engine for `.pth` checkpoints: `torch` or `openvino`; `auto` is OpenVINO on a CPU, "
            "torch on a GPU."
        ),
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=256,
        description=("CPU threads of one model replica: its `num_cpus` if at least 1, else all."),
        json_schema_extra={"unset": "its share"},
    )
    mixed_precision: bool = Field(False, description="Use bf16 on CPUs that have it, fp16 on GPUs.")
    quantized: Path | None = Field(
        None,
        description=(
            "Folder of int8 networks made by `mmpose-service quantize`, used on CPUs for the "
            "checkpoints that they were made from; needed on every node."
        ),
        json_schema_extra={"page": "performance.md#settings-that-decide"},
    )
    batch_size: int = Field(
        ANALYSIS.batch,
        ge=1,
        le=512,
        description="Maximum number of crops in one call of a network.",
    )
    flip_test: bool = Field(False, description="Average with the mirrored crop: doubles the cost.")
    calibration: Path | None = Field(
        None,
        description=(
            "File made by `mmpose-service calibrate`; applies to the checkpoints it was made with."
        ),
    )
    mmcv_with_ops: bool = Field(
        True,
        validation_alias=named("mmcv_with_ops"),
        description="Use mmcv's compiled operators where they are installed.",
    )

    cache_dir: Path | None = Field(
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mmpose-service",
        description="Folder for networks converted for OpenVINO.",
    )

    # Analysis.
    confidence_threshold: Share | None = Field(
        None,
        validation_alias=named("confidence_threshold"),
        description="Keypoints with a lower confidence count as missing; requests can override it.",
        json_schema_extra={"unset": f"{Performance().confidence_threshold:g}, by the registry"},
    )
    biomechanics_analysis: bool | None = Field(
        None,
        validation_alias=named("biomechanics_analysis"),
        description="Compute angles, scores and alignment.",
        json_schema_extra={"unset": "true"},
    )
    rules: Path | None = Field(
        CONFIG_FOLDER / "rules.yaml",
        description="Ranges of angles to watch, YAML.",
        json_schema_extra={"page": "biomechanics/monitoring.md"},
    )
    mdc: Path | None = Field(
        CONFIG_FOLDER / "mdc.yaml",
        description=(
            "Smallest detectable change of each metric, or the reason why there is none, and the "
            "difference that a nearer side can cause; YAML."
        ),
        json_schema_extra={"page": "biomechanics/asymmetry.md"},
    )
    norms: Path | None = Field(
        None,
        description="Norms of your population, for requests without `norms`; YAML.",
        json_schema_extra={"page": "biomechanics/norms.md"},
    )
    reference_result: Path | None = Field(
        None,
        description=(
            "A saved response, or a table of angles (`.csv`), that technique is compared with, "
            "for requests without `reference`."
        ),
        json_schema_extra={"page": "biomechanics/technique.md"},
    )
    previous_result: Path | None = Field(
        None,
        description=(
            "A saved response that progress is measured from, for requests without `before`: "
            "for a service with one athlete."
        ),
        json_schema_extra={"page": "biomechanics/progress.md"},
    )
    detector_stride: Stride = Field(
        ANALYSIS.detector_stride, description="Detect people on every n-th frame."
    )
    finest_stride: Stride | None = Field(
        None,
        description=(
            "Detect people on up to every n-th frame while they move; unset: the same stride "
            "throughout."
        ),
    )
    min_box_score: Share = Field(
        ANALYSIS.min_box_score, description="Weaker detections are ignored."
    )
    max_people: PeopleLimit = Field(
        ANALYSIS.max_people, description="Maximum number of people tracked in one picture."
    )
    segment_s: float = Field(
        SEGMENT_S, gt=0, le=600, description="Length of a unit of work in seconds."
    )
    segments_in_flight: int = Field(
        default_factory=lambda: min(max(usable_cpus(), 2), 8),
        ge=1,
        le=256,
        description="Segments of one video in parallel; more than CPUs only delay the first.",
        json_schema_extra={"unset": "CPUs, 2 to 8"},
    )
