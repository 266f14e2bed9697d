"""Networks by name: what a packet meets on its way, as parameters of `network`.

They are characters, set by ear in the order of magnitude that people who measure networks report, and
not measurements of one.
"""

from collections.abc import Mapping

from codecfx.control.parameters import Value
from codecfx.errors import ParameterError, UnknownName, shown

PATHS: dict[str, dict[str, Value]] = {
    "perfect": {},
    "home-wifi": {
        "loss": 0.01,
        "loss_pattern": "bursts",
        "burst_packets": 2.5,
        "jitter_ms": 4.0,
        "jitter_shape": "pareto",
        "buffer_ms": 40.0,
    },
    "hotel": {
        "loss": 0.08,
        "loss_pattern": "bursts",
        "burst_packets": 6.0,
        "jitter_ms": 18.0,
        "reorder": 0.02,
        "bandwidth_kbps": 400.0,
        "queue_ms": 150.0,
        "buffer_ms": 80.0,
    },
    "train-3g": {
        "loss": 0.15,
        "loss_pattern": "bursts",
        "burst_packets": 20.0,
        "jitter_ms": 45.0,
        "bandwidth_kbps": 64.0,
        "queue_ms": 400.0,
        "buffer_ms": 160.0,
        "adaptive": True,
        "conceal": "stretch",
    },
    "5g": {"loss": 0.002, "jitter_ms": 2.0, "jitter_shape": "normal", "buffer_ms": 20.0},
    "satellite": {
        "distance_km": 48_800.0,  # up to a geostationary one and down, 239 ms, as fibre takes them
        "loss": 0.03,
        "loss_pattern": "drift",
        "loss_period_ms": 3000.0,
        "jitter_ms": 6.0,
        "buffer_ms": 60.0,
        "conceal": "fade",
    },
    "cafe": {
        "loss": 0.05,
        "loss_pattern": "drift",
        "loss_period_ms": 1500.0,
        "jitter_ms": 40.0,
        "reorder": 0.05,
        "duplicate": 0.02,
        "bandwidth_kbps": 128.0,
        "queue_ms": 300.0,
        "buffer_ms": 120.0,
        "adaptive": True,
        "late": "played",
    },
}


def parameters_of(network: object) -> dict[str, object]:
    """The parameters that a path's name stands for, or a table of parameters, which may name a path to
    begin with.

    Raises:
        UnknownName, ParameterError: no such path, or neither name nor table.

    >>> parameters_of({"path": "5g", "loss": 0.5})["loss"]
    0.5
    """
    if isinstance(network, Mapping):
        others = dict(network)
        return parameters_of(others.pop("path", "perfect")) | others
    if not isinstance(network, str):
        raise ParameterError(f"network is {shown(network)}; it takes {', '.join(PATHS)}, or a table")
    name = network.strip().lower()
    if name not in PATHS:
        raise UnknownName("network", network, PATHS)
    return dict(PATHS[name])
