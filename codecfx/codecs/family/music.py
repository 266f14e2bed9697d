"""Music and film beyond MPEG: Vorbis, Dolby's AC-3 and E-AC-3, Windows Media, and lossless FLAC."""

from collections.abc import Mapping

from codecfx.codecs.base import Settings
from codecfx.codecs.engine import Stream
from codecfx.codecs.family.common import FFMPEG, bit_rate, bitrate
from codecfx.codecs.ffmpeg import QUALITY_UNIT, FFmpeg
from codecfx.codecs.row import Row, Timing
from codecfx.control.parameters import Change, Parameter

# ATSC A/52, table 5.18
_AC3 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_WMA = (24, 32, 40, 48, 64, 80, 96, 128, 160, 192)

# -90 dBFS. Without, one in twenty pure tones and sweeps ends the process: the encoder's floor has no
# word for so steep a spectrum ("Assertion l != csub failed")
_VORBIS_DITHER = 3e-5

VORBIS = Row(
    name="vorbis",
    title="Vorbis",
    family="Xiph",
    description="Ogg Vorbis by FFmpeg's own encoder, rougher than the reference one: game music",
    licence=FFMPEG,
    engine=FFmpeg(
        "vorbis",
        "vorbis",
        "fltp",
        lambda stream: {
            "strict": -2,  # "experimental": FFmpeg's word for it
            "flags": "+qscale",
            "global_quality": round(stream.number("quality") * QUALITY_UNIT),
        },
        dither=_VORBIS_DITHER,
    ),
    computes_long=True,
    rates=(8000, 11025, 16000, 22050, 32000, 44100, 48000),
    channels=(2,),
    bitrate="35-220",
    timing=Timing(1024, preroll_packets=1),
    parameters=(
        Parameter(
            "quality",
            "Quality",
            default=3.0,
            minimum=1.0,
            maximum=10.0,
            change=Change.NEXT_FRAME,
            description="Of music at 48 kHz 1 is some 40 kbps, 3 some 80, 5 some 110, 10 some 170",
        ),
    ),
)


def _dolby(name: str, title: str, default: float, description: str) -> Row:
    return Row(
        name=name,
        title=title,
        family="Dolby",
        description=description,
        licence=FFMPEG,
        engine=FFmpeg(
            name,
            name,
            "fltp",
            bit_rate,
            # what the decoder fills gaps with follows from the packet, not from how many came before
            lambda stream: {"cons_noisegen": 1},
            # seen at 32 kbps, of squares and bursts in stereo
            refuses=lambda stream: stream.number("bitrate_kbps") <= 64,
        ),
        rates=(32000, 44100, 48000),
        timing=Timing(1536, delay_samples=256),
        parameters=(bitrate(_AC3, default),),
    )


def _wma(version: int, years: str) -> Row:
    def block(stream: Stream) -> Mapping[str, object]:
        """A packet's bytes, which a file's header says: the encoder's own arithmetic."""
        bits_per_second = bit_rate(stream)["b"]
        block_bytes = int(str(bits_per_second)) * stream.frame_samples // (8 * stream.sample_rate)
        return bit_rate(stream) | {"block_align": block_bytes}

    def timing(rate: int, settings: Settings) -> Timing:
        """A block of about 46 ms; the decoder's first two packets are silent, and begin before it."""
        if rate <= 16_000:
            frame = 512
        elif rate <= (32_000 if version == 1 else 22_050):
            frame = 1024
        else:
            frame = 2048
        return Timing(frame, delay_samples=-frame, preroll_packets=2)

    return Row(
        name=f"wma{version}",
        title=f"WMA{version}",
        family="Windows",
        description=f"Windows Media Audio {version}: {years}",
        licence=FFMPEG,
        engine=FFmpeg(
            f"wmav{version}",
            f"wmav{version}",
            "fltp",
            bit_rate,
            block,
            refuses=lambda stream: (
                stream.number("bitrate_kbps") <= 64
            ),  # seen below, of full-scale noise
            loudest=1.0,  # it was fed 16 bits, and refuses much of what is louder
        ),
        rates=(8000, 11025, 16000, 22050, 32000, 44100, 48000),
        timing=timing,
        parameters=(bitrate(_WMA, 64),),
    )


def _flac(stream: Stream) -> Mapping[str, object]:
    settings = stream.settings
    return {
        "frame_size": stream.frame_samples,
        "bits_per_raw_sample": 24,
        "compression_level": settings["compression"],
    }


FLAC = Row(
    name="flac",
    title="FLAC",
    family="Xiph",
    description="Lossless: 24 bits in, the same 24 bits out; the reference among the lossy",
    licence=FFMPEG,
    engine=FFmpeg("flac", "flac", "s32", _flac),
    rates=(8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 176400, 192000),
    bitrate="lossless",
    timing=Timing(256),
    parameters=(
        Parameter(
            "compression",
            "Compression",
            default=5,
            minimum=0,
            maximum=12,
            change=Change.NEXT_FRAME,
            description="How hard it looks for a shorter packet; heard in none",
        ),
    ),
)

ROWS = (
    VORBIS,
    _dolby("ac3", "AC3", 192, "Dolby Digital: DVDs, cinemas and television, in stereo"),
    _dolby("eac3", "EAC3", 128, "Dolby Digital Plus: streaming films, in stereo"),
    _wma(1, "web radio of 1999"),
    _wma(2, "file sharing and players of the 2000s"),
    FLAC,
)
