"""codecfx: audio codecs as playable effects.

Effects       `Opus`, `MP3`, `GSM`, ...: every codec as an effect, by the titles that `codecfx codecs`
              lists; `CodecEffect`, what they have in common
Containers    `Pedalboard`, `Chain`, `Mix`: pedalboard's, for its plugins and ours in any mixture;
              `Split`, `MidSide`, `Generations`: bands, the middle and the sides, copies of copies
Natives       `native("Compressor", threshold_db=-20)`, `plugin("x.vst3")`: pedalboard's plugins with
              mix, bypass and label
Presets       `load_preset`, `save_preset`, `preset_names`
Files         `render`: file -> board -> file, streaming
Control       `Lane`, `Map`, `LFO`, `EnvelopeFollower`, `TransientGate`, `RandomWalk`; `Controls`, all
              of them together; `load_controls`, `load_map`, `read_midi_file`. See docs/control.md
Performances  `Player`, `Move`: a board and what moves it, for hosts; `TakeWriter`, `load_take`
Streams       `StreamSpec`, `Effect`: the contract for hosts
Your own      `register`: make a codec of your own known; `effect_of`: its effect class
Errors        `CodecFxError` and its kin, in `codecfx.errors`

>>> import numpy as np
>>> from codecfx import Opus
>>> opus = Opus(bitrate_kbps=12)
>>> opus(np.zeros((2, 4800), np.float32), 48000).shape
(2, 4800)
>>> opus.latency_samples
1271

Everything is imported on first use: `import codecfx` loads no engine, not even pedalboard.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "CodecEffect": "codecfx.effects.codec_effect",
    "effect_of": "codecfx.effects.codec_effect",
    "Pedalboard": "codecfx.effects.board",
    "Chain": "codecfx.effects.board",
    "Mix": "codecfx.effects.board",
    "Split": "codecfx.effects.split",
    "MidSide": "codecfx.effects.mid_side",
    "Generations": "codecfx.effects.generations",
    "Effect": "codecfx.effects.base",
    "StreamSpec": "codecfx.effects.processor",
    "register": "codecfx.codecs",
    "load_preset": "codecfx.presets",
    "save_preset": "codecfx.presets",
    "preset_names": "codecfx.presets",
    "load_map": "codecfx.presets",
    "render": "codecfx.rendering",
    "Lane": "codecfx.control.automation",
    "Map": "codecfx.control.maps",
    "LFO": "codecfx.control.modulation",
    "EnvelopeFollower": "codecfx.control.modulation",
    "TransientGate": "codecfx.control.modulation",
    "RandomWalk": "codecfx.control.modulation",
    "Controls": "codecfx.control.controls",
    "load_controls": "codecfx.control.control_file",
    "read_midi_file": "codecfx.control.midi_file",
    "Player": "codecfx.effects.player",
    "Move": "codecfx.effects.player",
    "TakeWriter": "codecfx.takes",
    "load_take": "codecfx.takes",
    "CodecFxError": "codecfx.errors",
}
# `__all__`, with the codecs' titles, is made when somebody asks for it

if TYPE_CHECKING:
    from codecfx.codecs import register as register
    from codecfx.control.automation import Lane as Lane
    from codecfx.control.control_file import load_controls as load_controls
    from codecfx.control.controls import Controls as Controls
    from codecfx.control.maps import Map as Map
    from codecfx.control.midi_file import read_midi_file as read_midi_file
    from codecfx.control.modulation import LFO as LFO
    from codecfx.control.modulation import EnvelopeFollower as EnvelopeFollower
    from codecfx.control.modulation import RandomWalk as RandomWalk
    from codecfx.control.modulation import TransientGate as TransientGate
    from codecfx.effects.base import Effect as Effect
    from codecfx.effects.board import Chain as Chain
    from codecfx.effects.board import Mix as Mix
    from codecfx.effects.board import Pedalboard as Pedalboard
    from codecfx.effects.codec_effect import CodecEffect as CodecEffect
    from codecfx.effects.codec_effect import effect_of as effect_of
    from codecfx.effects.generations import Generations as Generations
    from codecfx.effects.mid_side import MidSide as MidSide
    from codecfx.effects.player import Move as Move
    from codecfx.effects.player import Player as Player
    from codecfx.effects.processor import StreamSpec as StreamSpec
    from codecfx.effects.split import Split as Split
    from codecfx.errors import CodecFxError as CodecFxError
    from codecfx.presets import load_map as load_map
    from codecfx.presets import load_preset as load_preset
    from codecfx.presets import preset_names as preset_names
    from codecfx.presets import save_preset as save_preset
    from codecfx.rendering import render as render
    from codecfx.takes import TakeWriter as TakeWriter
    from codecfx.takes import load_take as load_take

    PCM: type[CodecEffect]
    Opus: type[CodecEffect]
    MP3: type[CodecEffect]


def native(name: str, **settings: Any) -> Any:
    """pedalboard's effect `name` as one of ours: its parameters, and mix, bypass and label.

    Raises:
        UnknownName, ParameterError: with the nearest name, or what is allowed.
    """
    from codecfx.effects import native_effect

    return native_effect.find(name)(**settings)


def plugin(path: str, plugin_name: str | None = None, **settings: Any) -> Any:
    """A VST3 or AU effect from its file as one of ours, so that presets can name it.

    Raises:
        ParameterError: it does not load, is an instrument, or refuses a setting.
    """
    from codecfx.effects import native_effect

    return native_effect.load(path, plugin_name, **settings)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "__all__":
        return sorted([*_HOMES, "native", "plugin", *import_module("codecfx.codecs").titles()])
    if name[0].isupper():  # a codec's title; others are not looked up, which would load numpy
        codec = import_module("codecfx.codecs").titles().get(name)
        if codec is not None:
            return import_module("codecfx.effects.codec_effect").find(codec)
    raise AttributeError(f"module 'codecfx' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__getattr__("__all__"), "__version__"]
