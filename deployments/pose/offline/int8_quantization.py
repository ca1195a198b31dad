"""Quantize a pose network to int8 by NNCF.

Weights and activations of convolutions become whole numbers, at scales that are chosen on pictures
of people. The last convolutions and what comes after them stay in floating point: they are a small
part of the work, and give the bins from which a keypoint's place is read.
"""

import logging
import sys
from contextlib import redirect_stdout
from typing import Any

from deployments.errors import ConfigurationError
from deployments.messages import U8
from deployments.pose.engines.converted import PoseSource

_CONVOLUTIONS = ("Convolution", "GroupConvolution")


def quantize(source: PoseSource, crops: U8) -> Any:
    """Quantize OpenVINO's model of ``source`` to int8.

    Args:
        source: the network. crops: (n, h, w, 3) of people, by which scales are chosen.

    Raises:
        ConfigurationError: it has no convolutions but the last, and would stay as it is.
    """
    # To a CPU x * sigmoid(x), the activation of these networks, costs nothing after a convolution
    # if it is one operation. It is made one here, or NNCF puts the rounding between.
    from openvino._offline_transformations import apply_moc_transformations

    nncf = _nncf()
    model = source.model.clone()
    apply_moc_transformations(model, cf=False)
    with redirect_stdout(sys.stderr):  # its progress
        model = nncf.quantize(
            model,
            nncf.Dataset([source.inputs(crop[None]) for crop in crops]),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(crops),
            ignored_scope=nncf.IgnoredScope(names=_last_operations(model), validate=False),
        )
    if not any(operation.get_type_name() == "FakeQuantize" for operation in model.get_ops()):
        raise ConfigurationError("the network has nothing to quantize", hint="It runs as it is.")
    return model


def _last_operations(model: Any) -> list[str]:
    """Return the names of the operations from the last convolutions, included, to the outputs."""
    names: list[str] = []
    waiting = [result.input_value(0).get_node() for result in model.get_results()]
    while waiting:
        operation = waiting.pop()
        if (name := operation.get_friendly_name()) not in names:
            names.append(name)
            if operation.get_type_name() not in _CONVOLUTIONS:
                waiting += [value.get_node() for value in operation.input_values()]
    return names


def _nncf() -> Any:
    """Import NNCF without the telemetry that it sends where OpenVINO's package is found."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import nncf

    nncf.set_log_level(logging.WARNING)
    return nncf
