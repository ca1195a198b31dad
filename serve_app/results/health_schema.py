"""Responses of `/healthz`, `/readyz` and `/livez`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from serve_app.results.described import DescribedAs


class HealthService(BaseModel):
    """The service itself."""

    service: str
    version: str
    config_loaded: bool


class HealthModelInfo(BaseModel):
    """The pose model that answers by default."""

    name: str | None
    source: str | None = Field(
        description="mmpose_hub for a published checkpoint, else local_file."
    )
    config: str | None


class HealthStage(BaseModel):
    """State of one model, as :class:`deployments.messages.ModelStatus` has it."""

    role: str
    loaded: bool
    key: str = Field(description="Entry of the registry.")
    name: str
    config: str
    source: str
    engine: str = Field(description="torch or openvino.")
    device: str
    precision: str
    input_size: tuple[int, int] = Field(description="Width and height.")
    checkpoint: str
    nms: str = Field(description="`compiled` or `python`: which of mmcv's operators is in use.")
    gpu: str | None
    calibrated: bool
    reason: str | None = Field(description="Why it is not loaded.")
    code: str | None = Field(description="The same as a stable word.")
    notice: str | None = Field(description="Something that a user of the results must know.")
    sha256: str = Field(description="Digest of the checkpoint file.")


class HealthModels(BaseModel):
    """State of the service and its models."""

    rtmpose_loaded: bool = Field(description="Whether RTMPose is, rather than a stand-in.")
    hrnet_available: bool
    mmcv_cuda: bool = Field(description="Whether mmcv's compiled CUDA operators are in use.")
    model_info: HealthModelInfo
    detector_loaded: bool
    stages: Annotated[dict[str, dict[str, Any]], DescribedAs(dict[str, HealthStage])] = Field(
        description="What every model replica says of itself."
    )


class HealthSystem(BaseModel):
    """Versions and devices."""

    cuda_available: bool
    gpu_device: str | None
    mmpose_version: str
    mmcv_version: str
    mmdet_version: str
    torch_version: str
    ray_version: str


class Health(BaseModel):
    """Answer of `GET /healthz`."""

    status: Literal["healthy", "degraded", "not_ready"]
    service: HealthService
    models: HealthModels
    system: HealthSystem
    reasons: list[str] = Field(default_factory=list, description="Why it is not healthy.")
    access: Literal["open", "keys", "gateway"] = Field(
        "open",
        description="Who may call: everybody, holders of a key, or those whom a gateway lets in.",
    )


class Readiness(BaseModel):
    """Answer of `GET /readyz`."""

    ready: bool
    reasons: list[str] = Field(
        default_factory=list,
        description="Why it is not ready.",
        exclude_if=lambda reasons: not reasons,
    )


class Liveness(BaseModel):
    """Answer of `GET /livez`."""

    alive: Literal[True] = True
