"""Which control somebody moves, guessed from messages alone."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecfx.control.learning import REST_SECONDS, Heard, guess, is_over
from codecfx.control.sources import Source

STATUS = {"off": 0x80, "on": 0x90, "poly": 0xA0, "cc": 0xB0, "program": 0xC0, "pressure": 0xD0}


def played(*messages, channel=1, every=0.02):
    """Messages (kind, byte, byte) one after the other, each so many seconds after the last."""
    return [
        (number * every, bytes([STATUS[kind] | channel - 1, *values]))
        for number, (kind, *values) in enumerate(messages)
    ]


def turned(controller, *values, **more):
    return played(*(("cc", controller, value) for value in values), **more)


def cc(number, channel=1):
    return Source("cc", number, channel)


@pytest.mark.parametrize(
    "values",
    [
        (64, 65, 66, 67),
        (0, 1, 2, 3, 2, 1, 0),
        (12, 40, 90, 127),
        (1, 2, 3, 4, 5, 6),
        (127, 126, 125, 124),
        (66, 65, 64, 63, 62),
        (10, 10, 11, 11, 12, 12, 13),  # a worn potentiometer
        (30, 127, 127),
    ],
)
def test_a_knob_or_fader_is_absolute(values):
    assert guess(turned(21, *values, channel=9)) == Heard(cc(21, 9))


@pytest.mark.parametrize(
    ("values", "encoding"),
    [
        ((1, 1, 1, 127, 127), "twos-complement"),
        ((1, 1, 2, 3, 1, 1, 126, 127, 127), "twos-complement"),
        ((1, 1, 1, 65, 65), "signed-bit"),
        ((1, 2, 1, 1, 66, 65, 65), "signed-bit"),
        ((65, 65, 65, 63, 63), "offset"),
        ((65, 65, 66, 65, 63, 63, 62, 63), "offset"),
    ],
)
def test_an_encoder_that_is_turned_both_ways(values, encoding):
    assert guess(turned(16, *values)) == Heard(cc(16), "relative", encoding)


@pytest.mark.parametrize(
    ("values", "encoding"),
    [
        ((1, 1, 1, 1), "twos-complement"),  # signed-bit says the same upwards
        ((127, 127, 127, 126), "twos-complement"),
        ((65, 65, 65), "offset"),
        ((63, 63, 63), "offset"),
    ],
)
def test_an_encoder_that_is_turned_one_way_asks_for_the_other(values, encoding):
    heard = guess(turned(16, *values))
    assert (heard.mode, heard.relative) == ("relative", encoding)
    assert "both ways" in heard.hint


@pytest.mark.parametrize("values", [(127, 0), (127, 0, 127, 0)])
def test_a_button_of_controllers(values):
    assert guess(turned(48, *values)) == Heard(cc(48), "toggle")


@pytest.mark.parametrize("value", [127, 0])
def test_a_button_that_latches_says_one_thing_at_a_time(value):
    heard = guess(turned(48, value))
    assert (heard.source, heard.mode) == (cc(48), "absolute")
    assert "again" in heard.hint


def test_14_bits_are_two_controllers_that_come_together():
    halves = [("cc", number, 5) for _ in range(10) for number in (1, 33)]
    assert guess(played(*halves, every=0.001)) == Heard(Source("cc14", 1, 1))
    fine_first = [("cc", number, 5) for _ in range(10) for number in (33, 1)]
    assert guess(played(*fine_first, every=0.001)) == Heard(Source("cc14", 1, 1))


def test_two_knobs_32_apart_are_two_knobs():
    one_after_the_other = [("cc", 1, value) for value in range(9)]
    one_after_the_other += [("cc", 33, value) for value in range(5)]
    assert guess(played(*one_after_the_other)) == Heard(cc(1))


def test_an_nrpn():
    selected = (("cc", 99, 2), ("cc", 98, 44))
    steps = [("cc", 6, 10), ("cc", 38, 5)] * 8
    assert guess(played(*selected, *steps)) == Heard(Source("nrpn", 2 << 7 | 44, 1))
    every_time = [*selected, ("cc", 6, 1)] * 5
    assert guess(played(*every_time)) == Heard(Source("nrpn", 2 << 7 | 44, 1))
    increments = [*selected, ("cc", 96, 0), ("cc", 96, 0)]
    assert guess(played(*increments)) == Heard(Source("nrpn", 2 << 7 | 44, 1))


def test_a_registered_parameter_is_nothing_to_learn():
    assert guess(played(("cc", 101, 0), ("cc", 100, 0), ("cc", 6, 2))) is None


def test_pitch_bend():
    bends = [(number / 50, bytes([0xE2, 0, 64 + number])) for number in range(9)]
    assert guess(bends) == Heard(Source("pitch", channel=3))


def test_keys_pads_and_what_is_pressed_on_them():
    pad = (("on", 36, 100), ("pressure", 20), ("pressure", 60), ("pressure", 0), ("off", 36, 0))
    assert guess(played(*pad, channel=10)) == Heard(Source("gate", 36, 10), "toggle")
    poly = (("on", 36, 100), ("poly", 36, 20), ("poly", 36, 60), ("on", 36, 0))
    assert guess(played(*poly, channel=10)) == Heard(Source("gate", 36, 10), "toggle")
    assert guess(played(("pressure", 20), ("pressure", 60))) == Heard(Source("pressure", channel=1))
    assert guess(played(("poly", 36, 20), ("poly", 36, 60))) == Heard(Source("poly", 36, 1))
    assert guess(played(("program", 5))) == Heard(Source("program", 5, 1), "toggle")


def test_a_fader_counts_more_than_the_touch_of_it():
    touched = played(("on", 104, 127), *(("cc", 7, value) for value in range(9)), ("on", 104, 0))
    assert guess(touched) == Heard(cc(7))
    bent = [*played(("on", 104, 127)), *((1 + t, bytes([0xE0, 0, t])) for t in range(5))]
    assert guess(bent) == Heard(Source("pitch", channel=1))


def test_of_two_knobs_the_one_that_was_turned():
    both = played(*(("cc", 21, value) for value in range(20)), ("cc", 22, 5), ("cc", 22, 6))
    assert guess(both) == Heard(cc(21))


def test_silence_mode_messages_and_note_offs_are_of_no_control():
    assert guess([]) is None
    assert guess(played(("cc", 123, 0), ("cc", 121, 0), ("off", 60, 64))) is None
    assert guess([(0.0, b"\xf8"), (0.1, b"\xf0\x01\xf7")]) is None


def test_a_gesture_is_over_when_it_rests():
    moved = turned(21, 1, 2, 3)
    last = moved[-1][0]
    assert not is_over([], 100.0)
    assert not is_over(moved, last + REST_SECONDS / 2)
    assert is_over(moved, last + REST_SECONDS)


def test_what_never_rests_is_judged_all_the_same():
    breath = turned(2, *(number % 128 for number in range(1000)))
    over = next(number for number in count(1) if is_over(breath[:number], breath[number - 1][0]))
    assert breath[over - 1][0] < 10


def test_it_is_said_in_words():
    assert str(guess(turned(21, 1, 2, 3))) == "cc 21 on channel 1"
    assert str(guess(turned(48, 127, 0))) == "cc 48 on channel 1, a button"
    assert str(guess(turned(16, 1, 1, 127))) == "cc 16 on channel 1, an encoder (twos-complement)"


@given(st.lists(st.tuples(st.floats(0, 5), st.binary(min_size=0, max_size=4)), max_size=40))
def test_anything_may_come(messages):
    messages = sorted(messages, key=lambda one: one[0])
    heard = guess(messages)
    assert heard is None or heard.source.channel in range(1, 17)
