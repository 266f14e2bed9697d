"""Codecs that PyAV's wheel cannot encode, by libraries that a machine may have or not: voice chat,
company telephones, HD voice, LE Audio. One that is missing says how to get it when it is opened.
"""

from codecfx.codecs import amrwb, g729, lc3, speex
from codecfx.codecs.family import amr
from codecfx.codecs.family.common import bitrate
from codecfx.codecs.ffmpeg import FFmpeg
from codecfx.codecs.row import Row, Timing
from codecfx.control.parameters import Change, Curve, Parameter

# Frame type 15 (3GPP TS 26.201): nothing came. OpenCORE's decoder fades out in two frames; FFmpeg's own
# takes it for silence, and knows no comfort noise.
_AMR_WB_NO_DATA = b"\x7c"
# Bits of speech in a mode's frame, and of comfort noise (3GPP TS 26.201, table 2)
_AMR_WB_BITS = (132, 177, 253, 285, 317, 365, 397, 461, 477, 40)

SPEEX = Row(
    name="speex",
    title="Speex",
    family="Xiph",
    description="Speex: voice chat of the 2000s, games and Flash; narrow, wide and ultra-wide band",
    licence="BSD (libspeex), where installed",
    engine=speex.Speex(),
    rates=(8000, 16000, 32000),
    channels=(1,),
    default_rate=16000,
    bitrate="2-44",
    timing=lambda rate, settings: Timing(rate // 50, delay_samples=speex.DELAY_SAMPLES[rate]),
    tunable=frozenset({"quality", "complexity", "vbr"}),
    parameters=(
        Parameter(
            "quality",
            "Quality",
            default=8,
            minimum=0,
            maximum=10,
            change=Change.NEXT_FRAME,
            description="0 is 2 kbps at 8 kHz and 4 above; 4 is 8 and 13 to 15, 8 is 15 and 28 to 30",
        ),
        Parameter(
            "vbr",
            "Variable bitrate",
            default=False,
            change=Change.NEXT_FRAME,
            description="Bits by need: more for vowels and beginnings, few for pauses",
        ),
        Parameter(
            "complexity",
            "Complexity",
            default=3,
            minimum=1,
            maximum=10,
            change=Change.NEXT_FRAME,
            description="How hard it looks for the best excitation",
        ),
    ),
)


AMR_WB = Row(
    name="amr_wb",
    title="AMRWB",
    family="mobile",
    description="AMR wideband (G.722.2): HD voice on mobiles, nine modes from 6.6 to 23.85 kbps",
    licence="Apache 2.0 (VisualOn), where installed, and OpenCORE",
    engine=amrwb.AMRWB(
        FFmpeg(
            "",
            "libopencore_amrwb",
            "s16",
            lost=_AMR_WB_NO_DATA,
            legal=lambda payload: amr.is_legal(payload, _AMR_WB_BITS),
        )
    ),
    rates=(16000,),
    channels=(1,),
    timing=Timing(320, delay_samples=95),
    tunable=frozenset({"bitrate_kbps", "dtx"}),
    bits=lambda payload: amr.bits(payload, _AMR_WB_BITS),
    describe=lambda payload: amr.details(payload, amrwb.MODES),
    parameters=(
        bitrate(amrwb.MODES, 12.65, "The mode; taken from the next frame on"),
        amr.DTX,
    ),
)

COMPANY = Row(
    name="g729",
    title="G729",
    family="telephone",
    description="G.729 Annex A at 8 kbps: calls through company networks and cheap trunk lines",
    licence="GPL (bcg729), where installed",
    engine=g729.G729(),
    rates=(8000,),
    channels=(1,),
    bitrate="8",
    timing=Timing(g729.FRAME_SAMPLES, delay_samples=g729.DELAY_SAMPLES),
)

LE_AUDIO = Row(
    name="lc3",
    title="LC3",
    family="Bluetooth",
    description="LC3: Bluetooth LE Audio, what follows SBC and mSBC; half the bits, frames of 10 ms",
    licence="Apache 2.0 (liblc3), where installed",
    engine=lc3.LC3(),
    rates=lc3.RATES,
    timing=lc3.timing,
    tunable=frozenset({"bitrate_kbps"}),
    parameters=(
        Parameter(
            "bitrate_kbps",
            "Bitrate",
            default=160.0,
            minimum=16.0,
            maximum=320.0,
            unit="kbps",
            curve=Curve.EXPONENTIAL,
            change=Change.NEXT_FRAME,
            description="Of all channels, in whole bytes to a frame; none has less than 20 bytes",
        ),
        Parameter(
            "frame_ms",
            "Frame",
            default=10.0,
            choices=(7.5, 10.0),
            unit="ms",
            change=Change.PREPARE,
            description="Sound in one packet; 44.1 kHz is coded as 48, and takes 8 % longer",
        ),
    ),
)

LIBRARIES = (speex.LIBRARY, g729.LIBRARY, amrwb.LIBRARY, lc3.LIBRARY)
ROWS = (SPEEX, COMPANY, AMR_WB, LE_AUDIO)
