"""Define the options of running a network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deployments.pose.calibration import Calibration
from deployments.process_setup import usable_cpus


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Settings of an engine.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``mixed`` is bf16 on CPUs that have it and fp16 on GPUs.
        quantized: folder of pose networks in int8, which OpenVINO runs instead of the checkpoints
            that they are of.
        flip_test: average with the mirrored crop.
        engine: what runs ``.pth`` checkpoints: ``auto`` is OpenVINO on a CPU, torch on a GPU.
        threads: of the CPU; None for all that this process may use.
        use_compiled_ops: mmcv's compiled operators where they are installed.
        batch: most pictures in one call of the network.
        share_batches: a deployment puts pictures of different calls into one call of the network.
        calibrations: of models; each applies where its model is loaded.
        cache_dir: where converted networks are kept; None for nowhere.
    """

    device: str = "auto"
    precision: Literal["fp32", "mixed"] = "fp32"
    quantized: Path | None = None
    flip_test: bool = False
    engine: Literal["auto", "torch", "openvino"] = "torch"
    threads: int | None = None
    use_compiled_ops: bool = True
    batch: int = 16
    share_batches: bool = True
    cache_dir: Path | None = None
    calibrations: tuple[Calibration, ...] = ()

    @property
    def cpu_threads(self) -> int:
        """Threads of the CPU."""
        return self.threads or usable_cpus()
