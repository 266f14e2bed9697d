"""What can go wrong, as one tree. Every message is one line: what is wrong, what is allowed, and
what to do.

::

    CodecFxError
    ├── ConfigurationError (ValueError)   what was asked for cannot be
    │   ├── UnknownName                   a name nobody has; says the nearest
    │   ├── ParameterError                a value outside its range
    │   ├── SameEffectTwice (RuntimeError)  one instance cannot serve two places of a chain
    │   ├── UnsupportedFormat             a rate, channel count or layout we do not take
    │   ├── PresetError                   a preset that cannot be read; names file and key
    │   ├── ControlFileError              a file of lanes, maps or MIDI that cannot be read; names
    │   │                                 file and line
    │   └── TakeError                     a take that cannot be read or begun; names file and line
    ├── CodecUnavailable (ImportError)    an engine this machine lacks; says how to get it
    │   ├── ModelMissing                  a codec's model is not here; says what to type
    │   └── ModelFileError                a model file that is wrong, or cannot be fetched or stored
    ├── MidiUnavailable                   no MIDI library, system or port; says what is needed
    ├── AudioDeviceError                  no such device, or one that does not open; says what there is
    ├── StreamError (RuntimeError)        a stream used against its contract
    │   ├── NotPrepared
    │   └── FrameSizeError
    └── AudioFileError (OSError)          a file that cannot be read or written
"""

import difflib
from collections.abc import Iterable


def shown(value: object) -> str:
    """A value as a message quotes it: one line, not without measure."""
    try:
        text = " ".join(str(value).split())
    except ValueError:  # of a whole number with thousands of digits
        text = "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}..."


class CodecFxError(Exception):
    """Any error codecfx raises on purpose."""


class ConfigurationError(CodecFxError, ValueError):
    """What was asked for cannot be; raised when it is set, never in the audio path."""


class UnknownName(ConfigurationError):
    """A name nobody has. Says the nearest one that exists, or all of them where they are few."""

    def __init__(self, kind: str, name: str, known: Iterable[str], where: str = "") -> None:
        names = sorted(known)
        by_lower = {known_name.lower(): known_name for known_name in names}
        near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
        if near:
            advice = f"did you mean '{by_lower[near[0]]}'?"
        elif names:
            advice = "there is: " + ", ".join(names)
        else:
            advice = "it takes none"
        self.name = name
        super().__init__(f"{where}: " * bool(where) + f"no {kind} '{name}'; {advice}")


class ParameterError(ConfigurationError):
    """A parameter value of the wrong kind or outside its range."""


class SameEffectTwice(ConfigurationError, RuntimeError):
    """One effect instance stands in two places; its memory serves one stream. (pedalboard raises a
    RuntimeError for this; ours is one too.)"""


class UnsupportedFormat(ConfigurationError):
    """A sample rate, channel count or array layout that cannot be processed."""


class PresetError(ConfigurationError):
    """A preset that cannot be read. The message names the file and the key."""


class ControlFileError(ConfigurationError):
    """A file of lanes, maps or MIDI that cannot be read. The message names the file and the line."""


class TakeError(ConfigurationError):
    """A take that cannot be read, or begun. The message names the folder, or the file and the line."""


class CodecUnavailable(CodecFxError, ImportError):
    """A codec engine is missing on this machine. The message says how to get it."""


class ModelMissing(CodecUnavailable):
    """A codec's model is not on this machine. The message says what to type."""


class ModelFileError(CodecUnavailable):
    """A model file is truncated, wrong or foreign, or cannot be fetched or stored. The message names
    the file and what was expected."""


class MidiUnavailable(CodecFxError):
    """This machine has no MIDI: no library, no sequencer or server, or no port. The message says what
    is needed."""


class AudioDeviceError(CodecFxError):
    """No such audio device, or one that does not open as it was asked for; or this machine has no
    PortAudio. The message says what there is, and what to do."""


class StreamError(CodecFxError, RuntimeError):
    """A stream was used against its contract."""


class NotPrepared(StreamError):
    """Audio, or a latency, was asked of an effect that has not been prepared."""


class FrameSizeError(StreamError):
    """A codec was given something other than whole frames."""


class AudioFileError(CodecFxError, OSError):
    """An audio file cannot be read or written. The message names the file and the reason."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""
