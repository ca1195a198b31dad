"""Count the CPUs that this process may use."""

import math
import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cpus(quota: Path = _QUOTA) -> int:
    """CPUs that the scheduler gives this process, not more than its container's quota; at least 1.

    Args:
        quota: the control group's file: microseconds allowed a period, and the period, or ``max``.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        most, _, every = quota.read_text().partition(" ")
        share = math.ceil(int(most) / int(every))
    except (OSError, ValueError):  # no control groups here, or no quota
        return count or 1
    return max(min(count or 1, share), 1)
