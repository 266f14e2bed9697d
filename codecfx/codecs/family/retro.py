"""Computers, consoles, modems and toys: ADPCM in its dialects, one-bit sound, early streaming."""

from codecfx.codecs import drifting
from codecfx.codecs.base import Settings
from codecfx.codecs.engine import Stream
from codecfx.codecs.family.common import FFMPEG
from codecfx.codecs.ffmpeg import FFmpeg
from codecfx.codecs.row import Row, Timing
from codecfx.control.parameters import Change, Parameter

_RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000)
_FLASH_RATES = (11025, 22050, 44100)


def _blocks(choices: tuple[int, ...], default: int) -> Parameter:
    return Parameter(
        "frame_samples",
        "Block",
        default=default,
        choices=choices,
        unit="samples",
        change=Change.PREPARE,
        description="Samples to a block, which begins with a sample in full",
    )


def _block_timing(rate: int, settings: Settings) -> Timing:
    return Timing(int(settings["frame_samples"]))


def _ima_bytes(stream: Stream) -> int:
    """A block of IMA in WAV: a sample and a step of four bytes, then eight samples in four."""
    return 4 * stream.channels * (1 + (stream.frame_samples - 1) // 8)


def _ms_bytes(stream: Stream) -> int:
    """A block of Microsoft's: seven bytes with two samples, then two samples in one."""
    return stream.channels * (7 + (stream.frame_samples - 2) // 2)


IMA = Row(
    name="adpcm_ima",
    title="IMAADPCM",
    family="games",
    description="IMA ADPCM in WAV blocks: games and multimedia of the 1990s, 4 bits a sample",
    licence=FFMPEG,
    engine=FFmpeg(
        "adpcm_ima_wav",
        "adpcm_ima_wav",
        "s16p",
        lambda stream: {"block_size": _ima_bytes(stream)},
        lambda stream: {"block_align": _ima_bytes(stream), "bits_per_coded_sample": 4},
    ),
    rates=_RATES,
    default_rate=22050,
    bitrate="4 b/sample",
    timing=_block_timing,
    parameters=(_blocks((57, 121, 249, 505, 1017), 249),),
)

MS = Row(
    name="adpcm_ms",
    title="MSADPCM",
    family="games",
    description="Microsoft ADPCM: Windows sounds and CD-ROM games, 4 bits a sample",
    licence=FFMPEG,
    engine=FFmpeg(
        "adpcm_ms",
        "adpcm_ms",
        "s16",
        lambda stream: {"block_size": _ms_bytes(stream)},
        lambda stream: {"block_align": _ms_bytes(stream)},
    ),
    rates=_RATES,
    default_rate=22050,
    bitrate="4 b/sample",
    timing=_block_timing,
    parameters=(_blocks((52, 116, 244, 500, 1012), 244),),
)

YAMAHA = Row(
    name="adpcm_yamaha",
    title="YamahaADPCM",
    family="games",
    description="Yamaha ADPCM: arcade boards, early mobile ringtones, 4 bits a sample",
    licence=FFMPEG,
    engine=FFmpeg(
        "adpcm_yamaha",
        "adpcm_yamaha",
        "s16",
        lambda stream: {"block_size": stream.frame_samples * stream.channels // 2},
        lambda stream: {"block_align": stream.frame_samples * stream.channels // 2},
    ),
    rates=_RATES,
    default_rate=16000,
    bitrate="4 b/sample",
    timing=Timing(128),
    walk=drifting.YAMAHA,
)

SWF = Row(
    name="adpcm_swf",
    title="SWFADPCM",
    family="games",
    description="Flash ADPCM: buttons and loops of Flash games, 4 bits a sample in long blocks",
    licence=FFMPEG,
    engine=FFmpeg("adpcm_swf", "adpcm_swf", "s16"),
    rates=_FLASH_RATES,
    default_rate=22050,
    bitrate="4 b/sample",
    timing=Timing(4096),
)

DFPWM = Row(
    name="dfpwm",
    title="DFPWM",
    family="games",
    description="One bit a sample: toy samplers and computers inside computer games",
    licence=FFMPEG,
    engine=FFmpeg("dfpwm", "dfpwm", "u8", lambda stream: {"frame_size": stream.frame_samples}),
    rates=_RATES,
    default_rate=32000,
    bitrate="1 b/sample",
    timing=Timing(64, delay_samples=2),  # its filter's, which moves with the sound: 1 to 3
    packet_bytes=lambda stream: stream.frame_samples * stream.channels // 8,
)

REAL = Row(
    name="real144",
    title="RealAudio144",
    family="early internet",
    description="RealAudio 1 (14.4): radio through a modem, 8 kbps CELP of 1995",
    licence=FFMPEG,
    engine=FFmpeg("real_144", "real_144", "s16"),
    computes_long=True,
    rates=(8000,),
    channels=(1,),
    bitrate="8",
    timing=Timing(160, delay_samples=160),
)

NELLYMOSER = Row(
    name="nellymoser",
    title="Nellymoser",
    family="early internet",
    description="Nellymoser Asao: microphones in Flash, chat rooms of the 2000s, two bits a sample",
    licence=FFMPEG,
    engine=FFmpeg("nellymoser", "nellymoser", "flt"),
    rates=(8000, 11025, 16000, 22050, 44100),
    channels=(1,),
    default_rate=22050,
    bitrate="2 b/sample",
    timing=Timing(256, delay_samples=128),
)

ROWS = (IMA, MS, YAMAHA, SWF, DFPWM, REAL, NELLYMOSER)
