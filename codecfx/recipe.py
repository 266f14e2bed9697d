"""Recipes: a board and what moves it in words, as the command line has them, for any process."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from codecfx.errors import ConfigurationError

if TYPE_CHECKING:
    from codecfx.control.controls import Controls
    from codecfx.control.midi_file import MidiFile
    from codecfx.effects.base import Effect
    from codecfx.effects.board import Pedalboard


@dataclass(frozen=True, slots=True)
class Recipe:
    """A preset's effects, then effects by name and settings, and the mix of it all; what moves them."""

    preset: str = ""
    effects: tuple[str, ...] = ()  # "opus:bitrate_kbps=8,frame_ms=20"
    mix: float | None = None  # None keeps the preset's
    automation: tuple[str, ...] = ()  # control files
    maps: tuple[str, ...] = ()  # more of them, or names of those that come along
    midi: str = ""  # a .mid
    delta: str = ""  # "on" or "matched": what the board changes; "" keeps the preset's

    @property
    def is_bare(self) -> bool:
        """Whether it names no effect."""
        return not self.preset and not self.effects

    def board(self) -> "Pedalboard":
        """A new board.

        Raises:
            ConfigurationError: a preset, effect, parameter or value that does not exist; says the
                nearest name or the allowed values.
        """
        from codecfx.effects.board import Pedalboard

        board = Pedalboard()
        if self.preset:
            from codecfx.presets import load_preset

            board = load_preset(self.preset).board()
        board.extend(effect_from(text) for text in self.effects)
        if not board:
            raise ConfigurationError(
                "no effect given; choose a preset (-p hotel-wifi) or effects (-e opus:bitrate_kbps=8)"
            )
        return self.finished(board)

    def finished(self, board: "Pedalboard") -> "Pedalboard":
        """`board`, with what is said of it as a whole. Raises ConfigurationError."""
        if self.mix is not None:
            board.set("mix", self.mix)
        if self.delta:
            board.set("delta", self.delta)
        return board

    def controls(self) -> "Controls":
        """What moves the board: the preset's own controls, then those of the files.

        Raises:
            ConfigurationError: a file that cannot be read, or something in it that is wrong.
        """
        from codecfx.control.control_file import load_controls
        from codecfx.control.controls import Controls
        from codecfx.presets import load_map

        controls = Controls()
        if self.preset:
            from codecfx.presets import load_preset

            controls = load_preset(self.preset).controls
        for path in self.automation:
            controls += load_controls(path)
        for name in self.maps:
            controls += load_map(name)
        return controls

    def midi_file(self) -> "MidiFile | None":
        """The messages to play. Raises ControlFileError for a file that is none."""
        from codecfx.control.midi_file import read_midi_file

        return read_midi_file(self.midi) if self.midi else None

    def check(self) -> None:
        """Whatever is wrong with it, for any sound.

        Raises:
            ConfigurationError: as `board`, `controls` and `midi_file` do; or a path or value that the
                board does not have.
        """
        from codecfx.effects.steering import refuse_unknown

        board, controls = self.board(), self.controls()
        refuse_unknown(board, controls)
        if self.midi_file() and not any(one.source.kind != "modulator" for one in controls.maps):
            raise ConfigurationError(
                f"{self.midi} moves nothing without a map; give --map FILE, or a preset that has some"
            )


def effect_from(text: str) -> "Effect":
    """An effect from its name and settings: `name` or `name:parameter=value,parameter=value`.

    Raises:
        ConfigurationError: not of this form, or nothing of this name or with these settings.

    >>> effect_from("opus:bitrate_kbps=8,frame_ms=20,label=call")
    Opus(bitrate_kbps=8.0, label='call')
    """
    from codecfx.control.parameters import checked
    from codecfx.effects import registry

    name, colon, rest = text.partition(":")
    settings: dict[str, str] = {}
    for part in rest.split(",") if colon else ():
        key, equals, value = part.partition("=")
        if not key.strip() or not equals:
            raise ConfigurationError(
                f"'{text}': '{part}' is no setting; write name:parameter=value,parameter=value"
            )
        if key.strip() in settings:
            raise ConfigurationError(f"'{text}': {key.strip()} is given twice; choose one value")
        settings[key.strip()] = value.strip()
    if name.strip() == "plugin":
        from codecfx.effects import native_effect

        if "path" not in settings:
            raise ConfigurationError(f"'{text}': give plugin:path=FILE, a VST3 or AU")
        return native_effect.load(settings.pop("path"), settings.pop("plugin_name", None), **settings)
    kind = registry.find(name.strip())
    label = settings.pop("label", "")
    return kind(label=label, **checked(kind.parameters, kind.spelled_out(settings), kind.name))
