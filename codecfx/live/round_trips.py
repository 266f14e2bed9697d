"""Round trips that were measured, by devices, rate and block: kept in a file of the user's."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codecfx.live.round_trip import RoundTrip
from codecfx.live.wiring import Wiring


def path() -> Path:
    """Where they are kept."""
    import platformdirs

    return platformdirs.user_config_path("codecfx") / "round-trips.json"


def known(wiring: Wiring, block_samples: int) -> RoundTrip | None:
    """What was measured for these devices; None for nothing."""
    said = _all().get(_key(wiring, block_samples))
    try:
        return RoundTrip(**said) if said else None
    except TypeError:  # of another version
        return None


def keep(wiring: Wiring, measured: RoundTrip) -> None:
    """Keep what was measured, for these devices and its block. Raises OSError."""
    file = path()
    file.parent.mkdir(parents=True, exist_ok=True)
    every = _all() | {_key(wiring, measured.block_samples): asdict(measured)}
    aside = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        aside.write_text(json.dumps(every, indent=2), encoding="utf-8")
        os.replace(aside, file)
    finally:
        aside.unlink(missing_ok=True)


def _all() -> dict[str, Any]:
    try:
        said = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _key(wiring: Wiring, block_samples: int) -> str:
    """The devices and how they are used, in words."""
    return f"{wiring.microphone} to {wiring.phones}, {wiring.sample_rate} Hz, block {block_samples}"
