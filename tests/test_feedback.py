"""Motor faders and lights: few messages, the newest value, and nobody's hand is pulled."""

import pytest

from codecfx.control.feedback import Feedback
from codecfx.control.mapping import Mapped
from codecfx.control.maps import Map
from codecfx.control.parameters import Parameter

LEVEL = Parameter("level", "Level", 0.0, 0.0, 127.0)
SWITCH = Parameter("bypass", "Bypass", False)


class Lights:
    """An output that remembers, on a clock that is turned by hand."""

    def __init__(self):
        self.openings, self.now, self.is_there = 1, 0.0, True
        self.sent = []

    def send(self, message):
        self.sent += [message] if self.is_there else []
        return self.is_there

    def clock(self):
        return self.now

    def taken(self):
        sent, self.sent = self.sent, []
        return sent


def mapped(parameter=LEVEL, **table):
    return Mapped(Map.of({"source": "cc 7", "target": "x", **table}), parameter)


def cc(value, number=7, channel=1):
    return bytes((0xB0 | channel - 1, number, value))


@pytest.fixture
def lights():
    return Lights()


def showing(lights, *maps):
    return Feedback([(one.map.target, one) for one in maps], lights, lights.clock)


def test_a_change_is_sent_once(lights):
    feedback = showing(lights, mapped())
    feedback.show("x", 5.0)
    feedback.show("x", 5.0)
    feedback.tick()
    assert lights.taken() == [cc(5)]
    feedback.show("nothing of ours", 9.0)
    assert lights.taken() == []


def test_a_stream_of_changes_is_thinned_and_ends_with_the_newest(lights):
    feedback = showing(lights, mapped())
    for millisecond in range(1000):
        lights.now = millisecond / 1000
        feedback.show("x", float(millisecond % 128))
        feedback.tick()
    assert 45 <= len(lights.sent) <= 51
    lights.now += 0.02
    feedback.tick()
    assert lights.sent[-1] == cc(999 % 128)
    for _ in range(100):
        lights.now += 0.02
        feedback.tick()
    assert len(lights.sent) <= 52


def test_the_rate_counts_messages_not_values(lights):
    feedback = showing(lights, mapped(source="cc14 7"))
    for millisecond in range(1000):
        lights.now = millisecond / 1000
        feedback.show("x", 127.0 * millisecond / 1000)
        feedback.tick()
    assert 45 <= len(lights.sent) <= 52
    assert len(lights.sent) % 2 == 0


def test_every_control_has_a_rate_of_its_own(lights):
    knob, other = mapped(), mapped(source="cc 8", target="y")
    feedback = showing(lights, knob, other)
    feedback.show("x", 1.0)
    feedback.show("y", 2.0)
    assert lights.taken() == [cc(1), cc(2, 8)]


def test_everything_again(lights):
    feedback = showing(lights, mapped(), mapped(source="cc 8", target="y"))
    feedback.show("x", 1.0)
    feedback.show("y", 2.0)
    lights.taken()
    feedback.refresh()
    assert lights.taken() == [cc(1), cc(2, 8)]


def test_what_could_not_be_sent_is_sent_when_the_port_has_come(lights):
    lights.openings, lights.is_there = 0, False
    feedback = showing(lights, mapped())
    feedback.show("x", 1.0)
    feedback.show("x", 2.0)
    feedback.tick()
    lights.openings, lights.is_there = 1, True
    feedback.tick()
    assert lights.taken() == [cc(2)]
    lights.openings = 2  # it went, and came back dark
    feedback.tick()
    assert lights.taken() == [cc(2)]


def test_a_hand_on_a_fader_is_not_pulled(lights):
    fader = mapped()
    feedback = showing(lights, fader)
    feedback.show("x", 10.0)
    lights.taken()
    for value in range(20, 100):
        lights.now += 0.01
        feedback.heard(cc(value))
        feedback.show("x", fader.receive(cc(value), 10.0))
        feedback.tick()
    lights.now += 1
    feedback.tick()
    assert lights.taken() == []  # it stands where the value is


def test_after_the_hand_the_fader_goes_where_the_value_is(lights):
    """It was moved, but did not take hold; or something else moved the value meanwhile."""
    feedback = showing(lights, mapped(pickup=True))
    feedback.show("x", 100.0)
    lights.taken()
    lights.now = 1.0
    feedback.heard(cc(20))
    feedback.show("x", 101.0)
    feedback.tick()
    assert lights.taken() == []
    lights.now = 1.3
    feedback.tick()
    assert lights.taken() == [cc(101)]


def test_the_hand_is_on_the_channel_that_sends(lights):
    feedback = showing(lights, mapped(channel=2))
    feedback.heard(cc(20, channel=1))
    feedback.show("x", 5.0)
    assert lights.taken() == [cc(5, channel=2)]


def test_a_button_is_lit_again_after_it_was_pressed(lights):
    """Many buttons go dark when they are released, whatever they were told."""
    button = mapped(SWITCH, source="gate 36", mode="toggle")
    feedback = showing(lights, button)
    feedback.show("x", False)
    assert lights.taken() == [bytes((0x90, 36, 0))]
    pressed, released = bytes((0x90, 36, 100)), bytes((0x80, 36, 0))
    for now, message, value in ((1.0, pressed, True), (1.1, released, True)):
        lights.now = now
        feedback.heard(message)
        feedback.show("x", value)
        assert lights.taken() == [bytes((0x90, 36, 127))]


def test_of_two_maps_with_one_source_the_first_is_shown(lights):
    up, down = mapped(), mapped(target="y", min=127, max=0)
    feedback = showing(lights, up, down)
    feedback.show("x", 5.0)
    feedback.show("y", 5.0)
    assert lights.taken() == [cc(5)]


def test_what_shows_nothing_is_sent_nothing(lights):
    feedback = showing(lights, mapped(mode="relative"), mapped(source="cc 8", feedback=False))
    feedback.show("x", 5.0)
    feedback.refresh()
    assert lights.taken() == []
