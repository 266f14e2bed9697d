"""The maps that come along: they load, they move something, and no preset refuses them."""

import re
import tomllib
from pathlib import Path

import pytest

from codecfx.control.automation import tick_samples
from codecfx.control.timeline import Timeline
from codecfx.effects.steering import Steering
from codecfx.presets import load_map, load_preset

ROOT = Path(__file__).parents[1]
MAPS = sorted((ROOT / "maps").glob("*.toml"))
PRESETS = sorted((ROOT / "presets").rglob("*.toml"))
RATE = 48_000


@pytest.fixture(scope="module")
def boards():
    return {path.stem: load_preset(path).board() for path in PRESETS}


def test_there_are_some():
    assert len(MAPS) >= 7
    assert len(PRESETS) > 10


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_every_map_goes_with_every_preset(path, boards):
    controls = load_map(path)
    assert not controls.lanes
    assert not controls.modulators
    assert all(one.optional for one in controls.maps)
    idle = {one.target for one in controls.maps}
    for name, board in boards.items():
        steering = Steering(board, controls, {}, Timeline(RATE, None), tick_samples(RATE), 0)
        moved = {one.steered.target.parameter.id for one in steering.maps}
        assert moved & {"mix", "bypass"}
        assert name != "hotel-wifi" or {"bitrate_kbps", "mix"} <= moved
        idle -= {one.mapped.map.target for one in steering.maps}
    # no target is misspelt: each is of use in some preset, but for these, which effects have too
    assert not {one for one in idle if not re.fullmatch(r"[1-9]\.(mix|bypass)|\*\.bit_depth", one)}


@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_every_map_says_what_it_is_for(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert max(map(len, text.splitlines())) <= 104
    assert tomllib.loads(text)["version"] == 1
