"""MPEG audio: MP3 (LAME), MP2, AAC."""

from collections.abc import Mapping
from math import ceil

from codecfx.codecs.base import Settings
from codecfx.codecs.engine import Stream
from codecfx.codecs.family.common import FFMPEG, LAME, bit_rate, bitrate
from codecfx.codecs.ffmpeg import QUALITY_UNIT, FFmpeg
from codecfx.codecs.row import Row, Timing, nearest
from codecfx.control.parameters import Change, Curve, Parameter

# ISO 11172-3 and 13818-3, section 2.4.2.3: kbps that a frame's header can say, by rate; MPEG-2.5
# (12 kHz and below) as LAME has it
_MP3_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MP3_25 = _MP3_2[:8]
_MP2_1 = (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
_MP2_2 = _MP3_2
_MPEG_1_FROM_HZ, _MPEG_2_FROM_HZ = 32_000, 16_000

# Header bits of MPEG-1 and MPEG-2 layer III, for meters
_MODES = ("stereo", "joint stereo", "dual channel", "mono")


def _steps(*tables: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(sorted({kbps for table in tables for kbps in table}))


def _mp3_bitrates(rate: int, settings: Settings) -> tuple[float, ...]:
    if settings["rate_mode"] == "vbr":
        return ()
    if rate >= _MPEG_1_FROM_HZ:
        return _MP3_1
    return _MP3_2 if rate >= _MPEG_2_FROM_HZ else _MP3_25


def _mp2_bitrates(rate: int, settings: Settings) -> tuple[float, ...]:
    return _MP2_1 if rate >= _MPEG_1_FROM_HZ else _MP2_2


def _mp3_timing(rate: int, settings: Settings) -> Timing:
    """LAME holds one frame back, and decoding adds 1105 samples: LAME's 576 and the decoder's 529.

    With the reservoir a frame's bits may begin 511 bytes (MPEG-2: 255) before it, and it is complete
    when those after it are: as many frames later as the smallest, without their headers, fill that.
    """
    is_mpeg_1 = rate >= _MPEG_1_FROM_HZ
    frame = 1152 if is_mpeg_1 else 576
    held = 1
    if settings["reservoir"]:
        lowest_kbps, reach_bytes, header_bytes = (32, 511, 36) if is_mpeg_1 else (8, 255, 21)
        held += ceil(reach_bytes / (lowest_kbps * 125 * frame // rate - header_bytes))
    return Timing(frame, delay_samples=1105, withheld_frames=held)


def _lame(stream: Stream) -> Mapping[str, object]:
    settings = stream.settings
    options: dict[str, object] = {
        "reservoir": int(bool(settings["reservoir"])),
        "joint_stereo": int(settings["coupling"] == "joint"),
        "compression_level": settings["effort"],
    }
    if not settings["lowpass"]:
        options["cutoff"] = stream.sample_rate // 2
    if settings["rate_mode"] == "vbr":
        quality = round(stream.number("vbr_quality") * QUALITY_UNIT)
        return options | {"flags": "+qscale", "global_quality": quality}
    kbps = nearest(_mp3_bitrates(stream.sample_rate, settings), stream.number("bitrate_kbps"))
    return options | bit_rate(stream, kbps) | {"abr": int(settings["rate_mode"] == "abr")}


def _mp3_details(payload: bytes) -> Mapping[str, str]:
    if len(payload) < 4 or payload[0] != 0xFF:
        return {}
    return {"mode": _MODES[payload[3] >> 6]}


MP3 = Row(
    name="mp3",
    header_bytes=4,
    title="MP3",
    family="MPEG",
    description="MP3 by LAME, 8 to 320 kbps: true constant, average or variable bitrate",
    licence=LAME,
    engine=FFmpeg("libmp3lame", "mp3float", "fltp", _lame),
    computes_long=True,
    rates=(8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
    timing=_mp3_timing,
    bitrates=_mp3_bitrates,
    couplings=("joint", "stereo", "mono", "dual_mono"),
    describe=_mp3_details,
    parameters=(
        bitrate(
            _steps(_MP3_1, _MP3_2),
            128,
            "Rates of 32 kHz up have 32 to 320 without 144, of 16 to 24 kHz 8 to 160, lower 8 to 64",
        ),
        Parameter(
            "rate_mode",
            "Rate mode",
            default="cbr",
            choices=("cbr", "abr", "vbr"),
            change=Change.NEXT_FRAME,
            description="Constant bitrate; an average; or a quality, whatever it takes",
        ),
        Parameter(
            "vbr_quality",
            "VBR quality",
            default=4.0,
            minimum=0.0,
            maximum=9.9,
            change=Change.NEXT_FRAME,
            description="LAME's V0 (best) to V9, in vbr mode",
        ),
        Parameter(
            "effort",
            "Encoder quality",
            default=5,
            minimum=0,
            maximum=9,
            change=Change.NEXT_FRAME,
            description="LAME's -q: 0 weighs every bit, 9 none",
        ),
        Parameter(
            "reservoir",
            "Bit reservoir",
            default=False,
            change=Change.PREPARE,
            description="Hard frames borrow bits of easy ones; all is 0.2 s later (24 kHz: 2 s)",
        ),
        Parameter(
            "lowpass",
            "Low-pass",
            default=True,
            change=Change.NEXT_FRAME,
            description="LAME cuts treble that a bitrate cannot carry; off, it gurgles instead",
        ),
    ),
)

MP2 = Row(
    name="mp2",
    header_bytes=4,
    title="MP2",
    family="MPEG",
    description="MPEG-1 and MPEG-2 layer II: digital radio, video CDs, DVDs of the PAL world",
    licence=FFMPEG,
    engine=FFmpeg(
        "mp2",
        "mp2float",
        "s16",
        lambda stream: bit_rate(
            stream,
            nearest(_mp2_bitrates(stream.sample_rate, stream.settings), stream.number("bitrate_kbps")),
        ),
    ),
    rates=(16000, 22050, 24000, 32000, 44100, 48000),
    timing=Timing(1152, delay_samples=481),
    bitrates=_mp2_bitrates,
    describe=lambda payload: {"mode": _MODES[payload[3] >> 6]} if len(payload) > 3 else {},
    parameters=(
        bitrate(
            _steps(_MP2_1, _MP2_2),
            192,
            "Rates of 32 kHz up have 32, 48, 56, 64 and on to 384, lower ones 8 to 160",
        ),
    ),
)


def _switch(parameter_id: str, name: str, description: str, default: bool = True) -> Parameter:
    return Parameter(
        parameter_id, name, default=default, change=Change.NEXT_FRAME, description=description
    )


def _aac(stream: Stream) -> Mapping[str, object]:
    settings = stream.settings
    switches = {f"aac_{key}": int(bool(settings[key])) for key in ("pns", "tns")}
    return bit_rate(stream) | switches | {"aac_coder": settings["coder"]}


AAC = Row(
    name="aac",
    title="AAC",
    family="MPEG",
    description="AAC-LC: phones, streaming, video; FFmpeg's encoder, which aims at a mean bitrate",
    licence=FFMPEG,
    engine=FFmpeg("aac", "aac", "fltp", _aac),
    rates=(7350, 8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000),
    timing=Timing(1024, delay_samples=1024, withheld_frames=1),
    tunable=frozenset({"bitrate_kbps"}),
    tunable_from_hz=22_050,  # below, its rate control takes seconds to follow
    parameters=(
        Parameter(
            "bitrate_kbps",
            "Bitrate",
            default=128.0,
            minimum=8.0,
            maximum=320.0,
            unit="kbps",
            curve=Curve.EXPONENTIAL,
            change=Change.NEXT_FRAME,
            description="Aimed at; silence takes less, and music in 48 kHz stereo 22 at least",
        ),
        Parameter(
            "coder",
            "Coder",
            default="twoloop",
            choices=("twoloop", "fast"),
            change=Change.NEXT_FRAME,
            description="twoloop searches for the best quantisers, fast guesses them",
        ),
        _switch("pns", "Noise substitution", "Noise is sent as a level, and made up by the decoder"),
        _switch("tns", "Temporal noise shaping", "Noise follows the sound within a frame"),
    ),
)

ROWS = (MP3, AAC, MP2)
