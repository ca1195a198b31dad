"""Check the batches that engines take."""

import numpy as np

from deployments.errors import InferenceError
from deployments.messages import U8


def check_pictures(pictures: U8, input_size: tuple[int, int]) -> None:
    """Refuse pictures that are not (n, height, width, 3) uint8 of ``input_size`` (width, height).

    Raises:
        InferenceError: they are of another size or type, which the network would answer wrongly.
    """
    width, height = input_size
    if pictures.shape[1:] != (height, width, 3) or pictures.dtype != np.uint8:
        raise InferenceError(
            f"pictures are {pictures.shape[1:]} {pictures.dtype}, the network takes "
            f"{(height, width, 3)} uint8"
        )
