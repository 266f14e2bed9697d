"""The one audio shape inside codecfx: float32, (channels, samples), full scale at ±1."""

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]


def silence(channels: int, samples: int) -> Audio:
    """Zeros, float32 (channels, samples)."""
    return np.zeros((channels, samples), np.float32)
