"""Audio files: the same samples in and out, nothing of the source lost, no half file ever."""

import errno
import io
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from codecfx.audio_file import AUDIO_SUFFIXES, OUTPUT_SUFFIXES, AudioSource, AudioTarget
from codecfx.audio_file import metadata as metadata_module
from codecfx.audio_file import target as target_module
from codecfx.audio_file.metadata import SourceMetadata, walk_chunks
from codecfx.audio_file.mp3_length import headerless_samples
from codecfx.audio_file.sample_format import CONTAINERS
from codecfx.errors import AudioFileError, UnsupportedFormat

RATE_HZ = 48_000
LENGTHS = (1, 997, 1024, 1025)  # one, a prime, a power of two and one more


def noise(samples: int, channels: int = 2, peak: float = 0.9) -> NDArray[np.float32]:
    """(samples, channels), as soundfile takes it."""
    generator = np.random.default_rng(samples * 31 + channels)
    return generator.uniform(-peak, peak, (samples, channels)).astype(np.float32)


def write_wav(path: Path, samples: int = 1000, channels: int = 2, **options: Any) -> Path:
    options = {"subtype": "PCM_24", **options}
    soundfile.write(path, noise(samples, channels), RATE_HZ, **options)
    return path


def render(source: Path, output: Path, *, block: int = 333, overwrite: bool = False) -> AudioTarget:
    """Copy `source` to `output` block by block; gives the finished target."""
    with (
        AudioSource(source) as reader,
        AudioTarget(output, reader, overwrite=overwrite) as writer,
    ):
        while (audio := reader.read(block)).shape[1]:
            writer.write(audio)
        writer.commit()
    return writer


def read_floats(path: Path) -> NDArray[np.float32]:
    audio: NDArray[np.float32] = soundfile.read(path, dtype="float32", always_2d=True)[0]
    return audio


def strict_chunks(path: Path) -> list[tuple[bytes, bytes]]:
    """The chunks of a well-formed RIFF, RF64 or FORM file; fails unless they fill it exactly."""
    content = path.read_bytes()
    order = ">" if content[:4] == b"FORM" else "<"
    form_size = struct.unpack_from(order + "I", content, 4)[0]
    data_size = None
    if content[:4] == b"RF64":
        assert form_size == 2**32 - 1
        assert content[12:16] == b"ds64"
        form_size, data_size = struct.unpack_from("<QQ", content, 20)
    assert form_size == len(content) - 8
    chunks, position = [], 12
    while position < len(content):
        kind, size = struct.unpack_from(order + "4sI", content, position)
        if kind == b"data" and data_size is not None:
            size = data_size
        chunks.append((kind, content[position + 8 : position + 8 + size]))
        assert len(chunks[-1][1]) == size
        position += 8 + size + size % 2
    assert position == len(content)
    return chunks


def chunk(kind: bytes, content: bytes, order: str = "<") -> bytes:
    return kind + struct.pack(order + "I", len(content)) + content + b"\0" * (len(content) % 2)


def insert_chunks(path: Path, before: bytes, after: bytes) -> None:
    """Put chunks (as bytes) before and after the audio of the WAV or AIFF at `path`."""
    content = path.read_bytes()
    order = ">" if content[:4] == b"FORM" else "<"
    audio_at = content.index(b"SSND" if order == ">" else b"data")
    body = content[8:audio_at] + before + content[audio_at:] + after
    path.write_bytes(content[:4] + struct.pack(order + "I", len(body)) + body)


def info(**tags: str | bytes) -> bytes:
    """A LIST/INFO chunk."""
    texts = {k: v if isinstance(v, bytes) else v.encode() for k, v in tags.items()}
    fields = b"".join(chunk(kind.encode(), text + b"\0") for kind, text in texts.items())
    return chunk(b"LIST", b"INFO" + fields)


def message_of(raised: pytest.ExceptionInfo[AudioFileError]) -> str:
    """The message, which must be one line, and short enough to read."""
    message = str(raised.value)
    assert "\n" not in message
    assert 20 < len(message) < 500
    return message


def only(folder: Path, *names: str) -> bool:
    """Whether the folder holds these names and nothing else, hidden or not."""
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


# Samples


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        (".wav", "PCM_U8"),
        (".wav", "PCM_16"),
        (".wav", "PCM_24"),
        (".aiff", "PCM_S8"),
        (".aiff", "PCM_U8"),
        (".aiff", "PCM_16"),
        (".aiff", "PCM_24"),
        (".flac", "PCM_S8"),
        (".flac", "PCM_16"),
        (".flac", "PCM_24"),
        (".caf", "PCM_S8"),
        (".caf", "PCM_24"),
        (".w64", "PCM_U8"),
        (".w64", "PCM_16"),
        (".wav", "ULAW"),
        (".wav", "ALAW"),
    ],
)
def test_integers_come_back_bit_for_bit(tmp_path: Path, suffix: str, subtype: str) -> None:
    bits = {"S8": 8, "U8": 8, "16": 16, "24": 24}.get(subtype[4:], 16)
    for samples in LENGTHS:
        for channels in (1, 2, 3):
            steps = np.random.default_rng(samples).integers(
                -(2**31), 2**31, (samples, channels), np.int32
            )
            steps.flat[:2] = (-(2**31), 2**31 - 1)[: steps.size]
            source = tmp_path / f"in{suffix}"
            soundfile.write(source, steps >> (32 - bits) << (32 - bits), RATE_HZ, subtype=subtype)
            written = render(source, tmp_path / f"out{suffix}", overwrite=True)
            before, after = (
                soundfile.read(p, dtype="int32") for p in (source, tmp_path / f"out{suffix}")
            )
            assert written.subtype == subtype
            np.testing.assert_array_equal(after[0], before[0])
            assert written.clipped_samples == 0
            assert written.samples == len(before[0])


@pytest.mark.parametrize("suffix", [".wav", ".aiff", ".caf", ".w64"])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_floats_are_written_as_they_are(tmp_path: Path, suffix: str, subtype: str) -> None:
    for samples in LENGTHS:
        source, output = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
        soundfile.write(source, noise(samples, peak=3.0), RATE_HZ, subtype=subtype)
        written = render(source, output, overwrite=True)
        assert written.subtype == subtype
        assert written.clipped_samples == 0
        np.testing.assert_array_equal(read_floats(output), noise(samples, peak=3.0))
        assert written.peak == np.abs(noise(samples, peak=3.0)).max()


def test_32_bit_keeps_what_float32_holds(tmp_path: Path) -> None:
    steps = np.random.default_rng(1).integers(-(2**23), 2**23, (997, 2)).astype(np.int32) << 8
    soundfile.write(tmp_path / "in.wav", steps, RATE_HZ, subtype="PCM_32")
    assert render(tmp_path / "in.wav", tmp_path / "out.wav").subtype == "PCM_32"
    np.testing.assert_array_equal(soundfile.read(tmp_path / "out.wav", dtype="int32")[0], steps)


@pytest.mark.parametrize(
    ("subtype", "bits"), [("PCM_U8", 8), ("PCM_16", 16), ("PCM_24", 24), ("PCM_32", 32)]
)
def test_rounding_is_to_nearest_without_dc(tmp_path: Path, subtype: str, bits: int) -> None:
    with AudioSource(write_wav(tmp_path / "in.wav", subtype=subtype)) as source:
        step = 2.0 ** (1 - bits)
        # Small enough that float32 resolves far below a step at every depth.
        audio = (noise(100_000, peak=12).T * np.float32(step)).astype(np.float32)
        with AudioTarget(tmp_path / "out.wav", source) as target:
            target.write(audio)
            target.commit()
    stored = soundfile.read(tmp_path / "out.wav", always_2d=True)[0].T
    error_steps = (stored - audio.astype(np.float64)) / step
    assert np.abs(error_steps).max() <= 0.5
    # Rounding leaves 0.29 / sqrt(200000) = 0.0006 steps of chance DC, truncation leaves 0.5.
    assert abs(error_steps.mean()) < 0.005


def test_clipping_is_counted_and_stays_at_full_scale(tmp_path: Path) -> None:
    audio = np.array([[1.5, -1.01, 1.0, -1.0, 0.5], [0, 3e38, -3e38, 0, 0]], np.float32)
    for subtype, top in (("PCM_16", 2**15 - 1), ("PCM_24", 2**23 - 1), ("PCM_32", 2**31 - 1)):
        source = write_wav(tmp_path / "in.wav", subtype=subtype)
        with AudioSource(source) as like, AudioTarget(tmp_path / f"{subtype}.wav", like) as target:
            target.write(audio)
            target.commit()
        assert target.clipped_samples == 4
        assert target.peak == np.float32(3e38)
        shift = 32 - int(subtype[4:])
        stored = soundfile.read(tmp_path / f"{subtype}.wav", dtype="int32")[0].T >> shift
        bottom = -top - 1
        np.testing.assert_array_equal(
            stored, [[top, bottom, top, bottom, (top + 1) // 2], [0, top, bottom, 0, 0]]
        )


def test_what_is_not_finite_is_silence(tmp_path: Path) -> None:
    for subtype in ("PCM_16", "FLOAT"):
        source = write_wav(tmp_path / "in.wav", subtype=subtype)
        with AudioSource(source) as like, AudioTarget(tmp_path / f"{subtype}.wav", like) as target:
            target.write(np.array([[np.nan, 0.25], [np.inf, -np.inf]], np.float32))
            target.commit()
        assert target.peak == 0.25
        np.testing.assert_array_equal(read_floats(tmp_path / f"{subtype}.wav"), [[0, 0], [0.25, 0]])


def test_blocks_are_the_file_whatever_their_size(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "in.flac", samples=5000, format="FLAC")
    whole = read_floats(path).T
    for size in (1, 97, 1024, 1025, 10**12):
        with AudioSource(path) as source:
            if size == 1:
                source.samples = 50
            blocks = list(_all(source, size))
        audio = np.concatenate(blocks, axis=1)
        np.testing.assert_array_equal(audio, whole[:, : audio.shape[1]])
        assert audio.shape[1] == (50 if size == 1 else 5000)
        assert all(b.dtype == np.float32 and b.flags.c_contiguous for b in blocks)
        assert all(b.shape[1] == size for b in blocks[:-2])
        assert blocks[-1].shape == (2, 0)


def _all(source: AudioSource, size: int) -> Iterator[NDArray[np.float32]]:
    """Every block, the empty one at the end too."""
    while True:
        block = source.read(size)
        yield block
        if not block.shape[1]:
            return


@pytest.mark.parametrize(
    ("name", "format_", "subtype"),
    [
        ("a.wav", "WAV", "PCM_16"),
        ("a.wav", "WAVEX", "PCM_24"),
        ("a.wav", "RF64", "FLOAT"),
        ("a.w64", "W64", "PCM_24"),
        ("a.aif", "AIFF", "PCM_16"),
        ("a.flac", "FLAC", "PCM_24"),
        ("a.ogg", "OGG", "VORBIS"),
        ("a.opus", "OGG", "OPUS"),
        ("a.mp3", "MP3", "MPEG_LAYER_III"),
        ("a.caf", "CAF", "PCM_24"),
        ("a.aiff", "AIFF", "DWVW_16"),
        ("no suffix", "WAV", "PCM_16"),
        ("a.raw", "FLAC", "PCM_16"),
        (b"\xff\xfe latin.wav", "WAV", "PCM_16"),
    ],
)
def test_takes(tmp_path: Path, name: str | bytes, format_: str, subtype: str) -> None:
    path = tmp_path / os.fsdecode(name)
    channels = 1 if subtype.startswith("DWVW") else 2
    made = tmp_path / "made"
    soundfile.write(made, noise(5000, channels), RATE_HZ, format=format_, subtype=subtype)
    made.rename(path)
    if path.suffix == ".raw":
        # soundfile reads this suffix as headerless samples, whatever is inside.
        with pytest.raises(AudioFileError):
            AudioSource(path)
        return
    with AudioSource(path) as source:
        assert (source.format, source.subtype) == (format_, subtype)
        assert (source.sample_rate, source.channels, source.samples) == (RATE_HZ, channels, 5000)
        assert source.path == path
        assert sum(block.shape[1] for block in _all(source, 777)) == 5000
    written = render(path, tmp_path / "\udcff out.wav")
    assert written.samples == 5000


def test_suffixes() -> None:
    assert {".wav", ".aiff", ".aif", ".flac", ".ogg", ".caf", ".w64"} <= OUTPUT_SUFFIXES
    assert OUTPUT_SUFFIXES | {".mp3", ".opus"} <= AUDIO_SUFFIXES


@pytest.mark.parametrize(
    ("subtype", "wav", "aiff", "flac", "caf"),
    [
        ("PCM_S8", "PCM_U8", "PCM_S8", "PCM_S8", "PCM_S8"),
        ("PCM_U8", "PCM_U8", "PCM_U8", "PCM_S8", "PCM_S8"),
        ("PCM_16", "PCM_16", "PCM_16", "PCM_16", "PCM_16"),
        ("PCM_24", "PCM_24", "PCM_24", "PCM_24", "PCM_24"),
        ("PCM_32", "PCM_32", "PCM_32", "PCM_24", "PCM_32"),
        ("FLOAT", "FLOAT", "FLOAT", "PCM_24", "FLOAT"),
        ("DOUBLE", "DOUBLE", "DOUBLE", "PCM_24", "DOUBLE"),
        ("ULAW", "ULAW", "ULAW", "PCM_16", "ULAW"),
        ("ALAC_24", "PCM_24", "PCM_24", "PCM_24", "PCM_24"),
        ("MPEG_LAYER_III", "PCM_16", "PCM_16", "PCM_16", "PCM_16"),
        ("VORBIS", "PCM_16", "PCM_16", "PCM_16", "PCM_16"),
        ("IMA_ADPCM", "PCM_16", "PCM_16", "PCM_16", "PCM_16"),
    ],
)
def test_sample_format_is_the_nearest(subtype: str, wav: str, aiff: str, flac: str, caf: str) -> None:
    for suffix, expected in ((".wav", wav), (".aif", aiff), (".flac", flac), (".caf", caf)):
        assert CONTAINERS[suffix].subtype_like(subtype) == expected
    assert CONTAINERS[".ogg"].subtype_like(subtype) == "VORBIS"


def test_every_container_writes_every_format_it_claims(tmp_path: Path) -> None:
    source = write_wav(tmp_path / "in.wav", samples=997, channels=1)
    for suffix, container in CONTAINERS.items():
        for subtype in container.subtypes:
            with AudioSource(source) as like:
                like.subtype = subtype
                output = tmp_path / f"out-{subtype}{suffix}"
                with AudioTarget(output, like) as target:
                    target.write(like.read(997))
                    target.commit()
                with AudioSource(output) as made:
                    assert (made.format, made.subtype) == (target.format, subtype)
                    assert (made.samples, made.sample_rate, made.channels) == (997, RATE_HZ, 1)


def test_ogg_sounds_like_the_source(tmp_path: Path) -> None:
    time_s = np.arange(RATE_HZ) / RATE_HZ
    tone = np.stack([np.sin(2 * np.pi * 440 * time_s), np.sin(2 * np.pi * 1000 * time_s)], 1) * 0.5
    soundfile.write(tmp_path / "in.wav", tone, RATE_HZ)
    written = render(tmp_path / "in.wav", tmp_path / "out.ogg")
    assert (written.format, written.subtype) == ("OGG", "VORBIS")
    error = read_floats(tmp_path / "out.ogg") - tone
    assert np.sqrt(np.mean(error**2)) < 0.01  # 31 dB below the tone
    # Noise gets some 290 kbit/s; libsndfile's default quality, 140.
    render(write_wav(tmp_path / "noise.wav", samples=RATE_HZ), tmp_path / "noise.ogg")
    assert (tmp_path / "noise.ogg").stat().st_size * 8 > 200_000


def test_an_odd_8_bit_mono_aiff_keeps_its_length(tmp_path: Path) -> None:
    # libsndfile writes such a file with its pad byte counted as a sample.
    for samples in (1, 2, 997):
        source = write_wav(tmp_path / "in.wav", samples, channels=1, subtype="PCM_U8")
        render(source, tmp_path / "out.aiff", overwrite=True)
        assert soundfile.info(tmp_path / "out.aiff").frames == samples
        chunks = dict(strict_chunks(tmp_path / "out.aiff"))
        assert len(chunks[b"SSND"]) == 8 + samples
        assert struct.unpack_from(">I", chunks[b"COMM"], 2) == (samples,)


def test_float_files_do_not_tell_the_time(tmp_path: Path) -> None:
    source = write_wav(tmp_path / "in.wav", subtype="FLOAT")
    for suffix, order in ((".wav", "<"), (".aiff", ">")):
        render(source, tmp_path / f"out{suffix}")
        peak = dict(strict_chunks(tmp_path / f"out{suffix}"))[b"PEAK"]
        assert struct.unpack_from(order + "II", peak) == (1, 0)


def test_a_flac_that_does_not_say_its_length(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "stream.flac", samples=40_000, format="FLAC")
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # STREAMINFO's 36 bits of length: 0 is unknown, as encoders to a pipe write
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert soundfile.info(path).frames > 2**62
    with AudioSource(path) as source:
        assert source.samples == 40_000
        assert sum(block.shape[1] for block in _all(source, 4096)) == 40_000


@pytest.mark.parametrize("rate_hz", [48_000, 22_050, 8_000])
def test_mp3_without_length_header(tmp_path: Path, rate_hz: int) -> None:
    """libsndfile reckons with the first bitrate: where that is high, it would stop too early."""
    loud_first = noise(rate_hz * 4) * np.linspace(1, 0, rate_hz * 4, dtype=np.float32)[:, None] ** 2
    path = tmp_path / "a.mp3"
    for mode, audio in (
        ("CONSTANT", loud_first),
        ("VARIABLE", loud_first[::-1]),
        ("VARIABLE", loud_first),
    ):
        with soundfile.SoundFile(
            path, "w", rate_hz, 2, format="MP3", compression_level=0.5, bitrate_mode=mode
        ) as file:
            file.write(audio)
        with AudioSource(path) as source:
            assert source.samples == len(audio)
        content = path.read_bytes()
        second_frame = content.index(content[:2], 40)
        path.write_bytes(b"ID3\4\0\0\0\0\0\5extra" + content[second_frame:-50])
        if mode == "VARIABLE" and audio is loud_first:
            with pytest.raises(AudioFileError, match="varying bitrate") as raised:
                AudioSource(path)
            assert "ffmpeg" in message_of(raised)
            return
        with AudioSource(path) as source:
            assert source.samples == pytest.approx(len(audio), abs=4 * 1152)
            assert sum(b.shape[1] for b in _all(source, 4096)) == source.samples


@pytest.mark.parametrize(
    ("second_byte", "third_byte", "samples", "sizes"),
    [
        (0xFB, 0x90, 1152, (417, 418)),  # MPEG-1, 44100 Hz, 128 kbit/s
        (0xFA, 0x94, 1152, (384, 385)),  # MPEG-1 with CRC, 48000 Hz, 128 kbit/s
        (0xF3, 0x80, 576, (208, 209)),  # MPEG-2, 22050 Hz, 64 kbit/s
        (0xE3, 0x48, 576, (288, 289)),  # MPEG-2.5, 8000 Hz, 32 kbit/s
    ],
)
def test_mp3_frames_are_walked(
    second_byte: int, third_byte: int, samples: int, sizes: tuple[int, int]
) -> None:
    frames = [
        bytes([0xFF, second_byte, third_byte | padded << 1, 0]).ljust(sizes[padded], b"x")
        for padded in (0, 1, 1, 0)
    ]
    tag = b"ID3\4\0\0\0\0\1\2" + bytes(130)
    for head in (b"", tag):
        for tail in (b"", b"TAG".ljust(128), frames[0][:-1], b"\xff"):
            stream = io.BytesIO(head + b"".join(frames) + tail)
            assert headerless_samples(stream) == 4 * samples
    assert headerless_samples(io.BytesIO(b"no MP3" * 99)) == 0
    assert headerless_samples(io.BytesIO()) == 0
    for mark in (b"Xing", b"Info", b"VBRI"):
        assert headerless_samples(io.BytesIO(tag + frames[0][:36] + mark + bytes(99))) is None


# Metadata

RIFF_CHUNKS = [
    (b"bext", b"field recorder".ljust(602, b"\0") + b"coding history"),
    (b"iXML", b"<BWFXML><PROJECT>x</PROJECT></BWFXML>"),  # odd size
    (b"cue ", struct.pack("<I", 1) + struct.pack("<II4sIII", 1, 500, b"data", 0, 0, 500)),
    (b"smpl", struct.pack("<9I", 0, 0, 20833, 60, 0, 0, 0, 0, 0)),
    (b"inst", bytes([60, 0, 0, 0, 127, 1, 127])),  # odd size
    (b"id3 ", b"ID3\4\0\0\0\0\0\0"),
    (b"axml", b"<a/>"),
    (b"xyz!", b"\xff" * 13),  # of nobody's knowledge, odd
    (b"LIST", b"adtllabl" + struct.pack("<II", 8, 1) + b"vrs\0"),
    (b"LIST", info(INAM="Song", IART="Band")[8:]),
    (b"void", b""),
]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT"])
def test_wav_chunks_are_carried_byte_for_byte(tmp_path: Path, channels: int, subtype: str) -> None:
    source, output = tmp_path / "in.wav", tmp_path / "out.wav"
    write_wav(source, samples=997, channels=channels, subtype=subtype)  # 997 * 3 bytes: odd
    render(source, output)
    bare = strict_chunks(output)
    insert_chunks(
        source,
        b"".join(chunk(*c) for c in RIFF_CHUNKS[:5]),
        b"".join(chunk(*c) for c in RIFF_CHUNKS[5:]),
    )
    render(source, output, overwrite=True)
    assert strict_chunks(output) == bare + RIFF_CHUNKS
    with soundfile.SoundFile(output) as file:
        assert (file.title, file.artist) == ("Song", "Band")
    np.testing.assert_array_equal(read_floats(output), read_floats(source))


def test_rf64_takes_over_where_wav_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_wav(tmp_path / "in.wav", samples=997, channels=1)
    audio_bytes = 997 * 3
    for limit, expected in ((audio_bytes, "WAV"), (audio_bytes - 1, "RF64")):
        monkeypatch.setattr(target_module, "RF64_FROM_BYTES", limit)
        assert render(source, tmp_path / "plain.wav", overwrite=True).format == expected
    insert_chunks(source, b"", b"".join(chunk(*c) for c in RIFF_CHUNKS))
    # Chunks count as well.
    monkeypatch.setattr(target_module, "RF64_FROM_BYTES", audio_bytes + 100)
    assert render(source, tmp_path / "big.wav").format == "RF64"
    chunks = strict_chunks(tmp_path / "big.wav")
    assert [kind for kind, _ in chunks[:3]] == [b"ds64", b"fmt ", b"data"]
    assert chunks[3:] == RIFF_CHUNKS
    np.testing.assert_array_equal(read_floats(tmp_path / "big.wav"), read_floats(source))
    # And back into a WAV.
    monkeypatch.undo()
    assert render(tmp_path / "big.wav", tmp_path / "small.wav").format == "WAV"
    assert strict_chunks(tmp_path / "small.wav")[2:] == RIFF_CHUNKS


def test_chunks_that_do_not_fit_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a WAV near 4 GiB. RF64 has room for all."""
    source, output = write_wav(tmp_path / "in.wav", subtype="PCM_16"), tmp_path / "out.wav"
    render(source, output)
    room = output.stat().st_size + 28
    chunks = [(b"fits", bytes(10)), (b"long", bytes(11)), (b"too ", b"12")]
    insert_chunks(source, b"", b"".join(chunk(*c) for c in chunks))
    monkeypatch.setattr(metadata_module, "_MOST_FORM_BYTES", room)
    assert carried(source, output) == [chunks[0], chunks[2]]
    monkeypatch.setattr(target_module, "RF64_FROM_BYTES", 0)
    assert carried(source, output)[1:] == chunks


def test_wavex_stays_wavex(tmp_path: Path) -> None:
    source = write_wav(tmp_path / "in.wav", channels=6, format="WAVEX")
    assert render(source, tmp_path / "out.wav").format == "WAVEX"
    assert dict(strict_chunks(tmp_path / "out.wav")) == dict(strict_chunks(source))


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_aiff_chunks_are_carried_byte_for_byte(tmp_path: Path, subtype: str) -> None:
    source, output = tmp_path / "in.aif", tmp_path / "out.aiff"
    write_wav(source, samples=997, channels=1, subtype=subtype, format="AIFF")
    render(source, output)
    bare = strict_chunks(output)
    chunks = [
        (b"NAME", b"Song!"),
        (b"AUTH", b"Band"),
        (b"(c) ", b"1999"),
        (b"ANNO", b"odd"),
        (b"MARK", struct.pack(">HHI", 1, 1, 500) + b"\4mark\0"),
        (b"INST", bytes([60, 0, 0, 127, 1, 127, 0, 0]) + bytes(12)),
        (b"COMT", struct.pack(">HIHH", 1, 0, 0, 2) + b"hi"),
        (b"ID3 ", b"ID3\4\0\0\0\0\0\0"),
        (b"APPL", b"stocnobody knows"),
    ]
    insert_chunks(
        source,
        b"".join(chunk(*c, ">") for c in chunks[:4]),
        b"".join(chunk(*c, ">") for c in chunks[4:]),
    )
    render(source, output, overwrite=True)
    assert strict_chunks(output) == bare + chunks
    with soundfile.SoundFile(output) as file:
        assert (file.title, file.artist) == ("Song!", "Band")
    np.testing.assert_array_equal(read_floats(output), read_floats(source))


def test_structure_is_not_carried(tmp_path: Path) -> None:
    source, output = tmp_path / "in.wav", tmp_path / "out.wav"
    write_wav(source, subtype="PCM_16")
    render(source, output)
    bare = output.read_bytes()
    structural = (b"JUNK", b"junk", b"PAD ", b"FLLR", b"fact", b"PEAK", b"levl", b"MD5 ")
    insert_chunks(source, b"".join(chunk(kind, bytes(24)) for kind in structural), b"")
    insert_chunks(source, b"", chunk(b"LIST", b"wavl" + chunk(b"slnt", bytes(4))))
    render(source, output, overwrite=True)
    assert output.read_bytes() == bare


def carried(source: Path, output: Path) -> list[tuple[bytes, bytes]]:
    render(source, output, overwrite=True)
    np.testing.assert_array_equal(read_floats(output), read_floats(source))
    return strict_chunks(output)[2:]


def test_broken_chunk_tables_give_what_is_readable(tmp_path: Path) -> None:
    source, output = tmp_path / "in.wav", tmp_path / "out.wav"
    title = (b"LIST", info(INAM="Song")[8:])

    write_wav(source, subtype="PCM_16")
    insert_chunks(source, chunk(*title), chunk(b"iXML", b"0123456789"))
    whole = source.read_bytes()
    assert carried(source, output) == [title, (b"iXML", b"0123456789")]

    # Form sizes of recorders that were switched off.
    for size in (0, 36, 2**32 - 1):
        source.write_bytes(whole[:4] + struct.pack("<I", size) + whole[8:])
        assert carried(source, output) == [title, (b"iXML", b"0123456789")]

    # The last chunk cut off.
    source.write_bytes(whole[:-3])
    assert carried(source, output) == [title, (b"iXML", b"0123456")]

    # An ID3v1 tag behind the form, and junk that is no chunk.
    for junk in (b"TAGMy Song".ljust(128, b"x"), bytes(1000), b"\xff" * 64):
        source.write_bytes(whole + junk)
        assert carried(source, output) == [title, (b"iXML", b"0123456789")]
        if not junk.isascii() or not junk.strip(b"\0"):
            # Known to be junk also where the form's end is not known.
            source.write_bytes(whole[:4] + bytes(4) + whole[8:] + junk)
            assert carried(source, output) == [title, (b"iXML", b"0123456789")]

    # An odd chunk without its pad byte.
    write_wav(source, subtype="PCM_16")
    insert_chunks(source, b"", b"iXML\3\0\0\0abc" + chunk(*title))
    assert carried(source, output) == [(b"iXML", b"abc"), title]


def test_a_table_of_a_million_chunks_ends(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "in.wav", subtype="PCM_16")
    insert_chunks(path, b"", chunk(b"none", b"") * 1_000_000)
    with path.open("rb") as file:
        assert 100 < len(list(walk_chunks(file))) < 10_000


CARRIED = b"LISTcue smplinstbextiXMLid3 acidstrccartchnaexifMARKINSTCOMTNAMEAPPLCHANbascvoid"
STRUCTURAL = b"datafmt ds64factPEAKRIFFFORMSSNDCOMM\0\0\0\0"


def kinds(names: bytes) -> st.SearchStrategy[bytes]:
    return st.sampled_from([names[at : at + 4] for at in range(0, len(names), 4)])


CONTENTS = st.binary(max_size=60) | st.sampled_from([content for _, content in RIFF_CHUNKS])
SOUND = st.tuples(kinds(CARRIED), CONTENTS, st.none())
# A size of None is the true one.
GARBLED = st.tuples(
    kinds(CARRIED) | kinds(STRUCTURAL) | st.binary(max_size=5),
    CONTENTS,
    st.none() | st.integers(0, 80) | st.integers(0, 2**32 - 1),
)
# libsndfile refuses most files with something strange before the audio.
BEFORE = st.lists(SOUND, max_size=3) | st.lists(SOUND, max_size=3) | st.lists(GARBLED, max_size=2)
AFTER = st.lists(SOUND | GARBLED, max_size=5)
Table = list[tuple[bytes, bytes, int | None]]


def table_bytes(table: Table, order: str) -> bytes:
    return b"".join(
        chunk(kind, content, order) if size is None else kind + struct.pack(order + "I", size) + content
        for kind, content, size in table
    )


@pytest.mark.parametrize("form", ["WAV", "RF64", "AIFF"])
@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    before=BEFORE,
    after=AFTER,
    form_size=st.sampled_from([None, None, None, 0, 2**32 - 1]) | st.integers(0, 300),
)
def test_garbled_chunk_tables_never_raise_nor_corrupt(
    tmp_path_factory: pytest.TempPathFactory,
    form: str,
    before: Table,
    after: Table,
    form_size: int | None,
) -> None:
    folder = tmp_path_factory.mktemp("garbled")
    order = ">" if form == "AIFF" else "<"
    source, output = folder / "in", folder / ("out.aiff" if form == "AIFF" else "out.wav")
    soundfile.write(source, noise(50, 1), RATE_HZ, format=form, subtype="PCM_24")
    render(source, output)
    bare = strict_chunks(output)
    content = source.read_bytes()
    audio_at = content.rindex(b"SSND" if form == "AIFF" else b"data")
    content = content[:audio_at] + table_bytes(before, order) + content[audio_at:]
    content += table_bytes(after, order)
    if form != "RF64":
        size = len(content) - 8 if form_size is None else form_size
        content = content[:4] + struct.pack(order + "I", size) + content[8:]
    source.write_bytes(content)
    try:
        with AudioSource(source) as opened:
            audio = opened.read(opened.samples).T
            readable = (opened.channels, opened.samples, opened.subtype) == (1, 50, "PCM_24")
    except AudioFileError:
        return  # libsndfile itself cannot make sense of it
    render(source, output, overwrite=True)
    np.testing.assert_array_equal(read_floats(output), audio)
    chunks = strict_chunks(output)
    if readable:
        assert [kind for kind, _ in chunks[: len(bare)]] == [kind for kind, _ in bare]
    for name in (b"fmt ", b"data", b"COMM", b"SSND"):
        assert sum(kind == name for kind, _ in chunks) <= 1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=8))
def test_flipped_bytes_never_raise_nor_corrupt(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    source, output = write_wav(folder / "in.wav", samples=20, channels=1), folder / "out.wav"
    insert_chunks(source, chunk(*RIFF_CHUNKS[2]) + info(INAM="a", IART="b"), chunk(*RIFF_CHUNKS[3]))
    content = bytearray(source.read_bytes())
    for position, value in flips:
        content[position % len(content)] = value
    source.write_bytes(content)
    try:
        with AudioSource(source) as opened:
            audio = opened.read(opened.samples).T
    except AudioFileError:
        return
    try:
        written = render(source, output)
    except AudioFileError as refused:
        assert "holds up to" in str(refused)  # noqa: PT017
        return
    if written.subtype in ("PCM_24", "PCM_16", "PCM_U8"):
        np.testing.assert_array_equal(read_floats(output), audio)
    strict_chunks(output)


def test_a_chunk_that_spoils_the_output_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_wav(tmp_path / "in.wav", subtype="PCM_16")
    render(source, tmp_path / "bare.wav")
    bare = (tmp_path / "bare.wav").read_bytes()
    insert_chunks(source, b"", chunk(b"evil", b"1234"))
    whole = AudioTarget._is_whole
    monkeypatch.setattr(
        AudioTarget, "_is_whole", lambda s, p: b"evil" not in p.read_bytes() and whole(s, p)
    )
    render(source, tmp_path / "out.wav")
    assert (tmp_path / "out.wav").read_bytes() == bare


TAGS = {"title": "Söng", "artist": "Bänd", "comment": "c", "copyright": "1999 Me"}
MORE_TAGS = {"album": "LP", "date": "2024-05-01", "genre": "Dub", "tracknumber": "7"}


@pytest.mark.parametrize(
    ("source_suffix", "output_suffix"),
    [
        (".wav", ".flac"),
        (".wav", ".ogg"),
        (".wav", ".aiff"),
        (".wav", ".caf"),
        (".flac", ".wav"),
        (".flac", ".ogg"),
        (".flac", ".flac"),
        (".ogg", ".wav"),
        (".aiff", ".wav"),
        (".caf", ".flac"),
        (".wav", ".wav"),
        (".flac", ".w64"),
    ],
)
def test_tags_travel(tmp_path: Path, source_suffix: str, output_suffix: str) -> None:
    source, output = tmp_path / f"in{source_suffix}", tmp_path / f"out{output_suffix}"
    tags = TAGS if ".aiff" in (source_suffix, output_suffix) else TAGS | MORE_TAGS
    with soundfile.SoundFile(source, "w", RATE_HZ, 2) as file:
        for name, text in tags.items():
            setattr(file, name, text)
        file.software = "Recorder"
        file.write(noise(1000))
    with AudioSource(source) as opened:
        assert opened.tags.items() >= tags.items()
    render(source, output)
    with soundfile.SoundFile(output) as file:
        found = file.copy_metadata()
    if output_suffix == ".w64":
        assert found == {}  # libsndfile puts none there
    else:
        assert {name: found.get(name) for name in tags} == tags
        assert found["software"].startswith("Recorder")


def test_mp3_tags_travel(tmp_path: Path) -> None:
    with soundfile.SoundFile(tmp_path / "in.mp3", "w", RATE_HZ, 2) as file:
        file.title, file.artist = "Song", "Band"
        file.write(noise(5000))
    render(tmp_path / "in.mp3", tmp_path / "out.wav")
    assert dict(strict_chunks(tmp_path / "out.wav"))[b"LIST"].startswith(b"INFOINAM\6\0\0\0Song")


def test_windows_accents_survive(tmp_path: Path) -> None:
    source = write_wav(tmp_path / "in.wav", subtype="PCM_16")
    insert_chunks(
        source, info(INAM="Café".encode("cp1252"), IART="Bänd".encode("cp1252"), ICMT="ü"), b""
    )
    render(source, tmp_path / "out.flac")
    with soundfile.SoundFile(tmp_path / "out.flac") as file:
        assert (file.title, file.artist, file.comment) == ("Café", "Bänd", "ü")


def test_tags_that_libsndfile_does_not_see(tmp_path: Path) -> None:
    # Those behind 4 GiB of audio. This file is short, but what soundfile read of it is ignored.
    source = write_wav(tmp_path / "in.wav", format="RF64")
    with source.open("ab") as file:
        file.write(info(INAM="Söng", IART="", ITRK="7"))
    metadata = SourceMetadata(source, "RF64", {"title": "", "artist": " ", "genre": "Dub"})
    assert metadata.tags == {"title": "Söng", "tracknumber": "7", "genre": "Dub"}
    metadata.close()


def test_big_endian_wav_gives_its_tags_not_its_chunks(tmp_path: Path) -> None:
    source, output = tmp_path / "in.wav", tmp_path / "out.wav"
    with soundfile.SoundFile(source, "w", RATE_HZ, 1, "PCM_16", endian="BIG") as file:
        file.title = "Song"
        file.write(noise(100, 1))
    assert source.read_bytes()[:4] == b"RIFX"
    render(source, output)
    strict_chunks(output)
    with soundfile.SoundFile(output) as file:
        assert file.title == "Song"


def test_chunks_outlive_the_source(tmp_path: Path) -> None:
    source = write_wav(tmp_path / "in.wav", subtype="PCM_16")
    insert_chunks(source, b"", chunk(b"iXML", b"abcd"))
    with AudioSource(source) as like, AudioTarget(tmp_path / "out.wav", like) as target:
        source.unlink()
        target.write(like.read(1000))
        target.commit()
    assert strict_chunks(tmp_path / "out.wav")[-1] == (b"iXML", b"abcd")


# A whole file or none


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_by_an_exception(tmp_path: Path, error: type[BaseException]) -> None:
    source = write_wav(tmp_path / "in.wav")

    def broken_render() -> None:
        with AudioSource(source) as like, AudioTarget(tmp_path / "out.wav", like) as target:
            target.write(like.read(500))
            assert not (tmp_path / "out.wav").exists()
            raise error

    with pytest.raises(error):
        broken_render()
    assert only(tmp_path, "in.wav")


def test_nothing_is_left_without_commit(tmp_path: Path) -> None:
    with (
        AudioSource(write_wav(tmp_path / "in.wav")) as like,
        AudioTarget(tmp_path / "out.wav", like) as target,
    ):
        target.write(like.read(500))
    assert only(tmp_path, "in.wav")
    with pytest.raises(AudioFileError, match="finished") as raised:
        target.write(np.zeros((2, 1), np.float32))
    message_of(raised)


def test_nothing_stands_before_commit_and_all_after(tmp_path: Path) -> None:
    with AudioSource(write_wav(tmp_path / "in.wav")) as like:
        target = AudioTarget(tmp_path / "out.wav", like)
        target.write(like.read(1000))
        (part,) = (p for p in tmp_path.iterdir() if p.name != "in.wav")
        assert part.name.startswith(".out.wav.")
        assert part.name.endswith(f".{os.getpid()}.part")
        target.commit()
        assert only(tmp_path, "in.wav", "out.wav")
        target.discard()
        with pytest.raises(AudioFileError, match="finished"):
            target.commit()
    assert only(tmp_path, "in.wav", "out.wav")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "out.wav").stat().st_mode & 0o777 == 0o666 & ~umask


def test_nothing_to_commit(tmp_path: Path) -> None:
    with (
        AudioSource(write_wav(tmp_path / "in.wav")) as like,
        AudioTarget(tmp_path / "out.flac", like) as target,
        pytest.raises(AudioFileError, match="nothing was written") as raised,
    ):
        target.commit()
    message_of(raised)
    assert only(tmp_path, "in.wav")


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    source, output = write_wav(tmp_path / "in.wav"), tmp_path / "out.wav"
    output.write_bytes(b"precious")
    with pytest.raises(AudioFileError, match="exists") as raised:
        render(source, output)
    assert "overwrit" in message_of(raised)
    assert output.read_bytes() == b"precious"
    # With overwrite it stands until the new one is whole.
    with AudioSource(source) as like, AudioTarget(output, like, overwrite=True) as target:
        target.write(like.read(1000))
        assert output.read_bytes() == b"precious"
        target.commit()
    assert soundfile.info(output).frames == 1000
    assert only(tmp_path, "in.wav", "out.wav")


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_in_mid_render_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def no_link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", no_link)
    source = write_wav(tmp_path / "in.wav")
    render(source, tmp_path / "free.wav")
    assert soundfile.info(tmp_path / "free.wav").frames == 1000
    with AudioSource(source) as like, AudioTarget(tmp_path / "out.wav", like) as target:
        target.write(like.read(1000))
        (tmp_path / "out.wav").write_bytes(b"precious")
        with pytest.raises(AudioFileError, match="appeared") as raised:
            target.commit()
    message_of(raised)
    assert (tmp_path / "out.wav").read_bytes() == b"precious"
    assert only(tmp_path, "free.wav", "in.wav", "out.wav")


def test_the_input_is_never_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_wav(tmp_path / "in.wav")
    before = source.read_bytes()
    (tmp_path / "symbolic.wav").symlink_to(source)
    os.link(source, tmp_path / "hard.wav")
    (tmp_path / "folder").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("in.wav", "symbolic.wav", "hard.wav", "folder/in.wav", str(source)):
        for overwrite in (False, True):
            with pytest.raises(AudioFileError, match="the input itself") as raised:
                render(source, Path(name), overwrite=overwrite)
            message_of(raised)
    with pytest.raises(AudioFileError, match="the input itself"):
        render(tmp_path / "symbolic.wav", source, overwrite=True)
    assert source.read_bytes() == before


def test_stale_parts_of_the_same_target_are_removed(tmp_path: Path) -> None:
    source = write_wav(tmp_path / "in.wav")
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    dead_pid = int(dead.stdout)
    stale = [f".out.wav.0123abcd.{pid}.part" for pid in (dead_pid, os.getpid(), 10**12)]
    kept = [
        f".out.wav.0123abcd.{os.getppid()}.part",  # its process lives
        f".other.wav.0123abcd.{dead_pid}.part",
        f".out.wav.flac.0123abcd.{dead_pid}.part",
        f".out.wav.notes.{dead_pid}.part",
        "out.wav.part",
    ]
    for name in stale + kept:
        (tmp_path / name).write_bytes(b"")
    with AudioSource(source) as like, AudioTarget(tmp_path / "out.wav", like) as first:
        assert not any((tmp_path / name).exists() for name in stale)
        # A second one in this process leaves the first one's part alone.
        with AudioTarget(tmp_path / "out.wav", like) as second:
            for target in (first, second):
                target.write(np.ones((2, 1), np.float32))
            first.commit()
            with pytest.raises(AudioFileError, match="appeared"):
                second.commit()
    assert only(tmp_path, "in.wav", "out.wav", *kept)


def test_a_killed_render_leaves_no_half_file(tmp_path: Path) -> None:
    source = write_wav(tmp_path / "in.wav", samples=100_000)
    script = (
        "import sys, time\n"
        "from codecfx.audio_file import AudioSource, AudioTarget\n"
        "source = AudioSource(sys.argv[1])\n"
        "target = AudioTarget(sys.argv[2], source)\n"
        "target.write(source.read(50_000))\n"
        "print('half', flush=True)\n"
        "time.sleep(60)\n"
    )
    output = tmp_path / "out.wav"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(source), str(output)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half\n"
        process.send_signal(signal.SIGKILL)
    (part,) = (p for p in tmp_path.iterdir() if p != source)
    assert part.name.endswith(f".{process.pid}.part")
    assert part.stat().st_size > 100_000
    render(source, output)
    assert only(tmp_path, "in.wav", "out.wav")
    np.testing.assert_array_equal(read_floats(output), read_floats(source))


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    """Also in the last bytes, which libsndfile loses silently for FLAC and Vorbis."""
    source = write_wav(tmp_path / "in.wav", samples=20_000)
    insert_chunks(source, b"", chunk(b"iXML", bytes(5000)))
    script = (
        "import os, resource, sys\n"
        "from codecfx.audio_file import AudioSource, AudioTarget\n"
        "def render(name):\n"
        "    with AudioSource(sys.argv[1]) as source, AudioTarget(name, source) as target:\n"
        "        while (audio := source.read(4096)).shape[1]:\n"
        "            target.write(audio)\n"
        "        target.commit()\n"
        "for suffix in ('.wav', '.flac', '.ogg', '.aiff', '.w64'):\n"
        "    render('whole' + suffix)\n"
        "    size = os.path.getsize('whole' + suffix)\n"
        "    for limit in (0, 30, size // 2, size - 4000, size - 1, size):\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
        "        try:\n"
        "            render('out' + suffix)\n"
        "            print(suffix, limit == size, 'done')\n"
        "        except OSError as error:\n"
        "            sys.stdout.write(f'{suffix} {limit == size} {error}\\n')\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(source)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 5 * 6
    for line in lines:
        suffix, fits, message = line.split(" ", 2)
        if fits == "True":
            assert message == "done"
        else:
            assert message.startswith(f"cannot write 'out{suffix}': File too large"), line
    outputs = [f"{stem}{s}" for stem in ("whole", "out") for s in (".wav", ".flac", ".ogg")]
    outputs += ["whole.aiff", "out.aiff", "whole.w64", "out.w64"]
    assert only(tmp_path, "in.wav", *outputs)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_vanished_folder(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with (
        AudioSource(write_wav(tmp_path / "in.wav")) as like,
        AudioTarget(folder / f"out{suffix}", like) as target,
    ):
        target.write(like.read(1000))
        for part in folder.iterdir():
            part.unlink()
        folder.rmdir()
        with pytest.raises(AudioFileError, match="its folder has vanished") as raised:
            target.commit()
    assert f"out{suffix}" in message_of(raised)
    assert only(tmp_path, "in.wav")


def test_a_failing_fsync_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with (
        AudioSource(write_wav(tmp_path / "in.wav")) as like,
        AudioTarget(tmp_path / "out.wav", like) as target,
    ):
        target.write(like.read(1000))
        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(AudioFileError, match="Input/output error") as raised:
            target.commit()
    message_of(raised)
    assert only(tmp_path, "in.wav")


# Refusals, each in one line


def refused_source(path: Path) -> str:
    with pytest.raises(AudioFileError) as raised:
        AudioSource(path)
    message = message_of(raised)
    assert path.name.split("\n")[0] in message
    return message


def test_sources_that_are_none(tmp_path: Path) -> None:
    assert "there is no file" in refused_source(tmp_path / "none.wav")
    assert "there is no file" in refused_source(tmp_path / "two\nlines.wav")
    assert "is a folder" in refused_source(tmp_path)
    for name, content in (("text.wav", b"hello " * 99), ("empty.flac", b""), ("x.raw", b"1" * 99)):
        (tmp_path / name).write_bytes(content)
        assert "is no audio file" in refused_source(tmp_path / name)
    soundfile.write(tmp_path / "silent.wav", noise(0), RATE_HZ)
    assert "holds no samples" in refused_source(tmp_path / "silent.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    assert "no regular file" in refused_source(tmp_path / "pipe.wav")
    assert "too long" in refused_source(tmp_path / ("x" * 300))


def test_a_source_one_may_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_wav(tmp_path / "in.wav")

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    # Not by chmod: tests may run as root, who may read everything.
    monkeypatch.setattr(Path, "open", forbidden)
    assert "Permission denied" in refused_source(path)


@pytest.mark.parametrize(
    ("suffix", "words"), [(".flac", "cannot be read past"), (".mp3", "ends after")]
)
def test_a_source_that_is_cut_short(tmp_path: Path, suffix: str, words: str) -> None:
    path = tmp_path / f"in{suffix}"
    soundfile.write(path, noise(100_000), RATE_HZ)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with AudioSource(path) as source, pytest.raises(AudioFileError, match=words) as raised:
        list(_all(source, 1024))
    assert "damaged" in message_of(raised)


def test_a_source_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "in.wav", samples=100_000)
    with AudioSource(path) as source:
        source.read(50_000)
        os.truncate(path, 400_000)
        with pytest.raises(AudioFileError, match="of 100000 samples") as raised:
            source.read(50_000)
    message_of(raised)


def test_a_closed_source(tmp_path: Path) -> None:
    source = AudioSource(write_wav(tmp_path / "in.wav"))
    source.close()
    source.close()
    with pytest.raises(AudioFileError, match="was closed") as raised:
        source.read(1)
    message_of(raised)


def refused_target(source: Path, output: Path, *, overwrite: bool = False) -> str:
    before = sorted(source.parent.iterdir())
    with AudioSource(source) as like, pytest.raises(AudioFileError) as raised:
        AudioTarget(output, like, overwrite=overwrite)
    message = message_of(raised)
    assert str(output) in message
    assert sorted(source.parent.iterdir()) == before
    return message


def test_outputs_that_cannot_be(tmp_path: Path) -> None:
    source = write_wav(tmp_path / "in.wav")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "dangling.wav").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.wav")
    assert "create it first" in refused_target(source, tmp_path / "none" / "out.wav")
    assert "Not a directory" in refused_target(source, source / "out.wav")
    assert "too long" in refused_target(source, tmp_path / f"{'x' * 300}.wav")
    assert "exists" in refused_target(source, tmp_path / "dangling.wav")
    for overwrite in (False, True):
        message = refused_target(source, tmp_path / "folder.wav", overwrite=overwrite)
        assert "that is a folder" in message
        message = refused_target(source, tmp_path / "pipe.wav", overwrite=overwrite)
        assert "no regular file" in message
    for name in ("out.mp3", "out", "out.txt", ".wav"):
        message = refused_target(source, tmp_path / name)
        assert ".flac" in message
        assert ".wav" in message


def test_the_longest_name_a_folder_takes(tmp_path: Path) -> None:
    output = tmp_path / ("ö" * 125 + ".WAV")
    assert len(os.fsencode(output.name)) == 254
    render(write_wav(tmp_path / "in.wav"), output)
    assert only(tmp_path, "in.wav", output.name)


@pytest.mark.parametrize(
    ("suffix", "channels", "rate_hz", "words"),
    [
        (".flac", 9, 48_000, "up to 8 channels, this is 9"),
        (".flac", 1, 700_000, "up to 655350 Hz, this is 700000"),
        (".flac", 1, 96_001, "multiples of 10 Hz"),
        (".ogg", 256, 48_000, "up to 255 channels"),  # libsndfile crashes here
        (".ogg", 1, 200_001, "up to 200000 Hz"),  # and here
    ],
)
def test_what_a_container_cannot_hold(
    tmp_path: Path, suffix: str, channels: int, rate_hz: int, words: str
) -> None:
    source = tmp_path / "in.wav"
    soundfile.write(source, noise(10, channels), rate_hz)
    message = refused_target(source, tmp_path / f"out{suffix}")
    assert words in message
    assert ".wav" in message


@pytest.mark.parametrize(
    ("suffix", "channels", "rate_hz"),
    [(".flac", 8, 655_350), (".flac", 1, 65_535), (".ogg", 255, 48_000), (".ogg", 1, 200_000)],
)
def test_what_a_container_can_just_hold(
    tmp_path: Path, suffix: str, channels: int, rate_hz: int
) -> None:
    source = tmp_path / "in.wav"
    soundfile.write(source, noise(1025, channels), rate_hz)
    render(source, tmp_path / f"out{suffix}")
    made = soundfile.info(tmp_path / f"out{suffix}")
    assert (made.channels, made.samplerate, made.frames) == (channels, rate_hz, 1025)


def test_four_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_wav(tmp_path / "in.wav", samples=1000, channels=1, subtype="PCM_16")
    monkeypatch.setattr(target_module, "FORM_LIMIT_BYTES", 1999)
    assert "AIFF holds up to 4 GiB" in refused_target(source, tmp_path / "out.aiff")
    # A WAV that was going to fit, and whose effects have a longer tail than anybody thought.
    monkeypatch.setattr(target_module, "FORM_LIMIT_BYTES", 2000)
    with AudioSource(source) as like, AudioTarget(tmp_path / "out.wav", like) as target:
        target.write(like.read(1000))
        with pytest.raises(AudioFileError, match="4 GiB") as raised:
            target.write(np.zeros((1, 1), np.float32))
    message_of(raised)
    assert only(tmp_path, "in.wav")
    render(source, tmp_path / "out.w64")


def test_a_folder_one_may_not_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_wav(tmp_path / "in.wav")
    for code, words in ((errno.EACCES, "Permission denied"), (errno.EROFS, "Read-only")):
        with monkeypatch.context() as patch:

            def refuse(*_: object, code: int = code) -> int:
                raise OSError(code, os.strerror(code))

            patch.setattr(os, "open", refuse)
            assert words in refused_target(source, tmp_path / "out.wav")


def test_other_arrays_are_refused(tmp_path: Path) -> None:
    with (
        AudioSource(write_wav(tmp_path / "in.wav")) as like,
        AudioTarget(tmp_path / "out.wav", like) as target,
    ):
        for wrong in (np.zeros((3, 9)), np.zeros((2, 9)), np.zeros(9), np.zeros((9, 2))):
            with pytest.raises(UnsupportedFormat, match=r"float32 \(2, samples\)"):
                target.write(wrong.astype(np.float64 if wrong.shape == (2, 9) else np.float32))
        target.write(np.zeros((2, 0), np.float32))
        assert target.samples == 0
