"""The player: moves land where they belong, whatever the blocks; nothing clicks, nothing is lost."""

import numpy as np
import pedalboard
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import fit_sine, late, noise, recording, recordings, same, sine, stream_through, tones

import codecfx
from codecfx.control.automation import Lane
from codecfx.control.controls import Controls
from codecfx.control.maps import Map
from codecfx.control.modulation import LFO, EnvelopeFollower, RandomWalk, TransientGate
from codecfx.control.parameters import Change, Curve, Parameter
from codecfx.control.timeline import TempoMap
from codecfx.effects import paths
from codecfx.effects.base import BYPASS, MIX, Effect
from codecfx.effects.fixed_latency import FixedLatency
from codecfx.effects.player import Move, Player
from codecfx.effects.processor import StreamSpec
from codecfx.errors import ConfigurationError, ParameterError, UnknownName
from codecfx.stream.framing import Framed

RATE = 48000
sizes = st.lists(st.sampled_from((1, 7, 63, 64, 65, 500, 4096)), min_size=1, max_size=6)


def cc(number, value, channel=0):
    return bytes([0xB0 | channel, number, value])


def everything():
    """A board of codecs that change at frames and by crossfading, natives, and a container."""
    return codecfx.Pedalboard(
        [
            codecfx.native("Compressor", threshold_db=-20, ratio=4),
            codecfx.Opus(bitrate_kbps=24, label="call"),
            codecfx.Mix([codecfx.MP3(bitrate_kbps=64), codecfx.PCM(bits=12)]),
            codecfx.native("Reverb"),
        ]
    )


def play(board, controls, audio, sizes, *, rate=RATE, in_file_time=True, **more):
    """What a player makes of `audio` in blocks of `sizes`."""
    player = Player(board, controls, in_file_time=in_file_time, **more)
    player.prepare(StreamSpec(rate, audio.shape[0]), audio.shape[1])
    try:
        return stream_through(player, audio, sizes), player
    finally:
        player.restore()


class Noting(Effect):
    """An effect that passes its input on and notes what its level is set to."""

    name = "noting"
    parameters = (Parameter("level", "Level", 0.0, 0.0, 1.0), MIX, BYPASS)

    def build(self, spec):
        self._noted = []
        return FixedLatency(Framed(1, spec.channels, lambda frames: frames), spec.channels)

    def apply(self, parameter, value):
        if self._spec is not None:
            self._noted.append(value)


# Paths


def test_paths_name_effects_by_label_name_and_place():
    board = everything()
    board.append(pedalboard.Delay())
    for path, number, parameter_id in (
        ("call.bitrate_kbps", "2", "bitrate_kbps"),
        ("opus.bitrate_kbps", "2", "bitrate_kbps"),
        ("2.bitrate_kbps", "2", "bitrate_kbps"),
        ("chain.2.bitrate_kbps", "2", "bitrate_kbps"),
        ("3.1.bitrate_kbps", "3.1", "bitrate_kbps"),
        ("chain.3.chain.1.bitrate_kbps", "3.1", "bitrate_kbps"),
        ("MP3.Bitrate_kbps", "3.1", "bitrate_kbps"),
        ("*.room_size", "4", "room_size"),
        ("*.bits", "3.2", "bits"),
        ("mix.mix", "3", "mix"),
        ("delay.delay_seconds", "5", "delay_seconds"),
        ("mix", "", "mix"),
        ("board.bypass", "", "bypass"),
    ):
        target = paths.find(board, path)
        assert (target.place.number, target.parameter.id) == (number, parameter_id)
    for path, target in paths.every_path(board).items():
        found = paths.find(board, path)
        assert (found.place.number, found.parameter) == (target.place.number, target.parameter)


@pytest.mark.parametrize(
    "label",
    ["opus", "8-bit", "2", "board", " lead ", "chain.1", "*", "opus.2", "mix", "a.b", "", "PCM"],
)
def test_every_path_leads_to_what_it_is_of_whatever_the_labels(label):
    inner = codecfx.Chain([codecfx.Opus(), codecfx.Chain([codecfx.Opus(label=label)])])
    board = codecfx.Pedalboard(
        [codecfx.Opus(label=label), codecfx.PCM(), inner, pedalboard.Gain(), codecfx.MP3(label="opus")],
        label=label,
    )
    every = paths.every_path(board)
    assert len(every) == sum(len(place.parameters) for place in paths.places(board))
    for path, target in every.items():
        found = paths.find(board, path)
        assert (found.place.number, found.parameter) == (target.place.number, target.parameter)


def test_an_effect_alone_is_its_own_board():
    for path in ("bitrate_kbps", "opus.bitrate_kbps", "board.bitrate_kbps", "*.bitrate_kbps"):
        assert paths.find(codecfx.Opus(), path).parameter.id == "bitrate_kbps"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("call.bitrate", "call.bitrate: no parameter 'bitrate'; did you mean 'bitrate_kbps'?"),
        ("cal.bitrate_kbps", "no parameter 'cal.bitrate_kbps'; did you mean 'call.bitrate_kbps'?"),
        ("9.mix", "no parameter '9.mix'; did you mean"),
        ("pcm.bits", "pcm.bits: there are 2 called 'pcm'; write pcm.1.bits or pcm.2.bits, or give"),
        ("delay.mix.", "no parameter 'delay.mix.'"),
    ],
)
def test_what_no_path_leads_to_is_said(path, message):
    board = everything()
    board.append(codecfx.PCM())
    with pytest.raises(ConfigurationError) as refusal:
        paths.find(board, path)
    assert message in str(refusal.value)
    assert paths.find(board, "pcm.2.bits").place.number == "5"


# Partitions


CONTROLS = Controls(
    lanes=(
        Lane("call.bitrate_kbps", [("0 s", 96), ("300 ms", 6), ("80 %", 48, "step")], "exponential"),
        Lane("mp3.bitrate_kbps", [("0.1 s", 32), ("0.4 s", 128, "step"), ("0.45 s", 64)]),
        Lane("reverb.wet_level", [(0, 0.1), ("1 beats", 0.9)], "smooth"),
        Lane("3.mix", [("0.2 s", 1), ("0.3 s", 0.2)]),
        Lane("compressor.bypass", [("250 ms", "on"), ("260 ms", "off")]),
        Lane("mix", [("301 ms", 0.3), ("302 ms", 1.0)], "step"),
    ),
    maps=(
        Map.of({"source": "modulator wobble", "target": "call.mix", "min": 0.3}),
        Map.of({"source": "modulator follow", "target": "reverb.room_size"}),
        Map.of({"source": "modulator hit", "target": "compressor.mix", "min": 1, "max": 0}),
        Map.of({"source": "modulator stray", "target": "pcm.bits", "min": 4, "max": 16}),
        Map.of({"source": "cc 1", "target": "board.mix", "smoothing_ms": 33}),
        Map.of({"source": "cc 2", "target": "call.expected_loss", "smoothing_ms": 20}),
        Map.of({"source": "pitch", "target": "pcm.mix", "pickup": True}),
        Map.of({"source": "gate 36", "target": "mp3.bypass", "mode": "toggle"}),
    ),
    modulators=(
        LFO("wobble", rate_hz=3.0, shape="random"),
        EnvelopeFollower("follow"),
        TransientGate("hit"),
        RandomWalk("stray", rate_hz=20.0),
    ),
    tempo=TempoMap.steady(120),
)
AUDIO = tones(RATE, 28_000, channels=2) * (np.arange(28_000) % 9000 < 5000).astype(np.float32)
random = np.random.default_rng(5)
EVENTS = [(int(at), cc(int(random.integers(1, 3)), int(random.integers(128)))) for at in
          np.sort(random.integers(0, 28_000, 60))]  # fmt: skip
EVENTS += [(26_000, bytes([0x90, 36, 100])), (26_001, bytes([0x80, 36, 0])), (26_500, b"\xe0\x00\x40")]
EVENTS += [(26_600, Move("call.bypass", True)), (26_650, Move("call.bypass", "off"))]


@settings(max_examples=5, deadline=None)
@given(sizes=sizes, in_file_time=st.booleans())
def test_any_partition_gives_the_same_samples(sizes, in_file_time):
    board = everything()
    more = {"events": EVENTS, "in_file_time": in_file_time, "seed": 3}
    whole, player = play(board, CONTROLS, AUDIO, [28_000], **more)
    assert player.ignored == 0
    assert same(play(board, CONTROLS, AUDIO, sizes, **more)[0], whole)
    assert not same(play(board, CONTROLS, AUDIO, [28_000], **more | {"seed": 4})[0], whole)


def test_again_from_the_start_is_the_same():
    player = Player(everything(), CONTROLS, events=EVENTS)
    player.prepare(StreamSpec(RATE, 2), 28_000)
    first = stream_through(player, AUDIO, [512])
    player.reset()
    assert same(stream_through(player, AUDIO, [512]), first)
    player.prepare(StreamSpec(RATE, 2), 28_000)
    assert same(stream_through(player, AUDIO, [512]), first)


@pytest.mark.parametrize("name", recordings("vibe_ace.ogg"))
def test_recordings_are_the_same_for_any_partition(name):
    audio, rate = recording(name)
    audio = audio[:, : 2 * rate]
    whole, _ = play(everything(), CONTROLS, audio, [len(audio[0])], rate=rate)
    assert same(play(everything(), CONTROLS, audio, [128], rate=rate)[0], whole)


def test_a_board_that_nothing_moves_plays_as_it_is():
    board = everything()
    board.prepare(StreamSpec(RATE, 2))
    expected = stream_through(board, AUDIO, [512])
    assert same(play(board, Controls(), AUDIO, [512])[0], expected)


# Time


@pytest.mark.parametrize("place", [0, 1, 4800, 6001])
def test_a_lane_meets_the_sound_that_was_there(place):
    """Behind a codec that is late, a word length changes at the very sample of the input."""
    board = codecfx.Pedalboard([codecfx.Opus(), codecfx.PCM(frame_samples=1, label="crush")])
    audio = tones(RATE, 12_000)
    lane = Lane("crush.bits", [("0 s", 32), (place, 2)], "step")
    moved = board(audio, RATE, automation=Controls((lane,)))
    clean, crushed = (
        board(audio, RATE),
        codecfx.Pedalboard([board[0], codecfx.PCM(bits=2)])(audio, RATE),
    )
    assert same(moved[:, :place], clean[:, :place])
    assert same(moved[:, place:], crushed[:, place:])


def test_a_mix_begins_to_move_with_the_sound_of_its_position():
    effect = codecfx.PCM(bits=1, frame_samples=600)  # late by 599
    board = codecfx.Pedalboard([codecfx.Opus(), effect])
    audio = tones(RATE, 9000)
    still = board(audio, RATE)
    for path in ("pcm.mix", "mix"):
        moved = board(audio, RATE, automation=Controls((Lane(path, [(3000, 0.0)]),)))
        first = np.flatnonzero(moved[0] != still[0])[0]
        assert 3000 <= first < 3000 + 40  # the first samples of a smooth step are too small to see


def test_live_moves_act_at_once():
    board = codecfx.Pedalboard([codecfx.Opus(), codecfx.PCM(frame_samples=1)])
    audio = tones(RATE, 12_000)
    moved, _ = play(board, None, audio, [480], events=[(4800, Move("pcm.bits", 2))], in_file_time=False)
    still, _ = play(board, None, audio, [480])
    assert np.flatnonzero((moved != still).any(axis=0))[0] == 4800


def test_messages_of_a_file_meet_the_sound_too():
    board = codecfx.Pedalboard([codecfx.Opus(), codecfx.PCM(frame_samples=1)])
    audio = tones(RATE, 12_000)
    controls = Controls(maps=(Map.of({"source": "cc 7", "target": "pcm.bits", "min": 32, "max": 2}),))
    moved, _ = play(board, controls, audio, [480], events=[(4800, cc(7, 127))])
    still, _ = play(board, None, audio, [480])
    upstream = paths.find(board, "pcm.bits").late_samples
    assert upstream == board[0].latency_samples > 0
    assert np.flatnonzero((moved != still).any(axis=0))[0] == 4800 + upstream


def test_glides_take_the_time_they_are_given():
    board = Noting(label="x")
    controls = Controls(maps=(Map.of({"source": "cc 7", "target": "x.level", "smoothing_ms": 100}),))
    player = Player(board, controls, events=[(0, cc(7, 127)), (9600, cc(7, 0))], in_file_time=False)
    player.prepare(StreamSpec(RATE, 1))
    stream_through(player, np.zeros((1, 20_000), np.float32), [64])
    noted = board._noted
    up, down = noted[: noted.index(1.0) + 1], noted[noted.index(1.0) + 1 :]
    assert up == sorted(up)
    assert down == sorted(down, reverse=True)
    # ticks of 512 samples, one from 0 to 4800 and one from 9600 to 14400, and the ends
    assert (len(up), len(down)) == (10, 11)
    assert down[-1] == 0.0
    np.testing.assert_allclose(np.diff(up[:-1]), 512 / 4800, rtol=1e-9)


# Arrays


def test_arrays_move_parameters_as_lanes_do():
    board = codecfx.Pedalboard([codecfx.Opus(), codecfx.native("Gain", gain_db=0)])
    audio = tones(RATE, 24_000, channels=2)
    curve = np.repeat([64.0, 6.0, 24.0], 8000)
    lane = Lane("opus.bitrate_kbps", [(0, 64), (8000, 6), (16_000, 24)], "step")
    moved = board(audio, RATE, automation={"opus.bitrate_kbps": curve})
    assert same(moved, board(audio, RATE, automation=Controls((lane,))))
    assert not same(moved, board(audio, RATE))
    assert board[0].bitrate_kbps == 32  # as before
    fade = board(audio, RATE, automation={"gain.gain_db": np.linspace(0, -40, 24_000)})
    levels = [np.sqrt(np.mean(fade[:, at : at + 2400] ** 2)) for at in range(0, 24_000, 2400)]
    assert levels == sorted(levels, reverse=True)


def test_without_reset_an_array_acts_on_the_stream_as_it_is():
    board = codecfx.Pedalboard([codecfx.PCM(frame_samples=1)])
    audio = tones(RATE, 1000)
    board.process(audio, RATE, reset=False)
    curve = np.full(1000, 32)
    curve[300:] = 2
    out = board.process(audio, RATE, reset=False, automation={"pcm.bits": curve})
    assert same(out[:, :300], audio[:, :300])
    assert not same(out[:, 300:310], audio[:, 300:310])
    assert board[0].bits == 2  # and stays
    with pytest.raises(
        ConfigurationError, match=r"pcm.bits: the array's shape is \(999,\); it takes a "
    ):
        board.process(audio, RATE, automation={"pcm.bits": curve[1:]})


def test_an_effect_alone_and_a_bare_plugin_take_arrays():
    audio = tones(RATE, 9600, channels=2)
    assert not same(
        codecfx.Opus()(audio, RATE, automation={"bitrate_kbps": np.linspace(6, 64, 9600)}),
        codecfx.Opus()(audio, RATE),
    )
    board = codecfx.Pedalboard([pedalboard.Gain(0)])
    out = board(audio, RATE, automation={"gain.gain_db": np.repeat([0.0, -20.0], 4800)})
    np.testing.assert_allclose(out[:, 9000:], 0.1 * audio[:, 9000:], atol=1e-6)
    assert board[0].gain_db == 0


# What may not be


@pytest.mark.parametrize(
    ("lane", "message"),
    [
        (("call.bitrat", [(0, 8)]), "call.bitrat: no parameter 'bitrat'; did you mean 'bitrate_kbps'?"),
        (("call.bitrate_kbps", [(0, 900)]), "bitrate_kbps is 900; it takes 2 to 510 kbps"),
        (("call.frame_ms", [(0, 20)]), "call.frame_ms cannot move while sound runs"),
        (("4.room_size", [(0, 0.5), (9, 3)]), "room_size is 3; it takes 0 to 1"),
        (("filter.cutoff_hz", [(0, 900), (9, 30_000)]), "cutoff_hz is 30000.0; at 48000 Hz it takes"),
    ],
)
def test_what_a_board_does_not_do_is_said_before_it_sounds(lane, message):
    board = everything()
    board.append(codecfx.native("LadderFilter", label="filter"))
    controls = Controls((Lane(*lane, where="lanes.toml:7"),))
    with pytest.raises(ConfigurationError) as refusal:
        Player(board, controls).prepare(StreamSpec(RATE, 2), 1000)
    assert str(refusal.value).startswith("lanes.toml:7: ")
    assert message in str(refusal.value)


def test_maps_to_what_is_not_there_are_said_unless_optional():
    table = {"source": "cc 1", "target": "echo.mix"}
    with pytest.raises(UnknownName):
        Player(everything(), Controls(maps=(Map.of(table),))).prepare(StreamSpec(RATE, 2))
    Player(everything(), Controls(maps=(Map.of(table | {"optional": True}),))).prepare(
        StreamSpec(RATE, 2)
    )
    with pytest.raises(ConfigurationError, match="no modulator 'wobbel'"):
        Player(
            everything(),
            Controls(
                maps=(Map.of({"source": "modulator wobbel", "target": "mix"}),),
                modulators=(LFO("wobble"),),
            ),
        ).prepare(StreamSpec(RATE, 2))
    with pytest.raises(ParameterError):
        Player(everything(), events=[(0, Move("mix", 7))]).prepare(StreamSpec(RATE, 2))


def test_live_a_bad_message_is_counted_and_ignored():
    board = everything()
    player = Player(board, CONTROLS, in_file_time=False)
    player.prepare(StreamSpec(RATE, 2), 28_000)
    bad = [b"", b"\x00", b"\xb0", b"\xb0\x01", b"\xb0\x01\xff", b"\xf0\x01", "cc 1", None]
    bad += [Move("nobody.mix", 1), Move("mix", 9), Move("call.frame_ms", 20)]
    for event in bad:
        player.post(event)
    out = stream_through(player, AUDIO, [512])
    assert player.ignored == len(bad)
    player.restore()
    assert same(out, play(board, CONTROLS, AUDIO, [512], in_file_time=False)[0])


# Nothing is lost, nothing clicks


def test_of_a_hundred_thousand_messages_none_is_lost_and_none_out_of_order():
    board = Noting(label="x")
    controls = Controls(maps=(Map.of({"source": "nrpn 5", "target": "x.level"}),))
    random = np.random.default_rng(1)
    wanted, messages, last = [], [], -1
    messages += [cc(99, 0), cc(98, 5)]
    while len(messages) < 100_000:
        value = int(random.integers(16_384))
        messages += [cc(6, value >> 7), cc(38, value & 127)]
        for position in ((value >> 7) / 127, value / 16_383):
            if position != last:
                wanted.append(position)
            last = position
    player = Player(board, controls, in_file_time=False)
    player.prepare(StreamSpec(RATE, 1))
    block = np.zeros((1, 4), np.float32)
    for message in messages:
        player.post(message)
        player.process_block(block)
    assert player.ignored == 0
    assert board._noted == wanted
    events = [(4 * number, message) for number, message in enumerate(messages)]
    again = Player(board, controls, events=events, in_file_time=False)
    again.prepare(StreamSpec(RATE, 1))
    stream_through(again, np.zeros((1, 4 * len(messages)), np.float32), [4096])
    assert board._noted == wanted


def above_5_khz_db(sound):
    """The loudest that sound gets above 5 kHz, in dB of full scale."""
    spectrum = np.fft.rfft(sound.astype(np.float64) * np.hanning(sound.shape[-1]))
    spectrum[..., : 5000 * sound.shape[-1] // RATE] = 0
    return 20 * np.log10(np.abs(np.fft.irfft(spectrum, sound.shape[-1])).max() + 1e-15)


RIDES = {
    "opus.bitrate_kbps": (lambda: codecfx.Opus(application="lowdelay"), 24, 128),
    "mp3.bitrate_kbps": (lambda: codecfx.MP3(), 32, 320),
    "opus.mix": (lambda: codecfx.Opus(bitrate_kbps=32), 0.0, 1.0),
    "board.mix": (lambda: codecfx.Opus(bitrate_kbps=32), 0.0, 1.0),
    "LowpassFilter.cutoff_frequency_hz": (lambda: codecfx.native("LowpassFilter"), 60, 8000),
    "HighpassFilter.cutoff_frequency_hz": (lambda: codecfx.native("HighpassFilter"), 60, 8000),
}


@pytest.mark.parametrize("path", RIDES)
def test_a_knob_ridden_thirty_times_a_second_never_clicks(path):
    make, low, high = RIDES[path]
    board = codecfx.Pedalboard([make()])
    audio = sine(220, RATE, 2 * RATE)
    controls = Controls(maps=(Map.of({"source": "cc 21", "target": path, "min": low, "max": high}),))
    ride = [
        (at, cc(21, round(127 * (0.5 - 0.5 * np.cos(2 * np.pi * 0.7 * at / RATE)))))
        for at in range(0, 2 * RATE, RATE // 30)
    ]
    settled = slice(board.latency_samples if board._running else RATE // 4, None)
    heard = play(board, controls, audio, [128], events=ride, in_file_time=False)[0][:, settled]
    floor = -140.0  # the rounding of float32
    for position in np.linspace(0, 127, 9).astype(int):
        still, _ = play(board, controls, audio, [4096], events=[(0, cc(21, int(position)))],
                        in_file_time=False)  # fmt: skip
        floor = max(floor, above_5_khz_db(still[:, settled]))
    assert above_5_khz_db(heard) < floor + 3
    assert len(np.unique([message[2] for _, message in ride])) > 20


# Modulators


def test_an_lfo_moves_a_level_at_its_rate():
    board = codecfx.Pedalboard([codecfx.native("Gain", gain_db=0)])
    controls = Controls(
        maps=(Map.of({"source": "modulator wobble", "target": "gain.gain_db", "min": -40, "max": 0}),),
        modulators=(LFO("wobble", rate_hz=2.0),),
    )
    out = board(np.ones((1, 2 * RATE), np.float32), RATE, automation=controls)
    level = 20 * np.log10(np.maximum(np.abs(out[0, ::480]), 1e-6))
    (turning, _) = fit_sine(level - level.mean(), 2.0, 100)
    assert abs(turning) == pytest.approx(20, abs=1.5)
    assert np.degrees(np.angle(turning)) == pytest.approx(0, abs=25)  # late by its fade of 20 ms


def test_an_envelope_ducks_what_follows_it():
    """The reverb is silent under the sound, and comes up when it stops."""
    board = codecfx.Pedalboard([codecfx.native("Gain", gain_db=0)])
    audio = np.concatenate((noise(1, RATE), 0.001 * noise(1, RATE)), axis=1)
    controls = Controls(
        maps=(Map.of({"source": "modulator duck", "target": "gain.gain_db", "min": 0, "max": -60}),),
        modulators=(EnvelopeFollower("duck", release_ms=50.0, floor_db=-50.0, ceiling_db=-6.0),),
    )
    out = board(audio, RATE, automation=controls)
    loud, soft = slice(RATE // 2, RATE), slice(3 * RATE // 2, None)

    def change_db(part):
        return 10 * np.log10(np.mean(out[:, part] ** 2) / np.mean(audio[:, part] ** 2))

    assert change_db(loud) < -40
    assert change_db(soft) == pytest.approx(0, abs=0.1)


def test_a_side_chain_is_heard_by_those_who_listen_to_it():
    board = codecfx.Pedalboard([codecfx.native("Gain", gain_db=0)])
    controls = Controls(
        maps=(Map.of({"source": "modulator duck", "target": "gain.gain_db", "min": 0, "max": -60}),),
        modulators=(EnvelopeFollower("duck", of="kick.wav", release_ms=50.0),),
    )
    kick = np.concatenate((np.zeros((1, RATE)), np.ones((1, RATE))), axis=1).astype(np.float32)
    at = 0

    def listen(listener, path, samples):
        nonlocal at
        assert path == "kick.wav"
        at += samples
        return kick[:, at - samples : at]

    out, _ = play(board, controls, np.ones((1, 2 * RATE), np.float32), [333], listen=listen)
    assert np.abs(out[0, 100 : RATE - 100] - 1).max() < 1e-6
    assert np.abs(out[0, RATE + RATE // 4 :]).max() < 0.01
    with pytest.raises(ConfigurationError, match=r"^kick.wav: a side-chain from a file"):
        play(board, controls, kick, [480])


def test_every_movable_parameter_of_a_board_moves():
    board = everything()
    for path, target in paths.every_path(board).items():
        parameter = target.parameter
        if parameter.change is Change.PREPARE or (parameter.minimum is None and not parameter.steps):
            continue
        board.reset() if board._running else None
        value = parameter.value_at(0.9 if parameter.curve is Curve.LINEAR else 0.4)
        _, player = play(board, None, AUDIO[:, :2048], [512], events=[(512, Move(path, value))])
        assert player.ignored == 0
        assert late(AUDIO, 0).shape == AUDIO.shape


# What a reading by others found


def test_a_lane_that_changes_the_format_at_the_start_is_aligned():
    """MP3 at 8 kbps has another sample rate, and another latency, than at 128."""
    audio = np.zeros((1, 44_100), np.float32)
    audio[0, 20_000] = 0.5
    lanes = (Lane("mp3.bitrate_kbps", [("0 s", 8)]), Lane("mp3.mix", [("0 s", 0.0)]))
    board = codecfx.Pedalboard([codecfx.MP3(bitrate_kbps=128)])
    assert same(board(audio, 44_100, automation=Controls(lanes)), audio)


@pytest.mark.parametrize("mode", ["relative", "toggle"])
def test_a_knob_goes_on_from_where_it_is_gliding_to(mode):
    """Also where a tick of the glide falls on the message's own sample."""
    table = {"source": "cc 1", "target": "x.level", "mode": mode, "smoothing_ms": 50}
    controls = Controls(maps=(Map.of(table),))
    ends = []
    for second in (511, 512, 513, 576):
        board = Noting(label="x")
        events = [(0, cc(1, 100 if mode == "toggle" else 10)), (1, cc(1, 0))][
            : 2 if mode == "toggle" else 1
        ]
        events.append((second, cc(1, 100 if mode == "toggle" else 10)))
        player = Player(board, controls, events=events)
        player.prepare(StreamSpec(RATE, 1))
        stream_through(player, np.zeros((1, 20_000), np.float32), [64])
        ends.append(board.level)
    assert ends == [pytest.approx(0.0 if mode == "toggle" else 20 / 127)] * 4


def test_a_modulator_holds_from_the_first_sample():
    board = codecfx.Pedalboard([codecfx.native("Gain", gain_db=-120)])
    controls = Controls(
        maps=(Map.of({"source": "modulator on", "target": "gain.gain_db", "min": -120, "max": 0}),),
        modulators=(LFO("on", shape="square", rate_hz=0.001),),
    )
    ones = np.ones((1, 2000), np.float32)
    assert same(board(ones, RATE, automation=controls), ones)


def test_values_come_back_whatever_the_rates():
    """Also those that the stream in between could not have."""
    effect = codecfx.native("LowpassFilter", cutoff_frequency_hz=10_000)
    other = codecfx.Opus(bitrate_kbps=64)
    board = codecfx.Pedalboard([effect, other])
    lanes = (
        Lane("1.cutoff_frequency_hz", [("0 s", 3000)]),
        Lane("opus.bitrate_kbps", [("0 s", 6)]),
    )
    board(tones(16_000, 1000), 16_000, automation=Controls(lanes))
    assert (effect.cutoff_frequency_hz, other.bitrate_kbps) == (10_000, 64)
    lanes = (Lane("1.cutoff_frequency_hz", [("0 s", 10_000), ("10 ms", 20_000)]),)
    board(tones(RATE, 1000), RATE, automation=Controls(lanes))


def test_a_block_longer_than_modulators_remember_is_played():
    controls = Controls(
        maps=(Map.of({"source": "modulator follow", "target": "pcm.mix"}),),
        modulators=(EnvelopeFollower("follow"),),
    )
    board = codecfx.Pedalboard([codecfx.PCM(bits=2)])
    audio = np.tile(tones(8000, 100_000), (1, 5))  # 62 s: 6250 ticks
    player = Player(board, controls)
    player.prepare(StreamSpec(8000, 1, 500_000))
    whole = player.process_block(audio).copy()
    player.prepare(StreamSpec(8000, 1))
    assert same(stream_through(player, audio, [4096]), whole)


def test_a_bare_plugin_may_have_any_value_that_pedalboard_takes():
    board = codecfx.Pedalboard(
        [pedalboard.Gain(130.0), pedalboard.Compressor(ratio=5000), codecfx.PCM()]
    )
    assert paths.find(board, "gain.gain_db").value == 130
    board(tones(RATE, 100), RATE, automation={"pcm.bits": np.full(100, 3)})


@pytest.mark.parametrize("name", ["LowpassFilter", "HighpassFilter", "LadderFilter", "Delay", "Chorus"])
@pytest.mark.parametrize("rate", [8000, 48_000])
def test_a_map_without_ends_goes_over_what_is_usual(name, rate):
    board = codecfx.Pedalboard([codecfx.native(name, label="x")])
    maps = [
        Map.of({"source": "cc 1", "target": path})
        for path, target in paths.every_path(board).items()
        if path.startswith("x.") and target.parameter.minimum is not None
    ]
    events = [(0, cc(1, 0)), (500, cc(1, 127)), (900, cc(1, 64))]
    if rate == 8000 and name.endswith("Filter"):  # whose own cutoffs may not fit this rate
        board[0].set(next(one.id for one in board[0].natives if "cutoff" in one.id), 1000)
    player = Player(board, Controls(maps=tuple(maps)), events=events)
    player.prepare(StreamSpec(rate, 1))
    out = stream_through(player, tones(rate, 2000), [64])
    assert player.ignored == 0
    assert np.isfinite(out).all()


@pytest.mark.parametrize("automation", [Lane("mix", [(0, 1)]), [1.0], "mix", {5: np.ones(100)}])
def test_what_is_no_automation_is_said(automation):
    with pytest.raises(ConfigurationError, match=r"it takes Controls, or a dict|path 5 is none"):
        codecfx.Opus()(tones(RATE, 100), RATE, automation=automation)


def test_nothing_to_play_is_fine():
    board = everything()
    empty = np.zeros((2, 0), np.float32)
    assert board(empty, RATE, automation={"call.mix": np.zeros(0)}).shape == (2, 0)
    lanes = Controls((Lane("call.mix", [("0 s", 0.0), ("1 s", 1.0)]),))
    assert board(empty, RATE, automation=lanes).shape == (2, 0)


def test_a_long_performance_keeps_no_past():
    board = codecfx.Pedalboard([codecfx.PCM(frame_samples=1)])
    controls = Controls(
        lanes=(Lane("pcm.bits", [("0 s", 4), ("60 s", 16)]),),
        maps=(Map.of({"source": "cc 1", "target": "pcm.mix", "smoothing_ms": 300}),),
    )
    player = Player(board, controls)
    player.prepare(StreamSpec(8000, 1))
    block = np.zeros((1, 64), np.float32)
    most = 0
    for number in range(7500):
        player.post(cc(1, number % 128))
        player.process_block(block)
        most = max(most, len(player._agenda._due) + len(player._agenda._planned))
    assert most < 200


def test_any_effects_own_parameter_comes_before_one_that_every_codec_has():
    board = codecfx.Pedalboard([codecfx.Opus(), codecfx.native("Delay")])
    assert paths.find(board, "*.feedback").effect.name == "Delay"
    assert paths.find(board, "*.feedback_ms").effect.name == "opus"
