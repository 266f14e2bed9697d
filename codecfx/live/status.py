"""What the live host says of itself, whenever it is asked: what screens show and programs read."""

from dataclasses import dataclass, field

from codecfx.control.parameters import Parameter, Value


@dataclass(frozen=True, slots=True)
class Level:
    """One channel's level, in dB of full scale; -inf for silence."""

    rms_db: float  # over 300 ms
    peak_db: float  # falls 12 dB a second


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the way from microphone to phones, and how late it makes the sound."""

    name: str
    samples: int
    ms: float
    is_known: bool = True  # False: the device does not say


@dataclass(frozen=True, slots=True)
class Knob:
    """One parameter of the board that is heard."""

    path: str  # "opus.bitrate_kbps"
    parameter: Parameter
    value: Value
    text: str  # the value in words: "8 kbps", "voip"
    source: str  # what moves it, in words: "cc 21", "lfo"; "" for nothing
    position: float  # 0..1, as a knob would show it


@dataclass(frozen=True, slots=True)
class Dropout:
    """Sound that was missing."""

    seconds: float  # since the start
    blocks: int


@dataclass(frozen=True, slots=True)
class Load:
    """What the board costs of the time there is: 1.0 is all of it."""

    mean: float
    worst: float  # of the last ten seconds

    @property
    def headroom(self) -> float:
        """What is left in the worst block, 0 for nothing."""
        return max(0.0, 1.0 - self.worst)


@dataclass(frozen=True, slots=True)
class Status:
    """How everything is now."""

    state: str  # "starting", "running", "lost", "ended"
    trouble: str = ""  # what is wrong, and what to do, in a line; "" for nothing
    news: tuple[str, ...] = ()  # what happened lately, newest last: "midi: Launch Control is there"
    seconds: float = 0.0  # since the start
    # the devices
    input_name: str = ""
    output_name: str = ""
    sample_rate: int = 0  # Hz
    block_samples: int = 0
    is_real_time: bool = False  # whether the audio thread has real-time priority
    midi_inputs: tuple[str, ...] = ()
    # the sound
    inputs: tuple[Level, ...] = ()
    outputs: tuple[Level, ...] = ()
    reduction_db: float = 0.0  # of the guard, 0 for nothing, else negative
    clamped_samples: int = 0
    is_howling: bool = False
    howl_hz: float = 0.0
    has_silent_input: bool = False  # nothing but zeros for two seconds
    is_muted: bool = True
    is_bypassed: bool = False
    # the board
    presets: tuple[str, ...] = ()  # those that can be gone through, by name
    preset: str = ""  # the one that is heard
    side: str = "A"  # of A and B
    sides: tuple[str, str] = ("", "")  # the presets of A and B
    is_changing: bool = False  # another board is being made, or faded in
    knobs: tuple[Knob, ...] = ()
    learning: str = ""  # the path that the next control moved will move; "" for none
    kbps: float = 0.0  # true bits of all codecs now
    lost_packets: int = 0  # that were not there when they were due
    concealed_packets: int = 0  # of those, in whose place something else was heard
    repaired_packets: int = 0  # made good from others
    damaged_packets: int = 0  # that were not what was sent
    packets: int = 0
    # time
    latency: tuple[Part, ...] = ()  # device in, block, each effect, device out
    load: Load = field(default_factory=lambda: Load(0.0, 0.0))
    dropouts: int = 0
    recent_dropouts: tuple[Dropout, ...] = ()
    restarts: int = 0
    # recording
    is_recording: bool = False  # asked for; the take begins when its board does
    take: str = ""  # the folder of the take that is recorded; "" for none
    take_seconds: float = 0.0
    takes: tuple[str, ...] = ()  # those that are done

    @property
    def latency_ms(self) -> float:
        """Everything together."""
        return sum(part.ms for part in self.latency)
