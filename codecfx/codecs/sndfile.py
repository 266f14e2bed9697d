"""libsndfile's encoders of telephone formats, as soundfile brings them: GSM and VOX, which FFmpeg can
only decode. A headerless file in memory is the encoder; what is written to it are the packets.
"""

from dataclasses import dataclass

import numpy as np

from codecfx.audio import Audio
from codecfx.codecs.engine import Decoder, Encoder, Engine, Stream
from codecfx.errors import CodecUnavailable


@dataclass(frozen=True, slots=True)
class Sndfile:
    """An encoder of libsndfile (a subtype of its RAW format, mono) before another engine's decoder."""

    subtype: str
    decoding: Engine

    def encoder(self, stream: Stream) -> Encoder:
        return _Encoder(self.subtype, stream)

    def decoder(self, stream: Stream, extradata: bytes) -> Decoder:
        return self.decoding.decoder(stream, extradata)


class _Encoder:
    extradata = b""

    def __init__(self, subtype: str, stream: Stream) -> None:
        try:
            import soundfile
        except (ImportError, OSError) as error:
            raise CodecUnavailable(f"soundfile is missing ({error}); pip install soundfile") from None
        if subtype not in soundfile.available_subtypes("RAW"):
            raise CodecUnavailable(
                f"this libsndfile has no {subtype}; update soundfile (pip install -U soundfile)"
            )
        self._written = _Written()
        self._file = soundfile.SoundFile(
            self._written, "w", stream.sample_rate, 1, subtype, format="RAW"
        )

    def encode(self, frames: Audio) -> list[bytes]:
        self._file.write(np.clip(np.rint(frames[0] * 32768), -32768, 32767).astype(np.int16))
        return self._written.taken()

    def tune(self, stream: Stream) -> None:
        pass


class _Written:
    """A file that only remembers what was written since it was last asked."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def taken(self) -> list[bytes]:
        parts, self._parts = self._parts, []
        return parts

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        self._size += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._size

    def tell(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        return b""
