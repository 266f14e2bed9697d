"""FFmpeg's encoders and decoders, as PyAV brings them: one engine for a whole family of codecs.

PyAV is imported when the first codec is opened, and nowhere else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import Audio, interleaved
from codecfx.codecs.engine import LOUDEST_PEAK, Decoder, Encoder, Stream
from codecfx.errors import CodecUnavailable

Options = Mapping[str, object]

# FFmpeg's sample formats: numpy's type, full scale, and what silence is; a p ends the planar ones
_FORMATS = {
    "flt": (np.float32, 1.0, 0),
    "s16": (np.int16, 2.0**15, 0),
    "s32": (np.int32, 2.0**31, 0),
    "u8": (np.uint8, 2.0**7, 128),
}
_LAYOUTS = {1: "mono", 2: "stereo"}
_NOISE_PERIOD = 65_536  # samples
_PADDING = bytes(64)  # AV_INPUT_BUFFER_PADDING_SIZE
QUALITY_UNIT = 118  # FF_QP2LAMBDA: what FFmpeg multiplies a quality by


def _nothing(stream: Stream) -> Options:
    return {}


def _any(payload: bytes) -> bool:
    return True


def _never(stream: Stream) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class FFmpeg:
    """A pair of FFmpeg's names, and what they are opened with.

    `options` and `decoder_options` are FFmpeg's own (AVOptions: "b" is the bitrate in bit/s), made of
    a stream's settings; a running encoder is told of a new "b". `lost` is the packet that tells the
    decoder of a lost one, where the codec has such. `refuses` says of which streams the encoder may
    refuse a frame; those are encoded one by one. What is louder than `loudest` is clipped.
    Packets that are not `legal` never reach a decoder that would make sound of memory nobody wrote.
    `dither` is the RMS of noise that an encoder needs under its sound, always the same noise.
    """

    encoder_name: str
    decoder_name: str
    sample_format: str
    options: Callable[[Stream], Options] = _nothing
    decoder_options: Callable[[Stream], Options] = _nothing
    lost: bytes = b""
    loudest: float = LOUDEST_PEAK
    legal: Callable[[bytes], bool] = _any
    refuses: Callable[[Stream], bool] = _never
    dither: float = 0.0

    def encoder(self, stream: Stream) -> Encoder:
        return _Encoder(self, stream)

    def decoder(self, stream: Stream, extradata: bytes) -> Decoder:
        return _Decoder(self, stream, extradata)


@cache
def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise CodecUnavailable(f"PyAV is missing ({error}); pip install av") from None
    return av


def _opened(name: str, mode: str, stream: Stream, sample_format: str, options: Options) -> Any:
    """A codec context of PyAV, one thread and no more: frames in threads come late."""
    av = _av()
    kind = "encoder" if mode == "w" else "decoder"
    try:
        context = av.CodecContext.create(name, mode)
    except av.codec.codec.UnknownCodecError:
        raise CodecUnavailable(
            f"this PyAV ({av.__version__}) has no {kind} '{name}'; pip install av brings one"
        ) from None
    context.sample_rate = stream.sample_rate
    context.layout = _LAYOUTS[stream.channels]
    if mode == "w":
        context.format = sample_format
    context.thread_count = 1
    context.options = {key: str(value) for key, value in options.items()}
    return context


class _Encoder:
    def __init__(self, engine: FFmpeg, stream: Stream) -> None:
        av = _av()
        self._engine, self._stream = engine, stream
        self._frame, self._error = av.AudioFrame, av.FFmpegError
        self._context = _opened(
            engine.encoder_name, "w", stream, engine.sample_format, engine.options(stream)
        )
        self._context.open()
        self.extradata = bytes(self._context.extradata or b"")
        self._at = 0  # samples so far

    def encode(self, frames: Audio) -> list[bytes]:
        if self._engine.dither:
            frames = frames + self._engine.dither * _noise(len(frames), self._at, frames.shape[1])
            self._at += frames.shape[1]
        size = self._stream.frame_samples
        step = size if self._engine.refuses(self._stream) else frames.shape[1]
        packets: list[bytes] = []
        for at in range(0, frames.shape[1], step):
            try:
                packets += self._packets(frames[:, at : at + step])
            except self._error:  # empty packets, which no decoder takes
                packets += [b""] * (step // size)
        return packets

    def _packets(self, frames: Audio) -> list[bytes]:
        sample_format, stream = self._engine.sample_format, self._stream
        frame = self._frame.from_ndarray(
            _samples(frames, sample_format, self._engine.loudest),
            format=sample_format,
            layout=_LAYOUTS[stream.channels],
        )
        frame.sample_rate = stream.sample_rate
        return [bytes(packet) for packet in self._context.encode(frame)]

    def tune(self, stream: Stream) -> None:
        self._stream = stream
        self._context.bit_rate = int(str(self._engine.options(stream)["b"]))


class _Decoder:
    def __init__(self, engine: FFmpeg, stream: Stream, extradata: bytes) -> None:
        av = _av()
        self._packet, self._error = av.Packet, av.FFmpegError
        self._channels, self._lost, self._legal = stream.channels, engine.lost, engine.legal
        self._format = ""  # of the samples; FFmpeg says it with the first frame
        self._context = _opened(
            engine.decoder_name, "r", stream, engine.sample_format, engine.decoder_options(stream)
        )
        if extradata:
            self._context.extradata = extradata
        self._context.open()

    def decode(self, payload: bytes) -> Audio | None:
        frames = self._frames(payload)
        if not frames:
            return None
        audio = np.empty((self._channels, sum(frame.samples for frame in frames)), np.float32)
        at = 0
        for frame in frames:
            self._read(frame, audio[:, at : at + frame.samples])
            at += frame.samples
        return self._scaled(audio)

    def decode_run(self, payloads: Sequence[bytes], frame_samples: int) -> Audio:
        audio = np.empty((self._channels, len(payloads) * frame_samples), np.float32)
        end = 0
        for payload in payloads:
            frames = self._frames(payload)
            if len(frames) != 1 or frames[0].samples != frame_samples:
                break
            self._read(frames[0], audio[:, end : end + frame_samples])
            end += frame_samples
        return self._scaled(audio[:, :end])

    def _frames(self, payload: bytes) -> list[Any]:
        """What a packet holds; nothing if it is refused, or if damage makes it claim other channels or
        samples than the first.
        """
        if not payload or not self._legal(payload):  # FFmpeg takes an empty packet for the end
            return []
        try:
            # FFmpeg may read 64 bytes beyond a packet's end; they must be there, and be nothing
            packet = self._packet(memoryview(payload + _PADDING)[: len(payload)])
            frames: list[Any] = self._context.decode(packet)
        except self._error:  # its kinds are many, and oddly named where a codec has errors of its own
            return []
        for frame in frames:
            self._format = self._format or frame.format.name
            if frame.layout.nb_channels != self._channels or frame.format.name != self._format:
                return []
        return frames

    def _read(self, frame: Any, into: Audio) -> None:
        """A frame's samples as they are, into (channels, n). Its planes themselves: PyAV's to_ndarray
        takes three times as long.
        """
        kind, samples, channels = _FORMATS[self._format.removesuffix("p")][0], frame.samples, len(into)
        if self._format.endswith("p") or channels == 1:
            for channel, plane in zip(into, frame.planes, strict=True):
                channel[:] = np.frombuffer(plane, kind, samples)
        else:
            whole = np.frombuffer(frame.planes[0], kind, samples * channels)
            into[:] = whole.reshape(samples, channels).T

    def _scaled(self, audio: Audio) -> Audio:
        """Samples as they were read, at full scale ±1."""
        _, full, zero = _FORMATS[self._format.removesuffix("p") or "flt"]
        if zero:
            audio -= np.float32(zero)
        if full != 1:
            audio *= np.float32(1 / full)
        return audio

    def conceal(self) -> Audio | None:
        return self.decode(self._lost)


def _noise(channels: int, at: int, samples: int) -> Audio:
    """White noise of RMS 1 from sample `at` on, float32 (channels, samples); it repeats itself."""
    noise: Audio = _noise_period(channels).take(range(at, at + samples), axis=1, mode="wrap")
    return noise


@cache
def _noise_period(channels: int) -> Audio:
    return np.random.default_rng(0).standard_normal((channels, _NOISE_PERIOD), np.float32)


def _samples(audio: Audio, sample_format: str, loudest: float) -> NDArray[Any]:
    """float32 (channels, n) as FFmpeg's samples: rounded and clipped as its own converter does."""
    kind, full, zero = _FORMATS[sample_format.removesuffix("p")]
    if not sample_format.endswith("p"):
        audio = interleaved(audio).reshape(1, -1)
    if kind is np.float32:
        return np.clip(audio, -loudest, loudest)
    # 32 bits do not fit into a float32
    scaled = audio * (np.float64(full) if kind is np.int32 else np.float32(full))
    np.rint(scaled, out=scaled)
    if zero:
        scaled += zero
    whole: NDArray[Any] = np.clip(scaled, zero - full, zero + full - 1, out=scaled).astype(kind)
    return whole
