"""Telephones, fixed and mobile: speech codecs of 8 and 16 kHz, a channel each."""

from codecfx.codecs import drifting
from codecfx.codecs.base import Settings
from codecfx.codecs.engine import Stream
from codecfx.codecs.family import amr
from codecfx.codecs.family.common import FFMPEG, OPENCORE, PACKET_MS, SNDFILE, bit_rate, bitrate
from codecfx.codecs.ffmpeg import FFmpeg
from codecfx.codecs.row import Row, Timing
from codecfx.codecs.sndfile import Sndfile
from codecfx.control.parameters import Change, Parameter

_NARROWBAND, _WIDEBAND = (8000,), (16000,)

# FFmpeg's G.726 takes about 1024 bytes at a time, so many samples at 16, 24, 32 and 40 kbps. All are
# primed for the longest, so that the bitrate may change.
_G726_SAMPLES = (4096, 2736, 2048, 1640)
_AMR_MODES = (4.75, 5.15, 5.9, 6.7, 7.4, 7.95, 10.2, 12.2)
# Bits of speech in a mode's frame, and of comfort noise (3GPP TS 26.101, table 2)
_AMR_BITS = (95, 103, 118, 134, 148, 159, 204, 244, 39)
_AMR_NO_DATA = b"\x7c"  # frame type 15 (3GPP TS 26.101): nothing came, make something up


def _packet_samples(rate: int, settings: Settings) -> int:
    return rate * int(settings["frame_ms"]) // 1000


def _g711(name: str, title: str, where: str) -> Row:
    return Row(
        name=name,
        title=title,
        family="telephone",
        description=f"G.711: the digital telephone line, 8 bits a sample ({where})",
        licence=FFMPEG,
        engine=FFmpeg(f"pcm_{name}", f"pcm_{name}", "s16"),
        rates=_NARROWBAND,
        channels=(1,),
        bitrate="64",
        timing=lambda rate, settings: Timing(_packet_samples(rate, settings)),
        packet_bytes=lambda stream: stream.frame_samples,
        parameters=(PACKET_MS,),
    )


G722 = Row(
    name="g722",
    title="G722",
    family="telephone",
    description="G.722: the first wideband line, two bands of ADPCM; broadcast commentary and HD voice",
    licence=FFMPEG,
    engine=FFmpeg("g722", "g722", "s16", lambda stream: {"frame_size": stream.frame_samples}),
    rates=_WIDEBAND,
    channels=(1,),
    bitrate="64",
    timing=lambda rate, settings: Timing(_packet_samples(rate, settings), delay_samples=22),
    packet_bytes=lambda stream: stream.frame_samples // 2,
    parameters=(PACKET_MS,),
)


def _g726_bits(stream: Stream) -> int:
    """Bits to a sample."""
    return int(stream.number("bitrate_kbps")) // 8


def _g726_timing(rate: int, settings: Settings) -> Timing:
    frame = _packet_samples(rate, settings)
    return Timing(frame, withheld_frames=-(-max(_G726_SAMPLES) // frame))


G726 = Row(
    name="g726",
    title="G726",
    family="telephone",
    description="G.726: ADPCM of cordless phones and cheap trunk lines, 2 to 5 bits a sample",
    licence=FFMPEG,
    engine=FFmpeg(
        "g726",
        "g726",
        "s16",
        lambda stream: {"code_size": _g726_bits(stream)},
        lambda stream: {"bits_per_coded_sample": _g726_bits(stream)},
    ),
    rates=_NARROWBAND,
    channels=(1,),
    timing=_g726_timing,
    packet_bytes=lambda stream: stream.frame_samples * _g726_bits(stream) // 8,
    parameters=(
        bitrate((16, 24, 32, 40), 32, "A change is heard half a second later than others are"),
        PACKET_MS,
    ),
)

G723 = Row(
    name="g723",
    title="G723",
    family="telephone",
    description="G.723.1 at 6.3 kbps: the first video calls and internet telephones",
    licence=FFMPEG,
    engine=FFmpeg(
        "g723_1",
        "g723_1",
        "s16",
        lambda stream: bit_rate(stream, 6.3),
        lambda stream: {"postfilter": int(bool(stream.settings["postfilter"]))},
    ),
    rates=_NARROWBAND,
    channels=(1,),
    bitrate="6.3",
    bits=lambda payload: 189 if len(payload) == 24 else 8 * len(payload),  # three bits are spare
    timing=Timing(240, delay_samples=60),
    parameters=(
        Parameter(
            "postfilter",
            "Postfilter",
            default=True,
            change=Change.NEXT_FRAME,
            description="The decoder's own polish; off is rougher",
        ),
    ),
)

VOX = Row(
    name="adpcm_vox",
    title="VoxADPCM",
    family="telephone",
    description="Dialogic VOX (OKI ADPCM): voice mail, answering machines, talking toys",
    licence=SNDFILE,
    engine=Sndfile("VOX_ADPCM", FFmpeg("", "adpcm_ima_oki", "s16")),
    rates=(6000, 8000),
    channels=(1,),
    bitrate="4 b/sample",
    timing=lambda rate, settings: Timing(_packet_samples(rate, settings)),
    packet_bytes=lambda stream: stream.frame_samples // 2,
    walk=drifting.VOX,
    parameters=(PACKET_MS,),
)

AMR = Row(
    name="amr",
    header_bytes=1,
    title="AMR",
    family="mobile",
    description="AMR narrowband: mobile calls from 1999 on, eight modes from 4.75 to 12.2 kbps",
    licence=OPENCORE,
    engine=FFmpeg(
        "libopencore_amrnb",
        "libopencore_amrnb",
        "s16",
        lambda stream: bit_rate(stream) | {"dtx": int(bool(stream.settings["dtx"]))},
        lost=_AMR_NO_DATA,
        legal=lambda payload: amr.is_legal(payload, _AMR_BITS),
    ),
    rates=_NARROWBAND,
    channels=(1,),
    timing=Timing(160, delay_samples=40),
    tunable=frozenset({"bitrate_kbps"}),
    bits=lambda payload: amr.bits(payload, _AMR_BITS),
    describe=lambda payload: amr.details(payload, _AMR_MODES),
    parameters=(
        bitrate(
            _AMR_MODES, 12.2, "The mode; a byte of header to each frame adds 0.4 kbps and rounding"
        ),
        amr.DTX,
    ),
)


GSM = Row(
    name="gsm",
    title="GSM",
    family="mobile",
    description="GSM full rate, 13 kbps: the first digital mobile phones",
    licence=SNDFILE,
    engine=Sndfile("GSM610", FFmpeg("", "gsm", "s16")),
    rates=_NARROWBAND,
    channels=(1,),
    bitrate="13",
    bits=lambda payload: 260,  # four more bits mark a frame in a file
    timing=Timing(160),
)

ROWS = (
    _g711("mulaw", "MuLaw", "mu-law, America and Japan"),
    _g711("alaw", "ALaw", "A-law, everywhere else"),
    G722,
    G726,
    G723,
    VOX,
    AMR,
    GSM,
)
