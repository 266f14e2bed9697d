"""Bluetooth: what headphones and headsets hear."""

from codecfx.codecs.engine import Stream
from codecfx.codecs.family.common import FFMPEG
from codecfx.codecs.ffmpeg import QUALITY_UNIT, FFmpeg
from codecfx.codecs.row import Row, Timing
from codecfx.control.parameters import Change, Parameter

# The delay of SBC's filter bank of eight bands: 10 blocks of memory at either end, less what overlaps
_SBC_DELAY = 73
_APTX_FRAME = 64  # four samples make a word; any number of them a packet


def _sbc(stream: Stream) -> dict[str, object]:
    """A bitpool is given as a quality; the bitrate only steers mode and bands: joint stereo, eight."""
    return {"b": 128_000, "global_quality": round(stream.number("bitpool") * QUALITY_UNIT)}


SBC = Row(
    name="sbc",
    header_bytes=4,
    title="SBC",
    family="Bluetooth",
    description="SBC: every Bluetooth headphone; eight bands, joint stereo, a pool of bits to a block",
    licence=FFMPEG,
    engine=FFmpeg("sbc", "sbc", "s16", _sbc),
    rates=(16000, 32000, 44100, 48000),
    bitrate="by bitpool",
    timing=Timing(128, delay_samples=_SBC_DELAY),
    parameters=(
        Parameter(
            "bitpool",
            "Bitpool",
            default=53,
            minimum=2,
            maximum=128,
            change=Change.NEXT_FRAME,
            description="Bits of a block: at 44.1 kHz 53 is 328 kbps, 35 is 229 (A2DP 1.3, table 4.7)",
        ),
    ),
)

MSBC = Row(
    name="msbc",
    header_bytes=4,
    title="MSBC",
    family="Bluetooth",
    description="mSBC: the wideband headset, SBC with all choices made (Hands-Free Profile 1.6)",
    licence=FFMPEG,
    engine=FFmpeg("sbc", "sbc", "s16", lambda stream: {"msbc": 1}),
    rates=(16000,),
    channels=(1,),
    bitrate="60.8",
    timing=Timing(120, delay_samples=_SBC_DELAY),
)


def _aptx(name: str, title: str, bitrate: str, description: str) -> Row:
    return Row(
        name=name,
        title=title,
        family="Bluetooth",
        description=description,
        licence=FFMPEG,
        engine=FFmpeg(name, name, "s32p", lambda stream: {"frame_size": stream.frame_samples}),
        rates=(8000, 16000, 24000, 32000, 44100, 48000),
        channels=(2,),
        bitrate=bitrate,
        timing=Timing(_APTX_FRAME, delay_samples=90),
    )


ROWS = (
    SBC,
    MSBC,
    _aptx("aptx", "AptX", "4 b/sample", "aptX: four bands of ADPCM, 16 bits in 4, 3 ms late"),
    _aptx("aptx_hd", "AptXHD", "6 b/sample", "aptX HD: as aptX, 24 bits in 6"),
)
