"""Rendering: files through boards into files, in time, to the last bit, whole or not at all."""

import os
import shutil
import subprocess
import sys
import time
from math import inf, log10
from pathlib import Path
from typing import ClassVar

import numpy as np
import pedalboard
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from signals import measure_latency, noise, rms_db, same, sine, snr_db, tones, voice

from codecfx import PCM, Chain, Mix, Opus, Pedalboard, native
from codecfx.audio import Audio
from codecfx.audio_file import AudioSource
from codecfx.codecs.base import Packet
from codecfx.codecs.opus import Opus as OpusCodec
from codecfx.control.parameters import Change, Parameter
from codecfx.effects.base import BYPASS, MIX, Effect
from codecfx.effects.codec_effect import effect_of
from codecfx.effects.processor import STEP_SAMPLES, Processor, StreamSpec
from codecfx.errors import AudioFileError, ConfigurationError, UnsupportedFormat
from codecfx.rendering import RenderReport, effects_of, render

RATE = 48_000
ROOT = Path(__file__).parents[1]
LENGTHS = (1, 997, 1024, 1025)  # one, a prime, a power of two and one more


def write(path: Path, audio: Audio, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    """Audio (channels, samples) as a file."""
    soundfile.write(path, audio.T, rate, subtype=subtype)
    return path


def read(path: Path) -> Audio:
    """A file's samples, float32 (channels, samples)."""
    audio, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return np.ascontiguousarray(audio.T)


def stored(path: Path) -> np.ndarray:
    """A file's numbers as they are stored: int32 from their top bit on, or float32."""
    kind = "float32" if soundfile.info(path).subtype == "FLOAT" else "int32"
    return soundfile.read(path, dtype=kind, always_2d=True)[0]


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden or not."""
    return sorted(path.name for path in folder.iterdir())


def in_a_new_process(script: str, *arguments: object, cwd: Path) -> str:
    """What a Python script prints, with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


# The same length, rate, channels, sample format and samples

LOSSLESS = [
    (".wav", "PCM_U8"),
    (".wav", "PCM_16"),
    (".wav", "PCM_24"),
    (".wav", "FLOAT"),
    (".flac", "PCM_16"),
    (".flac", "PCM_24"),
    (".aiff", "PCM_16"),
    (".aiff", "PCM_24"),
    (".aiff", "FLOAT"),
]


@pytest.mark.parametrize(("suffix", "subtype"), LOSSLESS)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_pcm_nulls_to_the_last_bit(tmp_path, suffix, subtype, channels):
    for samples in LENGTHS:
        audio = noise(channels, samples, seed=samples, level=0.5)
        source = write(tmp_path / f"in{suffix}", audio, subtype=subtype)
        report = render(PCM(), source, tmp_path / f"out{suffix}", overwrite=True)
        before, after = soundfile.info(source), soundfile.info(tmp_path / f"out{suffix}")
        for fact in ("frames", "samplerate", "channels", "format", "subtype"):
            assert getattr(after, fact) == getattr(before, fact), fact
        np.testing.assert_array_equal(stored(tmp_path / f"out{suffix}"), stored(source))
        assert (report.samples, report.channels) == (samples, channels)


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 96_000, 192_000])
def test_every_rate_stays_what_it_is(tmp_path, rate):
    source = write(tmp_path / "in.wav", noise(2, 997), rate, "PCM_24")
    assert render(PCM(), source, tmp_path / "out.wav").sample_rate == rate
    assert soundfile.info(tmp_path / "out.wav").samplerate == rate
    np.testing.assert_array_equal(stored(tmp_path / "out.wav"), stored(source))


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
@pytest.mark.parametrize("target", [".wav", ".flac", ".aiff", ".aif", ".caf", ".w64"])
def test_another_container_has_the_same_numbers(tmp_path, subtype, target):
    for suffix in (".wav", ".flac", ".aiff"):
        source = write(tmp_path / f"in{suffix}", noise(2, 1025, level=0.5), subtype=subtype)
        render(PCM(), source, tmp_path / f"out{target}", overwrite=True)
        assert soundfile.info(tmp_path / f"out{target}").subtype == subtype
        np.testing.assert_array_equal(stored(tmp_path / f"out{target}"), stored(source))


def test_floats_beyond_full_scale_stay(tmp_path):
    audio = noise(2, 1025, level=3)
    report = render(PCM(), write(tmp_path / "in.wav", audio), tmp_path / "out.wav")
    assert same(read(tmp_path / "out.wav"), audio)
    assert report.clipped_samples == 0
    assert report.peak_out_db == report.peak_in_db > 6


@pytest.mark.parametrize(("format_", "suffix"), [("MP3", ".mp3"), ("OGG", ".ogg")])
def test_a_compressed_source_is_what_its_decoder_says(tmp_path, format_, suffix):
    source = tmp_path / f"in{suffix}"
    soundfile.write(source, tones(RATE, 20_011, 2).T, RATE, format=format_)
    render(PCM(), source, tmp_path / "out.wav")
    with AudioSource(source) as reader:
        decoded = reader.read(reader.samples)
    assert soundfile.info(tmp_path / "out.wav").subtype == "PCM_16"
    assert read(tmp_path / "out.wav").shape == decoded.shape
    assert np.abs(read(tmp_path / "out.wav") - decoded).max() <= 0.5 / 2**15  # nearest of 16 bits
    assert abs(measure_latency(tones(RATE, 20_011, 2), read(tmp_path / "out.wav"))) < 0.5


def test_ogg_is_written_in_time(tmp_path):
    audio = tones(RATE, 70_001, 2)
    render(PCM(), write(tmp_path / "in.wav", audio), tmp_path / "out.ogg")
    assert soundfile.info(tmp_path / "out.ogg").subtype == "VORBIS"
    rendered = read(tmp_path / "out.ogg")
    assert rendered.shape == audio.shape
    assert snr_db(audio, rendered) > 20
    assert abs(measure_latency(audio, rendered)) < 0.1


@pytest.mark.parametrize("suffix", [".mp3", ".opus", ".txt", ""])
def test_other_outputs_are_refused(tmp_path, suffix):
    source = write(tmp_path / "in.wav", noise(1, 100))
    with pytest.raises(AudioFileError, match=r"name it \.aif, "):
        render(PCM(), source, tmp_path / f"out{suffix}")
    assert names(tmp_path) == ["in.wav"]


def test_tags_and_chunks_are_carried(tmp_path):
    source = tmp_path / "in.wav"
    with soundfile.SoundFile(source, "w", RATE, 1, "PCM_24") as file:
        file.title, file.artist = "Käfer", "Somebody"
        file.write(noise(1, 1025)[0])
    content = bytearray(source.read_bytes())
    bext = b"bext" + (604).to_bytes(4, "little") + bytes(range(256)) * 2 + bytes(92)
    content += bext
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    source.write_bytes(content)
    for name in ("out.wav", "out.flac", "out.ogg"):
        render(Opus(), source, tmp_path / name)
        with soundfile.SoundFile(tmp_path / name) as file:
            assert (file.title, file.artist) == ("Käfer", "Somebody")
            assert file.frames == 1025
    assert bext in (tmp_path / "out.wav").read_bytes()


# In time


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize(
    "make",
    [
        lambda: Opus(bitrate_kbps=128),
        lambda: Opus(bitrate_kbps=128, application="lowdelay", frame_ms=2.5),
        lambda: Pedalboard([native("Gain", gain_db=-3), Opus(bitrate_kbps=128), native("Limiter")]),
        lambda: Mix([Opus(bitrate_kbps=128), PCM(), native("Gain")]),
        lambda: Opus(bitrate_kbps=128, mix=0.5),
    ],
    ids=["opus", "lowdelay", "between natives", "in parallel", "half wet"],
)
def test_opus_comes_out_where_it_went_in(tmp_path, make, rate):
    audio = tones(rate, rate, 2)
    board = make()
    report = render(board, write(tmp_path / "in.wav", audio, rate), tmp_path / "out.wav")
    rendered = read(tmp_path / "out.wav")
    assert rendered.shape == audio.shape
    assert abs(measure_latency(audio, rendered)) < 0.5
    assert report.latency_samples == board.latency_samples > 0
    assert report.latency_ms == pytest.approx(1000 * report.latency_samples / rate)


def test_stems_through_different_boards_stay_in_time(tmp_path):
    source = write(tmp_path / "in.wav", tones(RATE, 40_000))
    boards = (
        Opus(bitrate_kbps=96),
        Chain([Opus(bitrate_kbps=96), Opus(frame_ms=60, bitrate_kbps=96)]),
        PCM(),
    )
    stems = []
    for board in boards:
        render(board, source, tmp_path / "out.wav", overwrite=True)
        stems.append(read(tmp_path / "out.wav"))
    assert len({board.latency_samples for board in boards}) == 3
    assert abs(measure_latency(stems[0], stems[1])) < 0.5
    assert abs(measure_latency(stems[2], stems[1])) < 0.5


# The same sound as the board called on the whole array

BOARDS = {
    "opus": lambda: Opus(bitrate_kbps=8),
    "opus with fec, dual mono": lambda: Opus(bitrate_kbps=12, fec=True, coupling="dual_mono"),
    "pcm at another rate": lambda: PCM(bits=8, rate_hz=22_050),
    "natives around": lambda: Pedalboard(
        [native("Compressor", threshold_db=-20, ratio=4), Opus(bitrate_kbps=12), native("Reverb")]
    ),
    "natives alone": lambda: Pedalboard([pedalboard.Chorus(), pedalboard.Delay(0.1, 0.5)]),
    "one native": lambda: native("Phaser"),
    "parallel": lambda: Mix(
        [Opus(bitrate_kbps=16), pedalboard.Gain(-3), Chain([PCM(bits=6)])], mix=0.7
    ),
}


@pytest.mark.parametrize("make", BOARDS.values(), ids=BOARDS.keys())
def test_a_file_is_the_board_on_the_whole_array(tmp_path, make):
    audio = tones(RATE, 2 * STEP_SAMPLES + 11, 2) + noise(2, 2 * STEP_SAMPLES + 11, level=0.02)
    render(make(), write(tmp_path / "in.wav", audio), tmp_path / "out.wav")
    assert same(read(tmp_path / "out.wav"), make()(audio, RATE))


@pytest.mark.parametrize("rate", [8000, 44_100, 96_000])
def test_at_any_rate_too(tmp_path, rate):
    audio = tones(rate, 80_001, 2)
    render(Opus(bitrate_kbps=16), write(tmp_path / "in.wav", audio, rate), tmp_path / "out.wav")
    assert same(read(tmp_path / "out.wav"), Opus(bitrate_kbps=16)(audio, rate))


@pytest.mark.parametrize(
    "samples",
    [1, 2, *(n * STEP_SAMPLES + at for n in (1, 2) for at in (-1, 0, 1)), STEP_SAMPLES - 1271],
)
def test_lengths_around_the_steps(tmp_path, samples):
    """Also where the last of the input and what is still inside come out in one step, or two."""
    audio = noise(1, samples, seed=samples)
    for make in (BOARDS["opus"], BOARDS["natives around"]):
        report = render(make(), write(tmp_path / "in.wav", audio), tmp_path / "out.wav", overwrite=True)
        assert report.samples == soundfile.info(tmp_path / "out.wav").frames == samples
        assert same(read(tmp_path / "out.wav"), make()(audio, RATE))


@given(samples=st.integers(1, 3 * STEP_SAMPLES), tail=st.integers(0, 2 * STEP_SAMPLES))
@example(samples=STEP_SAMPLES, tail=STEP_SAMPLES)
@example(samples=STEP_SAMPLES + 1, tail=STEP_SAMPLES - 1)
@settings(max_examples=15)
def test_any_length_and_tail_null(tmp_path, samples, tail):
    audio = noise(1, samples, seed=7)
    source = write(tmp_path / "in.wav", audio)
    board = Chain([PCM(frame_samples=997), native("Gain", gain_db=0)])
    report = render(board, source, tmp_path / "out.wav", tail_seconds=tail / RATE, overwrite=True)
    rendered = read(tmp_path / "out.wav")
    assert report.samples == rendered.shape[1] == samples + tail
    assert same(rendered[:, :samples], audio)
    assert not np.any(rendered[:, samples:])


def test_what_comes_later_changes_nothing(tmp_path):
    audio = noise(1, STEP_SAMPLES + 5000, seed=3)
    board = Opus(bitrate_kbps=12)
    render(board, write(tmp_path / "long.wav", audio), tmp_path / "long-out.wav")
    whole = read(tmp_path / "long-out.wav")
    for samples in (STEP_SAMPLES - 1, STEP_SAMPLES, STEP_SAMPLES + 1, STEP_SAMPLES + 4001):
        source = write(tmp_path / "in.wav", audio[:, :samples])
        render(board, source, tmp_path / "out.wav", overwrite=True)
        settled = samples - board.latency_samples  # what no later sample can reach
        assert same(read(tmp_path / "out.wav")[:, :settled], whole[:, :settled])


def test_a_board_that_has_played_starts_from_silence(tmp_path):
    audio = tones(RATE, 30_001, 2)
    source = write(tmp_path / "in.wav", audio)
    board = BOARDS["natives around"]()
    render(board, source, tmp_path / "first.wav")
    board.process(noise(1, 4000), 44_100, reset=False)  # another stream, in its middle
    render(board, source, tmp_path / "second.wav")
    assert (tmp_path / "first.wav").read_bytes() == (tmp_path / "second.wav").read_bytes()


class _OneBuffer:
    """Passes sound on in memory that it uses again and again, as effects may."""

    latency_samples = 0

    def __init__(self, spec: StreamSpec) -> None:
        self._buffer = np.empty((spec.channels, spec.max_block_samples), np.float32)

    def process_block(self, block: Audio) -> Audio:
        out = self._buffer[:, : block.shape[1]]
        out[:] = block
        return out

    def reset(self) -> None:
        self._buffer[:] = 0


class OneBuffer(Effect):
    name = "onebuffer"

    def build(self, spec: StreamSpec) -> Processor:
        return _OneBuffer(spec)


def test_what_is_on_its_way_to_the_file_is_not_the_effects_any_more(tmp_path):
    audio = noise(8, 20 * STEP_SAMPLES)
    render(OneBuffer(), write(tmp_path / "in.wav", audio), tmp_path / "out.wav")
    assert same(read(tmp_path / "out.wav"), audio)


# Tails, mix, bypass


def test_a_tail_rings_out(tmp_path):
    click = np.zeros((1, 4000), np.float32)
    click[0, -100] = 0.5
    source = write(tmp_path / "in.wav", click)
    echo = Pedalboard([native("Delay", delay_seconds=0.25, feedback=0.5, mix=0.5)])
    render(echo, source, tmp_path / "dry.wav")
    report = render(echo, source, tmp_path / "out.wav", tail_seconds=1.0)
    rendered = read(tmp_path / "out.wav")
    assert report.samples == rendered.shape[1] == 4000 + RATE
    assert report.seconds == pytest.approx(4000 / RATE + 1)
    assert same(rendered[:, :4000], read(tmp_path / "dry.wav"))
    heard = np.flatnonzero(np.abs(rendered[0]) > 0.01)
    np.testing.assert_allclose(heard, 3900 + np.arange(5) * RATE // 4, atol=1)


def test_a_codec_ends_in_its_tail(tmp_path):
    audio = sine(440, RATE, 20_000)
    source = write(tmp_path / "in.wav", audio)
    render(Opus(), source, tmp_path / "out.wav", tail_seconds=0.5)
    rendered = read(tmp_path / "out.wav")
    assert same(rendered[:, :20_000], Opus()(audio, RATE))
    assert rms_db(rendered[:, 20_000 : 20_000 + 240]) > -60  # the decoder's own ringing
    assert rms_db(rendered[:, 20_000 + 4800 :]) < -80


@pytest.mark.parametrize("tail", [-0.001, 3600.1, inf, float("nan")])
def test_tails_have_a_range(tmp_path, tail):
    source = write(tmp_path / "in.wav", noise(1, 100))
    with pytest.raises(ConfigurationError, match="it takes 0 to 3600"):
        render(PCM(), source, tmp_path / "out.wav", tail_seconds=tail)
    assert names(tmp_path) == ["in.wav"]


@pytest.mark.parametrize(("suffix", "subtype"), LOSSLESS)
def test_no_mix_is_the_source_to_the_last_bit(tmp_path, suffix, subtype):
    source = write(tmp_path / f"in{suffix}", noise(2, 70_001, level=0.4), subtype=subtype)
    for settings_ in ({"mix": 0.0}, {"bypass": True}):
        board = Pedalboard([Opus(bitrate_kbps=6), native("Gain", gain_db=12)], **settings_)
        render(board, source, tmp_path / f"out{suffix}", overwrite=True)
        np.testing.assert_array_equal(stored(tmp_path / f"out{suffix}"), stored(source))


def test_half_a_mix_is_half_of_each(tmp_path):
    audio = voice(RATE, 20_000)
    source = write(tmp_path / "in.wav", audio)
    render(Pedalboard([Opus(bitrate_kbps=8)], mix=0.5), source, tmp_path / "out.wav")
    wet = Opus(bitrate_kbps=8)(audio, RATE)
    np.testing.assert_allclose(read(tmp_path / "out.wav"), (audio + wet) / 2, atol=1e-6)


# The report


class CountingCodec(OpusCodec):
    """Opus that remembers what it sent."""

    name: ClassVar[str] = "counting"
    title: ClassVar[str] = "Counting"
    sent: ClassVar[list[Packet]] = []

    def encode(self, frames: Audio) -> list[Packet]:
        packets = super().encode(frames)
        self.sent.extend(packets)
        return packets


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize(
    ("channels", "codecs", "settings_"),
    [
        (1, 1, {"bitrate_kbps": 12, "rate_mode": "vbr"}),
        (2, 1, {"bitrate_kbps": 6, "frame_ms": 60}),
        (2, 2, {"bitrate_kbps": 16, "coupling": "dual_mono", "frame_ms": 2.5}),
        (5, 3, {"bitrate_kbps": 24, "dtx": True}),
    ],
)
def test_kbps_are_the_bits_of_the_packets_over_their_time(tmp_path, rate, channels, codecs, settings_):
    audio = np.repeat(voice(rate, rate), channels, axis=0)
    board = effect_of(CountingCodec)(**settings_)
    CountingCodec.sent.clear()
    source = write(tmp_path / "in.wav", audio, rate)
    report = render(board, source, tmp_path / "out.wav")
    sent = list(CountingCodec.sent)
    frames = len(sent) / codecs
    seconds = frames * board.values["frame_ms"] / 1000
    assert 1 <= seconds < 1.1  # all of the source, and what pushes its end out
    assert report.kbps == {
        "counting": pytest.approx(sum(8 * len(packet.payload) for packet in sent) / 1000 / seconds)
    }
    CountingCodec.sent.clear()
    assert render(board, source, tmp_path / "again.wav").kbps == report.kbps  # not summed up


def test_kbps_of_pcm_are_arithmetic(tmp_path):
    source = write(tmp_path / "in.wav", noise(2, 9_999), 44_100)
    report = render(PCM(bits=12, rate_hz=8000, frame_samples=1), source, tmp_path / "out.wav")
    assert report.kbps == {"pcm": pytest.approx(2 * 12 * 8)}


def test_every_codec_has_its_rate_by_label_or_name(tmp_path):
    source = write(tmp_path / "in.wav", noise(1, 48_000), 48_000)
    board = Pedalboard(
        [
            Opus(bitrate_kbps=48, rate_mode="cbr"),
            Mix(
                [
                    PCM(bits=16, label="low"),
                    Chain([Opus(bitrate_kbps=24, rate_mode="cbr"), PCM(bits=8)]),
                ]
            ),
            native("Gain"),
        ]
    )
    report = render(board, source, tmp_path / "out.wav")
    assert report.kbps == {
        "opus": pytest.approx(48, abs=0.5),
        "low": pytest.approx(768),
        "opus 2": pytest.approx(24, abs=0.5),
        "pcm": pytest.approx(384),
    }
    assert [effect.name for effect in effects_of(board)] == [
        "pedalboard",
        "opus",
        "mix",
        "pcm",
        "chain",
        "opus",
        "pcm",
        "Gain",
    ]


def test_natives_alone_have_no_rate(tmp_path):
    source = write(tmp_path / "in.wav", noise(1, 1000))
    assert render(native("Gain"), source, tmp_path / "out.wav").kbps == {}


def test_peaks_and_clipping_are_told(tmp_path):
    audio = sine(1000, RATE, 12_000, 2, level=0.5)
    source = write(tmp_path / "in.wav", audio, subtype="PCM_16")
    report = render(native("Gain", gain_db=12), source, tmp_path / "out.wav")
    loud = native("Gain", gain_db=12)(read(source), RATE)
    assert report.peak_in_db == pytest.approx(20 * log10(0.5), abs=1e-3)
    assert report.peak_out_db == pytest.approx(20 * log10(np.abs(loud).max()), abs=1e-6)
    assert report.peak_out_db == pytest.approx(20 * log10(0.5) + 12, abs=1e-3)
    assert report.clipped_samples == np.count_nonzero(np.abs(loud) > 1) > 0
    assert np.abs(read(tmp_path / "out.wav")).max() <= 1


@pytest.mark.parametrize("at", [0, STEP_SAMPLES - 1, STEP_SAMPLES, -1])
def test_a_peak_counts_wherever_it_is(tmp_path, at):
    audio = np.full((1, 2 * STEP_SAMPLES + 1), 0.01, np.float32)
    audio[0, at] = -0.5
    report = render(PCM(), write(tmp_path / "in.wav", audio), tmp_path / "out.wav")
    assert report.peak_in_db == report.peak_out_db == pytest.approx(20 * log10(0.5))


def test_silence_has_no_level(tmp_path):
    source = write(tmp_path / "in.wav", np.zeros((2, 5000), np.float32), subtype="PCM_16")
    report = render(PCM(), source, tmp_path / "out.wav")
    assert report.peak_in_db == report.peak_out_db == -inf
    assert report.clipped_samples == 0


def test_what_is_no_sound_is_silence(tmp_path):
    audio = noise(1, 3000)
    audio[0, 1000:1003] = (np.nan, np.inf, -np.inf)
    source = write(tmp_path / "in.wav", audio)
    render(PCM(), source, tmp_path / "out.wav")
    rendered = read(tmp_path / "out.wav")
    assert not np.any(rendered[0, 1000:1003])
    assert same(np.delete(rendered, [1000, 1001, 1002], 1), np.delete(audio, [1000, 1001, 1002], 1))


def test_the_report_names_what_was_done(tmp_path):
    source = write(tmp_path / "in.wav", noise(2, 44_100), 44_100)
    began = time.perf_counter()
    report = render(Opus(), str(source), str(tmp_path / "out.wav"), tail_seconds=0.25)
    elapsed = time.perf_counter() - began
    assert (report.source, report.target) == (source, tmp_path / "out.wav")
    assert (report.sample_rate, report.channels, report.samples) == (44_100, 2, 55_125)
    assert report.seconds == 1.25
    assert 0 < report.elapsed_seconds <= elapsed
    assert report.real_time_factor == pytest.approx(1.25 / report.elapsed_seconds)
    assert report.seed is None


def test_no_time_at_all_is_infinitely_fast():
    none = RenderReport(Path("a"), Path("b"), 1, 1, 1, 1.0, 0.0, {}, 0, 0.0, 0.0, 0.0, 0, None)
    assert none.real_time_factor == inf


# Seeds


class _Dust:
    """Noise from a seed on top of the sound."""

    latency_samples = 0

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.reset()

    def process_block(self, block: Audio) -> Audio:
        grains = self._random.standard_normal(block.shape[::-1]).T
        return block + (0.01 * grains).astype(np.float32)

    def reset(self) -> None:
        self._random = np.random.default_rng(self._seed)


class Dust(Effect):
    name = "dust"
    parameters = (Parameter("seed", "Seed", default=0, change=Change.PREPARE), MIX, BYPASS)

    def build(self, spec: StreamSpec) -> Processor:
        return _Dust(int(self.values["seed"]))


def test_a_seed_reaches_every_effect_that_has_one(tmp_path):
    source = write(tmp_path / "in.wav", noise(1, STEP_SAMPLES + 1))
    dust, nested = Dust(seed=5), Dust()
    board = Pedalboard([dust, Mix([nested, Opus()])])
    rendered = {}
    for name, seed in (("one", 7), ("two", 8), ("three", 7), ("four", None)):
        report = render(board, source, tmp_path / f"{name}.wav", seed=seed)
        assert report.seed == seed
        assert dust.seed == nested.seed == (seed if seed is not None else 7)  # None leaves it alone
        rendered[name] = read(tmp_path / f"{name}.wav")
    assert same(rendered["one"], rendered["three"])
    assert same(rendered["one"], rendered["four"])
    assert not same(rendered["one"], rendered["two"])


# Progress


@pytest.mark.parametrize("samples", [1, STEP_SAMPLES, STEP_SAMPLES + 1, 5 * STEP_SAMPLES - 7])
def test_progress_goes_up_to_one(tmp_path, samples):
    source = write(tmp_path / "in.wav", noise(1, samples))
    done: list[float] = []
    render(PCM(), source, tmp_path / "out.wav", tail_seconds=0.5, on_progress=done.append)
    assert done == sorted(done)
    assert done[0] >= 0
    assert done[-1] == 1
    assert len(done) >= (samples + RATE // 2) // STEP_SAMPLES
    assert all(type(fraction) is float for fraction in done)  # what a pipe to the parent takes


# Whole or not at all


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError, BrokenPipeError])
@pytest.mark.parametrize("after", [1, 2, 4])
def test_whatever_stops_it_nothing_half_is_left(tmp_path, error, after):
    source = write(tmp_path / "in.wav", noise(1, 4 * STEP_SAMPLES))
    calls: list[list[str]] = []

    def stop(done: float) -> None:
        calls.append(names(tmp_path))
        if len(calls) == after:
            raise error

    with pytest.raises(error):
        render(Opus(), source, tmp_path / "out.wav", on_progress=stop)
    assert len(calls) == after
    for then in calls:  # aside and hidden while it grows
        assert len(then) == 2
        assert then[0].startswith(".out.wav.")
        assert then[0].endswith(".part")
        assert then[1] == "in.wav"
    assert names(tmp_path) == ["in.wav"]


def test_a_failed_render_keeps_what_stood_there(tmp_path):
    source = write(tmp_path / "in.wav", noise(1, 3 * STEP_SAMPLES))
    target = write(tmp_path / "out.wav", noise(1, 500))
    before = target.read_bytes()

    def stop(done: float) -> None:
        assert target.read_bytes() == before
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(Opus(), source, target, overwrite=True, on_progress=stop)
    assert target.read_bytes() == before
    with pytest.raises(AudioFileError, match="it exists"):
        render(Opus(), source, target)
    assert target.read_bytes() == before
    render(PCM(), source, target, overwrite=True)
    assert same(read(target), read(source))
    assert names(tmp_path) == ["in.wav", "out.wav"]


def test_a_folder_that_vanishes_is_one_clear_error(tmp_path):
    source = write(tmp_path / "in.wav", noise(1, 4 * STEP_SAMPLES))
    folder = tmp_path / "out"
    folder.mkdir()

    def vanish(done: float) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    with pytest.raises(AudioFileError, match="its folder has vanished") as raised:
        render(Opus(), source, folder / "out.wav", on_progress=vanish)
    assert "\n" not in str(raised.value)
    assert names(tmp_path) == ["in.wav"]


def test_a_source_cut_short_is_one_clear_error(tmp_path):
    whole = write(tmp_path / "whole.flac", noise(1, 4 * STEP_SAMPLES), subtype="PCM_16").read_bytes()
    (tmp_path / "in.flac").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AudioFileError, match=r"in\.flac.*damaged"):
        render(PCM(), tmp_path / "in.flac", tmp_path / "out.flac")
    assert names(tmp_path) == ["in.flac", "whole.flac"]


def test_a_source_that_shrinks_in_mid_render_is_one_clear_error(tmp_path):
    source = write(tmp_path / "in.wav", noise(1, 8 * STEP_SAMPLES))
    with pytest.raises(AudioFileError, match=r"in\.wav.* ends after .*damaged"):
        render(
            PCM(),
            source,
            tmp_path / "out.wav",
            on_progress=lambda done: os.truncate(source, 3 * STEP_SAMPLES * 4),
        )
    assert names(tmp_path) == ["in.wav"]


def test_what_a_board_cannot_take_is_found_before_a_file_is_begun(tmp_path):
    nine = write(tmp_path / "nine.wav", noise(9, 100))
    with pytest.raises(UnsupportedFormat, match="9 channels; codecfx takes 1 to 8"):
        render(PCM(), nine, tmp_path / "out.wav")
    filtered = native("LowpassFilter", cutoff_frequency_hz=RATE)
    with pytest.raises(UnsupportedFormat, match="it takes less than"):
        render(filtered, write(tmp_path / "in.wav", noise(1, 100)), tmp_path / "out.wav")
    assert names(tmp_path) == ["in.wav", "nine.wav"]


def test_eight_channels_stay_in_their_places(tmp_path):
    audio = np.stack([sine(200 * (channel + 1), RATE, 24_000)[0] for channel in range(8)])
    source = write(tmp_path / "in.wav", audio)
    render(Opus(bitrate_kbps=256), source, tmp_path / "out.wav")
    rendered = read(tmp_path / "out.wav")
    likeness = np.abs(np.corrcoef(audio[:, 2400:], rendered[:, 2400:])[:8, 8:])
    np.testing.assert_allclose(likeness, np.eye(8), atol=0.02)


def test_sources_that_are_none(tmp_path):
    (tmp_path / "text.wav").write_text("This is no audio.")
    write(tmp_path / "empty.wav", np.zeros((1, 0), np.float32))
    for name, message in (
        ("nowhere.wav", "there is no file"),
        ("text.wav", "no audio file"),
        ("empty.wav", "holds no samples"),
        ("", "is a folder"),
    ):
        with pytest.raises(AudioFileError, match=message):
            render(PCM(), tmp_path / name, tmp_path / "out.wav")
    assert names(tmp_path) == ["empty.wav", "text.wav"]


def test_the_input_is_never_the_output(tmp_path):
    source = write(tmp_path / "in.wav", noise(1, 100))
    before = source.read_bytes()
    (tmp_path / "link.wav").symlink_to("in.wav")
    for target in (source, tmp_path / "link.wav", tmp_path / "." / "in.wav"):
        with pytest.raises(AudioFileError, match="that is the input itself"):
            render(PCM(), source, target, overwrite=True)
    assert source.read_bytes() == before
    assert names(tmp_path) == ["in.wav", "link.wav"]


# In constant memory, and by its public name

MEASURE = """
import resource, sys, codecfx
codecfx.render(codecfx.PCM(), sys.argv[1], "out.wav", overwrite=True)
unit = 1 if sys.platform == "darwin" else 1024  # KiB, but bytes on macOS
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)
"""


def test_twenty_times_the_length_takes_the_same_memory(tmp_path):
    second = noise(2, RATE)
    for name, seconds in (("short.wav", 10), ("long.wav", 200)):
        with soundfile.SoundFile(tmp_path / name, "w", RATE, 2, "PCM_16") as file:
            for _ in range(seconds):
                file.write(second.T)
    short, long = (
        float(in_a_new_process(MEASURE, name, cwd=tmp_path)) for name in ("short.wav", "long.wav")
    )
    assert soundfile.info(tmp_path / "out.wav").frames == 200 * RATE
    assert abs(long - short) < 16, f"{short:.1f} and {long:.1f} MiB"


@pytest.mark.parametrize(
    "before",
    ["", "from codecfx.rendering import RenderReport", "import codecfx.batch"],
)
def test_the_name_is_the_function_whatever_was_imported(tmp_path, before):
    write(tmp_path / "in.wav", noise(1, 100))
    script = f"""
import codecfx
{before}
board = codecfx.PCM()
for name in ("one.wav", "two.wav"):
    print(codecfx.render(board, "in.wav", name).samples)
from codecfx import render
print(render(board, "in.wav", "three.wav").samples)
"""
    assert in_a_new_process(script, cwd=tmp_path) == "100\n100\n100\n"
