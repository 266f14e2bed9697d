"""Contract 1, for every codec: whoever is registered is tested here from that day on.

Each law is a function of a codec's class. `names()` runs them over the table; the last tests run them
over a codec made up here, and over the same one with one fault each, which its law must find.
"""

import re
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from signals import cut, noise, same, snr_db, voice

from codecfx import codecs
from codecfx.codecs.base import CodecFormat, Packet, check_frames
from codecfx.control.parameters import Change, Parameter, checked
from codecfx.effects import codec_effect, registry
from codecfx.effects.processor import StreamSpec
from codecfx.errors import FrameSizeError, UnknownName, UnsupportedFormat
from codecfx.stream.link import Link

BUILT_IN = list(codecs.names())
HOST_RATES = (8000, 11025, 44100, 48000)
RUNS = ([1], [7], [16], [17], [1, 2, 3, 5], [35, 1])  # frames (or runs of them) at once, over and over
LONGEST_S = 8.0  # of sound in a run: codecs whose frame is a second are held to the shorter ones


def make(cls, rate=48000, channels=2, **values):
    settings = checked(cls.parameters, values, cls.name)
    return cls(rate, min(channels, cls.widest(settings)), settings)


def extremes(parameter):
    """The values to try: every choice, both sides of a switch, both ends of a range."""
    if parameter.steps:
        return list(parameter.steps)
    ends = [one for one in (parameter.minimum, parameter.maximum) if one is not None]
    return [type(parameter.default)(end) for end in ends]


def extreme_settings(cls, rate=48000):
    """The defaults, and each parameter's extremes one at a time, but for what the codec refuses."""
    yield {}
    for parameter in cls.parameters:
        for value in extremes(parameter):
            if value != parameter.default and not refused(cls, rate, **{parameter.id: value}):
                yield {parameter.id: value}


def refused(cls, rate, **values):
    """Whether there is no format for these settings; then the message names others."""
    message = ""
    try:
        make(cls, rate, **values)
    except UnsupportedFormat as error:
        message = str(error)
    pattern = rf"{cls.name}: .* is not to be had at .* it takes [\d.]+, [\d., ]+ "
    assert not message or re.match(pattern, message)
    return bool(message)


def frames_for(codec, count, seed=0):
    """A voice with some hiss, `count` frames (or runs of them), other in every channel."""
    form = codec.format
    samples = count * form.run_samples
    return voice(form.sample_rate, samples, form.channels, seed) + noise(
        form.channels, samples, seed, level=0.01
    )


def content(packets):
    """What packets hold, so that it can be compared."""
    return [(np.asarray(p.payload).tobytes(), p.bits) for p in packets]


def at_most(codec, count):
    """`count` frames, or three where they are long."""
    return count if codec.format.run_samples < codec.format.sample_rate / 2 else min(count, 3)


def runs_for(codec):
    """Those of RUNS that are not too long for a codec's frames."""
    seconds = codec.format.run_samples / codec.format.sample_rate
    return [runs for runs in RUNS if runs == [1] or sum(runs) * seconds <= LONGEST_S]


def settings_and_runs(cls):
    """Settings and the runs to try with them: all of `runs_for` with the defaults, with the others one
    each, in turn.
    """
    for turn, settings in enumerate(extreme_settings(cls)):
        runs = runs_for(make(cls, **settings))
        yield settings, [runs[turn % len(runs)]] if settings else runs


def few_frames(codec, runs):
    """Enough frames for 0.2 s, and for the longest of `runs` once."""
    longest = max(sum(one) for one in runs)
    return max(1 + longest, codec.format.sample_rate // 5 // codec.format.run_samples)


@lru_cache(64)
def coded(cls, settings, count):
    """`count` frames, and what a new codec makes of them: packets and sound."""
    codec = make(cls, **dict(settings))
    sound = frames_for(codec, count)
    packets = codec.encode(sound)
    return sound, packets, codec.decode(packets)


# The laws


def law_the_format_is_sane(cls):
    for rate in HOST_RATES:
        for settings in extreme_settings(cls, rate):
            form = make(cls, rate, **settings).format
            assert form.sample_rate > 0
            assert form.frame_samples > 0
            assert form.lookahead_samples >= 0
            assert form.channels >= 1


def law_k_frames_give_k_packets_give_k_frames(cls):
    counts = (1, 2, 7, 16, 17)
    for at, rate in enumerate(HOST_RATES):
        for channels in (1, 2):  # either has every count at every other rate
            codec = make(cls, rate, channels)
            form = codec.format
            for count in {at_most(codec, count) for count in counts[(at + channels) % 2 :: 2]}:
                packets = codec.encode(frames_for(codec, count))
                assert len(packets) == count * form.run_frames
                assert all(packet.bits >= 0 for packet in packets)
                decoded = codec.decode(packets)
                assert decoded.shape == (form.channels, count * form.run_samples)
                assert decoded.dtype == np.float32
                assert np.isfinite(decoded).all()


def law_what_comes_out_is_what_went_in(cls):
    codec = make(cls)
    form = codec.format
    count = 1 + form.sample_rate // form.run_samples
    sound = frames_for(codec, count)
    decoded = codec.decode(codec.encode(sound))
    heard = decoded[:, form.lookahead_samples :]
    sent = sound[:, : heard.shape[1]]
    likeness = np.vdot(sent, heard) / np.sqrt(np.vdot(sent, sent) * np.vdot(heard, heard))
    # a defaults' codec that cannot carry a voice at all, or whose lookahead is wrong by a quarter of a
    # pitch period, is below a half; Opus at 32 kbps is at 0.98
    assert likeness > 0.6


def law_runs_of_frames_never_change_results(cls):
    for settings, all_runs in settings_and_runs(cls):
        codec = make(cls, **settings)
        form = codec.format
        sound, packets, decoded = coded(cls, tuple(settings.items()), few_frames(codec, all_runs))
        for runs in all_runs:
            other = make(cls, **settings)
            in_runs, heard = [], []
            for run in cut(sound, [count * form.run_samples for count in runs]):
                in_runs.append(other.encode(run))
                heard.append(other.decode(in_runs[-1]))
            assert content([p for run in in_runs for p in run]) == content(packets)
            assert same(np.concatenate(heard, axis=1), decoded)


def law_a_reset_codec_is_as_new(cls):
    for turn, (settings, runs) in enumerate(settings_and_runs(cls)):
        used = make(cls, **settings)
        sound, packets, decoded = coded(cls, tuple(settings.items()), few_frames(used, runs))
        dirts = frames_for(used, at_most(used, 7), seed=9), noise(*sound.shape)
        for dirt in [dirts[turn % 2]] if settings else dirts:
            lost = [None if index % 3 == 1 else p for index, p in enumerate(used.encode(dirt))]
            used.decode(lost)
            used.reset()
        again = used.encode(sound)
        assert content(again) == content(packets)
        assert same(used.decode(again), decoded)


def law_a_lost_packet_is_a_full_frame(cls):
    for rate in HOST_RATES:
        codec = make(cls, rate)
        form = codec.format
        packets = codec.encode(frames_for(codec, at_most(codec, 17)))
        run = [None] * form.run_frames
        for lost in (run, run * 7, [*packets, *run], [*run, *packets, *run, *run]):
            heard = codec.decode(lost)
            assert heard.shape == (form.channels, len(lost) * form.frame_samples)
            assert np.isfinite(heard).all()
        codec.reset()
        assert np.isfinite(codec.decode([*run, *run])).all()  # nothing to conceal it with


def damaged(packet, random):
    """`packet` with some bits turned, cut short, replaced by garbage, or empty."""
    if not isinstance(packet.payload, bytes):
        payload = np.array(packet.payload)
        turned = random.integers(-(2**31), 2**31, payload.shape, np.int64).astype(np.int32)
        return replace(packet, payload=np.where(random.random(payload.shape) < 0.2, turned, payload))
    payload = bytearray(packet.payload)
    kind = random.integers(4)
    if kind == 0:
        for _ in range(random.choice([1, 2, 16, 17]) if payload else 0):
            payload[random.integers(len(payload))] ^= 1 << random.integers(8)
    elif kind == 1:
        payload = payload[: random.integers(len(payload) + 1)]
    elif kind == 2:
        payload = random.bytes(random.choice([1, 2, 127, 128, 129, 1500]))
    else:
        payload = b""
    return replace(packet, payload=bytes(payload), bits=8 * len(payload))


def law_damaged_packets_never_stop_it(cls):
    codec, undamaged = make(cls), make(cls)
    form = codec.format
    seconds, size = form.run_samples / form.sample_rate, form.run_frames
    count = at_most(codec, max(100, round(1 / seconds)))  # a second or more
    clean = codec.encode(frames_for(codec, count))
    random = np.random.default_rng(3)
    for index in range(min(2000, round(30 / seconds))):
        at = index % count * size
        heard = codec.decode([damaged(packet, random) for packet in clean[at : at + size]])
        assert heard.shape == (form.channels, form.run_samples)
        assert heard.dtype == np.float32
    well, again = undamaged.decode(clean), codec.decode(clean)
    late = well.shape[1] * 3 // 4
    # SILK's concealment leaves another random seed behind, 50 dB down, Nellymoser's filling of bands
    # without bits 32 dB; nothing else may stay
    assert snr_db(well[:, late:], again[:, late:]) > 30


def law_a_link_of_damaged_packets_has_no_nan(cls):
    class Damaged(cls):
        def __init__(self, *arguments):
            self._random = np.random.default_rng(4)
            super().__init__(*arguments)

        def encode(self, frames):
            return [damaged(packet, self._random) for packet in super().encode(frames)]

    link = Link(make(Damaged))
    form = link.codec.format
    count = at_most(link.codec, 65)
    count = min(count, max(17, 2 * form.sample_rate // form.run_samples))  # of long ones 2 s
    for seed in range(4):
        sound = frames_for(link.codec, count, seed)
        heard = link.run(sound)
        assert heard.shape == sound.shape
        assert np.isfinite(heard).all()
    assert link.meter.packets == 4 * count * form.run_frames
    assert form == link.codec.format


def law_only_whole_frames_are_taken(cls):
    codec = make(cls)
    channels, frame = codec.format.channels, codec.format.run_samples
    for samples in {0, 1, frame - 1, frame + 1, 2 * frame + 1} - {frame, 2 * frame}:
        with pytest.raises(FrameSizeError, match=f"whole frames of {frame} samples"):
            codec.encode(noise(channels, samples))
    for others in {1, 2, 3, 8} - {channels}:
        with pytest.raises(FrameSizeError, match=f"takes {channels} channels"):
            codec.encode(noise(others, frame))
    assert len(codec.encode(noise(channels, frame))) == codec.format.run_frames


def law_next_frame_parameters_change_at_any_frame(cls):
    codec = make(cls)
    form = codec.format
    for parameter in cls.parameters:
        if parameter.change is Change.NEXT_FRAME:
            for value in [*extremes(parameter), parameter.default]:
                codec.set(parameter.id, value)
                packets = codec.encode(frames_for(codec, 2))
                heard = codec.decode(packets)
                assert heard.shape == (form.channels, 2 * form.run_samples)
                assert np.isfinite(heard).all()
                assert codec.format == form


def law_a_set_before_the_first_frame_is_a_setting(cls):
    for parameter in cls.parameters:
        for value in extremes(parameter) if parameter.change is Change.NEXT_FRAME else []:
            built, turned = make(cls, **{parameter.id: value}), make(cls)
            if built.format != turned.format:
                continue  # MP3's lowest bitrates want another rate; a running one keeps its own
            turned.set(parameter.id, value)
            sound, packets, _ = coded(cls, ((parameter.id, value),), few_frames(built, [[7]]))
            assert content(turned.encode(sound)) == content(packets)
            turned.reset()  # keeps what was set
            assert content(turned.encode(sound)) == content(packets)


def law_every_packet_can_be_described(cls):
    codec = make(cls)
    for packet in [*codec.encode(frames_for(codec, 7)), Packet(b"", 0)]:
        assert all(isinstance(word, str) for pair in codec.describe(packet).items() for word in pair)


def law_it_carries_one_channel_and_its_widest(cls):
    for settings in extreme_settings(cls):
        for channels in {1, cls.widest(checked(cls.parameters, settings, cls.name))}:
            codec = make(cls, channels=channels, **settings)
            assert len(codec.encode(frames_for(codec, 1))) == codec.format.run_frames


LAWS = [law for name, law in sorted(globals().items()) if name.startswith("law_")]
of_every_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__.removeprefix("law_"))


@of_every_law
@pytest.mark.parametrize("name", BUILT_IN)
def test_codec(name, law):
    law(codecs.find(name))


# Codecs without memory


def test_a_set_between_frames_equals_having_it_at_construction():
    pcm = codecs.find("pcm")
    random = np.random.default_rng(1)
    codec = make(pcm, frame_samples=64)
    for _ in range(65):
        bits = int(random.integers(1, 33))
        codec.set("bits", bits)
        frame = noise(2, 64, seed=bits)
        assert content(codec.encode(frame)) == content(
            make(pcm, bits=bits, frame_samples=64).encode(frame)
        )


@pytest.mark.parametrize("bits", [1, 2, 7, 8, 16, 17, 24, 31, 32])
def test_pcm_rounds_to_its_word_length(bits):
    codec = make(codecs.find("pcm"), bits=bits, frame_samples=4096)
    ramp = np.linspace(-1, 1, 4096, endpoint=False, dtype=np.float32)[np.newaxis].repeat(2, axis=0)
    (packet,) = codec.encode(ramp)
    heard = codec.decode([packet])
    assert packet.bits == bits * 4096 * 2
    if bits == 32:
        assert same(heard, ramp)
    elif bits == 1:
        assert set(np.unique(heard)) == {-1.0, 0.0, 1.0}  # silence stays silent
    else:
        step = 2.0 ** (1 - bits)
        assert len(np.unique(heard)) == min(2**bits, 4096)
        # half a step, but for the top, where the highest word is a step below full scale
        assert np.abs(heard - ramp)[ramp < 1 - step].max() <= step / 2
        assert heard.max() <= 1 - step
        assert heard.min() == -1


def test_pcm_clips_at_full_scale_and_only_when_it_rounds():
    loud = np.float32([[-3, -1, 1, 3]])
    rounded = make(codecs.find("pcm"), channels=1, bits=8, frame_samples=4)
    assert same(rounded.decode(rounded.encode(loud)), np.float32([[-1, -1, 127 / 128, 127 / 128]]))
    lossless = make(codecs.find("pcm"), channels=1, frame_samples=4)
    assert same(lossless.decode(lossless.encode(loud)), loud)


@pytest.mark.parametrize(("asked", "rate"), [(192_000, 48_000), (48_001, 48_000), (1000, 1000)])
def test_pcm_works_at_no_more_than_its_rate(asked, rate):
    assert make(codecs.find("pcm"), rate_hz=asked).format.sample_rate == rate


# The day a codec is registered


class Phone:
    """A codec made up here: 8 kHz mono, differences of neighbouring samples in 16 bits, as tokens."""

    name = "phone"
    title = "Phone"
    description = "Made up for a test"
    parameters = (
        Parameter("loudness", "Loudness", 1.0, 0.5, 2.0, change=Change.NEXT_FRAME),
        Parameter("frame_samples", "Frame", 80, 1, 160, change=Change.PREPARE),
    )
    scale = 2.0**15

    def __init__(self, sample_rate, channels, settings):
        self.format = CodecFormat(8000, 1, int(settings["frame_samples"]), 0)
        self._loudness = settings["loudness"]
        self._before = 0.0

    @classmethod
    def widest(cls, settings):
        return 1

    def encode(self, frames):
        check_frames(frames, self.format)
        size = self.format.frame_samples
        words = np.rint(self._loudness * self.scale * np.clip(frames[0], -1, 1)).astype(np.int32)
        steps = np.diff(words, prepend=np.int32(self._before))
        self._before = words[-1]
        return [
            # each packet begins with its first sample in full: a damaged one ends with itself
            Packet(np.append(words[at], steps[at + 1 : at + size])[np.newaxis], 17 * size)
            for at in range(0, words.size, size)
        ]

    def decode(self, packets):
        return np.concatenate([self._frame(packet) for packet in packets], axis=1)

    def _frame(self, packet):
        samples = np.zeros((1, self.format.frame_samples), np.float32)
        if packet is not None and len(packet.payload):
            samples[:] = np.cumsum(packet.payload, axis=1) / self.scale
        return samples

    def set(self, parameter_id, value):
        self._loudness = value

    def reset(self):
        self._before = 0.0

    def describe(self, packet):
        return {}


@pytest.fixture
def enrolled(monkeypatch):
    monkeypatch.setattr(codecs, "_registered", {})
    return codecs.register(Phone)


def test_a_registered_codec_is_enrolled_everywhere(enrolled):
    assert list(codecs.names()) == [*BUILT_IN, "phone"]
    assert "phone" in registry.codec_names()
    assert codecs.find("phone") is Phone
    effect = registry.find("Phone")(mix=0.5, loudness=2)
    assert effect(noise(2, 4800), 48000).shape == (2, 4800)
    assert isinstance(effect, codec_effect.CodecEffect)
    with pytest.raises(ValueError, match="there is a codec 'phone' already"):
        codecs.register(Phone)
    with pytest.raises(UnknownName, match="did you mean 'phone'"):
        codecs.find("phones")


@of_every_law
def test_a_registered_codec_is_held_to_the_laws(enrolled, law):
    assert enrolled.name in codecs.names()
    law(codecs.find("phone"))


def test_registered_codecs_leave_no_trace():
    assert list(codecs.names()) == BUILT_IN
    with pytest.raises(UnknownName):
        codecs.find("phone")


def encode_by_the_first_sample_ever(self, frames):
    self.first_ever = getattr(self, "first_ever", frames[0, 0])
    return Phone.encode(self, frames * np.float32(0.5 if self.first_ever > 0.001 else 1))


def raise_on_damage(self, packet):
    if packet is not None and np.abs(packet.payload).max() > 2**17:
        raise ValueError
    return Phone._frame(self, packet)


FAULTS = {
    "depends on runs": (
        law_runs_of_frames_never_change_results,
        {"encode": lambda self, frames: Phone.encode(self, frames - frames.mean())},
    ),
    "survives a reset": (
        law_a_reset_codec_is_as_new,
        {"encode": encode_by_the_first_sample_ever},
    ),
    "drops lost frames": (
        law_a_lost_packet_is_a_full_frame,
        {"decode": lambda self, packets: Phone.decode(self, [p for p in packets if p] or [None])},
    ),
    "raises on damage": (law_damaged_packets_never_stop_it, {"_frame": raise_on_damage}),
    "takes any length": (
        law_only_whole_frames_are_taken,
        {"encode": lambda self, frames: [Packet(np.zeros((1, 80), np.int32), 80)]},
    ),
    "is late": (
        law_what_comes_out_is_what_went_in,
        {"decode": lambda self, packets: np.roll(Phone.decode(self, packets), 16)},
    ),
    "a packet too many": (
        law_k_frames_give_k_packets_give_k_frames,
        {"encode": lambda self, frames: Phone.encode(self, frames) * 2},
    ),
    "forgets what was set": (
        law_a_set_before_the_first_frame_is_a_setting,
        {"set": lambda self, parameter_id, value: None},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_codec_is_found_out(fault):
    law, faults = FAULTS[fault]
    law(Phone)
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        law(type("Faulty", (Phone,), faults))


class Pairs(codecs.find("pcm")):
    """A codec that has stereo only, as some do."""

    name, title = "pairs", "Pairs"

    def __init__(self, sample_rate, channels, settings):
        super().__init__(sample_rate, 2, settings)


@pytest.mark.parametrize("channels", [1, 2, 3, 7, 8])
def test_a_single_channel_goes_through_a_stereo_codec_and_back_unchanged(channels):
    effect = codec_effect.effect_of(Pairs)()
    audio = noise(channels, 1000)
    assert same(effect(audio, 48000), audio)
    assert effect.meter.bits == effect.meter.packets * 32 * 64 * 2


def test_an_effect_of_a_registered_codec_streams(enrolled):
    effect = registry.find("phone")()
    effect.prepare(StreamSpec(44100, 3))
    assert effect.process_block(noise(3, 127)).shape == (3, 127)
