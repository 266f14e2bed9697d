"""Speex by its own library, libspeex: a CELP coder of one, two or three bands, by the sample rate."""

import ctypes

import numpy as np

from codecfx.audio import Audio
from codecfx.codecs.engine import Decoder, Encoder, Stream
from codecfx.codecs.native_library import NativeLibrary, audio_of, owned, words_of

# speex.h: a rate's mode, and the delays of encoder and decoder in it (SPEEX_GET_LOOKAHEAD)
_MODES = {8000: 0, 16000: 1, 32000: 2}
DELAY_SAMPLES = {8000: 40 + 40, 16000: 143 + 80, 32000: 349 + 160}
_SET_QUALITY, _SET_VBR, _SET_VBR_QUALITY, _SET_COMPLEXITY = 4, 12, 14, 16
_LARGEST_PACKET = 256  # bytes; 110 is the most that quality 10 makes
# How a band begins in a packet, and its bits with that (SPEEX_SUBMODE_BITS_PER_FRAME of each mode).
# Only the third is ever left out, in mode 0: where the second is, the library makes the third of memory
# that nobody wrote.
_BANDS = (
    {f"0{mode:04b}": bits for mode, bits in enumerate((43, 119, 160, 220, 300, 364, 492, 79), 1)},
    {f"1{mode:03b}": bits for mode, bits in enumerate((36, 112, 192, 352), 1)},
    {f"1{mode:03b}": bits for mode, bits in enumerate((4, 36))},
)


class _Bits(ctypes.Structure):
    """SpeexBits of speex_bits.h: a packet being written or read."""

    _fields_ = (
        ("chars", ctypes.c_void_p),
        *((name, ctypes.c_int) for name in ("nb_bits", "char_ptr", "bit_ptr", "owner")),
        *((name, ctypes.c_int) for name in ("overflow", "buf_size", "reserved1")),
        ("reserved2", ctypes.c_void_p),
    )


_State, _Int, _Address = ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
_BitsAddress = ctypes.POINTER(_Bits)
LIBRARY = NativeLibrary(
    name="speex",
    debian="libspeex1",
    homebrew="speex",
    functions={
        "speex_lib_get_mode": (_Address, _Int),
        "speex_encoder_init": (_State, _Address),
        "speex_encoder_destroy": (None, _State),
        "speex_encoder_ctl": (_Int, _State, _Int, _Address),
        "speex_encode_int": (_Int, _State, _Address, _BitsAddress),
        "speex_decoder_init": (_State, _Address),
        "speex_decoder_destroy": (None, _State),
        "speex_decoder_ctl": (_Int, _State, _Int, _Address),
        "speex_decode_int": (_Int, _State, _BitsAddress, _Address),
        "speex_bits_init_buffer": (None, _BitsAddress, _Address, _Int),
        "speex_bits_set_bit_buffer": (None, _BitsAddress, ctypes.c_char_p, _Int),
        "speex_bits_reset": (None, _BitsAddress),
        "speex_bits_write": (_Int, _BitsAddress, _Address, _Int),
    },
)


class Speex:
    """Opens encoders and decoders of the bands that a stream's rate has."""

    def encoder(self, stream: Stream) -> Encoder:
        return _Encoder(stream)

    def decoder(self, stream: Stream, extradata: bytes) -> Decoder:
        return _Decoder(stream)


class _Encoder:
    extradata = b""

    def __init__(self, stream: Stream) -> None:
        self._library = library = LIBRARY.load()
        mode = library.speex_lib_get_mode(_MODES[stream.sample_rate])
        self._state = owned(self, library.speex_encoder_init(mode), library.speex_encoder_destroy)
        self._size = stream.frame_samples
        self._written = ctypes.create_string_buffer(_LARGEST_PACKET)
        self._packet = ctypes.create_string_buffer(_LARGEST_PACKET)
        self._bits = _Bits()
        library.speex_bits_init_buffer(self._bits, self._written, _LARGEST_PACKET)
        self.tune(stream)

    def encode(self, frames: Audio) -> list[bytes]:
        library, words, payloads = self._library, words_of(frames), []
        for at in range(0, words.size, self._size):
            library.speex_bits_reset(self._bits)
            library.speex_encode_int(self._state, words[at:].ctypes.data, self._bits)
            size = library.speex_bits_write(self._bits, self._packet, _LARGEST_PACKET)
            payloads.append(self._packet.raw[:size])
        return payloads

    def tune(self, stream: Stream) -> None:
        quality = stream.number("quality")
        self._request(_SET_COMPLEXITY, ctypes.c_int(int(stream.number("complexity"))))
        self._request(_SET_VBR, ctypes.c_int(int(stream.number("vbr"))))
        self._request(_SET_VBR_QUALITY, ctypes.c_float(quality))
        self._request(_SET_QUALITY, ctypes.c_int(int(quality)))

    def _request(self, request: int, value: ctypes.c_int | ctypes.c_float) -> None:
        self._library.speex_encoder_ctl(self._state, request, ctypes.byref(value))


class _Decoder:
    def __init__(self, stream: Stream) -> None:
        self._library = library = LIBRARY.load()
        mode = library.speex_lib_get_mode(_MODES[stream.sample_rate])
        self._state = owned(self, library.speex_decoder_init(mode), library.speex_decoder_destroy)
        self._size, self._bands = stream.frame_samples, 1 + _MODES[stream.sample_rate]
        self._bits = _Bits()

    def decode(self, payload: bytes) -> Audio | None:
        if not _is_whole(payload, self._bands):
            return None
        self._library.speex_bits_set_bit_buffer(self._bits, payload, len(payload))
        return self._decoded(ctypes.byref(self._bits))

    def conceal(self) -> Audio | None:
        return self._decoded(None)

    def _decoded(self, bits: object) -> Audio | None:
        words = np.empty(self._size, np.int16)
        refused = self._library.speex_decode_int(self._state, bits, words.ctypes.data)
        return None if refused else audio_of(words)


def _is_whole(payload: bytes, bands: int) -> bool:
    """Whether a packet is what its bands say that it is. The library refuses others too, and prints a
    line for each.
    """
    bits = f"{int.from_bytes(payload):0{8 * len(payload)}b}"
    at = 0
    for band in _BANDS[:bands]:
        header = bits[at : at + len(next(iter(band)))]
        if header not in band:
            return False
        at += band[header]
    return -(-at // 8) == len(payload)
