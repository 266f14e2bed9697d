"""G.729 Annex A by Belledonne's library, bcg729."""

import ctypes

import numpy as np

from codecfx.audio import Audio
from codecfx.codecs.engine import Decoder, Encoder, Stream
from codecfx.codecs.native_library import NativeLibrary, audio_of, owned, words_of

FRAME_SAMPLES = 80  # 10 ms at 8 kHz
DELAY_SAMPLES = 40  # what the encoder looks ahead
_PACKET_BYTES = 10

_State, _Byte, _Address = ctypes.c_void_p, ctypes.c_uint8, ctypes.c_void_p
LIBRARY = NativeLibrary(
    name="bcg729",
    debian="libbcg729-0",
    homebrew="libbcg729",
    functions={
        "initBcg729EncoderChannel": (_State, _Byte),
        "bcg729Encoder": (None, _State, _Address, _Address, ctypes.POINTER(_Byte)),
        "closeBcg729EncoderChannel": (None, _State),
        "initBcg729DecoderChannel": (_State,),
        "bcg729Decoder": (None, _State, ctypes.c_char_p, _Byte, _Byte, _Byte, _Byte, _Address),
        "closeBcg729DecoderChannel": (None, _State),
    },
)


class G729:
    """Opens encoders and decoders; there is nothing to set."""

    def encoder(self, stream: Stream) -> Encoder:
        return _Encoder()

    def decoder(self, stream: Stream, extradata: bytes) -> Decoder:
        return _Decoder()


class _Encoder:
    extradata = b""

    def __init__(self) -> None:
        self._library = library = LIBRARY.load()
        state = library.initBcg729EncoderChannel(0)  # pauses are sent like speech
        self._state = owned(self, state, library.closeBcg729EncoderChannel)
        self._packet, self._size = ctypes.create_string_buffer(_PACKET_BYTES), _Byte()

    def encode(self, frames: Audio) -> list[bytes]:
        words, payloads = words_of(frames), []
        for at in range(0, words.size, FRAME_SAMPLES):
            address = words[at:].ctypes.data
            self._library.bcg729Encoder(self._state, address, self._packet, self._size)
            payloads.append(self._packet.raw)
        return payloads

    def tune(self, stream: Stream) -> None:
        pass


class _Decoder:
    def __init__(self) -> None:
        self._library = library = LIBRARY.load()
        state = library.initBcg729DecoderChannel()
        self._state = owned(self, state, library.closeBcg729DecoderChannel)

    def decode(self, payload: bytes) -> Audio | None:
        return self._decoded(payload) if len(payload) == _PACKET_BYTES else None

    def conceal(self) -> Audio | None:
        return self._decoded(None)

    def _decoded(self, payload: bytes | None) -> Audio:
        """A frame of a packet, or of none; no packet is comfort noise."""
        words = np.empty(FRAME_SAMPLES, np.int16)
        self._library.bcg729Decoder(
            self._state, payload, _PACKET_BYTES, payload is None, 0, 0, words.ctypes.data
        )
        return audio_of(words)
