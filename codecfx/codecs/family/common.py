"""What rows of the table have in common: parameters, and where engines come from in words."""

from codecfx.codecs.engine import Stream
from codecfx.control.parameters import Change, Parameter

LAME = "LGPL (LAME), in PyAV's wheel"
FFMPEG = "LGPL (FFmpeg), in PyAV's wheel"
OPENCORE = "Apache 2.0 (OpenCORE), in PyAV's wheel"
SNDFILE = "LGPL (libsndfile) and FFmpeg"


def bitrate(choices: tuple[float, ...], default: float, description: str = "") -> Parameter:
    """A bitrate that moves in the codec's own steps, in kbps."""
    return Parameter(
        "bitrate_kbps",
        "Bitrate",
        default=default,
        choices=choices,
        unit="kbps",
        change=Change.NEXT_FRAME,
        description=description,
    )


# Packets of telephony are as long as one likes; 20 ms is the network's habit (RFC 3551, section 4.2)
PACKET_MS = Parameter(
    "frame_ms",
    "Frame",
    default=10,
    choices=(1, 5, 10, 20, 40),
    unit="ms",
    change=Change.PREPARE,
    description="Sound in one packet; the latency, and what a lost one takes along",
)


def bit_rate(stream: Stream, kbps: float | None = None) -> dict[str, object]:
    """FFmpeg's option for a bitrate, the stream's own unless given."""
    return {"b": round(1000 * (stream.number("bitrate_kbps") if kbps is None else kbps))}
