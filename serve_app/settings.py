"""Define every setting of the service: environment over arguments over the file.

The environment wins over the arguments in the serve config, which win over
``config/model_config.json``, which wins over the defaults here. The specification's variables keep
their names; all others start with ``MMPOSE_``.
"""

import difflib
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from deployments.annotated_video import EncodeOptions
from deployments.decode.probe import MediaLimits
from deployments.errors import ConfigurationError
from deployments.pose.registry import Performance
from deployments.pose.sources import without_secrets
from serve_app.access.caller import API_KEY_VARIABLE, UNLIMITED, URL_VARIABLE, Quota
from serve_app.analysis_settings import AnalysisSettings
from serve_app.setting_types import (
    PREFIX,
    ROOT,
    Address,
    HostList,
    environment_name,
)

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")


class Settings(AnalysisSettings):
    """All settings. Build with :func:`load_settings`, which turns mistakes into one clear error."""

    # Requests.
    max_concurrent_requests: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Further requests get 429; counted in each Ingress replica.",
        json_schema_extra={"unset": f"{Performance().max_concurrent_requests}, by the registry"},
    )
    deadline_s: float = Field(3600.0, gt=0, description="Longest time one request may take.")
    export_deadline_s: float = Field(
        600.0, gt=0, description="Longest time one export may take, including sending it."
    )
    max_bytes: int = Field(2 * 1024**3, ge=1, description="Largest video file.")
    max_duration_s: float = Field(3600.0, gt=0, description="Longest video.")
    max_pixels: int = Field(
        4096 * 2304,
        ge=1,
        description=(
            "Largest picture of a video, width times height; a still picture may have four times "
            "as many."
        ),
    )
    max_frames: int = Field(216_000, ge=1, description="Most frames of a video.")
    max_result_bytes: int = Field(
        64 * 1024**2,
        ge=1,
        description=(
            "Largest result for `POST /export`, decompressed: about 12 minutes of one person at 30 "
            "frames a second. It uses about eight times as much memory. Also "
            "the most that results and norms in a body of `POST /pose` may have together; they "
            "use about five times as much memory, for two bodies at once."
        ),
    )
    max_bodies: int = Field(
        64,
        ge=1,
        le=10_000,
        description=(
            "Request bodies being received and videos being fetched at once; further ones get "
            "429, counted in each Ingress replica."
        ),
    )
    max_bodies_bytes: int = Field(
        8 * 1024**3,
        ge=1,
        description="Total bytes of these; an upload counts twice while it is stored.",
    )
    body_timeout_s: float = Field(
        1800.0, gt=0, description="Longest time to receive a body; then 408."
    )
    min_body_rate: int = Field(
        16 * 1024,
        ge=0,
        description=(
            "Lowest rate in bytes a second of a body that is not complete, else 408, and of a "
            "fetched video, else 502."
        ),
    )
    body_window_s: float = Field(
        10.0,
        gt=0,
        description="Seconds over which that rate is measured, and so the longest pause.",
    )
    max_uploads_bytes: int = Field(
        16 * 1024**3,
        ge=1,
        description=(
            "Total bytes of uploads in parts that are not used yet, as announced; further ones "
            "get 429. Each counts as 8 MiB at least."
        ),
    )
    keep_uploads_s: float = Field(
        86_400.0, gt=0, description="Age at which an upload in parts is deleted if nobody goes on."
    )
    allowed_hosts: HostList = Field(
        frozenset(),
        description="Private hosts, host:port or networks to allow, separated by commas.",
    )
    gcs_buckets: HostList = Field(
        frozenset(),
        description="Allowed `gs://` buckets, separated by commas; read as this service.",
    )
    s3_buckets: HostList = Field(
        frozenset(),
        description="Allowed `s3://` buckets, separated by commas; read as this service.",
    )
    s3_endpoint: Address | None = Field(
        None,
        description="Address of an S3-compatible store, such as MinIO.",
        json_schema_extra={"unset": "Amazon's, by `AWS_REGION`"},
    )

    # Access.
    access: Literal["auto", "keys", "gateway"] = Field(
        "auto",
        description=(
            "`keys`: callers need a key or token. `gateway`: a gateway in front authenticates "
            "every caller, and this service none. `auto`: `keys` if `keys_file` or `oidc_issuer` "
            "is set, else open to everybody, which is refused unless it listens on loopback."
        ),
        json_schema_extra={"page": "#access"},
    )
    keys_file: Path | None = Field(
        None, description="File of API keys, made by `mmpose-service keys add`."
    )
    quota: Quota = Field(
        UNLIMITED,
        description=(
            "Limits of callers whose key has no limits itself, as JSON: `requests_a_minute`, "
            "`video_s_a_day`, `frames_a_day`, `queued_jobs`."
        ),
        json_schema_extra={"unset": "no limits"},
    )
    oidc_issuer: str | None = Field(
        None, min_length=1, description="Issuer (`iss`) of OIDC access tokens to accept."
    )
    oidc_audience: str | None = Field(
        None, min_length=1, description="Audience (`aud`) that tokens must have."
    )
    oidc_jwks_url: Annotated[
        str | None, Field(pattern=r"^(https://[^/]|http://(127\.0\.0\.1|localhost)[:/])")
    ] = Field(None, description="Address of the issuer's public keys, `https://`.")
    link_s: float = Field(
        86_400.0, ge=1, le=31_536_000, description="Seconds that a signed link is valid."
    )
    link_secret_file: Path | None = Field(
        None,
        description=(
            "File with the secret of signed links and webhooks, made if absent; the same for all "
            "nodes."
        ),
        json_schema_extra={"unset": "`link_secret` next to `keys_file`"},
    )
    cors_origins: HostList = Field(
        frozenset(),
        description=(
            "Origins whose pages may call the service, such as `https://app.example.org`, "
            "separated by commas."
        ),
    )

    page: bool = Field(True, description="Serve the page at `/`.")

    # Results.
    output: str = Field(
        str(ROOT / "out" / "videos"),
        description="Folder, `gs://bucket/prefix` or `s3://bucket/prefix` for annotated videos.",
    )
    public_url: str | None = Field(
        None,
        description="Address under which callers reach this service.",
        json_schema_extra={"unset": "the request's own"},
    )
    jobs_dir: Path = Field(
        ROOT / "out" / "jobs",
        description=(
            "Folder of jobs: sources, results, and segments for resuming; on a cluster, shared by "
            "all nodes."
        ),
    )
    jobs_database: SecretStr | None = Field(
        None,
        description=(
            "SQLAlchemy URL of the table of jobs: `postgresql+asyncpg://...` for several Ingress "
            "replicas on several hosts."
        ),
        json_schema_extra={"unset": "SQLite in `MMPOSE_JOBS_DIR`"},
    )
    max_running_jobs: int = Field(
        1, ge=0, le=1000, description="Jobs that one Ingress replica runs at once."
    )
    max_queued_jobs: int = Field(
        1000, ge=1, le=1_000_000, description="Jobs of one key that wait; further ones get 429."
    )
    keep_jobs_s: float = Field(
        604_800.0, gt=0, description="Age at which ended jobs are deleted, with their files."
    )
    max_jobs_bytes: int = Field(
        50 * 1024**3,
        ge=1,
        description=(
            "Total bytes in `MMPOSE_JOBS_DIR` beyond which the oldest ended jobs are deleted; "
            "segments that no job needs have a quarter of it."
        ),
    )
    job_deadline_s: float = Field(
        6 * 3600.0, gt=0, description="Longest time one attempt of a job may take."
    )
    keep_results_s: float = Field(
        86_400.0,
        gt=0,
        description="Age at which videos in a local folder are deleted; a job keeps its own.",
    )
    spool_dir: Path = Field(
        Path(tempfile.gettempdir()) / "mmpose-service",
        description="Folder of working files; on a cluster, shared by all nodes.",
    )
    encode_preset: str = Field(
        EncodeOptions().preset,
        pattern="^(ultrafast|superfast|veryfast|faster|fast|medium|slow|slower)$",
        description="Preset of x264.",
        json_schema_extra={"page": "performance.md"},
    )
    encode_crf: int = Field(
        EncodeOptions().crf, ge=0, le=51, description="Constant rate factor of x264."
    )
    hardware_video: bool = Field(
        True,
        description="Decode with NVDEC and encode with NVENC where the stages see such a GPU.",
    )
    encode_max_height: int | None = Field(
        None, ge=64, description="Scale taller videos down to this."
    )

    @property
    def biomechanics(self) -> bool:
        """Return whether biomechanics are computed."""
        return self.biomechanics_analysis is not False

    @property
    def jobs_url(self) -> str:
        """Return the SQLAlchemy URL of the table of jobs."""
        if self.jobs_database is not None:
            return self.jobs_database.get_secret_value()
        return f"sqlite+aiosqlite:///{self.jobs_dir.resolve()}/jobs.sqlite"

    @property
    def media_limits(self) -> MediaLimits:
        """Return the limits of a video that is analyzed."""
        return MediaLimits(self.max_bytes, self.max_duration_s, self.max_pixels, self.max_frames)

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, origins: frozenset[str]) -> frozenset[str]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an origin such as https://app.example.org")
        return origins

    @field_validator(
        "allowed_hosts", "cors_origins", "gcs_buckets", "s3_buckets", "mirrors", mode="before"
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            [part for part in re.split(r"[,\s]+", value) if part]
            if isinstance(value, str)
            else value
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources in order: the environment, then the arguments."""
        return env_settings, init_settings


def _refuse_unknown(names: Iterable[str]) -> None:
    known = {environment_name(field) for field in Settings.model_fields}
    known |= {API_KEY_VARIABLE, URL_VARIABLE}
    for name in sorted(names):
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise ConfigurationError(
                f"{name} is not a setting of this service" + (f"; {close[0]} is" if close else ""),
                setting=name,
            )


def load_settings(
    arguments: Mapping[str, Any] | None = None, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Load the settings in force.

    Raises:
        ConfigurationError: a variable or argument is unknown or has a wrong value; names it.
    """
    _refuse_unknown(environment)
    try:
        return Settings(**dict(arguments or {}))
    except ValidationError as error:
        raise ConfigurationError(
            "; ".join(_explain(item, environment) for item in error.errors())
        ) from error


def _explain(item: Any, environment: Mapping[str, str]) -> str:
    name = str(item["loc"][0]) if item["loc"] else "settings"
    field = name.lower().removeprefix(PREFIX.lower())
    variable = environment_name(field)
    where = variable if variable in environment else field
    return f"{where}: {item['msg']} (got {without_secrets(repr(item['input']))})"
