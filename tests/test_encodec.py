"""EnCodec: held to the `encodec` package on weights made here, in its own format and size.

What the package gives for a sound after a second of silence is what a stream gives: that is where every
stream begins. Bounds of float32: the package differs from itself by as much between one thread and two
(a few codes in a thousand of 32 books, where two codewords are as near).
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from encodec_model import CAUSAL, STEREO, model_in, some_sound
from made_models import ENCODEC, RANDOM, RANDOM_48
from signals import (
    cut,
    energy_above_db,
    noise,
    recording,
    recordings,
    rms_db,
    same,
    sine,
    snr_db,
    stream_through,
    tones,
    voice,
)

from codecfx import models
from codecfx.codecs.base import Packet
from codecfx.codecs.encodec import checkpoint, reference
from codecfx.codecs.encodec.arrays import ArrayMemory, OnArrays
from codecfx.codecs.encodec.checkpoint import HOP_SAMPLES
from codecfx.codecs.encodec.encodec import KBPS_PER_BOOK, EnCodec
from codecfx.codecs.encodec.encodec48 import EnCodec48, SegmentPacket
from codecfx.codecs.encodec.model import _loaded
from codecfx.codecs.encodec.network import START_HOPS
from codecfx.codecs.residual_quantizer import ResidualQuantizer
from codecfx.control.parameters import checked
from codecfx.effects.codec_effect import effect_of
from codecfx.effects.processor import StreamSpec
from codecfx.errors import ModelFileError
from codecfx.stream.link import Link
from codecfx.stream.resampling import Resampled

RECORDINGS = recordings("speech_female.ogg", "brahms_strings.ogg", "vibe_ace.ogg", "music_48k.flac")
SILENT = 75 * HOP_SAMPLES  # what every stream has heard


@cache
def package(kind):
    """The package's model with the random weights."""
    import torch

    torch.set_num_threads(1)  # others test beside us
    return model_in(RANDOM if kind.is_causal else RANDOM_48, kind)


@pytest.fixture
def random_weights(monkeypatch):
    """The codecs with weights of official size, instead of the small ones that sound."""
    monkeypatch.setenv("CODECFX_MODEL_ENCODEC", str(RANDOM))
    monkeypatch.setenv("CODECFX_MODEL_ENCODEC48", str(RANDOM_48))


@cache
def sound_at(name: str, kind):
    """A recording, or what is made here, as a model takes it: two seconds, of segments four."""
    rate, seconds = (24_000, 2) if kind.is_causal else (48_000, 4)
    if name == "made here":
        return some_sound(kind)[:, : seconds * rate]
    audio, own_rate = recording(name)
    audio = audio[:, : seconds * own_rate]
    if audio.shape[0] != kind.channels:
        audio = np.repeat(audio.mean(axis=0, keepdims=True), kind.channels, axis=0)
    if own_rate != rate:
        audio = Resampled(own_rate, rate, kind.channels).push(audio)
    return np.ascontiguousarray(audio)


def make(cls, channels=1, **values):
    settings = checked(cls.parameters, values, cls.name)
    return cls(48_000, channels, settings)


def whole_runs(sound, hops):
    return sound[:, : sound.shape[1] // (hops * HOP_SAMPLES) * hops * HOP_SAMPLES]


def tokens_of(packets):
    """Packets of one number of books as (channels, books, hops)."""
    return np.concatenate([packet.payload for packet in packets], axis=2)


@cache
def led_by_silence(name, samples, books):
    """What the package makes of a second of silence and so much of a sound: latents and codes."""
    sound = sound_at(name, CAUSAL)[:, :samples]
    led = np.concatenate((np.zeros((1, SILENT), np.float32), sound), axis=1)
    return package_codes(package(CAUSAL), led, books)


def package_codes(model, sound, books):
    """What the package makes of (channels, samples): latents (dimension, hops), codes (books, hops)."""
    import torch

    with torch.inference_mode():
        latents = model.encoder(torch.from_numpy(sound)[None])
        codes = model.quantizer.vq.encode(latents, n_q=books)
    return latents[0].numpy(), codes[:, 0].numpy()


def package_sound(model, codes):
    """What the package makes of codes (books, hops)."""
    import torch

    with torch.inference_mode():
        latents = model.quantizer.vq.decode(torch.from_numpy(codes.astype(np.int64))[:, None])
        return model.decoder(latents)[0].numpy()


# Parity in double precision: the same mathematics


@cache
def in_double_precision():
    """The package's model with the random weights, and those weights as we read them."""
    return model_in(RANDOM, CAUSAL).double(), checkpoint.load(RANDOM, CAUSAL)


def test_hop_by_hop_in_double_precision_is_the_package():
    for samples in (4_800, 9_737, 2881, 2241):
        is_the_package_hop_by_hop(samples)


def is_the_package_hop_by_hop(samples):
    (model, read), on = in_double_precision(), OnArrays()
    quantizer = ResidualQuantizer(read.books)
    sound = some_sound(CAUSAL)[:, :samples].astype(np.float64)
    wanted, codes = package_codes(model, sound, CAUSAL.books)

    first = START_HOPS * HOP_SAMPLES
    memory = ArrayMemory()
    latents = [read.encoder.stream(on, sound[np.newaxis, :, :first], memory)]
    for hop in cut(sound[:, first:], [HOP_SAMPLES]):
        memory = ArrayMemory(memory.kept)
        latents.append(read.encoder.stream(on, hop[np.newaxis], memory, hop.shape[1]))
    streamed = np.concatenate(latents, axis=2)[0]
    assert streamed.shape == wanted.shape
    assert np.abs(streamed - wanted).max() < 1e-12
    tokens = quantizer.encode(streamed.T.copy(), CAUSAL.books)
    assert np.array_equal(tokens, codes)

    vectors = quantizer.decode(tokens).T[np.newaxis]
    memory = ArrayMemory()
    heard = [read.decoder.stream(on, vectors[:, :, :START_HOPS], memory)]
    for hop in range(START_HOPS, vectors.shape[2]):
        memory = ArrayMemory(memory.kept)
        heard.append(read.decoder.stream(on, vectors[:, :, hop : hop + 1], memory))
    heard = np.concatenate(heard, axis=2)[0]
    assert np.abs(heard[:, :samples] - package_sound(model, codes)[:, :samples]).max() < 1e-12


def test_a_whole_segment_in_double_precision_is_the_package():
    model = model_in(RANDOM_48, STEREO).double()
    read, on = checkpoint.load(RANDOM_48, STEREO), OnArrays()
    sound = some_sound(STEREO)[:, :48_000].astype(np.float64)
    wanted, codes = package_codes(model, sound, STEREO.books)
    latents = read.encoder.whole(on, sound[np.newaxis])
    assert np.abs(latents[0] - wanted).max() < 1e-12
    vectors = ResidualQuantizer(read.books).decode(codes.astype(np.int32)).T[np.newaxis]
    assert np.abs(read.decoder.whole(on, vectors)[0] - package_sound(model, codes)).max() < 1e-12


# Parity of what runs


@pytest.mark.parametrize(
    ("name", "hops"),
    [*((RECORDINGS[0], hops) for hops in (1, 2, 8, 75)), *product(RECORDINGS[1:], (2, 75))],
)
def test_a_stream_is_the_package_after_silence(random_weights, name, hops):
    model, sound = package(CAUSAL), whole_runs(sound_at(name, CAUSAL), hops)
    latents, codes = led_by_silence(name, sound.shape[1], CAUSAL.books)
    codec = make(EnCodec, hops=hops, bitrate_kbps=24)
    ours = []
    caches = codec._encoder
    for run in cut(sound, [hops * HOP_SAMPLES]):
        out, caches = codec._model.encoder.run(run[:, np.newaxis], caches)
        ours.append(out)
    assert np.abs(np.concatenate(ours, axis=2)[0] - latents[:, 75:]).max() < 1e-5

    tokens = tokens_of(codec.encode(sound))[0]
    flipped = tokens != codes[:, 75:]
    assert flipped.mean() < 0.005
    assert not flipped[0].any()

    given = [Packet(hop.T[np.newaxis, :, np.newaxis], 320) for hop in codes[:, 75:].T.astype(np.int32)]
    heard = codec.decode(given)
    assert np.abs(heard - package_sound(model, codes)[:, SILENT:]).max() < 1e-5


@pytest.mark.parametrize("books", [1, 2, 4, 8, 16])
def test_fewer_books_are_the_package_too(random_weights, books):
    model, sound = package(CAUSAL), sound_at("made here", CAUSAL)
    _, codes = led_by_silence("made here", sound.shape[1], books)
    codec = make(EnCodec, hops=75, bitrate_kbps=books * KBPS_PER_BOOK)
    packets = codec.encode(sound)
    assert (tokens_of(packets)[0] != codes[:, 75:]).mean() < 0.005
    given = [Packet(hop[np.newaxis, :, np.newaxis], 0) for hop in codes[:, 75:].T.astype(np.int32)]
    # where the decoder stands after silence depends on how many books said so
    assert np.abs(codec.decode(given) - package_sound(model, codes)[:, SILENT:]).max() < 1e-5


@pytest.mark.parametrize("name", RECORDINGS[:2])
def test_hops_at_once_agree_within_float32(random_weights, name):
    sound = whole_runs(sound_at(name, CAUSAL), 75)
    one = tokens_of(make(EnCodec, hops=1, bitrate_kbps=24).encode(sound))[0]
    for hops in (2, 75):
        other = tokens_of(make(EnCodec, hops=hops, bitrate_kbps=24).encode(sound))[0]
        assert (one != other).mean() < 0.005
        assert not (one[0] != other[0]).any()
    given = make(EnCodec, hops=1).encode(sound)
    heard = [make(EnCodec, hops=hops).decode(given) for hops in (1, 2, 75)]
    assert np.abs(heard[1] - heard[0]).max() < 1e-5
    assert np.abs(heard[2] - heard[0]).max() < 1e-5


@pytest.mark.parametrize("name", RECORDINGS)
def test_48_khz_is_the_package_segment_by_segment(random_weights, name):
    import torch

    model, sound = package(STEREO), sound_at(name, STEREO)[:, : 3 * 47_520]
    model.set_target_bandwidth(24.0)
    # our segments begin an overlap earlier than the sound; the last one is whole
    led = np.concatenate((np.zeros((2, 480), np.float32), sound), axis=1)
    with torch.inference_mode():
        frames = model.encode(torch.from_numpy(led)[None])[:3]
        wanted = model.decode(frames)[0].numpy()
    codec = make(EnCodec48, 2, bitrate_kbps=24)
    packets = codec.encode(sound)
    assert [packet.loudness for packet in packets] == pytest.approx(
        [float(scale) for _, scale in frames], rel=1e-5
    )
    flips = [
        (packet.payload[0] != codes[0].numpy()).mean()
        for packet, (codes, _) in zip(packets, frames, strict=True)
    ]
    assert np.mean(flips) < 0.005
    given = [SegmentPacket(codes.numpy().astype(np.int32), 0, float(scale)) for codes, scale in frames]
    heard = codec.decode(given)
    size = heard.shape[1]
    assert np.abs(heard - wanted[:, :size])[:, 480:].max() < 1e-5


def test_nobodys_checkpoint_names_changed():
    import inspect

    package = reference.load()
    for kind, maker in (
        (CAUSAL, package.EncodecModel.encodec_model_24khz),
        (STEREO, package.EncodecModel.encodec_model_48khz),
    ):
        (file,) = models.MODELS[kind.model].files
        assert f"'{file.name}'" in inspect.getsource(maker)
        assert file.url == package.model.ROOT_URL + file.name
        assert file.sha256 == file.name.removesuffix(".th").split("-")[1]


# Streaming


@pytest.mark.parametrize(
    ("hops", "channels"), [(1, 1), (1, 3), (2, 2), (8, 1), (8, 3), (75, 1), (75, 2)]
)
def test_every_partition_gives_the_same_samples(random_weights, hops, channels):
    effect = effect_of(EnCodec)(hops=hops, bitrate_kbps=12)
    effect.prepare(StreamSpec(48_000, channels))
    audio = np.concatenate([voice(48_000, 60_000, seed=seed) for seed in range(channels)])
    whole = effect.process_block(audio).copy()
    for sizes in ([640], [1, 7, 64, 513, 4096]):
        effect.reset()
        assert same(stream_through(effect, audio, sizes), whole)


def test_the_layers_meet_without_a_seam(random_weights):
    """Steps between samples are no larger where hops, runs or segments meet than anywhere else."""
    sound = sound_at(RECORDINGS[-1], CAUSAL)
    for hops in (1, 2, 75):
        codec = make(EnCodec, hops=hops, bitrate_kbps=3)
        steps = np.abs(np.diff(codec.decode(codec.encode(sound))[0]))
        at_edges = steps[hops * HOP_SAMPLES - 1 :: hops * HOP_SAMPLES]
        assert at_edges.mean() < 1.3 * steps.mean() + 3 * steps.std() / np.sqrt(len(at_edges))
        assert at_edges.max() <= steps.max()
    stereo = sound_at(RECORDINGS[-1], STEREO)[:, : 4 * 47_520]
    codec = make(EnCodec48, 2)
    steps = np.abs(np.diff(codec.decode(codec.encode(stereo))))
    at_edges = steps[:, 47_520 - 1 :: 47_520]
    assert at_edges.max() <= np.quantile(steps, 0.999)


@pytest.mark.parametrize(("hops", "late_ms"), [(1, 13.33), (2, 26.67), (8, 106.67), (75, 1000)])
def test_latency_is_the_hops_and_nothing_else(hops, late_ms):
    effect = effect_of(EnCodec)(hops=hops)
    effect.prepare(StreamSpec(24_000, 1))
    assert effect.latency_samples == round(24 * late_ms) - 1


@pytest.mark.parametrize(("segment_s", "samples"), [(1.0, 47_999), (0.1, 4799), (0.25, 12_159)])
def test_latency_of_48_khz_is_a_segment(segment_s, samples):
    effect = effect_of(EnCodec48)(segment_s=segment_s)
    effect.prepare(StreamSpec(48_000, 2))
    assert effect.latency_samples == samples


# Bitrate


def test_bits_are_those_of_the_books():
    codec = make(EnCodec, 2)
    for books in range(1, 33):
        codec.set("bitrate_kbps", books * KBPS_PER_BOOK)
        packets = codec.encode(noise(2, 2 * HOP_SAMPLES))
        assert [packet.bits for packet in packets] == [2 * 10 * books] * 2
        assert all(packet.payload.shape == (2, books, 1) for packet in packets)
        assert codec.describe(packets[0]) == {"books": str(books)}
    effect = effect_of(EnCodec)(bitrate_kbps=6)
    effect(voice(48_000, 48_000, 2), 48_000)
    assert effect.meter.kbps == pytest.approx(12)  # 6 for each side
    stereo = make(EnCodec48, 2, bitrate_kbps=12)
    (packet,) = stereo.encode(some_sound(STEREO)[:, :47_520])
    assert packet.bits == 8 * 150 * 10 + 32


@pytest.mark.parametrize("kbps", [1.5, 3, 6, 12, 24])
def test_fewer_books_are_the_first_of_more(kbps):
    sound = sound_at("made here", CAUSAL)
    all_books = tokens_of(make(EnCodec, bitrate_kbps=24).encode(sound))
    some = tokens_of(make(EnCodec, bitrate_kbps=kbps).encode(sound))
    assert some.shape[1] == round(kbps / 0.75)
    assert np.array_equal(some, all_books[:, : some.shape[1]])


@pytest.mark.parametrize("hops", [1, 2, 75])
def test_a_change_lands_on_its_hop_however_many_run_at_once(hops):
    """Through the link, whose changes come between blocks at any sample."""
    link = Link(make(EnCodec, hops=hops))
    stage = link.framed()
    sound = some_sound(CAUSAL)[:, : 300 * HOP_SAMPLES]
    random = np.random.default_rng(hops)
    wanted, at = np.full(300, 8), 0
    while at < sound.shape[1]:
        size = int(random.integers(1, 2000))
        books = int(random.integers(1, 33))
        link.set("bitrate_kbps", books * KBPS_PER_BOOK)
        wanted[at // HOP_SAMPLES :] = books
        stage.push(sound[:, at : at + size])
        at += size
    sent = [packet.payload.shape[1] for packet in link.meter.recent]
    assert sent == list(wanted[: len(sent)])
    assert len(sent) == 300


def test_a_change_before_a_reset_holds_after_it():
    link = Link(make(EnCodec, hops=75))
    stage = link.framed()
    sound = sound_at("made here", CAUSAL)
    stage.push(sound[:, :5000])
    link.set("bitrate_kbps", 3.0)
    stage.push(sound[:, 5000:9000])
    link.set("bitrate_kbps", 1.5)
    stage.reset()
    heard = stage.push(sound[:, :24_000])
    other = make(EnCodec, hops=75, bitrate_kbps=1.5)
    assert same(heard, other.decode(other.encode(sound[:, :24_000])))


def test_the_last_of_many_settings_holds_whoever_sets_them():
    """A knob is turned in a thread while the audio runs in another; what it ends at, holds."""
    link = Link(make(EnCodec, hops=8))
    stage = link.framed()
    sound = sound_at("made here", CAUSAL)
    done = threading.Event()

    def turn():
        random = np.random.default_rng(0)
        for books in random.integers(1, 33, 3000):
            link.set("bitrate_kbps", float(books) * KBPS_PER_BOOK)
        link.set("bitrate_kbps", 3.0)
        done.set()

    knob = threading.Thread(target=turn)
    knob.start()
    while not done.is_set():
        stage.push(sound[:, :HOP_SAMPLES])
    knob.join()
    stage.push(sound[:, : 32 * HOP_SAMPLES])
    latest = list(link.meter.recent)[-16:]
    assert [packet.payload.shape[1] for packet in latest] == [4] * 16


def test_an_older_setting_of_a_run_that_is_gone_never_wins():
    """As when the audio thread ends a run just while the control thread notes a change in it."""
    link = Link(make(EnCodec, hops=8))
    stage = link.framed()
    sound = sound_at("made here", CAUSAL)
    stage.push(sound[:, : 7 * HOP_SAMPLES])
    link.set("bitrate_kbps", 3.0)  # on the last hop of the run
    stage._filled = 0
    link.set("bitrate_kbps", 24.0)
    stage.push(sound[:, : 16 * HOP_SAMPLES])
    assert [packet.payload.shape[1] for packet in link.meter.recent] == [32] * 16


def test_changes_never_click():
    """What is above a low sine is no more with a bitrate that changes than with the noisier of two."""
    low = sine(100, 24_000, 96_000)
    floor = []
    for kbps in (0.75, 24):
        codec = make(EnCodec, bitrate_kbps=kbps)
        floor.append(energy_above_db(codec.decode(codec.encode(low))[:, 24_000:], 5000, 24_000))
    codec = make(EnCodec)
    heard = []
    for index, run in enumerate(cut(low, [2 * HOP_SAMPLES])):
        codec.set("bitrate_kbps", (0.75, 24)[index % 2])
        heard.append(codec.decode(codec.encode(run)))
    moving = energy_above_db(np.concatenate(heard, axis=1)[:, 24_000:], 5000, 24_000)
    assert moving < max(floor) + 3


# Channels


def test_channels_are_streams_of_their_own(random_weights):
    sound = np.concatenate([voice(24_000, 48_000, seed=seed) for seed in (1, 2, 3)])
    together = make(EnCodec, 3, bitrate_kbps=24)
    heard = together.decode(together.encode(sound))
    for channel in range(3):
        alone = make(EnCodec, 1, bitrate_kbps=24)
        one = alone.decode(alone.encode(sound[channel : channel + 1]))
        assert snr_db(one, heard[channel : channel + 1]) > 60  # a near-tie may flip


def test_mid_and_side_are_sum_and_difference():
    left, right = voice(24_000, 48_000, seed=1)[0], tones(24_000, 48_000, seed=2)[0]
    codec = make(EnCodec, 2, coupling="mid_side")
    heard = codec.decode(codec.encode(np.stack((left, right))))
    plain = make(EnCodec, 2)
    turned = np.stack((left + right, left - right)) / np.float32(2)
    middle, side = plain.decode(plain.encode(turned))
    assert np.allclose(heard, np.stack((middle + side, middle - side)), atol=1e-6)
    same_on_both = np.stack((left, left))
    codec.reset()
    mono = codec.decode(codec.encode(same_on_both))
    # nothing of the middle leaks to a side, which is as silent as the made model's silence
    assert rms_db(mono[:1] - mono[1:]) < rms_db(mono) - 20


def test_coupling_folds_or_keeps():
    audio = np.concatenate((voice(48_000, 48_000), np.zeros((1, 48_000), np.float32)))
    folded = effect_of(EnCodec)(coupling="mono")(audio, 48_000)
    assert same(folded[0], folded[1])
    kept = effect_of(EnCodec)()(audio, 48_000)
    assert rms_db(kept[1:]) < rms_db(kept[:1]) - 25  # the made model's silence


# Tokens


def test_tokens_are_there_to_be_played(random_weights):
    """Any legal code array sounds; every book that is dropped changes less than the one before."""
    codec = make(EnCodec, bitrate_kbps=24)
    packets = codec.encode(sound_at("made here", CAUSAL))
    clean = codec.decode(packets)
    random = np.random.default_rng(0)

    def played(change):
        codec.reset()
        heard = codec.decode([Packet(change(packet.payload.copy()), 0) for packet in packets])
        assert np.isfinite(heard).all()
        assert np.abs(heard).max() <= 2
        return heard

    def without(book):
        return snr_db(clean, played(lambda tokens: np.delete(tokens, book, axis=1)))

    assert same(played(lambda tokens: tokens), clean)
    assert rms_db(played(lambda tokens: random.integers(0, 1024, tokens.shape))) > -60
    assert rms_db(played(lambda tokens: packets[70].payload)) > -60  # frozen
    assert snr_db(clean, played(lambda tokens: tokens[:, ::-1])) < 20  # other books, another sound
    assert without(0) < without(slice(8, 32))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x00" * 80,
        np.zeros((1, 8, 1)),
        np.zeros((2, 8, 1), np.int32),
        np.zeros((1, 0, 1), np.int32),
        np.zeros((1, 33, 1), np.int32),
        np.zeros((1, 8, 2), np.int32),
        np.zeros((1, 8), np.int32),
        np.full((1, 8, 1), 1024, np.int32),
        np.full((1, 8, 1), -2, np.int32),
        np.full((1, 8, 1), 2**40, np.int64),
    ],
    ids=lambda payload: str(np.shape(payload)),
)
def test_what_is_no_hop_of_tokens_counts_as_lost(payload):
    one, other = make(EnCodec, hops=1), make(EnCodec, hops=1)
    packets = one.encode(sound_at("made here", CAUSAL)[:, : 20 * HOP_SAMPLES])
    damaged = [*packets[:10], Packet(payload, 0), *packets[11:]]
    lost = [*packets[:10], None, *packets[11:]]
    assert same(one.decode(damaged), other.decode(lost))


@pytest.mark.parametrize("hops", [1, 2, 75])
def test_a_loss_sounds_on_fades_and_is_forgotten(hops):
    codec, undisturbed = make(EnCodec, hops=hops), make(EnCodec, hops=hops)
    sound = voice(24_000, 96_000)
    packets = codec.encode(sound)
    clean = undisturbed.decode(packets)
    lost = [None if 75 <= index < 150 else packet for index, packet in enumerate(packets)]
    heard = codec.decode(lost)
    second = 24_000
    assert same(heard[:, :second], clean[:, :second])
    assert rms_db(heard[:, second : second + 800]) > rms_db(clean[:, second : second + 800]) - 20
    fading = heard[:, second + 5 * HOP_SAMPLES : second + 6 * HOP_SAMPLES]
    assert rms_db(fading[:, :100]) > rms_db(clean[:, second:]) - 40  # for 80 ms
    assert not heard[:, second + 6 * HOP_SAMPLES : 2 * second].any()
    steps = np.abs(np.diff(heard[0]))
    assert steps[second - 100 : second + 3000].max() <= 1.5 * np.abs(np.diff(clean[0])).max()
    after = slice(2 * second + 40 * HOP_SAMPLES, None)
    assert snr_db(clean[:, after], heard[:, after]) > 80


def test_a_lost_segment_is_the_last_one_again_and_softer():
    codec = make(EnCodec48, 2)
    packets = codec.encode(np.tile(some_sound(STEREO)[:, : 4 * 47_520], 1))
    heard = codec.decode([packets[0], packets[1], None, None, packets[3]])
    level = [rms_db(heard[:, 480 + at * 47_520 : (at + 1) * 47_520]) for at in range(5)]
    assert level[2] == pytest.approx(level[1] - 6.02, abs=0.5)
    assert level[3] == pytest.approx(level[1] - 12.04, abs=0.5)
    assert level[4] > level[3]
    codec.reset()
    assert not codec.decode([None]).any()


def test_a_lost_segment_is_silent_in_the_end_and_costs_nothing_then():
    codec = make(EnCodec48, 2, segment_s=0.1)
    packets = codec.encode(some_sound(STEREO)[:, : 3 * codec.format.frame_samples])
    heard = codec.decode([*packets, *[None] * 20])
    assert not heard[:, 18 * codec.format.frame_samples :].any()


@pytest.mark.parametrize(
    "change",
    [
        {"payload": b"\x00" * 80},
        {"payload": None},
        {"payload": np.zeros((1, 4, 150))},
        {"payload": np.zeros((1, 4, 149), np.int32)},
        {"payload": np.zeros((1, 0, 150), np.int32)},
        {"payload": np.zeros((1, 17, 150), np.int32)},
        {"payload": np.zeros((2, 4, 150), np.int32)},
        {"payload": np.full((1, 4, 150), 1024, np.int32)},
        {"payload": np.full((1, 4, 150), -2, np.int32)},
        {"loudness": float("nan")},
        {"loudness": float("inf")},
        {"loudness": -1.0},
        {"loudness": 1e38},
        {"loudness": None},
        {"loudness": "loud"},
    ],
    ids=str,
)
def test_what_is_no_segment_counts_as_lost(change):
    one, other = make(EnCodec48, 2), make(EnCodec48, 2)
    packets = one.encode(some_sound(STEREO)[:, : 3 * 47_520])
    damaged = replace(packets[1], **change)
    heard = one.decode([packets[0], damaged, packets[2]])
    assert same(heard, other.decode([packets[0], None, packets[2]]))
    assert one.describe(damaged) == {}
    without = Packet(packets[0].payload, 0)  # its loudness
    one.reset()
    assert not one.decode([without]).any()


def test_a_guard_follows_the_decoder(tmp_path, monkeypatch):
    """The loudest that leaves it is +6 dB of full scale, whatever weights make."""
    path = tmp_path / "loud.th"
    key = "decoder.model.15.conv.conv.weight_g"
    written(path, lambda state: state | {key: 1000 * state[key]})
    monkeypatch.setenv("CODECFX_MODEL_ENCODEC", str(path))
    codec = make(EnCodec)
    assert np.abs(codec.decode(codec.encode(sound_at("made here", CAUSAL)))).max() == 2


def test_a_loud_segment_is_held_and_soon_forgotten():
    codec = make(EnCodec48, 2)
    packets = codec.encode(some_sound(STEREO)[:, : 2 * 47_520])
    heard = codec.decode([replace(packets[0], loudness=1e5), packets[1], None])
    assert np.abs(heard).max() == 2
    assert np.abs(heard[:, -40_000:]).max() < 1


def test_a_segments_bitrate_moves_too():
    codec = make(EnCodec48, 2)
    sound = some_sound(STEREO)[:, :47_520]
    for kbps in (1.5, 24, 6):
        codec.set("bitrate_kbps", kbps)
        (packet,) = codec.encode(sound)
        assert packet.payload.shape == (1, round(kbps / 1.5), 150)
        assert codec.describe(packet)["books"] == str(round(kbps / 1.5))


@pytest.mark.parametrize("segment_s", [0.1, 0.25, 0.5, 1.0])
def test_blocks_are_a_sound_of_their_own(segment_s):
    """Any length of segment keeps level and place; only the sound differs."""
    audio = some_sound(STEREO)
    heard = effect_of(EnCodec48)(segment_s=segment_s, bitrate_kbps=24)(audio, 48_000)
    assert rms_db(heard) == pytest.approx(rms_db(audio), abs=1.5)
    likeness = np.vdot(audio, heard) / np.sqrt(np.vdot(audio, audio) * np.vdot(heard, heard))
    assert likeness > 0.8


def test_loudness_is_put_back():
    """The 48 kHz model hears every segment at one level."""
    for level_db in (-60, -30, 0, 6):
        audio = some_sound(STEREO)[:, :48_000] * np.float32(10 ** (level_db / 20))
        heard = effect_of(EnCodec48)()(audio, 48_000)
        assert rms_db(heard[:, 1000:-1000]) == pytest.approx(rms_db(audio[:, 1000:-1000]), abs=2)


# Checkpoints


def written(path, change):
    import torch

    state = torch.load(ENCODEC / "encodec.th", weights_only=True)
    torch.save(change(state), path)


def without_a_key(state):
    del state["decoder.model.3.convtr.convtr.weight_v"]
    return state


def with_a_stranger(state):
    return state | {"encoder.model.99.weight": state["encoder.model.0.conv.conv.bias"]}


def with_no_number(state):
    state["encoder.model.13.lstm.weight_hh_l1"][3, 3] = float("nan")
    return state


def with_another_shape(state):
    key = "encoder.model.3.conv.conv.weight_v"
    return state | {key: state[key][:, :, :-1]}


BROKEN = {
    "a key too few": (without_a_key, "'decoder.model.3.convtr.convtr.weight_v' is missing"),
    "a key too many": (with_a_stranger, "it has 'encoder.model.99.weight'"),
    "no number": (with_no_number, "'encoder.model.13.lstm.weight_hh_l1' holds what is no number"),
    "another shape": (with_another_shape, "is 16 x 8 x 3, expected any x 8 x 4"),
    "no table": (lambda state: [1, 2, 3], "cannot be read as a checkpoint of EnCodec 24 kHz"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_checkpoint_is_refused_by_name(tmp_path, monkeypatch, fault):
    change, message = BROKEN[fault]
    path = tmp_path / "mine.th"
    written(path, change)
    refused(path, monkeypatch, message)


def refused(path, monkeypatch, message, cls=EnCodec):
    monkeypatch.setenv(f"CODECFX_MODEL_{cls.name.upper()}", str(path))
    with pytest.raises(ModelFileError) as caught:
        make(cls, 2)
    line = str(caught.value)
    assert line.startswith(str(path))
    assert message in line
    assert "\n" not in line
    assert [one.name for one in path.parent.iterdir()] == [path.name]  # nothing cached


@pytest.mark.parametrize("size", [0, 1, 1000, 100_000, -1])
def test_a_truncated_checkpoint_is_refused(tmp_path, monkeypatch, size):
    path = tmp_path / "short.th"
    path.write_bytes((ENCODEC / "encodec.th").read_bytes()[:size])
    refused(
        path, monkeypatch, "cannot be read as a checkpoint of EnCodec 24 kHz: truncated, or another"
    )


def test_other_files_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "song.wav"
    path.write_bytes(b"RIFF" + bytes(5000))
    refused(path, monkeypatch, "cannot be read as a checkpoint")
    shutil.copy(ENCODEC / "encodec48.th", path)
    refused(path, monkeypatch, "is no checkpoint of EnCodec 24 kHz")
    shutil.copy(ENCODEC / "encodec.th", path)
    refused(path, monkeypatch, "is no checkpoint of EnCodec 48 kHz", EnCodec48)


class Trap:
    """What a pickle would execute."""

    def __reduce__(self):
        import os

        return os.system, ("touch trapped",)


def test_loading_never_executes_what_is_pickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / "trap.th"
    written(path, lambda state: state | {"encoder.model.0": Trap()})
    refused(path, monkeypatch, "cannot be read as a checkpoint")
    assert not (tmp_path / "trapped").exists()


# What is made of a checkpoint


PLAY = """
import sys
for name in {blocked}:
    sys.modules[name] = None
import numpy as np, codecfx
effect = codecfx.EnCodec()
heard = effect(np.random.default_rng(0).standard_normal((1, 24_000)).astype(np.float32) * 0.1, 24_000)
print(sorted(set(sys.modules) & {{"torch", "encodec", "onnx"}} - set({blocked})), heard.std() > 0.01)
"""


def play(path, blocked=(), more=None, before="", **options):
    """Run an EnCodec in a process of its own, in which some packages cannot be imported."""
    environment = {**os.environ, "CODECFX_MODEL_ENCODEC": str(path), **(more or {})}
    code = before + PLAY.format(blocked=list(blocked))
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, **options
    )


def test_after_one_export_neither_torch_nor_the_package_is_needed(tmp_path):
    path = tmp_path / "mine.th"
    shutil.copy(ENCODEC / "encodec.th", path)
    for blocked, missing in ((["torch"], "torch"), (["onnx"], "onnx")):
        first = play(path, blocked)
        assert first.stderr.splitlines()[-1].endswith(
            "to read an EnCodec checkpoint for the first time, install: pip install 'codecfx[neural]'"
        ), missing
        assert len(list(tmp_path.iterdir())) == 1
    made = play(path)
    assert made.returncode == 0, made.stderr
    assert len(list(tmp_path.iterdir())) == 2
    again = play(path, ["torch", "onnx", "encodec", "torchaudio"])
    assert again.stdout == "[] True\n", again.stderr
    assert play(path).stdout == "[] True\n"  # nor is any loaded where it is there


def test_without_onnx_runtime_it_says_what_to_install():
    gone = play(ENCODEC / "encodec.th", ["onnxruntime"])
    assert gone.stderr.splitlines()[-1].endswith(
        "EnCodec runs on ONNX Runtime: pip install 'codecfx[neural]'"
    )


def play_anew(sound):
    """Play a sound as a process does that has not read the model before."""
    _loaded.cache_clear()
    codec = make(EnCodec)
    return codec.decode(codec.encode(sound))


def test_half_an_export_is_made_anew(tmp_path, monkeypatch):
    path = tmp_path / "mine.th"
    monkeypatch.setenv("CODECFX_MODEL_ENCODEC", str(path))
    shutil.copy(ENCODEC / "encodec.th", path)
    sound = sound_at("made here", CAUSAL)
    heard = play_anew(sound)
    (kept,) = tmp_path.glob("mine.th.*.npz")
    whole = kept.read_bytes()
    for half in (whole[: len(whole) // 2], b"", b"PK\x03\x04" + bytes(100)):
        kept.write_bytes(half)
        assert same(play_anew(sound), heard)
        assert len(kept.read_bytes()) == len(whole)
        assert len(list(tmp_path.iterdir())) == 2


def test_another_checkpoint_of_that_name_is_exported_too(tmp_path, monkeypatch):
    path = tmp_path / "mine.th"
    monkeypatch.setenv("CODECFX_MODEL_ENCODEC", str(path))
    shutil.copy(ENCODEC / "encodec.th", path)
    sound = sound_at("made here", CAUSAL)
    first = make(EnCodec)
    heard = first.decode(first.encode(sound))
    written(path, lambda state: state | {"decoder.model.15.conv.conv.bias": torch_full(-5.9)})
    second = make(EnCodec)
    assert not same(second.decode(second.encode(sound)), heard)
    assert len(list(tmp_path.glob("*.npz"))) == 1  # the first is of no use any more


def torch_full(value):
    import torch

    return torch.full((1,), value)


def test_many_at_once_make_one_export(tmp_path):
    path = tmp_path / "mine.th"
    shutil.copy(ENCODEC / "encodec.th", path)
    environment = {**os.environ, "CODECFX_MODEL_ENCODEC": str(path)}
    code = PLAY.format(blocked=[]) + "\nprint('torch' in sys.modules)"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said = [one.communicate()[0].split() for one in running]
    assert [words[-2] for words in said] == ["True"] * 3
    assert [words[-1] for words in said].count("True") == 1  # one of them made it
    assert len(list(tmp_path.iterdir())) == 2


def test_threads_make_one_export(tmp_path, monkeypatch):
    path = tmp_path / "mine.th"
    shutil.copy(ENCODEC / "encodec.th", path)
    monkeypatch.setenv("CODECFX_MODEL_ENCODEC", str(path))
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: make(EnCodec), range(2)))
    sound = sound_at("made here", CAUSAL)[:, :3200]
    assert content_of(made[0].encode(sound)) == content_of(made[1].encode(sound))
    assert len(list(tmp_path.iterdir())) == 2


def content_of(packets):
    return [packet.payload.tobytes() for packet in packets]


AS_NOBODY = """
import os, sys
import numpy as np, codecfx
from codecfx.codecs.encodec import encodec, export, graph, session
from codecfx.effects import base, codec_effect
import numpy.random
import onnxruntime, platformdirs, torch
path, os.environ["CODECFX_MODEL_ENCODEC"] = os.environ["CODECFX_MODEL_ENCODEC"], {warm!r}
encodec.model._loaded(encodec.CAUSAL, export.Path({warm!r}), "warm")  # whatever is imported for it, is
codecfx.EnCodec()(np.zeros((1, 1000), np.float32), 24_000)
os.environ["CODECFX_MODEL_ENCODEC"] = path
os.setuid(65534)  # root may write everywhere
"""


def test_where_nobody_may_write_the_export_lies_with_the_models():
    """And one that lies beside the checkpoint is used there all the same."""
    with tempfile.TemporaryDirectory() as folder:  # not below a folder of root's alone
        theirs, mine = Path(folder, "theirs"), Path(folder, "mine")
        Path(folder).chmod(0o755)
        theirs.mkdir(mode=0o755)
        mine.mkdir()
        mine.chmod(0o777)
        shutil.copy(ENCODEC / "encodec.th", theirs / "their.th")
        if os.geteuid():
            theirs.chmod(0o555)
        warm = shutil.copy(ENCODEC / "encodec.th", Path(folder, "warm.th"))
        before = AS_NOBODY.format(warm=str(warm)) if os.geteuid() == 0 else ""
        home = {"CODECFX_MODELS": str(mine)}
        made = play(theirs / "their.th", more=home, before=before)
        assert made.stdout.endswith(" True\n"), made.stderr
        assert [one.name for one in theirs.iterdir()] == ["their.th"]
        (kept,) = mine.iterdir()
        theirs.chmod(0o755)
        shutil.copy(kept, theirs / kept.name)
        kept.unlink()
        again = play(theirs / "their.th", ["torch", "onnx"], more=home)
        assert again.stdout == "[] True\n", again.stderr
        assert not list(mine.iterdir())


def test_no_room_is_said_and_leaves_nothing(tmp_path):
    import resource

    path = tmp_path / "mine.th"
    shutil.copy(ENCODEC / "encodec.th", path)
    full = play(
        path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    )
    line = full.stderr.splitlines()[-1]
    assert "what runs of the model cannot be kept at" in line
    assert "make room for" in line
    assert [one.name for one in tmp_path.iterdir()] == ["mine.th"]
