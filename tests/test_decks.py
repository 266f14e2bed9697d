"""Decks: boards that come one after another, live, and the same samples when the take is rendered."""

import numpy as np
import pedalboard
import pytest
import soundfile
from signals import noise

import codecfx
from codecfx.effects.decks import Deck, Decks
from codecfx.effects.player import Move, Player
from codecfx.effects.processor import StreamSpec
from codecfx.live.deck_making import ROOT
from codecfx.presets import preset_of, preset_table
from codecfx.takes import TakeWriter, load_take

RATE = 48_000
SPEC = StreamSpec(RATE, 2, 512)
FADE = RATE * 20 // 1000


def deck(*plugins, number=0, **more):
    """A deck of these effects, ready."""
    board = codecfx.Pedalboard(list(plugins))
    player = Player(board)
    player.prepare(SPEC)
    return Deck(board, player, number, **more)


def run(decks, audio, sizes, before=None):
    """All of `audio` in blocks of these sizes, again and again; `before(at)` is called before each."""
    heard, at, turn = [], 0, 0
    while at < audio.shape[1]:
        size = min(sizes[turn % len(sizes)], audio.shape[1] - at)
        if before is not None:
            before(at)
        heard.append(decks.process_block(audio[:, at : at + size]).copy())
        at, turn = at + size, turn + 1
    return np.concatenate(heard, axis=1)


def alone(audio, *plugins):
    """What a board makes of `audio` as a stream, its latency included."""
    board = codecfx.Pedalboard(list(plugins))
    board.prepare(SPEC)
    return run(board, audio, [512])


@pytest.mark.parametrize("size", [1, 64, 127, 512])
def test_the_next_board_takes_over_when_its_sound_is_there(size):
    audio = noise(2, 24_000)
    decks = Decks(deck(codecfx.PCM(bits=24)))
    decks.prepare(SPEC)
    at = 4 * 512 if 2048 % size == 0 else -(-2048 // size) * size

    def bring(now):
        if now == at:
            decks.bring(deck(codecfx.Opus(bitrate_kbps=24)))

    heard = run(decks, audio, [size], bring)
    late = decks.latency_samples
    takeover = at + late
    assert late == 960 - 1 + 312  # Opus': a frame less a sample, and its lookahead
    old = alone(audio, codecfx.PCM(bits=24))
    assert np.array_equal(heard[:, :takeover], old[:, :takeover])
    new = alone(audio[:, at:], codecfx.Opus(bitrate_kbps=24))
    assert np.array_equal(heard[:, takeover + FADE :], new[:, late + FADE :])
    assert not np.array_equal(heard[:, takeover : takeover + FADE], old[:, takeover : takeover + FADE])


def test_a_deck_that_warms_is_heard_so_much_later():
    audio = noise(2, 24_000)
    decks = Decks(deck(pedalboard.Gain(0)))
    decks.prepare(SPEC)
    decks.bring(deck(pedalboard.Gain(-6), warm_samples=4800))
    heard = run(decks, audio, [256])
    first = np.flatnonzero(np.any(heard[:, 64:] != alone(audio, pedalboard.Gain(0))[:, 64:], axis=0))[0]
    assert 0 <= first + 64 - (4800 + decks.latency_samples) < 200  # the fade begins very smoothly


def test_of_several_that_are_brought_at_once_the_last_comes():
    begun = []
    decks = Decks(deck(codecfx.PCM()))
    decks.prepare(SPEC)
    decks.on_begin = lambda sample, deck: begun.append((sample, deck.number))
    audio = noise(2, 48_000)

    def bring(now):
        if now < 10 * 512:
            decks.bring(deck(codecfx.PCM(bits=8), number=now // 512 + 1))

    run(decks, audio, [512], bring)
    assert begun[0] == (0, 1)
    assert begun[-1][1] == 10  # and those that came while another took over did not
    assert len(begun) < 8
    assert not decks.is_changing


def test_a_board_that_goes_on_keeps_what_was_turned_while_it_was_made():
    audio = noise(2, 24_000)
    first = deck(codecfx.Opus(bitrate_kbps=24))
    decks = Decks(first)
    decks.prepare(SPEC)
    played = []
    decks.on_event = lambda sample, event: played.append((sample, event))
    again = deck(codecfx.Opus(bitrate_kbps=24), keeps_values=True)

    def turn(now):
        if now == 512:
            decks.post(Move("opus.bitrate_kbps", 9))  # after the other was made
        if now == 1024:
            decks.bring(again)

    run(decks, audio, [512], turn)
    assert again.board[0].bitrate_kbps == 9
    assert [(sample, event.value) for sample, event in played] == [(512, 9), (1024, 9)]


def test_a_change_of_boards_does_not_click():
    """A low tone from one gain to another: nothing above 5 kHz."""
    t = np.arange(RATE) / RATE
    tone = np.tile(0.5 * np.sin(2 * np.pi * 220 * t), (2, 1)).astype(np.float32)
    decks = Decks(deck(codecfx.PCM(bits=24)))
    decks.prepare(SPEC)

    def bring(now):
        if now == 20_480:
            decks.bring(deck(codecfx.PCM(bits=24, mix=1.0), pedalboard.Gain(-12)))

    heard = run(decks, tone, [512], bring)[0, 4096:]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard)))) / len(heard) * 4
    above = spectrum[np.fft.rfftfreq(len(heard), 1 / RATE) > 5000].max()
    assert 20 * np.log10(above) < -110  # PCM of 24 bits is -140; a jump of 12 dB makes -40


@pytest.mark.parametrize("seed", range(3))
def test_a_take_over_boards_renders_to_what_was_heard(tmp_path, seed):
    """Boards, moves and messages in blocks of random sizes; the take's render is the same stream."""
    random = np.random.default_rng(seed)
    audio = noise(2, 96_000, seed=seed)
    boards = [
        codecfx.Pedalboard([codecfx.Opus(bitrate_kbps=24), pedalboard.Reverb()]),
        codecfx.Pedalboard([codecfx.MP3(bitrate_kbps=32)]),
        codecfx.Pedalboard([pedalboard.Compressor(threshold_db=-30), codecfx.PCM(bits=6)]),
    ]
    presets = [preset_of(preset_table(board, ROOT), ROOT) for board in boards]

    def made(number):
        board = presets[number].board()
        player = Player(board)
        player.prepare(SPEC)
        return Deck(board, player, number)

    writer = TakeWriter(tmp_path / "take", presets[0].board(), SPEC, wet=True)
    decks = Decks(made(0))
    decks.prepare(SPEC)
    decks.on_event = writer.event
    decks.on_begin = lambda sample, deck: writer.change(sample, presets[deck.number])
    paths = ["opus.bitrate_kbps", "mp3.bitrate_kbps", "opus.mix", "pcm.bits", "reverb.room_size"]
    at = 0
    with writer:
        while at < audio.shape[1]:
            size = int(random.integers(1, 512))
            if random.uniform() < 0.02:
                decks.bring(made(int(random.integers(3))))
            if random.uniform() < 0.2:
                path = paths[random.integers(len(paths))]
                value = {"opus.bitrate_kbps": 6, "mp3.bitrate_kbps": 64, "pcm.bits": 9}.get(path, 0.5)
                decks.post(Move(path, value))
            block = audio[:, at : at + size]
            writer.write(block, decks.process_block(block).copy())
            at += size
    take = load_take(tmp_path / "take")
    assert len(take.boards) > 2
    report = take.render(tmp_path / "again.wav")
    again, _ = soundfile.read(tmp_path / "again.wav", dtype="float32")
    wet, _ = soundfile.read(tmp_path / "take" / "wet.wav", dtype="float32")
    late = report.latency_samples
    assert np.array_equal(again[: len(wet) - late], wet[late:])
