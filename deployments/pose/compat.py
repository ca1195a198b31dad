"""Run MMPose and MMDetection on the current stack, without anything that has to be compiled.

Of mmcv's compiled operators the registered networks call one, ``nms``, yet MMDetection imports them
all. Where mmcv is compiled, its operators are used; where it is not (mmcv-lite has a wheel, mmcv
has none), a module takes their place whose ``nms`` is ours and whose other operators refuse.

MMPose imports xtcocotools, which has no wheel for numpy 2. pycocotools takes its place.
"""

import importlib
import importlib.machinery
import importlib.util
import logging
import sys
import threading
import types
import warnings
from collections.abc import Callable
from typing import Any, Literal, NoReturn

from deployments.pose.codecs.nms import nms

logger = logging.getLogger("mmpose_service")

NmsKind = Literal["compiled", "python"]

_OPERATORS = "mmcv._ext"
_COCO_EVALUATION = "xtcocotools.cocoeval"

# Deprecated calls of the packages that a later torch will not have. They are pinned to this torch,
# so nobody who sees these warnings could act on them.
_KNOWN_WARNINGS = (
    (r"`torch\.cuda\.amp\.autocast\(args\.\.\.\)` is deprecated", FutureWarning),
    (r"torch\.meshgrid: in an upcoming release", UserWarning),
)
_lock = threading.Lock()


class _Substitute(types.ModuleType):
    """Takes a missing module's place; whatever is called in it refuses by ``message``."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name)
        self._message = message
        self.__spec__ = importlib.machinery.ModuleSpec(name, None)

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name.startswith("__"):
            raise AttributeError(name)

        def refuse(*_: Any, **__: Any) -> NoReturn:
            raise NotImplementedError(self._message.format(name=name))

        return refuse


class _Operators(_Substitute):
    """Takes the place of mmcv's compiled operators."""

    nms = staticmethod(nms)


def import_models(package: str, *, use_compiled_ops: bool = True) -> types.ModuleType:
    """Import ``package.models`` (``mmpose`` or ``mmdet``), which fills its registry.

    The first call in a process decides for the whole process which operators are used: later ones
    with another ``use_compiled_ops`` change nothing. :func:`nms_kind` tells which they are.
    """
    for message, category in _KNOWN_WARNINGS:
        warnings.filterwarnings("ignore", message, category)
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if _OPERATORS not in sys.modules and not (use_compiled_ops and _compiled_ops_work()):
            sys.modules[_OPERATORS] = _Operators(
                _OPERATORS, "mmcv's operator {name!r} needs a compiled mmcv"
            )
        _replace_xtcocotools()
        return importlib.import_module(f"{package}.models")


def _replace_xtcocotools() -> None:
    """Register pycocotools in its place: MMPose's data sets read annotations and masks by it.

    xtcocotools' evaluation takes other arguments, and nothing here evaluates by it.
    """
    for module in ("", ".coco", ".mask"):
        ours = importlib.import_module(f"pycocotools{module}")
        sys.modules.setdefault(f"xtcocotools{module}", ours)
    message = "MMPose's {name} needs xtcocotools; `mmpose-service eval` evaluates by pycocotools"
    sys.modules.setdefault(_COCO_EVALUATION, _Substitute(_COCO_EVALUATION, message))


def nms_kind() -> NmsKind:
    """Return which NMS this process uses: mmcv's ``compiled`` one or the ``python`` one."""
    operators = sys.modules.get(_OPERATORS)
    return "python" if operators is None or isinstance(operators, _Operators) else "compiled"


def compiled_cuda() -> bool:
    """Return whether this process uses mmcv's operators, compiled for CUDA."""
    return nms_kind() == "compiled" and _built_for_cuda(sys.modules[_OPERATORS])


def _compiled_ops_work() -> bool:
    if importlib.util.find_spec(_OPERATORS) is None:
        return False
    try:
        operators = importlib.import_module(_OPERATORS)
    except ImportError as error:
        logger.warning("mmcv's compiled operators do not fit this torch: %s", error)
        return False
    import torch

    if torch.cuda.is_available() and not _built_for_cuda(operators):
        logger.warning("mmcv's compiled operators are for the CPU only: not used beside CUDA")
        del sys.modules[_OPERATORS]
        return False
    return True


def _built_for_cuda(operators: types.ModuleType) -> bool:
    return bool(operators.get_compiling_cuda_version() != "not available")
