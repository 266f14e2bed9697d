"""Program changes: from one board to another, at one latency, without a click, whatever the blocks."""

from fractions import Fraction

import mido
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import late, same, sine, stream_through, tones

import codecfx
from codecfx.control.controls import Controls
from codecfx.control.maps import Map
from codecfx.control.midi_file import read_midi_file
from codecfx.control.modulation import LFO, EnvelopeFollower
from codecfx.effects.player import Move, Player
from codecfx.effects.processor import StreamSpec
from codecfx.effects.setlist import Setlist
from codecfx.performance import Performance
from codecfx.takes import TakeWriter, load_take

RATE = 48000
AUDIO = tones(RATE, 30_000, channels=2)


def boards():
    return [
        codecfx.Pedalboard([codecfx.PCM(bits=32)]),
        codecfx.Pedalboard([codecfx.Opus(bitrate_kbps=12), codecfx.native("Reverb")]),
        codecfx.Pedalboard([codecfx.GSM()]),
    ]


def program(number, channel=0):
    return bytes([0xC0 | channel, number])


def programs(count):
    return {Map.of({"source": f"program {n}", "preset": f"x{n}"}): n for n in range(count)}


WOBBLE = Controls(
    maps=(
        Map.of({"source": "modulator wobble", "target": "mix", "min": 0.5}),
        Map.of({"source": "modulator follow", "target": "*.mix", "min": 1, "max": 0.8}),
        Map.of({"source": "cc 1", "target": "board.mix", "smoothing_ms": 20}),
    ),
    modulators=(LFO("wobble", rate_hz=3.0), EnvelopeFollower("follow")),
)


def play(events, sizes, audio=AUDIO, controls=None):
    players = [Player(board, controls, in_file_time=False) for board in boards()]
    setlist = Setlist(players, programs(3), events)
    setlist.prepare(StreamSpec(RATE, audio.shape[0]), audio.shape[1])
    return stream_through(setlist, audio, sizes), setlist


def alone(number, audio=AUDIO):
    """What one board gives, as late as the slowest of them."""
    made = boards()
    for board in made:
        board.prepare(StreamSpec(RATE, audio.shape[0]))
    slowest = max(board.latency_samples for board in made)
    return late(made[number].process_block(audio), slowest - made[number].latency_samples), slowest


EVENTS = [(5000, program(1)), (6000, bytes([0xB0, 1, 20])), (14_001, program(2)), (14_002, program(0))]
EVENTS += [
    (14_100, program(2)),
    (20_000, program(2, 3)),
    (22_222, program(1)),
    (22_223, Move("mix", 0.9)),
]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from((1, 7, 63, 64, 65, 500, 4096)), min_size=1, max_size=6))
def test_any_partition_gives_the_same_samples(sizes):
    whole, setlist = play(EVENTS, [30_000], controls=WOBBLE)
    assert setlist.ignored == 0
    assert same(play(EVENTS, sizes, controls=WOBBLE)[0], whole)


def test_a_program_takes_over_with_the_sound_of_its_moment():
    out, setlist = play([(5000, program(1))], [480])
    before, slowest = alone(0)
    assert setlist.latency_samples == slowest
    begun = 5056  # on the grid of 64
    assert same(out[:, : begun + slowest], before[:, : begun + slowest])
    # from there on it is the other board, which began to hear at `begun`
    other = boards()[1]
    other.prepare(StreamSpec(RATE, 2))
    expected = late(other.process_block(AUDIO[:, begun:]), slowest - other.latency_samples)
    assert same(out[:, begun + slowest + 960 :], expected[:, slowest + 960 :])


def test_the_latency_is_the_slowest_ones_and_never_changes():
    out, _ = play([], [512])
    assert same(out, alone(0)[0])
    out, _ = play([(0, program(2))], [512])
    assert same(out[:, 9000:], alone(2)[0][:, 9000:])


def test_the_same_program_again_changes_nothing():
    assert same(play([(5000, program(0)), (9000, program(77))], [512])[0], alone(0)[0])


def test_fifty_changes_a_second_are_played_as_far_as_they_go():
    audio = sine(200, RATE, 3 * RATE, channels=1, level=0.3)
    events = [(at, program(n % 3)) for n, at in enumerate(range(0, 3 * RATE, RATE // 50))]
    out, setlist = play(events, [128], audio)
    assert setlist.ignored == 0
    assert np.abs(out).max() < 0.45
    # the last one holds in the end: program 149 % 3 = 2, a telephone's 8 kHz, once it has taken over
    assert same(play(events, [4096], audio)[0], out)


@pytest.fixture
def files(tmp_path):
    """A preset, a map and a .mid that chooses another preset after a second."""
    codecfx.save_preset(codecfx.Pedalboard([codecfx.GSM()]), tmp_path / "call.toml")
    (tmp_path / "pad.toml").write_text(
        'version = 1\n[[map]]\nsource = "program 5"\npreset = "call.toml"\n'
        '[[map]]\nsource = "cc 7"\ntarget = "*.mix"\n'
    )
    midi = mido.MidiFile(ticks_per_beat=480)
    midi.tracks.append(mido.MidiTrack([mido.Message("program_change", program=5, time=960)]))
    midi.save(tmp_path / "song.mid")
    soundfile.write(tmp_path / "in.wav", tones(RATE, 2 * RATE, channels=2).T, RATE, subtype="FLOAT")
    return tmp_path


def test_a_midi_file_chooses_presets(files):
    from codecfx.presets import load_map

    report = codecfx.render(
        codecfx.Pedalboard([codecfx.PCM()]),
        files / "in.wav",
        files / "out.wav",
        automation=load_map(files / "pad.toml"),
        midi=read_midi_file(files / "song.mid"),
    )
    out = soundfile.read(files / "out.wav", dtype="float32")[0].T
    audio = soundfile.read(files / "in.wav", dtype="float32")[0].T
    assert report.samples == 2 * RATE
    assert same(out[:, :RATE].copy(), audio[:, :RATE].copy())
    spectrum = np.abs(np.fft.rfft(out[0, -RATE // 2 :] * np.hanning(RATE // 2)))
    assert spectrum[5000 // 2 :].max() < spectrum.max() / 300  # a telephone has nothing above 4 kHz


def test_a_take_keeps_the_presets_that_it_chose(files):
    from codecfx.presets import load_map

    board, controls = codecfx.Pedalboard([codecfx.PCM()]), load_map(files / "pad.toml")
    audio = tones(RATE, RATE, channels=2)
    with TakeWriter(files / "take", board, StreamSpec(RATE, 2, 128), controls) as writer:
        performance = Performance(load_map(files / "pad.toml"), (), in_file_time=False)
        player = performance.on(board, RATE)
        player.prepare(StreamSpec(RATE, 2))
        player.on_event = writer.event
        heard = []
        for at in range(0, RATE, 128):
            if at == 128 * 150:
                player.post(program(5))
                player.post(b"\xb0\x07\x30")
            heard.append(player.process_block(audio[:, at : at + 128]).copy())
            writer.write(audio[:, at : at + 128])
    heard = np.concatenate(heard, axis=1)
    (files / "call.toml").unlink()  # whatever becomes of the original
    take = load_take(files / "take")
    assert (files / "take" / "presets" / "1-call.toml").is_file()
    report = take.render(files / "again.wav")
    again = soundfile.read(files / "again.wav", dtype="float32")[0].T
    shift = report.latency_samples
    assert same(again[:, : RATE - shift].copy(), heard[:, shift:].copy())


def test_events_in_seconds_are_exact():
    events = ((Fraction(1, 3), program(1)),)
    player = Performance(Controls(maps=tuple(programs(1))), events)
    with pytest.raises(codecfx.CodecFxError, match="no preset 'x0'"):
        player.on(codecfx.Pedalboard([codecfx.PCM()]), RATE)


@pytest.mark.parametrize("place", [0, 1024, 1030, 1600])
def test_what_follows_a_program_change_is_played_to_its_board(place):
    """A scene is a program change and then controllers, also while another takeover is under way."""
    events = [(1024, program(1))] if place == 1600 else []
    events += [(place, program(2)), (place, Move("gsm.mix", 0.5)), (place + 70, Move("mix", 0.5))]
    out, setlist = play(sorted(events, key=lambda event: event[0]), [441])
    other = boards()[2]
    player = Player(other, events=[(0, Move("gsm.mix", 0.5)), (0, Move("mix", 0.5))])
    player.prepare(StreamSpec(RATE, 2))
    begun = next(at for at in range(0, 30_000, 64) if at >= place)
    if place == 1600:  # it waits for the first to be over
        begun = -(-(1024 + setlist.latency_samples + 960) // 64) * 64
    expected = late(
        player.process_block(AUDIO[:, begun:]), setlist.latency_samples - player.latency_samples
    )
    over = setlist.latency_samples + 960
    assert same(out[:, begun + over :], expected[:, over:])


def test_presets_of_one_name_are_kept_apart(tmp_path):
    maps = []
    for number, folder in enumerate(("a", "b")):
        (tmp_path / folder).mkdir()
        board = codecfx.Pedalboard([codecfx.PCM(mix=0.25 + number / 2)])
        path = codecfx.save_preset(board, tmp_path / folder / "lead.toml")
        maps.append(Map.of({"source": f"program {number}", "preset": str(path)}))
    board = codecfx.Pedalboard([codecfx.PCM()])
    TakeWriter(tmp_path / "take", board, StreamSpec(RATE, 1), Controls(maps=tuple(maps))).close()
    kept = load_take(tmp_path / "take").preset.controls.maps
    assert [codecfx.load_preset(one.preset).board()[0].mix for one in kept] == [0.25, 0.75]


def test_other_presets_take_what_fits_them():
    from codecfx.effects.steering import fitting

    wide = Map.of({"source": "cc 1", "target": "*.bitrate_kbps", "min": 6, "max": 96})
    lost = Map.of({"source": "cc 2", "target": "call.mix"})
    controls = fitting(codecfx.Pedalboard([codecfx.AMR()]), Controls(maps=(wide, lost)))
    (kept,) = controls.maps
    assert (kept.minimum, kept.maximum) == (None, None)
