"""Read published ``.pth`` checkpoints without running code in them."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import torch
from numpy._core.multiarray import _reconstruct, scalar  # where numpy pickles its values from
from torch import Tensor

from deployments.errors import WeightsCorruptError


class _TrainingLog:
    """Takes the place of mmengine's ``HistoryBuffer``: the log of a training, never looked at."""

    def __setstate__(self, state: Any) -> None:
        """Drop it."""


def _method_of_log(owner: Any, name: str) -> None:
    """Replace ``getattr``, by which the methods of a ``HistoryBuffer`` are pickled.

    The real one would let a file reach any attribute of anything allowed.
    """
    if owner is not _TrainingLog:
        raise pickle.UnpicklingError(f"attribute {name!r} of something else than a training log")


# Types in published checkpoints other than tensors, all in their meta data. Files written under
# numpy 1 name the same types in numpy.core.
_ALLOWED: Final[list[Any]] = [
    (_TrainingLog, "mmengine.logging.history_buffer.HistoryBuffer"),
    (_method_of_log, "builtins.getattr"),
    np.ndarray,
    np.dtype,
    *(
        (f, f"numpy.{core}.multiarray.{f.__name__}")
        for core in ("core", "_core")
        for f in (_reconstruct, scalar)
    ),
    *(type(np.dtype(name)) for name in ("u1", "i4", "i8", "f4", "f8", "?")),
]


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the parameters of a checkpoint by name, on the CPU.

    Only tensors, plain values and what published checkpoints hold in their meta data are read; a
    file that names anything else is refused, nothing in it is run.

    Raises:
        WeightsCorruptError: not a checkpoint, damaged, or with foreign objects.
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        try:
            with torch.serialization.safe_globals(_ALLOWED):
                content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file can end in any of Python's errors
            raise _corrupt(path, _explain(file, error)) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not state:
        raise _corrupt(path, "it has no state_dict")
    strange = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if strange:
        raise _corrupt(path, f"its state_dict has things that are not tensors: {_some(strange)}")
    return state


def load_state(network: torch.nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Put the parameters into ``network``, which must be the one that they are of.

    Raises:
        WeightsCorruptError: some are missing, left over, of another shape, or not finite.
    """
    wanted = network.state_dict()
    # Counters of training steps and the constants of preprocessing come and go between versions of
    # torch and mmengine; inference uses neither.
    missing = [n for n in wanted if n not in state and not n.endswith("num_batches_tracked")]
    left_over = [n for n in state if n not in wanted and not n.startswith("data_preprocessor.")]
    common = [n for n in wanted if n in state]
    shapes = [
        f"{n} {tuple(state[n].shape)} for {tuple(wanted[n].shape)}"
        for n in common
        if state[n].shape != wanted[n].shape
    ]
    broken = [n for n in common if not bool(torch.isfinite(state[n]).all())]
    wrong = [
        f"{what}: {_some(names)}"
        for what, names in (
            ("parameters are missing", missing),
            ("parameters are unknown", left_over),
            ("parameters have another shape", shapes),
            ("parameters are not finite", broken),
        )
        if names
    ]
    if wrong:
        raise _corrupt(path, "it does not fit the network: " + "; ".join(wrong))
    network.load_state_dict({n: state[n] for n in common}, strict=False)


def _corrupt(path: Path, what: str) -> WeightsCorruptError:
    return WeightsCorruptError(
        f"{path.name} cannot be used: {what}",
        hint="Get the file again, or name the config that it was trained with in the registry.",
        private=str(path),
        file=path.name,
    )


def _explain(file: BinaryIO, error: Exception) -> str:
    file.seek(0)
    start = file.read(512).lstrip()
    if not start:
        return "it is empty"
    if start[:1] == b"<":
        return "it is a web page, not a checkpoint"
    # Torch wraps the reason of a refusal in advice to load the file unsafely, which ours is not.
    wrapped = error.__context__ if isinstance(error, pickle.UnpicklingError) else None
    reason = str(wrapped or error).strip()
    named = re.search(r"GLOBAL (\S+)", reason)
    if named:
        return f"it holds an object of a kind that is not read from checkpoints: {named[1]}"
    return (
        f"it is damaged or not a torch checkpoint ({reason.splitlines()[0] if reason else error!r})"
    )


def _some(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
