"""Opus: speech and music from 2 to 510 kbps, on libopus itself."""

import ctypes
import weakref
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from codecfx.audio import Audio, interleaved, planar
from codecfx.codecs import libopus
from codecfx.codecs.base import NEXT_FRAME, CodecFormat, Facts, Packet, Settings, check_frames
from codecfx.control.parameters import Change, Curve, Parameter, Value
from codecfx.errors import StreamError

_SAMPLE_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_APPLICATIONS = {"voip": 2048, "audio": 2049, "lowdelay": 2051}
_BANDWIDTHS = {
    "auto": libopus.AUTO,
    "narrowband": 1101,
    "mediumband": 1102,
    "wideband": 1103,
    "superwideband": 1104,
    "fullband": 1105,
}
_SIGNALS = {"auto": libopus.AUTO, "voice": 3001, "music": 3002}
_COUPLINGS = {"auto": libopus.AUTO, "mono": 1, "stereo": 2, "dual_mono": libopus.AUTO}
_RATE_MODES = {"vbr": (1, 0), "constrained": (1, 1), "cbr": (0, 0)}  # (VBR, constraint)
_LARGEST_PACKET = 4_000  # bytes; more than 60 ms at 510 kbps
_LONGEST_MS = 120  # what a packet may claim to hold

# What the first byte of a packet says (RFC 6716, section 3.1): sixteen pairs of configurations
_MODE_OF = ["SILK"] * 12 + ["hybrid"] * 4 + ["CELT"] * 16
_BANDWIDTH_OF = [
    *(["narrowband"] * 4 + ["mediumband"] * 4 + ["wideband"] * 4),
    *(["superwideband"] * 2 + ["fullband"] * 2),
    *(["narrowband"] * 4 + ["wideband"] * 4 + ["superwideband"] * 4 + ["fullband"] * 4),
]


class Opus:
    """libopus, one packet to a frame. Works at the host's rate where Opus has it, else the next above.

    Total delay is a frame plus libopus' own lookahead: 6.5 ms, or 2.5 ms for the lowdelay application.
    With FEC the decoder waits for one more packet, since the repair of a lost one travels in the next.
    """

    name: ClassVar[str] = "opus"
    title: ClassVar[str] = "Opus"
    description: ClassVar[str] = "Internet calls and streaming: speech and music, 2 to 510 kbps"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            "bitrate_kbps",
            "Bitrate",
            default=32.0,
            minimum=2.0,
            maximum=510.0,
            unit="kbps",
            curve=Curve.EXPONENTIAL,
            change=Change.NEXT_FRAME,
            description="Of one mono or stereo stream; each channel's own with dual_mono coupling",
        ),
        Parameter(
            "frame_ms",
            "Frame",
            default=20.0,
            choices=(2.5, 5.0, 10.0, 20.0, 40.0, 60.0),
            unit="ms",
            change=Change.PREPARE,
            description="Sound in one packet; SILK needs 10 ms, and 2.5 ms below 8 kbps is silence",
        ),
        Parameter(
            "application",
            "Application",
            default="audio",
            choices=tuple(_APPLICATIONS),
            change=Change.PREPARE,
            description="voip tunes for speech, audio for fidelity, lowdelay is CELT only, 4 ms sooner",
        ),
        Parameter(
            "bandwidth",
            "Bandwidth",
            default="auto",
            choices=tuple(_BANDWIDTHS),
            change=Change.NEXT_FRAME,
            description="Audio up to 4, 6, 8, 12 or 20 kHz; auto follows the bitrate",
        ),
        Parameter(
            "mode",
            "Mode",
            default="auto",
            choices=tuple(libopus.MODES),
            change=Change.NEXT_FRAME,
            description="SILK predicts speech to 8 kHz, CELT transforms music, hybrid splits at 8 kHz",
        ),
        Parameter(
            "signal",
            "Signal",
            default="auto",
            choices=tuple(_SIGNALS),
            change=Change.NEXT_FRAME,
            description="What the encoder should take the input for",
        ),
        Parameter(
            "rate_mode",
            "Rate mode",
            default="constrained",
            choices=tuple(_RATE_MODES),
            change=Change.NEXT_FRAME,
            description="Free, constrained or constant bitrate",
        ),
        Parameter(
            "complexity",
            "Complexity",
            default=10,
            minimum=0,
            maximum=10,
            change=Change.NEXT_FRAME,
            description="Encoder effort; low values sound rougher",
        ),
        Parameter(
            "coupling",
            "Coupling",
            default="auto",
            choices=tuple(_COUPLINGS),
            change=Change.PREPARE,
            description="Pairs: encoder's choice, folded to mono, kept stereo, or two mono codecs",
        ),
        Parameter(
            "fec",
            "Forward error correction",
            default=False,
            change=Change.PREPARE,
            description="Packets carry a copy of the one before (SILK, 16 kbps up); a frame later",
        ),
        Parameter(
            "expected_loss",
            "Expected loss",
            default=0.0,
            minimum=0.0,
            maximum=1.0,
            change=Change.NEXT_FRAME,
            description="Fraction of packets the encoder prepares to lose: sturdier, rougher",
        ),
        Parameter(
            "dtx",
            "Discontinuous transmission",
            default=False,
            change=Change.NEXT_FRAME,
            description="Silence costs a byte and decodes as comfort noise",
        ),
    )

    facts: ClassVar[Facts] = Facts(
        family="Xiph",
        sample_rates=_SAMPLE_RATES,
        bitrate="2-510",
        changes=NEXT_FRAME,
        licence="BSD (libopus), in PyAV's wheel",
    )

    gains_by_two_threads: ClassVar[bool] = True
    header_bytes: ClassVar[int] = 1  # mode, bandwidth, frames: RFC 6716, 3.1

    def __init__(self, sample_rate: int, channels: int, settings: Settings) -> None:
        self._lib = lib = libopus.load()
        rate = next((known for known in _SAMPLE_RATES if known >= sample_rate), 48_000)
        frame = round(rate * float(settings["frame_ms"]) / 1000)
        self._settings = dict(settings)
        self._application = _APPLICATIONS[str(settings["application"])]
        self._encoder = lib.create_encoder(rate, channels, self._application)
        self._decoder = lib.create_decoder(rate, channels)
        weakref.finalize(self, lib.destroy_encoder, self._encoder)
        weakref.finalize(self, lib.destroy_decoder, self._decoder)
        lookahead = ctypes.c_int()
        lib.encoder_ctl(self._encoder, libopus.GET_LOOKAHEAD, ctypes.byref(lookahead))
        self._waits = bool(settings["fec"])  # for the packet after the one it decodes
        self.format = CodecFormat(rate, channels, frame, lookahead.value + frame * self._waits)
        self._packet = np.empty(_LARGEST_PACKET, np.uint8)
        self._packet_address = self._packet.ctypes.data
        self._scratch = np.empty((rate * _LONGEST_MS // 1000, channels), np.float32)
        self._waiting: Packet | None = None
        self._started = False
        self.reset()

    @classmethod
    def widest(cls, settings: Settings) -> int:
        return 1 if settings["coupling"] == "dual_mono" else 2

    def set(self, parameter_id: str, value: Value) -> None:
        self._settings[parameter_id] = value
        match parameter_id:
            case "bitrate_kbps":
                self._ask(libopus.SET_BITRATE, round(float(value) * 1000))
            case "bandwidth":
                self._ask(libopus.SET_BANDWIDTH, _BANDWIDTHS[str(value)])
            case "mode":
                self._ask(libopus.SET_FORCE_MODE, libopus.MODES[str(value)])
                # libopus goes on to hybrid above SILK's 8 kHz unless it may not; a bandwidth that was
                # chosen overrules this
                widest = _BANDWIDTHS["wideband" if value == "silk" else "fullband"]
                self._ask(libopus.SET_MAX_BANDWIDTH, widest)
            case "signal":
                self._ask(libopus.SET_SIGNAL, _SIGNALS[str(value)])
            case "rate_mode":
                variable, constrained = _RATE_MODES[str(value)]
                self._ask(libopus.SET_VBR, variable)
                self._ask(libopus.SET_VBR_CONSTRAINT, constrained)
            case "complexity":
                self._ask(libopus.SET_COMPLEXITY, int(value))
            case "coupling" if self.format.channels == 2:
                self._ask(libopus.SET_FORCE_CHANNELS, _COUPLINGS[str(value)])
            case "fec":
                self._ask(libopus.SET_INBAND_FEC, int(value))
            case "expected_loss":
                self._ask(libopus.SET_PACKET_LOSS_PERC, round(float(value) * 100))
            case "dtx":
                self._ask(libopus.SET_DTX, int(value))

    def _ask(self, request: int, value: int) -> None:
        self._lib.encoder_ctl(self._encoder, request, ctypes.c_int(value))

    def encode(self, frames: Audio) -> list[Packet]:
        count = check_frames(frames, self.format)
        size = self.format.frame_samples
        pcm = interleaved(frames)
        address, stride = pcm.ctypes.data, pcm.nbytes // count
        encode, encoder = self._lib.encode_float, self._encoder
        packets = []
        for at in range(address, address + count * stride, stride):
            written = encode(encoder, at, size, self._packet_address, _LARGEST_PACKET)
            if written < 0:  # libopus takes every finite frame of a legal size
                raise StreamError(f"libopus refused a frame with error {written}; please report this")
            packets.append(Packet(ctypes.string_at(self._packet_address, written), 8 * written))
        return packets

    def decode(self, packets: Sequence[Packet | None]) -> Audio:
        size = self.format.frame_samples
        decoded = np.empty((len(packets) * size, self.format.channels), np.float32)
        address, stride = decoded.ctypes.data, decoded.nbytes // len(packets)
        for index, packet in enumerate(packets):
            frame = decoded[index * size : (index + 1) * size]
            if self._waits:
                self._decode_one_later(packet, address + index * stride, frame)
            else:
                self._decode_one(packet, address + index * stride, frame)
        return planar(decoded)

    def _decode_one(self, packet: Packet | None, address: int, frame: Audio) -> None:
        """Decode into `frame` (samples, channels), which lies at `address`."""
        size = self.format.frame_samples
        payload = bytes(packet.payload) if packet is not None else b""
        decode, decoder = self._lib.decode_float, self._decoder
        got = decode(decoder, payload or None, len(payload), address, size, 0)
        if got == size:
            return
        if got == libopus.BUFFER_TOO_SMALL:  # a damaged first byte claims more: take its beginning
            scratch = self._scratch
            got = decode(decoder, payload, len(payload), scratch.ctypes.data, len(scratch), 0)
            frame[:] = scratch[:size]
        if got < 0:
            got = decode(decoder, None, 0, address, size, 0)
        frame[max(got, 0) :] = 0

    def _decode_one_later(self, packet: Packet | None, address: int, frame: Audio) -> None:
        """Decode the packet before `packet`; where that was lost, from the copy in this one."""
        before, self._waiting = self._waiting, packet
        if not self._started:
            self._started = True
            frame[:] = 0
        elif before is None and packet is not None:
            size, payload = self.format.frame_samples, bytes(packet.payload)
            got = self._lib.decode_float(self._decoder, payload, len(payload), address, size, 1)
            if got != size:
                self._decode_one(None, address, frame)
            self.repaired += got == size and self._lib.has_copy(payload, len(payload)) == 1
        else:
            self._decode_one(before, address, frame)

    def reset(self) -> None:
        # Not OPUS_RESET_STATE: with FEC on, an encoder remembers past that (tests/test_opus.py)
        rate, channels = self.format.sample_rate, self.format.channels
        self._lib.init_encoder(self._encoder, rate, channels, self._application)
        self._lib.init_decoder(self._decoder, rate, channels)
        for parameter_id, value in tuple(self._settings.items()):
            self.set(parameter_id, value)
        self._waiting = None
        self._started = False
        self.repaired = 0

    def describe(self, packet: Packet) -> Mapping[str, str]:
        payload = bytes(packet.payload)
        if not payload:
            return {}
        first = payload[0]
        return {
            "mode": _MODE_OF[first >> 3],
            "bandwidth": _BANDWIDTH_OF[first >> 3],
            "channels": "stereo" if first & 4 else "mono",
        }
