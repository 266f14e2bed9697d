"""Token damage: what becomes of the numbers, and of the sound."""

import numpy as np
import pytest
from signals import same, stream_through, tones

import codecfx
from codecfx.codecs.base import Packet
from codecfx.codecs.residual_quantizer import NO_TOKEN
from codecfx.effects import registry
from codecfx.effects.processor import StreamSpec
from codecfx.errors import ConfigurationError
from codecfx.recipe import effect_from
from codecfx.stream.bits import PARAMETERS as BITS
from codecfx.stream.bits import BitDamage
from codecfx.stream.chance import Chance
from codecfx.stream.plan import Plan
from codecfx.stream.tokens import PARAMETERS, TokenDamage

RATE = 48_000
WORDS, BOOKS = 1024, 8
NEUTRAL = {one.id: one.default for one in BITS}
RANDOM = np.random.default_rng(3)
TOKENS = RANDOM.integers(WORDS, size=(400, 2, BOOKS, 1)).astype(np.int32)


def after(tokens=TOKENS, seed=0, moves=None, **values):
    """What becomes of packets' tokens, (packets, channels, books, hops)."""
    plan = Plan(PARAMETERS, values)
    damage = TokenDamage(plan.values, Chance(seed), WORDS)
    out = []
    for number, one in enumerate(tokens):
        plan.values |= (moves or {}).get(number, {})
        packet = Packet(one.copy(), 10 * one.size)
        out.append(damage.changed(packet, number).payload if damage.is_on else one)
    assert all(np.array(one).dtype == np.int32 for one in out)
    return np.array(out)


def gone(tokens):
    """Which books say nothing, in every packet; all or none of each."""
    silent = (tokens == NO_TOKEN).all(axis=(0, 1, 3))
    assert same(silent, (tokens == NO_TOKEN).any(axis=(0, 1, 3)))
    return [int(book) + 1 for book in np.flatnonzero(silent)]


def test_books_are_dropped_and_the_others_are_what_they_were():
    assert gone(after(first_book=3)) == [1, 2]
    assert gone(after(last_book=6)) == [7, 8]
    some = after(first_book=2, drop_books="4, 6-7")
    assert gone(some) == [1, 4, 6, 7]
    kept = [1, 2, 4, 7]
    assert same(some[:, :, kept], TOKENS[:, :, kept])
    assert after(first_book=9)[0].max() == NO_TOKEN


def test_what_is_gone_stays_gone():
    hurt = after(np.full_like(TOKENS, NO_TOKEN), rotate=5, coarse=4, shuffle=1.0, walk=9)
    assert (hurt == NO_TOKEN).all()


def test_rotation_goes_around():
    assert same(after(rotate=1000), (TOKENS + 1000) % WORDS)
    assert same(after(after(rotate=1000), rotate=24), TOKENS)


def test_coarser_leaves_every_so_many_eth():
    assert set(np.unique(after(coarse=256))) == {0, 256, 512, 768}


def test_a_shuffle_is_one_to_one_and_lasts():
    table = np.arange(WORDS, dtype=np.int32).reshape(1, 1, 1, WORDS)
    shuffled = after(table, shuffle=1.0)[0].ravel()
    assert same(np.sort(shuffled), table.ravel())
    assert (shuffled != table.ravel()).mean() > 0.99
    assert same(after(shuffle=1.0), shuffled[TOKENS])
    part = after(table, shuffle=0.25)[0].ravel()
    assert (part != table.ravel()).mean() == pytest.approx(0.25, abs=0.06)
    assert not same(after(table, seed=1, shuffle=1.0)[0].ravel(), shuffled)


def test_pairs_of_books_change_places():
    named = np.broadcast_to(
        np.arange(BOOKS, dtype=np.int32).reshape(1, 1, BOOKS, 1), (4000, 2, BOOKS, 1)
    )
    swapped = after(named, swap_books=0.3)[:, 0, :, 0].reshape(-1, 4, 2)
    assert same(np.sort(swapped, axis=2)[0].ravel(), named[0, 0].ravel())
    share = (swapped[:, :, 0] > swapped[:, :, 1]).mean(axis=0)
    assert np.abs(share - 0.3).max() < 4 * np.sqrt(0.21 / 4000)


def test_a_walk_is_no_further_than_its_steps_and_begins_at_home():
    still = np.full((2000, 1, BOOKS, 1), 512, np.int32)
    steps = np.diff(after(still, walk=3)[:, 0, :, 0], axis=0, prepend=np.full((1, BOOKS), 512))
    steps = (steps + 512) % WORDS - 512
    assert set(np.unique(steps)) == set(range(-3, 4))
    assert np.abs(steps.mean(axis=0)).max() < 4 * 2 / np.sqrt(2000)  # variance (7^2 - 1) / 12
    assert np.abs(np.corrcoef(steps.T) - np.eye(BOOKS)).max() < 0.1  # books by themselves
    home = after(still, walk=3, moves={50: {"walk": 0}})
    assert (home[50:] == 512).all()


def test_a_drone_holds_what_was_there():
    held = after(moves={10: {"drone_books": 2}, 20: {"drone_books": 4}, 30: {"drone_books": 0}})
    assert same(held[:10], TOKENS[:10])
    assert (held[10:30, :, :2] == TOKENS[10, :, :2]).all()
    assert same(held[10:20, :, 2:], TOKENS[10:20, :, 2:])
    assert (held[20:30, :, 2:4] == TOKENS[20, :, 2:4]).all()
    assert same(held[30:], TOKENS[30:])


# In an effect

WRONG = {
    "drop_books": "3",
    "walk": 20,
    "rotate": 3,
    "shuffle": 0.2,
    "swap_books": 0.3,
    "coarse": 2,
    "seed": 4,
}


@pytest.mark.parametrize("name", ["encodec", "encodec48", "lyra"])
def test_the_same_samples_for_any_partition(name):
    audio = tones(RATE, 24_000, channels=2)
    short = {"segment_s": 0.1} if name == "encodec48" else {}
    bare = registry.find(name)(**short)(audio, RATE)
    effect = registry.find(name)(**WRONG, **short)
    effect.prepare(StreamSpec(RATE, 2))
    whole = effect.process_block(audio).copy()
    assert effect.meter.damaged > 3
    effect.reset()
    assert same(stream_through(effect, audio, [513, 7, 2000]), whole)
    hurt = effect(audio, RATE)
    assert not same(hurt, bare)
    assert np.abs(hurt).max() <= 1.5 * np.abs(audio).max() * 1.001


@pytest.mark.parametrize("name", ["encodec", "lyra"])
def test_fewer_books_are_those_of_a_lower_bitrate(name):
    """A book that says nothing adds nothing: the first two of eight are those of a quarter."""
    audio = tones(RATE, 24_000)
    few, all_of_them = (6.0 / 4, 6.0) if name == "encodec" else (0.4, 1.6)
    low = registry.find(name)(bitrate_kbps=few)(audio, RATE)
    cut = registry.find(name)(bitrate_kbps=all_of_them, last_book=2)
    heard = cut(audio, RATE)
    assert cut.meter.damaged == cut.meter.packets > 20
    # they are primed with silence of their own bitrate, so the start differs
    late = slice(6000, None)
    assert np.abs(heard[:, late] - low[:, late]).max() < 0.05 * np.abs(low).max()


def test_codecs_of_bytes_have_none_and_say_so():
    with pytest.raises(ConfigurationError, match="drone_books"):
        codecfx.Opus(drone_books=3)
    assert "drone_books" not in codecfx.Opus().values


def test_wrong_lists_are_one_line():
    for text in ("0", "a", "3-", "2-900", "5-2", "\u0663"):
        effect = effect_from(f"encodec:drop_books={text}")
        with pytest.raises(ConfigurationError, match="is no book; write numbers from 1 to 64: 2, 5-8"):
            effect.prepare(StreamSpec(RATE, 1))


def test_a_packet_of_no_known_book_is_heard_as_nothing():
    effect = codecfx.EnCodec()
    effect.prepare(StreamSpec(24_000, 1))
    codec = effect._links[0].codec
    silent = Packet(np.full((1, 8, 1), NO_TOKEN, np.int32), 80)
    frames = codec.decode([silent] * 8)
    assert np.isfinite(frames).all()
    assert np.abs(frames).max() < 0.2


def test_what_says_nothing_is_no_token_for_flips_and_swaps():
    silent = TOKENS.copy()
    silent[:, :, 4:] = NO_TOKEN
    values = {"flip": 0.3, "swap": 0.5, "xor": 77}
    damage = BitDamage({**NEUTRAL, **values}, Chance(1), 20.0, 0, WORDS)
    hurt = [damage.hit(Packet(one, 80), at).payload for at, one in enumerate(silent)]
    assert (np.array(hurt)[:, :, 4:] == NO_TOKEN).all()
    assert np.array(hurt)[:, :, :4].min() >= 0
    assert np.array(hurt).max() < WORDS
    assert (np.array(hurt)[:, :, :4] != silent[:, :, :4]).mean() > 0.9


def test_what_stays_as_it_is_is_not_damaged():
    effect = codecfx.Lyra(last_book=63)
    effect(tones(RATE, 24_000), RATE)
    assert effect.meter.damaged == 0
