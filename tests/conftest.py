"""What every test shares: hypothesis' settings, a room to convolve with, and no codec of a library that
this machine lacks.
"""

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, settings
from made_models import use_made_models

from codecfx import codecs
from codecfx.codecs.family import libraries
from codecfx.control.parameters import checked
from codecfx.errors import CodecUnavailable

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


def pytest_configure() -> None:
    """Before xdist starts its workers, which inherit the environment."""
    use_made_models()


@pytest.fixture(scope="session")
def impulse_path(tmp_path_factory) -> str:
    """The path of a short stereo impulse response: noise that fades in 10 ms."""
    random = np.random.default_rng(5)
    room = 0.05 * random.standard_normal((2000, 2)) * np.exp(-np.arange(2000) / 480)[:, np.newaxis]
    path = tmp_path_factory.mktemp("impulses") / "room.wav"
    soundfile.write(path, room.astype(np.float32), 48_000, subtype="FLOAT")
    return str(path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is run for a codec whose library is optional and not here."""
    missing = {}
    for row in libraries.ROWS:
        codec = codecs.find(row.name)
        try:
            codec(48_000, 1, checked(codec.parameters, {}, row.name))
        except CodecUnavailable as error:
            missing[row.name] = str(error)
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            for value in item.callspec.params.values():
                if isinstance(value, str) and value in missing and "optional" not in item.path.name:
                    item.add_marker(pytest.mark.skip(reason=missing[value]))
