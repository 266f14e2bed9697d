"""Damage to packets: what is done to bytes and tokens, how often, from which seed, and that it hurts
nobody.
"""

from dataclasses import replace

import numpy as np
import pytest
from damaged_packets import hurt
from signals import noise, same, stream_through, tones, voice

import codecfx
from codecfx.codecs.base import CodecFormat, Packet
from codecfx.effects import registry
from codecfx.effects.processor import StreamSpec
from codecfx.errors import ConfigurationError
from codecfx.presets import load_preset, save_preset
from codecfx.stream.chance import Chance
from codecfx.stream.damage import Damage
from codecfx.stream.ears import LOUDEST, Parcel

RATE = 48_000


class Coded:
    """What damage knows of a codec."""

    format = CodecFormat(RATE, 1, 960, 0)
    header_bytes = 0
    codewords = 0


def after(payloads, seed=0, header_bytes=0, bits=None, codewords=0, **values):
    """What becomes of payloads."""
    codec = Coded()
    codec.header_bytes, codec.codewords = header_bytes, codewords
    damage = Damage(values, Chance(seed), codec, packet_ms=20.0)
    packets = [Packet(one, 8 * len(one) if bits is None else bits) for one in payloads]
    parcels = damage.hit(packets, noise(1, 960 * len(packets)))
    return [one.packet.payload if isinstance(one, Parcel) else one.payload for one in parcels], damage


def differences(payloads, hurt):
    was, now = (np.frombuffer(b"".join(one), np.uint8) for one in (payloads, hurt))
    return was ^ now


RANDOM = np.random.default_rng(5)
PAYLOADS = [RANDOM.bytes(90) for _ in range(1000)]


@pytest.mark.parametrize("share", [0.001, 0.05, 1.0])
def test_one_bit_is_flipped_in_as_many_bytes_as_was_asked_for(share):
    changed = differences(PAYLOADS, after(PAYLOADS, flip=share)[0])
    ones = np.unpackbits(changed[:, np.newaxis], axis=1)
    assert set(ones.sum(axis=1)) <= {0, 1}
    rate = (changed > 0).mean()
    assert abs(rate - share) <= 4 * np.sqrt(share * (1 - share) / changed.size)
    # every bit alike
    assert np.ptp(ones.mean(axis=0)) < 8 * np.sqrt(share / 8 / changed.size)


@pytest.mark.parametrize(
    ("region", "first", "last"),
    [("payload", 3, 90), ("header", 0, 3), ("early", 3, 32), ("late", 61, 90), ("all", 0, 90)],
)
def test_a_region_is_all_that_is_reached(region, first, last):
    for values in ({"flip": 0.5}, {"xor": 170}):
        hurt = after(PAYLOADS, header_bytes=3, region=region, **values)[0]
        changed = differences(PAYLOADS, hurt).reshape(1000, 90).any(axis=0)
        assert same(np.flatnonzero(changed), np.arange(first, last))


def test_xor_twice_is_nothing_and_once_is_all():
    once = after(PAYLOADS, xor=99)[0]
    assert (differences(PAYLOADS, once) == 99).all()
    assert after(once, xor=99)[0] == PAYLOADS


def test_pairs_change_places():
    payloads = [bytes(range(91))] * 500
    hurt = np.array([list(one) for one in after(payloads, swap=0.3)[0]])
    pairs = hurt[:, :90].reshape(500, 45, 2)
    swapped = pairs[:, :, 0] > pairs[:, :, 1]
    assert same(np.sort(pairs, axis=2).reshape(500, 90)[0], np.arange(90))
    assert abs(swapped.mean() - 0.3) < 4 * np.sqrt(0.21 / swapped.size)
    assert (hurt[:, 90] == 90).all()


def test_the_end_is_cut():
    hurt = after(PAYLOADS, cut=0.25)[0]
    assert all(now == was[:68] + bytes(22) for was, now in zip(PAYLOADS, hurt, strict=True))
    assert after(PAYLOADS, cut=1.0, header_bytes=2)[0][7] == PAYLOADS[7][:2] + bytes(88)


def test_earlier_packets_come_again():
    hurt = after(PAYLOADS, behind=0.2, behind_packets=5)[0]
    index = {payload: at for at, payload in enumerate(PAYLOADS)}
    back = np.array([at - index[one] for at, one in enumerate(hurt)])
    assert set(back) == {0, 1, 2, 3, 4, 5}
    assert abs((back > 0).mean() - 0.2) < 4 * np.sqrt(0.16 / 1000)


def test_only_a_share_is_hit():
    hurt, damage = after(PAYLOADS, xor=1, packets_hit=0.3)
    count = sum(now != was for was, now in zip(PAYLOADS, hurt, strict=True))
    assert damage.damaged == count
    assert abs(count / 1000 - 0.3) < 4 * np.sqrt(0.21 / 1000)


def test_tokens_stay_tokens():
    tokens = [RANDOM.integers(1024, size=(2, 8, 2)).astype(np.int32) for _ in range(300)]
    kind = {"bits": 2 * 8 * 2 * 10, "codewords": 1024}
    flipped = after(tokens, flip=0.4, **kind)[0]
    changed = np.array(tokens) ^ np.array(flipped)
    assert set(np.unique(changed)) == {0, *(1 << np.arange(10))}
    assert abs((changed > 0).mean() - 0.4) < 0.02
    assert (np.array(after(tokens, xor=255, **kind)[0]) == np.array(tokens) ^ 255).all()
    early = np.array(after(tokens, xor=1, region="early", **kind)[0]) ^ np.array(tokens)
    assert same(np.flatnonzero(early.any(axis=(0, 1, 3))), np.arange(3))  # of 8 books
    cut = after(tokens, cut=0.5, **kind)[0]
    assert all(same(now, was[:, :4]) for was, now in zip(tokens, cut, strict=True))


def test_chance_is_the_seeds():
    one, again, other = (after(PAYLOADS, seed, flip=0.1, behind=0.1)[0] for seed in (1, 1, 2))
    assert one == again
    assert one != other


# In an effect

BROKEN = {"flip": 0.02, "swap": 0.02, "behind": 0.1, "packets_hit": 0.5, "cut": 0.1}
CODECS = ("opus", "gsm", "mp3", "pcm", "sbc", "encodec", "encodec48", "lyra")


@pytest.mark.parametrize("name", CODECS)
def test_the_same_samples_for_any_partition(name):
    audio = tones(RATE, 40_000, channels=2)
    values = BROKEN | {"loss": 0.1, "buffer_ms": 30, "jitter_ms": 10, "conceal": "stretch", "seed": 3}
    effect = registry.find(name)(**values)
    effect.prepare(StreamSpec(RATE, 2))
    whole = effect.process_block(audio).copy()
    assert effect.meter.damaged > 0 or name == "encodec48"  # it has a packet a second
    for sizes in ([1024, 7, 480], [40_000 // 3]):
        effect.reset()
        assert same(stream_through(effect, audio, sizes), whole)
    fresh = registry.find(name)(**values)
    fresh.prepare(StreamSpec(RATE, 2, max_block_samples=512))
    assert same(stream_through(fresh, audio, [512]), whole)


@pytest.mark.parametrize("name", CODECS)
def test_what_does_nothing_changes_nothing(name):
    audio = voice(RATE, 24_000, channels=2)
    bare = registry.find(name)()(audio, RATE)
    for values in (
        {"packets_hit": 0.5},
        {"region": "all", "behind_packets": 9},
        {"xor": 3, "packets_hit": 0},
    ):
        assert same(registry.find(name)(**values)(audio, RATE), bare)


def test_moves_land_on_the_packet_that_is_being_filled():
    audio, heard = tones(RATE, 48_000), []
    for sizes in ([480], [960, 13], [4800]):
        effect = codecfx.Opus()
        effect.prepare(StreamSpec(RATE, 1))
        parts = []
        for begin, end, flip in ((0, 9600, 0.0), (9600, 19_200, 0.3), (19_200, 48_000, 0.0)):
            effect.flip = flip
            parts.append(stream_through(effect, audio[:, begin:end], sizes))
        heard.append(np.concatenate(parts, axis=1))
        assert 5 <= effect.meter.damaged <= 10
    assert same(heard[0], heard[1])
    assert same(heard[0], heard[2])


def test_pcm_is_whole_again_at_once():
    audio = noise(1, 96_000)
    effect = codecfx.PCM(xor=1)
    effect.prepare(StreamSpec(RATE, 1))
    hurt = effect.process_block(audio[:, :6400]).copy()
    assert not same(hurt[:, 64:], audio[:, :6336])
    effect.xor = 0
    whole = effect.process_block(audio[:, 6400:]).copy()
    assert same(whole[:, 128:], audio[:, 6400 + 65 : -63])


@pytest.mark.parametrize("name", registry.codec_names())
def test_nobody_is_hurt(name):
    assert hurt(name, 300) >= 300


def test_what_gets_too_loud_is_clamped():
    quiet = voice(RATE, RATE, level=0.02)
    # two of them overshoot where they are resampled
    for name, values in (
        ("pcm", {"xor": 64}),
        ("gsm", {"xor": 85, "packets_hit": 0.2}),
        ("g722", {"cut": 0.3}),
    ):
        peak = np.abs(registry.find(name)(**values)(quiet, RATE)).max()
        assert 0.95 * LOUDEST * 0.02 < peak <= 1.001 * LOUDEST * 0.02


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_clamp_that_moves_is_the_same_for_any_partition(rate):
    # limits differ from frame to frame
    swells = np.exp2(6 * np.sin(np.arange(40_000) / 1600) - 4).astype(np.float32)
    audio = noise(1, 40_000, level=0.1) * swells
    for name, values in (("g722", {}), ("pcm", {"rate_hz": 16_000}), ("amr", {})):
        effect = registry.find(name)(xor=64, packets_hit=0.7, **values)
        effect.prepare(StreamSpec(rate, 1))
        whole = effect.process_block(audio).copy()
        for sizes in ([64], [7, 1024]):
            effect.reset()
            assert same(stream_through(effect, audio, sizes), whole)


def test_a_clamp_knows_a_second():
    sound = np.concatenate((noise(1, RATE // 2, level=0.2), noise(1, 2 * RATE, level=0.002)), axis=1)
    heard = codecfx.PCM(xor=127)(sound, RATE)
    loud, quiet = np.abs(sound[:, : RATE // 2]).max(), np.abs(sound[:, RATE // 2 :]).max()
    assert np.abs(heard[:, : int(1.4 * RATE)]).max() == pytest.approx(LOUDEST * loud)
    assert np.abs(heard[:, int(1.6 * RATE) :]).max() <= 1.0001 * LOUDEST * quiet


def test_a_preset_has_a_section(tmp_path):
    text = save_preset(codecfx.Pedalboard([codecfx.Opus(flip=0.1)]), tmp_path / "one.toml").read_text()
    assert "[chain.damage]\nflip = 0.1\n" in text
    assert load_preset(tmp_path / "one.toml").board()[0].flip == 0.1
    with pytest.raises(ConfigurationError, match="did you mean 'flip'"):
        codecfx.Opus(damage={"flipp": 1})


def test_a_packet_keeps_what_else_it_says():
    effect = codecfx.EnCodec48(flip=0.2, segment_s=0.1)
    heard = effect(tones(RATE, RATE, channels=2), RATE)
    assert effect.meter.damaged > 5
    assert np.abs(heard).max() > 0.1  # its loudness is beside the tokens
    assert replace(Packet(b"ab", 16), payload=b"c").bits == 16


@pytest.mark.parametrize(
    ("name", "values", "moves"),
    [
        # what was damaged comes late, and when nothing has been damaged for long
        (
            "opus",
            {"bitrate_kbps": 128, "region": "all", "jitter_ms": 1000, "late": "played", "seed": 1},
            {4: {"flip": 0.0}},
        ),
        # the decoder is still led astray after a second of nothing
        ("mp2", {}, {4: {"flip": 0.0, "loss": 1.0}, 5.5: {"loss": 0.0}}),
    ],
)
def test_ears_are_kept_when_damage_is_over(name, values, moves):
    sound = tones(RATE, 8 * RATE, level=0.2)
    effect = registry.find(name)(flip=0.3, **values)
    effect.prepare(StreamSpec(RATE, 1))
    parts, at = [], 0
    for second, changes in [*moves.items(), (8, {})]:
        parts.append(effect.process_block(sound[:, at : round(second * RATE)]).copy())
        at = round(second * RATE)
        for parameter_id, value in changes.items():
            effect.set(parameter_id, value)
    heard = np.concatenate(parts, axis=1)
    assert np.abs(heard).max() <= 1.1 * LOUDEST * 0.2


def test_what_ears_remember_does_not_grow():
    for rate in (RATE, 44_100):
        effect = codecfx.Opus(flip=0.05)
        effect.prepare(StreamSpec(rate, 1))
        effect.process_block(tones(rate, 3 * rate))
        assert len(effect._links[0].ears.limits) < 5


def test_the_smallest_share_is_no_error():
    audio = voice(RATE, 9600)
    assert same(codecfx.Opus(flip=1e-310)(audio, RATE), codecfx.Opus()(audio, RATE))


def test_a_group_that_is_no_table_is_told_in_one_line():
    with pytest.raises(ConfigurationError, match="damage is 3; it takes a table of packets_hit, flip"):
        codecfx.Opus(damage=3)
    for wrong in (3, {"drone_books": 2}):  # which a codec of bytes has not
        with pytest.raises(ConfigurationError, match="no parameter 'tokens'"):
            codecfx.Opus(tokens=wrong)
    assert codecfx.Opus(moments={"slow": 2}).slow == 2
