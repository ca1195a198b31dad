"""How networks are run."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Settings of an engine.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``mixed`` is bf16 on CPUs that have it and fp16 on GPUs.
        flip_test: average with the mirrored crop.
        threads: of the CPU.
        use_compiled_ops: mmcv's compiled operators where they are installed.
        batch: most pictures in one call of the network.
        share_batches: a deployment puts pictures of different calls into one call of the network.
    """

    device: str = "auto"
    precision: Literal["fp32", "mixed"] = "fp32"
    flip_test: bool = False
    threads: int = 2
    use_compiled_ops: bool = True
    batch: int = 16
    share_batches: bool = True
