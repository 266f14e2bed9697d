"""What every test shares: hypothesis' settings, and a room to convolve with."""

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, settings

# The same examples on every run and machine; no deadline, since machines are shared
settings.register_profile(
    "codecfx",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("codecfx")


@pytest.fixture(scope="session")
def impulse_path(tmp_path_factory) -> str:
    """The path of a short stereo impulse response: noise that fades in 10 ms."""
    random = np.random.default_rng(5)
    room = 0.05 * random.standard_normal((2000, 2)) * np.exp(-np.arange(2000) / 480)[:, np.newaxis]
    path = tmp_path_factory.mktemp("impulses") / "room.wav"
    soundfile.write(path, room.astype(np.float32), 48_000, subtype="FLOAT")
    return str(path)
