"""Pictures that say which they are and which way is up, and how to read that back.

Each shows, upright: a red block at the top left, a green one at the top right, and in the lower
half its number in six bits, white for 1, the highest bit at the left.
"""

import numpy as np

RED, GREEN = (0, 0, 220), (0, 200, 0)
BITS = 6
BLOCK = 16
Corner = tuple[int, int, int, int]


def numbered(number: int, width: int, height: int) -> np.ndarray:
    """The picture of a number, (height, width, 3) uint8 BGR."""
    image = np.full((height, width, 3), 96, np.uint8)
    image[:BLOCK, :BLOCK] = RED
    image[:BLOCK, width - BLOCK :] = GREEN
    edges = np.linspace(0, width, BITS + 1).round().astype(int)
    for bit in range(BITS):
        value = 220 if number >> (BITS - 1 - bit) & 1 else 30
        image[height // 2 :, edges[bit] : edges[bit + 1]] = value
    return image


def number_of(bgr: np.ndarray) -> int:
    """The number that a picture (h, w, 3) shows."""
    lower = bgr[bgr.shape[0] * 5 // 8 : bgr.shape[0] * 7 // 8].mean(axis=(0, 2))
    edges = np.linspace(0, len(lower), BITS * 3 + 1).round().astype(int)
    middles = [lower[a:b].mean() for a, b in zip(edges[1::3], edges[2::3], strict=False)]
    return sum((value > 125) << (BITS - 1 - i) for i, value in enumerate(middles))


def is_upright(bgr: np.ndarray, corner: Corner) -> bool:
    """Whether red stands at the top left and green at the top right, and both nowhere else.

    Args:
        corner: x1, y1, x2, y2 of the red block.
    """
    x1, y1, x2, y2 = corner
    rows = slice((3 * y1 + y2) // 4, (y1 + 3 * y2) // 4)
    columns = slice((3 * x1 + x2) // 4, (x1 + 3 * x2) // 4)
    red, green = (view[rows, columns].mean(axis=(0, 1)) for view in (bgr, bgr[:, ::-1]))
    return bool(red[2] - red[:2].max() > 80 and green[1] - green[[0, 2]].max() > 60)
