"""MIDI messages to values and back: sources, takeover, relative encoders, maps and their feedback."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codecfx.control.mapping import Mapped
from codecfx.control.maps import Map
from codecfx.control.parameters import Change, Curve, Parameter
from codecfx.control.reader import Reader
from codecfx.control.sources import KINDS, Source, channel_of
from codecfx.control.takeover import NEAR, RELATIVE, Pickup, detents
from codecfx.errors import ConfigurationError, ParameterError, UnknownName

BITRATE = Parameter(
    "bitrate_kbps",
    "Bitrate",
    32.0,
    2.0,
    510.0,
    unit="kbps",
    curve=Curve.EXPONENTIAL,
    change=Change.NEXT_FRAME,
)
GAIN = Parameter("gain_db", "Gain", 0.0, -60.0, 12.0, unit="dB")
COMPLEXITY = Parameter("complexity", "Complexity", 10, 0, 10)
FREE = Parameter("free", "Free", 0.5)
MODE = Parameter("mode", "Mode", "auto", choices=("auto", "silk", "hybrid", "celt"))
HOP = Parameter("hop_ms", "Hop", 20.0, choices=(2.5, 5.0, 10.0, 20.0, 40.0, 60.0), unit="ms")
SWITCH = Parameter("dtx", "Discontinuous", False)
PATH = Parameter("path", "Path", "")
FRAME = Parameter("frame_ms", "Frame", 20.0, 2.5, 60.0, change=Change.PREPARE)

TEXTS = (
    *("cc 0", "cc 127", "cc14 0", "cc14 31", "nrpn 0", "nrpn 16383", "pitch", "pressure", "poly 60"),
    *("velocity", "velocity 36", "gate", "gate 36", "program 0", "program 127", "modulator Wobble 2"),
)


def cc(controller, value, channel=1):
    return bytes((0xB0 | channel - 1, controller, value))


def note(key, velocity, channel=1):
    return bytes((0x90 | channel - 1, key, velocity))


def readings(text, *messages, channel="omni"):
    reader = Reader(Source.of(text, channel))
    return [reader.read(message) for message in messages]


def refused(kind, call, *arguments):
    """The message of the error of exactly this kind that a call ends in."""
    with pytest.raises(kind) as error:
        call(*arguments)
    assert type(error.value) is kind
    assert "\n" not in str(error.value)
    return str(error.value)


# What a source is written as


@pytest.mark.parametrize("text", TEXTS)
def test_a_source_is_its_text(text):
    source = Source.of(text)
    assert str(source) == text
    assert Source.of(f"  {text.upper()} ".replace("MODULATOR WOBBLE", "MODULATOR Wobble")) == source
    assert len({source, Source.of(text), Source.of(text, 3)}) == 2


def test_every_kind_is_written_here():
    assert {text.split()[0] for text in TEXTS} == set(KINDS)


@pytest.mark.parametrize(
    ("written", "channel"), [("omni", None), (" Omni", None), (1, 1), (16, 16), ("7", 7)]
)
def test_channels(written, channel):
    assert channel_of(written) == channel
    assert Source.of("pitch", written).channel == channel


@pytest.mark.parametrize("written", [0, 17, -1, 1.0, True, None, "", "all", "0", "017", [1]])
def test_what_is_no_channel(written):
    message = f"{written!r} is no channel; it takes 1 to 16 or 'omni'"
    assert refused(ConfigurationError, Source.of, "cc 1", written) == message


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("cc 128", ConfigurationError, "'cc 128' is no source; write 'cc' and a number from 0 to 127"),
        ("cc", ConfigurationError, "'cc' is no source; write 'cc' and a number from 0 to 127"),
        ("cc -1", ConfigurationError, "'cc -1' is no source; write 'cc' and a number from 0 to 127"),
        ("cc 1 2", ConfigurationError, "'cc 1 2' is no source; write 'cc' and a number from 0 to 127"),
        ("cc 1.5", ConfigurationError, "'cc 1.5' is no source; write 'cc' and a number from 0 to 127"),
        ("cc21", ConfigurationError, "'cc21' is no source; write 'cc 21', with a space"),
        (
            "cc14 32",
            ConfigurationError,
            "'cc14 32' is no source; write 'cc14' and a number from 0 to 31",
        ),
        (
            "nrpn 16384",
            ConfigurationError,
            "'nrpn 16384' is no source; write 'nrpn' and a number from 0 to 16383",
        ),
        ("pitch 1", ConfigurationError, "'pitch 1' is no source; write 'pitch' alone"),
        (
            "gate x",
            ConfigurationError,
            "'gate x' is no source; write 'gate' alone, or 'gate' and a number from 0 to 127",
        ),
        ("poly", ConfigurationError, "'poly' is no source; write 'poly' and a number from 0 to 127"),
        (
            "program",
            ConfigurationError,
            "'program' is no source; write 'program' and a number from 0 to 127",
        ),
        ("modulator", ConfigurationError, "'modulator' is no source; write 'modulator' and its name"),
        ("", ConfigurationError, "'' is no source; write one as in 'cc 21' or 'pitch'"),
        (21, ConfigurationError, "21 is no source; write one as in 'cc 21' or 'pitch'"),
        ("presure", UnknownName, "no source 'presure'; did you mean 'pressure'?"),
        (
            "xyz 1",
            UnknownName,
            f"no source 'xyz'; there is: {', '.join(sorted(KINDS))}",
        ),
    ],
)
def test_what_is_no_source(text, kind, message):
    assert refused(kind, Source.of, text) == message


# What a source reads


def test_seven_bits():
    for value in range(128):
        assert readings("cc 21", cc(21, value)) == [value / 127]
        assert readings("pressure", bytes((0xD5, value))) == [value / 127]
        assert readings("poly 60", bytes((0xA5, 60, value))) == [value / 127]
    assert readings("cc 21", cc(22, 1), bytes((0xA0, 21, 1)), note(21, 1)) == [None] * 3
    assert readings("poly 60", bytes((0xA0, 61, 1)), bytes((0xD0, 60))) == [None] * 2


def test_a_channel_is_heard_alone_and_omni_hears_all():
    messages = [cc(21, 127, channel) for channel in range(1, 17)]
    assert readings("cc 21", *messages) == [1.0] * 16
    heard = readings("cc 21", *messages, channel=5)
    assert heard == [None] * 4 + [1.0] + [None] * 11


def test_a_pair_of_controllers():
    assert readings(
        "cc14 1", cc(33, 5), cc(1, 127), cc(33, 127), cc(33, 0), cc(1, 64), cc(33, 3), cc(2, 9)
    ) == [
        None,  # of a coarse half that nobody knows
        1.0,
        1.0,
        (127 << 7) / 16383,
        64 / 127,
        (64 << 7 | 3) / 16383,
        None,
    ]


def test_pairs_on_two_channels_at_once():
    messages = (cc(1, 10, 1), cc(1, 20, 2), cc(33, 1, 1), cc(33, 2, 2), cc(33, 3, 3))
    expected = [10 / 127, 20 / 127, (10 << 7 | 1) / 16383, (20 << 7 | 2) / 16383, None]
    assert readings("cc14 1", *messages) == expected


SELECT_300 = (cc(99, 300 >> 7), cc(98, 300 & 127))


def test_an_nrpn_is_read_while_it_is_selected():
    other = (cc(99, 2), cc(98, 45))
    registered = (cc(101, 0), cc(100, 0))
    for away in (other, registered, (cc(98, 45),), (cc(99, 3),), (cc(100, 127),), (cc(101, 9),)):
        messages = (
            cc(6, 1),
            *SELECT_300,
            cc(6, 127),
            cc(38, 64),
            *away,
            cc(6, 9),
            cc(38, 9),
            cc(96, 0),
        )
        read = readings("nrpn 300", *messages)
        assert read[:5] == [None, None, None, 1.0, (127 << 7 | 64) / 16383]
        assert set(read[5:]) == {None}
        # and again, in the other order of halves, where the coarse half is still known
        again = readings("nrpn 300", *messages, *reversed(SELECT_300), cc(38, 127))
        assert again[-1] == 1.0


def test_nrpns_on_two_channels_at_once():
    one, two = ([bytes((0xB0 | channel, *message[1:])) for message in SELECT_300] for channel in (0, 1))
    messages = (one[0], two[0], one[1], cc(6, 10, 2), two[1], cc(6, 20, 1), cc(6, 30, 2), cc(38, 1, 1))
    expected = [None] * 5 + [20 / 127, 30 / 127, (20 << 7 | 1) / 16383]
    assert readings("nrpn 300", *messages) == expected


def test_increments_go_on_from_where_the_nrpn_is_in_its_own_steps():
    read = readings("nrpn 300", *SELECT_300, cc(96, 0), cc(96, 99), cc(97, 0), cc(97, 0), cc(97, 0))
    assert read[2:] == pytest.approx([1 / 127, 2 / 127, 1 / 127, 0, 0], abs=1e-12)
    read = readings("nrpn 300", *SELECT_300, cc(6, 126), cc(96, 0), cc(96, 0))
    assert read[3:] == pytest.approx([1, 1])
    fine = readings("nrpn 300", *SELECT_300, cc(6, 1), cc(38, 127), cc(96, 0), cc(38, 5))
    assert fine[4:] == pytest.approx([256 / 16383, (2 << 7 | 5) / 16383], rel=1e-12)


def test_increments_begin_where_the_value_stands():
    reader = Reader(Source.of("nrpn 300"))
    for message in SELECT_300:
        assert reader.read(message, at=0.5) is None
    assert reader.read(cc(97, 0), at=0.5) == pytest.approx(0.5 - 1 / 127)
    assert reader.read(cc(96, 0), at=0.9) == pytest.approx(0.9 + 1 / 127)


def test_pitch_bend_is_exact_at_its_centre_and_ends():
    reader = Reader(Source.of("pitch"))
    positions = [reader.read(bytes((0xE0, bend & 127, bend >> 7))) for bend in range(16384)]
    assert (positions[0], positions[8192], positions[-1]) == (0.0, 0.5, 1.0)
    assert positions[4096] == 0.25
    assert positions[8193] == 0.5 + 1 / 16382
    assert all(one < next_one for one, next_one in pairwise(positions))


def test_velocity_is_of_notes_that_begin():
    messages = (note(36, 127), note(36, 0), bytes((0x80, 36, 99)), note(37, 1))
    assert readings("velocity", *messages) == [1.0, None, None, 1 / 127]
    assert readings("velocity 36", *messages) == [1.0, None, None, None]


def test_a_gate_is_open_until_the_last_note_is_released():
    off = bytes((0x80, 37, 64))
    messages = (note(36, 1), note(37, 1), note(36, 0), off, off, note(37, 1), note(37, 2), off)
    assert readings("gate", *messages) == [1, 1, 1, 0, 0, 1, 1, 0]
    assert readings("gate 36", *messages) == [1, None, 0, *[None] * 5]
    two = (note(36, 1, 1), note(36, 1, 2), note(36, 0, 1), note(36, 0, 2))
    assert readings("gate", *two) == [1, 1, 1, 0]
    assert readings("gate", *two, channel=1) == [1, None, 0, None]


@pytest.mark.parametrize("controller", [120, 123, 124, 125, 126, 127])
def test_all_notes_off_closes_a_gate_on_its_channel(controller):
    messages = (note(1, 1, 1), note(2, 1, 1), note(2, 1, 2), cc(controller, 0, 1), note(2, 0, 2))
    assert readings("gate", *messages) == [1, 1, 1, 1, 0]
    assert readings("gate", note(1, 1), cc(7, 0), cc(121, 0)) == [1, None, None]


def test_a_program_is_a_press():
    assert readings("program 5", bytes((0xC3, 5)), bytes((0xC3, 6)), bytes((0xC3, 5))) == [
        1.0,
        None,
        1.0,
    ]


@pytest.mark.parametrize("text", TEXTS)
def test_malformed_messages_say_nothing(text):
    reader = Reader(Source.of(text))
    number = Source.of(text).number or 0
    for status in range(0x80, 0x100):
        low = number & 127
        for message in (
            b"",
            [status],
            [status, low, 128],
            [status, 200, 1],
            [status, low, 1, 1],
            [low, 1, 1],
        ):
            assert reader.read(bytes(message)) is None
            assert reader.read_raw(bytes(message)) is None
    assert reader.read(bytes((0xC0, number & 127, 1))) is None  # a byte too many
    assert reader.read(bytes((0xB0, number & 127))) is None  # one too few


@settings(max_examples=100)
@given(
    text=st.sampled_from(TEXTS),
    messages=st.lists(
        st.one_of(
            st.binary(max_size=4),
            st.tuples(
                st.sampled_from((0x80, 0x90, 0xA0, 0xB0, 0xE0)),
                st.sampled_from((0, 6, 31, 36, 38, 60, 96, 97, 98, 99, 100, 120, 127)),
                st.integers(0, 127),
            ).map(bytes),
        ),
        max_size=30,
    ),
)
def test_a_reading_is_a_position_whatever_is_sent(text, messages):
    assert all(position is None or 0 <= position <= 1 for position in readings(text, *messages))


def test_a_reset_reader_is_new():
    for text, before, message in (
        ("cc14 1", [cc(1, 5)], cc(33, 1)),
        ("nrpn 300", SELECT_300, cc(6, 1)),
    ):
        reader = Reader(Source.of(text))
        for one in before:
            reader.read(one)
        reader.reset()
        assert reader.read(message) is None
    reader = Reader(Source.of("gate"))
    reader.read(note(1, 1))
    reader.reset()
    assert reader.read(note(2, 0)) == 0.0


def test_raw_values_are_controllers_only():
    assert Reader(Source.of("cc 21", 2)).read_raw(cc(21, 65, 2)) == 65
    assert Reader(Source.of("cc 21", 2)).read_raw(cc(21, 65, 1)) is None
    assert Reader(Source.of("cc 21")).read_raw(cc(22, 65)) is None
    assert Reader(Source.of("pressure")).read_raw(bytes((0xD0, 65))) is None


# What a source is shown with


@pytest.mark.parametrize(
    ("text", "finest"), [("cc 21", 127), ("cc14 1", 16383), ("nrpn 300", 16383), ("pitch", 16382)]
)
@given(position=st.floats(0, 1))
def test_what_shows_a_position_is_read_as_that_position(text, finest, position):
    for channel in ("omni", 1, 16):
        source = Source.of(text, channel)
        for one, near in ((position, 0.5 / finest + 1e-12), (0.0, 0), (1.0, 0)):
            sent, reader = source.messages(one), Reader(source)
            assert abs([reader.read(message) for message in sent][-1] - one) <= near
            assert {message[0] & 15 for message in sent} == {0 if channel == "omni" else channel - 1}


def test_messages_byte_by_byte():
    def sent(text, position, channel="omni"):
        return [message.hex(" ") for message in Source.of(text, channel).messages(position)]

    assert sent("cc 21", 1, 3) == ["b2 15 7f"]
    assert sent("cc14 1", 0.5) == ["b0 01 40", "b0 21 00"]  # 8191.5, to the even one
    assert sent("nrpn 300", 1, 16) == ["bf 63 02", "bf 62 2c", "bf 06 7f", "bf 26 7f"]
    assert sent("pitch", 0.5) == ["e0 00 40"]
    assert sent("gate 36", 0.5) == sent("velocity 36", 1.0) == ["90 24 7f"]
    assert sent("gate 36", 0.49) == ["90 24 00"]
    assert sent("cc 21", 7) == ["b0 15 7f"]
    for text in ("gate", "velocity", "pressure", "poly 60", "program 5", "modulator wobble"):
        assert sent(text, 1) == []


# Takeover


def taken(positions, currents):
    pickup = Pickup()
    return [pickup.take(*one) for one in zip(positions, currents, strict=True)]


def test_a_control_picks_up_near_the_value():
    assert NEAR == 1 / 64
    assert taken((0.5 - NEAR * 1.01, 0.5 - NEAR), (0.5, 0.5)) == [False, True]
    assert taken((0.5 + NEAR,), (0.5,)) == [True]
    assert taken((0.5 + NEAR * 1.01,), (0.5,)) == [False]


@pytest.mark.parametrize("way", [1, -1])
def test_a_control_picks_up_where_it_passes_the_value(way):
    positions = [0.5 + way * offset for offset in (0.4, 0.2, -0.1, -0.4)]
    assert taken(positions, (0.5, 0.5, 0.5, positions[2])) == [False, False, True, True]


def test_a_control_that_was_never_seen_passes_nothing():
    assert taken((0.9, 0.8), (0.5, 0.5)) == [False, False]


def test_a_control_that_stands_where_the_value_came_to_holds_it_from_there():
    assert taken((0.25, 0.75), (0.5, 0.25)) == [False, True]


def test_a_control_holds_while_the_value_is_near_what_it_gave():
    """However fast it moves on: it is far from `current`, and passes nothing."""
    for current in (0.5, 0.5 - NEAR, 0.5 + NEAR):
        assert taken((0.5, 0.9, 0.1), (0.5, current, 0.9)) == [True, True, True]
    assert taken((0.5, 0.9), (0.5, 0.5 - NEAR * 1.01)) == [True, False]


def test_a_control_lets_go_when_somebody_else_moves_the_value():
    positions = (0.5, 0.6, 0.61, 0.7, 0.8, 0.9)
    currents = (0.5, 0.5, 0.75, 0.75, 0.75, 0.8)
    assert taken(positions, currents) == [True, True, False, False, True, True]


def test_a_reset_control_holds_nothing():
    pickup = Pickup()
    assert pickup.take(0.5, 0.5)
    pickup.reset()
    assert not pickup.take(0.9, 0.5)
    assert not pickup.take(0.8, 0.5)


# Relative encoders


def test_detents_of_every_value():
    up = list(range(64))
    assert [detents("twos-complement", value) for value in range(128)] == [*up, *range(-64, 0)]
    assert [detents("signed-bit", value) for value in range(128)] == [*up, *(-value for value in up)]
    assert [detents("offset", value) for value in range(128)] == [value - 64 for value in range(128)]
    assert (
        refused(UnknownName, detents, "ofset", 1)
        == "no relative encoding 'ofset'; did you mean 'offset'?"
    )


# The table

LEAST = {"source": "cc 21", "target": "opus.bitrate_kbps"}
MOST = {
    **{"source": "cc 21", "channel": 3, "target": "opus.bitrate_kbps", "min": 6, "max": 96.5},
    **{"curve": "stepped", "steps": 5, "smoothing_ms": 20.5, "pickup": True},
    **{"feedback": False, "optional": True},
}


@pytest.mark.parametrize(
    "table",
    [
        LEAST,
        MOST,
        LEAST | {"mode": "relative", "relative": "offset", "step": 0.01},
        LEAST | {"min": False, "max": True, "mode": "toggle"},
        LEAST | {"min": 0, "max": "celt"},
        LEAST | {"curve": "stepped", "steps": 2, "smoothing_ms": 10_000},
        LEAST | {"curve": "stepped", "steps": 128, "smoothing_ms": 0.5},
        LEAST | {"mode": "relative", "step": 1},
        LEAST | {"source": "modulator wobble"},
        {"source": "program 5", "preset": "gsm-call", "optional": True, "channel": 16},
    ],
)
def test_a_map_is_its_table(table):
    made = Map.of(table)
    assert made.to_table() == table
    assert Map.of(made.to_table()) == made
    assert hash(made) == hash(Map.of(table))


def test_a_map_leaves_out_what_is_default():
    defaults = {
        **{"channel": "omni", "smoothing_ms": 0, "pickup": False, "mode": "absolute"},
        **{"feedback": True, "optional": False},
    }
    assert Map.of(LEAST | defaults).to_table() == LEAST
    relative = {"mode": "relative", "relative": "twos-complement"}
    assert Map.of(LEAST | relative).to_table() == LEAST | {"mode": "relative"}


def test_a_map_has_what_its_table_says():
    made = Map.of(MOST)
    assert (made.source, made.target) == (Source("cc", 21, 3), "opus.bitrate_kbps")
    assert (made.minimum, made.maximum, made.curve, made.steps) == (6, 96.5, "stepped", 5)
    assert (made.smoothing_ms, made.pickup, made.feedback, made.optional) == (20.5, True, False, True)
    least = Map.of(LEAST)
    assert (least.minimum, least.maximum, least.curve, least.steps, least.step) == (None,) * 5
    assert (least.mode, least.relative, least.feedback) == ("absolute", "twos-complement", True)
    assert (least.pickup, least.optional, least.smoothing_ms, least.preset) == (False, False, 0, "")


PRESET = {"source": "program 5", "preset": "gsm-call", "target": None}


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"maxx": 5}, UnknownName, "no key 'maxx'; did you mean 'max'?"),
        ({"minimum": 5}, UnknownName, "no key 'minimum'; did you mean 'min'?"),
        ({"chanel": 5}, UnknownName, "no key 'chanel'; did you mean 'channel'?"),
        (
            {"source": None},
            ConfigurationError,
            "source: is missing; write what moves it, as in 'cc 21'",
        ),
        (
            {"source": "cc 200"},
            ConfigurationError,
            "source: 'cc 200' is no source; write 'cc' and a number from 0 to 127",
        ),
        (
            {"source": "dd 1"},
            UnknownName,
            f"source: no source 'dd'; there is: {', '.join(sorted(KINDS))}",
        ),
        ({"channel": 17}, ConfigurationError, "channel: 17 is no channel; it takes 1 to 16 or 'omni'"),
        (
            {"target": None},
            ConfigurationError,
            "target: is missing; write what moves, as in 'opus.bitrate_kbps'",
        ),
        (
            {"target": " "},
            ConfigurationError,
            "target: is ' '; it takes a name in quotes, as in 'opus.bitrate_kbps'",
        ),
        ({"min": [1]}, ConfigurationError, "min: is [1]; it takes a value of the parameter"),
        ({"max": math.inf}, ConfigurationError, "max: is inf; it takes a value of the parameter"),
        ({"max": math.nan}, ConfigurationError, "max: is nan; it takes a value of the parameter"),
        ({"curve": "expo"}, UnknownName, "curve: no curve 'expo'; did you mean 'exponential'?"),
        ({"curve": 2}, ConfigurationError, "curve: is 2; it takes linear, exponential, stepped"),
        ({"mode": "togle"}, UnknownName, "mode: no mode 'togle'; did you mean 'toggle'?"),
        (
            {"mode": "relative", "relative": "twos"},
            UnknownName,
            "relative: no encoding 'twos'; there is: offset, signed-bit, twos-complement",
        ),
        ({"steps": 1}, ConfigurationError, "steps: is 1; it takes a whole number from 2 to 128"),
        ({"steps": 129}, ConfigurationError, "steps: is 129; it takes a whole number from 2 to 128"),
        ({"steps": 2.5}, ConfigurationError, "steps: is 2.5; it takes a whole number from 2 to 128"),
        ({"steps": True}, ConfigurationError, "steps: is True; it takes a whole number from 2 to 128"),
        (
            {"steps": 5},
            ConfigurationError,
            "steps: goes with curve 'stepped', and that with it; write both",
        ),
        (
            {"curve": "stepped"},
            ConfigurationError,
            "steps: goes with curve 'stepped', and that with it; write both",
        ),
        ({"smoothing_ms": -1}, ConfigurationError, "smoothing_ms: is -1; it takes 0 to 10000 ms"),
        (
            {"smoothing_ms": 10_001},
            ConfigurationError,
            "smoothing_ms: is 10001; it takes 0 to 10000 ms",
        ),
        ({"pickup": 1}, ConfigurationError, "pickup: is 1; it takes true or false"),
        ({"feedback": "no"}, ConfigurationError, "feedback: is 'no'; it takes true or false"),
        (
            {"optional": None, "step": 0},
            ConfigurationError,
            "step: is 0; it takes a share of the range, up to 1",
        ),
        ({"step": 1.1}, ConfigurationError, "step: is 1.1; it takes a share of the range, up to 1"),
        ({"step": 0.1}, ConfigurationError, "step: wants mode 'relative', and the mode is 'absolute'"),
        (
            {"relative": "offset"},
            ConfigurationError,
            "relative: wants mode 'relative', and the mode is 'absolute'",
        ),
        (
            {"pickup": True, "mode": "toggle"},
            ConfigurationError,
            "pickup: wants mode 'absolute', and the mode is 'toggle'",
        ),
        (
            {"mode": "relative", "source": "pitch"},
            ConfigurationError,
            "mode: 'relative' wants a source 'cc N', not 'pitch'",
        ),
        (
            {"mode": "toggle", "source": "modulator wobble"},
            ConfigurationError,
            "mode: a modulator wants 'absolute', not 'toggle'",
        ),
        (
            {"preset": "gsm-call"},
            ConfigurationError,
            "target: does not go with 'preset'; leave one of them out",
        ),
        (
            PRESET | {"min": 1},
            ConfigurationError,
            "min: does not go with 'preset'; leave one of them out",
        ),
        (
            PRESET | {"source": "cc 5"},
            ConfigurationError,
            "preset: is picked by a source 'program N', not by 'cc 5'",
        ),
        (
            PRESET | {"preset": 5},
            ConfigurationError,
            "preset: is 5; it takes a name in quotes, as in 'gsm-call'",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_table_cannot_say(change, kind, message):
    """A change to None leaves the key out."""
    table = {key: value for key, value in (LEAST | change).items() if value is not None}
    assert refused(kind, Map.of, table) == message


# A map and its parameter


def mapped(parameter, **settings):
    return Mapped(Map.of({"source": "cc 21", "target": f"board.{parameter.id}"} | settings), parameter)


EVERY_SPAN = [
    mapped(BITRATE),
    mapped(BITRATE, min=6, max=96),
    mapped(BITRATE, min=96, max=6.5, curve="linear"),
    mapped(BITRATE, min=380, max=463),  # 380 * (463 / 380) is not 463
    mapped(GAIN, min=-13.8, max=5.6),  # -13.8 + (5.6 - -13.8) is not 5.6
    mapped(BITRATE, min=6, max=96, curve="stepped", steps=5),
    mapped(GAIN, max=-6),
    mapped(GAIN, min=10, max=0.1, curve="exponential"),
    mapped(COMPLEXITY),
    mapped(COMPLEXITY, min=9, max=2),
    mapped(COMPLEXITY, min=1, max=9, curve="exponential"),
    mapped(COMPLEXITY, min=0, max=10, curve="stepped", steps=4),
    mapped(FREE, min=-2.5, max=100),
    mapped(MODE),
    mapped(MODE, min="celt", max="silk"),
    mapped(HOP, min=5, max=40),
    mapped(SWITCH),
    mapped(SWITCH, min="on", max="off"),
]


def named(one):
    return f"{one.parameter.id} {' '.join(map(str, one.map.to_table().values()))}"


@pytest.mark.parametrize("knob", EVERY_SPAN, ids=named)
def test_both_ends_are_reached_exactly(knob):
    own = knob.parameter.steps or (knob.parameter.minimum, knob.parameter.maximum)
    first = own[0] if knob.map.minimum is None else knob.parameter.check(knob.map.minimum)
    last = own[-1] if knob.map.maximum is None else knob.parameter.check(knob.map.maximum)
    for low, high in ((0, 1), (-1, 2), (-math.inf, math.inf)):
        assert knob.value_at(low) == first
        assert knob.value_at(high) == last
    assert knob.receive(cc(21, 0), last) == first
    assert knob.receive(cc(21, 127), first) == last


@pytest.mark.parametrize("knob", EVERY_SPAN, ids=named)
@given(position=st.floats(0, 1), other=st.floats(0, 1))
def test_values_pass_the_parameters_check_and_follow_the_position(knob, position, other):
    value = knob.value_at(position)
    assert type(knob.parameter.check(value)) is type(value)
    assert knob.parameter.check(value) == value
    there = knob.position_of(value)
    assert 0 <= there <= 1
    again = knob.value_at(there)
    assert again == value or math.isclose(again, value, rel_tol=1e-9, abs_tol=1e-9)
    if not (knob.parameter.steps or knob.map.steps or isinstance(value, int)):
        assert there == pytest.approx(position, abs=1e-9)
    # in one direction, from min to max
    assert (knob.position_of(knob.value_at(other)) - there) * (other - position) >= 0


@pytest.mark.parametrize("parameter", [BITRATE, GAIN, COMPLEXITY, MODE, SWITCH], ids=lambda one: one.id)
@given(position=st.floats(0, 1))
def test_without_min_and_max_a_map_is_the_parameters_own(parameter, position):
    value = parameter.value_at(position)
    assert mapped(parameter).value_at(position) == value
    assert mapped(parameter).position_of(value) == parameter.position_of(value)


def test_curves():
    def values(parameter, *positions, **settings):
        return [mapped(parameter, **settings).value_at(position) for position in positions]

    assert values(BITRATE, 0.5, min=4, max=100) == pytest.approx([20])  # the parameter's own
    assert values(BITRATE, 0.5, min=4, max=100, curve="linear") == [52]
    assert values(GAIN, 0.5, min=10, max=0.1, curve="exponential") == pytest.approx([1])
    assert values(COMPLEXITY, 0.04, 0.06, 0.94, 0.96) == [0, 1, 9, 10]  # to the nearest


def test_steps_are_even_and_share_the_way():
    knob = mapped(BITRATE, min=6, max=96, curve="stepped", steps=4)
    places = (0, 0.24, 0.26, 0.49, 0.51, 0.74, 0.76, 1)
    assert [knob.value_at(place) for place in places] == [6, 6, 36, 36, 66, 66, 96, 96]
    assert [knob.position_of(value) for value in (6, 36, 66, 96)] == [0.125, 0.375, 0.625, 0.875]
    assert knob.position_of(50) == 0.375  # the nearest step's
    assert mapped(COMPLEXITY, min=10, max=0, curve="stepped", steps=3).value_at(0.5) == 5


def test_choices_share_the_way_between_min_and_max():
    knob = mapped(MODE, min="silk", max="celt")
    sent = [knob.receive(cc(21, value), "auto") for value in (0, 42, 43, 84, 85, 127)]
    assert sent == ["silk", "silk", "hybrid", "hybrid", "celt", "celt"]
    assert knob.position_of("hybrid") == 0.5
    assert knob.position_of("auto") == knob.position_of("silk") == 1 / 6  # clipped to the span
    backwards = mapped(MODE, min="celt", max="silk")
    assert [backwards.value_at(position) for position in (0, 0.5, 1)] == ["celt", "hybrid", "silk"]
    assert backwards.position_of("auto") == backwards.position_of("silk") == 5 / 6


@pytest.mark.parametrize(("value", "position"), [(2, 0), (6, 0), (24, 0.5), (96, 1), (510, 1)])
def test_positions_are_clipped_to_the_span(value, position):
    assert mapped(BITRATE, min=6, max=96).position_of(value) == pytest.approx(position)
    assert mapped(BITRATE, min=96, max=6).position_of(value) == pytest.approx(1 - position)


@pytest.mark.parametrize(
    ("parameter", "settings", "kind", "message"),
    [
        (
            FRAME,
            {},
            ConfigurationError,
            "target: board.frame_ms cannot move while sound runs; set it in the preset instead",
        ),
        (
            PATH,
            {},
            ConfigurationError,
            "target: board.path is text, which no control gives; map a number, choice or switch",
        ),
        (FREE, {}, ConfigurationError, "min: board.free has no range of its own; write min and max"),
        (
            FREE,
            {"min": 0},
            ConfigurationError,
            "max: board.free has no range of its own; write min and max",
        ),
        (BITRATE, {"max": 600}, ParameterError, "max: bitrate_kbps is 600; it takes 2 to 510 kbps"),
        (BITRATE, {"min": "low"}, ParameterError, "min: bitrate_kbps is low; it takes 2 to 510 kbps"),
        (
            COMPLEXITY,
            {"min": 2.5},
            ParameterError,
            "min: complexity is 2.5; it takes a whole number from 0 to 10",
        ),
        (
            MODE,
            {"max": "cell"},
            ParameterError,
            "max: mode is cell; it takes auto, silk, hybrid or celt",
        ),
        (SWITCH, {"max": 2}, ParameterError, "max: dtx is 2; it takes on or off"),
        (
            BITRATE,
            {"min": 510},
            ConfigurationError,
            "max: is 510.0, as min is; write two values to move between",
        ),
        (
            MODE,
            {"min": "celt"},
            ConfigurationError,
            "max: is celt, as min is; write two values to move between",
        ),
        (
            GAIN,
            {"curve": "exponential"},
            ConfigurationError,
            "curve: 'exponential' wants min and max above 0; write 'linear'",
        ),
        (
            GAIN,
            {"curve": "exponential", "min": 6, "max": 0},
            ConfigurationError,
            "curve: 'exponential' wants min and max above 0; write 'linear'",
        ),
        (
            MODE,
            {"curve": "exponential"},
            ConfigurationError,
            "curve: board.mode has steps of its own; leave the curve out",
        ),
        (
            COMPLEXITY,
            {"curve": "stepped", "steps": 6, "min": 3, "max": 0},
            ConfigurationError,
            "steps: 6 is more than 3 to 0 has; take fewer",
        ),
        (
            MODE,
            {"mode": "relative", "step": 0.5},
            ConfigurationError,
            "step: board.mode moves one step a detent; leave it out",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_a_parameter(parameter, settings, kind, message):
    assert refused(kind, lambda: mapped(parameter, **settings)) == message


# What messages make of a value


def received(knob, messages, current):
    """The values after each message, where what is given is set, as a board does."""
    values = []
    for message in messages:
        given = knob.receive(message, current)
        current = current if given is None else given
        values.append(given)
    return values


def test_an_absolute_control_sets_what_it_says():
    knob = mapped(GAIN, channel=2, min=-10, max=10)
    messages = (cc(21, 0, 2), cc(21, 127, 1), cc(22, 127, 2), cc(21, 127, 2), b"\xf8")
    assert received(knob, messages, 0.0) == [-10, None, None, 10, None]
    assert mapped(GAIN, source="pitch", min=-10, max=10).receive(bytes((0xE0, 0, 64)), 3.0) == 0
    assert mapped(GAIN, source="program 5").receive(bytes((0xC0, 5)), 0.0) == 12.0


def test_a_pickup_waits_for_the_value():
    knob = mapped(BITRATE, pickup=True)
    place = round(127 * knob.position_of(32.0))
    messages = [cc(21, value) for value in (0, 20, place, 100)]
    values = received(knob, messages, 32.0)
    assert values[:2] == [None, None]
    assert values[2:] == [knob.value_at(place / 127), knob.value_at(100 / 127)]
    assert knob.receive(cc(21, 99), 32.0) is None  # somebody else moved it back
    assert knob.receive(cc(21, 20), 32.0) == knob.value_at(20 / 127)  # and here it passed it


@pytest.mark.parametrize("parameter", [MODE, SWITCH, COMPLEXITY], ids=lambda one: one.id)
def test_a_pickup_keeps_hold_of_values_that_are_coarser_than_the_control(parameter):
    knob = mapped(parameter, pickup=True)
    current = knob.value_at(0.0)
    messages = [cc(21, value) for value in (*range(128), *reversed(range(128)))]
    values = received(knob, messages, current)
    first = next(at for at, value in enumerate(values) if value is not None)
    assert first < 64
    assert None not in values[first:]
    assert knob.value_at(1.0) in values


def test_a_toggle_flips_at_every_press():
    press, release = cc(21, 127), cc(21, 0)
    messages = (press, press, release, press, cc(21, 64), cc(21, 63), cc(21, 64), release)
    switch = mapped(SWITCH, mode="toggle")
    assert received(switch, messages, False) == [True, None, None, False, None, None, True, None]
    assert received(mapped(SWITCH, mode="toggle"), (press,), True) == [False]
    bitrate = mapped(BITRATE, mode="toggle", min=6, max=96)
    assert received(bitrate, (press, release, press), 6.0) == [96, None, 6]
    # somebody else set another value: to the far end
    assert mapped(BITRATE, mode="toggle", min=6, max=96).receive(press, 90.0) == 6
    assert mapped(BITRATE, mode="toggle", min=6, max=96).receive(press, 8.0) == 96
    three = mapped(MODE, mode="toggle", min="celt", max="silk")
    assert received(three, (press, release, press), "celt") == ["silk", None, "celt"]
    # in the very middle it counts as on, and so does its light
    assert mapped(MODE, mode="toggle", min="celt", max="silk").receive(press, "hybrid") == "celt"
    assert three.feedback("hybrid") == (press,)


@pytest.mark.parametrize(
    ("source", "press"), [("program 5", bytes((0xC0, 5))), ("velocity 36", note(36, 100))]
)
def test_what_has_no_release_toggles_every_time(source, press):
    knob = mapped(SWITCH, mode="toggle", source=source)
    assert received(knob, (press, press, press), False) == [True, False, True]


def test_a_gate_toggles_and_holds():
    messages = (note(36, 9), note(36, 0), note(40, 9), note(36, 9), note(36, 0))
    toggle = mapped(SWITCH, mode="toggle", source="gate 36")
    assert received(toggle, messages, False) == [True, None, None, False, None]
    hold = mapped(BITRATE, mode="momentary", source="gate 36", min=96, max=6)
    assert received(hold, messages, 32.0) == [6, 96, None, 6, 96]


def test_a_momentary_control_is_max_while_it_is_pressed():
    knob = mapped(GAIN, mode="momentary", min=-12, max=0)
    messages = [cc(21, value) for value in (127, 64, 63, 0, 64)]
    assert received(knob, messages, 5.0) == [0, 0, -12, -12, 0]
    centre = mapped(GAIN, mode="momentary", source="pitch", min=-12, max=0)
    assert centre.receive(bytes((0xE0, 0, 64)), 5.0) == 0


def test_an_encoder_goes_on_from_the_value():
    knob = mapped(GAIN, mode="relative", min=-60, max=12, step=1 / 72)
    turns = (cc(21, 1), cc(21, 2), cc(21, 127))
    assert received(knob, turns, 0.0) == pytest.approx([1, 3, 2])
    assert knob.receive(cc(21, 0), 0.0) is None
    assert knob.receive(cc(21, 1), -30.0) == pytest.approx(-29)
    assert knob.receive(cc(21, 63), 0.0) == 12.0
    assert knob.receive(cc(21, 65), 0.0) == -60.0
    assert knob.receive(cc(22, 1), 0.0) is None


def test_an_encoder_follows_the_curve_and_the_direction():
    up = mapped(BITRATE, mode="relative", min=10, max=100, step=0.5)
    assert up.receive(cc(21, 1), 10.0) == pytest.approx(math.sqrt(1000))
    down = mapped(BITRATE, mode="relative", min=100, max=10, step=0.5)
    assert down.receive(cc(21, 1), 100.0) == pytest.approx(math.sqrt(1000))
    assert down.receive(cc(21, 1), 10.0) == 10


@pytest.mark.parametrize(
    ("encoding", "up", "down"), [("twos-complement", 1, 127), ("signed-bit", 1, 65), ("offset", 65, 63)]
)
def test_every_encoding_turns_both_ways(encoding, up, down):
    assert encoding in RELATIVE
    knob = mapped(GAIN, mode="relative", relative=encoding, min=0, max=12)
    turned = received(knob, (cc(21, up), cc(21, down)), 6.0)
    assert turned == pytest.approx([6 + 12 / 127, 6])


def test_a_slow_encoder_moves_whole_numbers_too():
    """A detent is a whole one; where it is set to a thirteenth, what does not show is not lost."""
    knob = mapped(COMPLEXITY, mode="relative")
    assert received(knob, [cc(21, 1)] * 11, 0) == [*range(1, 11), 10]
    assert received(knob, [cc(21, 127)] * 11, 10) == [*range(9, -1, -1), 0]
    slow = mapped(COMPLEXITY, mode="relative", step=1 / 127)
    values = received(slow, [cc(21, 1)] * 127, 0)
    assert values[0] == 0
    assert values[-1] == 10
    assert set(values) == set(range(11))
    slow = mapped(COMPLEXITY, mode="relative", step=1 / 127)
    assert received(slow, [cc(21, 127)] * 128, 10)[-1] == 0


def test_a_detent_is_a_choice():
    turn = [cc(21, value) for value in (1, 1, 1, 1, 127, 126, 127)]
    values = received(mapped(MODE, mode="relative"), turn, "auto")
    assert values == ["silk", "hybrid", "celt", "celt", "hybrid", "auto", "auto"]
    backwards = received(mapped(MODE, mode="relative", min="celt", max="auto"), turn, "celt")
    assert backwards == ["hybrid", "silk", "auto", "auto", "silk", "celt", "celt"]
    assert received(mapped(SWITCH, mode="relative"), turn[:2], False) == [True, True]
    stepped = mapped(BITRATE, mode="relative", min=6, max=96, curve="stepped", steps=4)
    assert received(stepped, turn, 6.0) == [36, 66, 96, 96, 66, 6, 6]


def test_a_detent_from_outside_the_span_leads_to_its_end():
    inner = mapped(MODE, mode="relative", min="silk", max="hybrid")
    assert inner.receive(cc(21, 1), "auto") == "silk"
    assert inner.receive(cc(21, 127), "celt") == "hybrid"
    assert inner.receive(cc(21, 127), "auto") == "silk"


def test_nrpn_increments_go_on_from_the_value():
    knob = mapped(FREE, source="nrpn 300", min=0, max=127)
    values = received(knob, (*SELECT_300, cc(96, 0), cc(96, 0)), 64.0)
    assert values[2:] == pytest.approx([65, 66])
    assert knob.receive(cc(97, 0), 10.0) == pytest.approx(9)
    steps = received(mapped(COMPLEXITY, source="nrpn 300"), (*SELECT_300, *[cc(96, 0)] * 127), 0)
    assert steps[-1] == 10


def test_a_modulators_position_is_a_value():
    knob = mapped(BITRATE, source="modulator wobble", min=10, max=1e2)
    assert knob.at(0.5) == pytest.approx(math.sqrt(1000))
    assert (knob.at(0), knob.at(1)) == (10, 100)
    assert knob.receive(cc(21, 1), 32.0) is None


def test_a_reset_map_is_new():
    toggle = mapped(SWITCH, mode="toggle")
    assert toggle.receive(cc(21, 127), False) is True
    toggle.reset()
    assert toggle.receive(cc(21, 127), False) is True  # as if it had been released
    pickup = mapped(GAIN, pickup=True, min=0, max=12)
    assert pickup.receive(cc(21, 0), 0.0) == 0
    assert pickup.receive(cc(21, 60), 0.0) is not None
    pickup.reset()
    assert pickup.receive(cc(21, 100), 0.0) is None
    pair = mapped(GAIN, source="cc14 1")
    pair.receive(cc(1, 5), 0.0)
    pair.reset()
    assert pair.receive(cc(33, 5), 0.0) is None
    slow = mapped(COMPLEXITY, mode="relative", step=1 / 127)
    assert received(slow, [cc(21, 5)], 0) == [0]
    slow.reset()
    assert received(slow, [cc(21, 5)] * 2, 0) == [0, 1]


# Feedback


def shown(knob, value):
    return [message.hex(" ") for message in knob.feedback(value)]


def test_a_fader_shows_the_value():
    knob = mapped(BITRATE, min=6, max=96)
    shows = [shown(knob, value) for value in (2.0, 6.0, 24.0, 96.0, 510.0)]
    assert shows == [["b0 15 00"], ["b0 15 00"], ["b0 15 40"], ["b0 15 7f"], ["b0 15 7f"]]
    assert shown(mapped(BITRATE, channel=7, min=96, max=6), 6.0) == ["b6 15 7f"]
    assert shown(mapped(GAIN, source="cc14 2", min=0, max=10), 10.0) == ["b0 02 7f", "b0 22 7f"]
    assert shown(mapped(GAIN, source="pitch", min=-10, max=10), 0.0) == ["e0 00 40"]
    assert len(shown(mapped(GAIN, source="nrpn 300"), 0.0)) == 4


def test_steps_at_the_ends_are_shown_at_the_ends():
    shows = [shown(mapped(MODE), value) for value in MODE.choices]
    assert shows == [["b0 15 00"], ["b0 15 30"], ["b0 15 4f"], ["b0 15 7f"]]
    assert [shown(mapped(SWITCH), value) for value in (False, True)] == [["b0 15 00"], ["b0 15 7f"]]


@pytest.mark.parametrize("knob", EVERY_SPAN, ids=named)
def test_a_motor_fader_that_answers_changes_no_step(knob):
    if knob.parameter.steps or knob.map.steps or isinstance(knob.parameter.default, int):
        for value in {knob.value_at(position / 1000) for position in range(1001)}:
            knob.reset()
            (message,) = knob.feedback(value)
            assert knob.receive(message, value) == value
    for value in (knob.value_at(0), knob.value_at(1)):
        knob.reset()
        (message,) = knob.feedback(value)
        assert knob.receive(message, value) == value


def test_a_fader_is_not_pulled_from_under_the_hand():
    knob = mapped(MODE)
    assert knob.receive(cc(21, 50), "auto") == "silk"
    assert shown(knob, "silk") == ["b0 15 32"]
    assert shown(knob, "hybrid") == ["b0 15 4f"]  # somebody else's


@pytest.mark.parametrize(
    ("source", "dark", "lit"),
    [
        ("cc 21", "b1 15 00", "b1 15 7f"),
        ("gate 36", "91 24 00", "91 24 7f"),
        ("velocity 36", "91 24 00", "91 24 7f"),
    ],
)
@pytest.mark.parametrize("mode", ["toggle", "momentary"])
def test_a_button_is_lit_for_max(source, dark, lit, mode):
    switch = mapped(SWITCH, source=source, channel=2, mode=mode)
    assert (shown(switch, False), shown(switch, True)) == ([dark], [lit])
    bitrate = mapped(BITRATE, source=source, channel=2, mode=mode, min=96, max=6)
    assert [shown(bitrate, value) for value in (96.0, 90.0, 8.0, 6.0)] == [[dark], [dark], [lit], [lit]]


@pytest.mark.parametrize(
    "settings",
    [
        {"feedback": False},
        {"mode": "relative"},
        {"source": "program 5"},
        {"source": "velocity 36"},
        {"source": "velocity", "mode": "toggle"},
        {"source": "gate", "mode": "toggle"},
        {"source": "pressure"},
        {"source": "poly 60"},
        {"source": "modulator wobble"},
    ],
)
def test_what_shows_nothing(settings):
    assert shown(mapped(GAIN, **settings), 12.0) == []
