"""Noise that depends on the values before it."""

import math


def autoregressive(random, correlation, shape):
    """Series (n, ...) of standard deviation 1 along n, neighbours of which correlate so."""
    made = random.standard_normal(shape)
    for i in range(1, len(made)):
        made[i] = correlation * made[i - 1] + math.sqrt(1 - correlation**2) * made[i]
    return made
