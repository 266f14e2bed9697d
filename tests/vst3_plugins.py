"""Real VST3 plugins in our boards. These need Debian's zam-plugins, so `make test` leaves them out and
`make vst3` runs them; CI does both.
"""

from pathlib import Path

import numpy as np
import pedalboard
import pytest

import codecfx
from codecfx.errors import ParameterError, PresetError, UnsupportedFormat

FOLDER = Path("/usr/lib/vst3")
RATE = 48_000
STEREO = ("ZaMaximX2", "ZaMultiCompX2", "ZamCompX2", "ZamGateX2")


def path_of(name: str) -> str:
    return str(FOLDER / f"{name}.vst3")


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal((2, RATE))).astype(np.float32)


@pytest.mark.parametrize("name", STEREO)
def test_a_vst3_in_a_mixed_board_sounds_as_in_pedalboard(name, noise):
    """Beside a codec it streams on the grid; PCM is transparent, so pedalboard's own result is left."""
    board = codecfx.Pedalboard([pedalboard.load_plugin(path_of(name)), codecfx.PCM()])
    expected = pedalboard.load_plugin(path_of(name))(noise, RATE)
    assert np.array_equal(board(noise, RATE), expected)


@pytest.mark.parametrize("name", STEREO)
def test_its_samples_do_not_depend_on_the_blocks(name, noise):
    board = codecfx.Pedalboard([codecfx.plugin(path_of(name)), codecfx.Opus(bitrate_kbps=24)])
    whole = board.process(noise, RATE, reset=False)
    board.reset()
    sizes = (1, 7, 64, 65, 127, 480, 4096)
    parts, at = [], 0
    while at < noise.shape[1]:
        size = sizes[len(parts) % len(sizes)]
        parts.append(board.process(noise[:, at : at + size], RATE, reset=False))
        at += size
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


def test_the_latency_that_it_reports_is_declared(noise):
    """ZaMaximX2 is a limiter with 480 samples of look-ahead, and says so only after its first sound."""
    board = codecfx.Pedalboard([pedalboard.load_plugin(path_of("ZaMaximX2"))])
    board.prepare(codecfx.StreamSpec(RATE, 2))
    assert board.latency_samples == 480 + 63


def test_mono_plugins_refuse_stereo_in_one_line(noise):
    with pytest.raises(UnsupportedFormat, match="ZamComp") as caught:
        codecfx.Pedalboard([codecfx.plugin(path_of("ZamComp")), codecfx.PCM()])(noise, RATE)
    assert "\n" not in str(caught.value)


def test_its_parameters_are_ours_and_move_the_sound(noise):
    effect = codecfx.plugin(path_of("ZamCompX2"))
    makeup = next(one for one in effect.parameters if one.id.startswith("makeup"))
    assert makeup.minimum is not None
    assert makeup.maximum is not None
    before = effect(noise, RATE)
    effect.set(makeup.id, makeup.maximum)
    assert np.sqrt(np.mean(effect(noise, RATE) ** 2)) > 2 * np.sqrt(np.mean(before**2))


def test_presets_keep_its_file_and_its_state(noise, tmp_path):
    board = codecfx.Pedalboard(
        [codecfx.plugin(path_of("ZamCompX2"), label="glue"), codecfx.PCM(bits=12)]
    )
    makeup = next(one.id for one in board[0].parameters if one.id.startswith("makeup"))
    board[0].set(makeup, 6.0)
    path = codecfx.save_preset(board, tmp_path / "vst.toml", description="A VST3")
    again = codecfx.load_preset(path).board()
    assert again[0].label == "glue"
    assert np.array_equal(again(noise, RATE), board(noise, RATE))


def test_a_plugin_without_its_file_cannot_be_saved(tmp_path):
    board = codecfx.Pedalboard([pedalboard.load_plugin(path_of("ZamCompX2"))])
    with pytest.raises(PresetError, match=r"codecfx\.plugin"):
        codecfx.save_preset(board, tmp_path / "vst.toml")


def test_what_is_no_plugin_is_refused_in_one_line(tmp_path):
    nothing = tmp_path / "nothing.vst3"
    nothing.write_bytes(b"no plugin")
    for path in (nothing, tmp_path / "missing.vst3"):
        with pytest.raises(ParameterError, match=path.name) as caught:
            codecfx.plugin(str(path))
        assert "\n" not in str(caught.value)
