"""Parameters: plain values and positions, what is taken and what is refused, by attribute and name."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecfx.control.parameters import Change, Curve, Parameter, by_id, checked
from codecfx.effects import registry
from codecfx.errors import ParameterError, UnknownName

BITRATE = Parameter("bitrate_kbps", "Bitrate", 32.0, 2.0, 510.0, unit="kbps", curve=Curve.EXPONENTIAL)
GAIN = Parameter("gain_db", "Gain", 0.0, -60.0, 12.0, unit="dB")
STEPS = Parameter("complexity", "Complexity", 10, 0, 10)
BOUNDLESS = Parameter("free", "Free", 0.5)
FRAME = Parameter("frame_ms", "Frame", 20.0, choices=(2.5, 5.0, 10.0, 20.0, 40.0, 60.0), unit="ms")
MODE = Parameter("mode", "Mode", "auto", choices=("auto", "silk", "celt"))
SWITCH = Parameter("dtx", "Discontinuous", False)
TEXT = Parameter("path", "Path", "")

CONTINUOUS = (BITRATE, GAIN)
STEPPED = (FRAME, MODE, SWITCH)

EVERY = [
    parameter
    for name in [*registry.codec_names(), *registry.native_names()]
    for parameter in registry.find(name).parameters
    if not parameter.group or name == "opus"  # what every codec has is looked at once
]


def reachable(parameter):
    return bool(parameter.steps) or None not in (parameter.minimum, parameter.maximum)


# Values and positions


@pytest.mark.parametrize("parameter", CONTINUOUS, ids=lambda one: one.id)
@given(position=st.floats(0, 1))
def test_a_position_and_its_value_are_one(parameter, position):
    value = parameter.value_at(position)
    assert parameter.minimum <= value <= parameter.maximum
    assert parameter.check(value) == value
    assert parameter.position_of(value) == pytest.approx(position, abs=1e-9)


@pytest.mark.parametrize("parameter", CONTINUOUS, ids=lambda one: one.id)
@given(fraction=st.floats(0, 1))
def test_a_value_and_its_position_are_one(parameter, fraction):
    value = parameter.minimum + fraction * (parameter.maximum - parameter.minimum)
    value = min(parameter.maximum, value)
    assert parameter.value_at(parameter.position_of(value)) == pytest.approx(value, rel=1e-9, abs=1e-9)


@given(position=st.floats(0, 1))
def test_whole_numbers_go_to_the_nearest_step_and_stay_there(position):
    value = STEPS.value_at(position)
    assert isinstance(value, int)
    assert abs(value - 10 * position) <= 0.5
    assert STEPS.value_at(STEPS.position_of(value)) == value


@pytest.mark.parametrize("parameter", STEPPED, ids=lambda one: one.id)
def test_every_step_has_its_own_share_of_the_way(parameter):
    steps = parameter.steps
    for place, step in enumerate(steps):
        assert parameter.position_of(step) == (place + 0.5) / len(steps)
        assert parameter.value_at(parameter.position_of(step)) == step
        assert parameter.value_at(place / len(steps) + 1e-9) == step
        assert parameter.value_at((place + 1) / len(steps) - 1e-9) == step


@pytest.mark.parametrize("parameter", [*CONTINUOUS, *STEPPED, STEPS], ids=lambda one: one.id)
def test_a_controllers_127_steps_reach_both_ends(parameter):
    first, last = (
        (parameter.steps[0], parameter.steps[-1])
        if parameter.steps
        else (parameter.minimum, parameter.maximum)
    )
    assert parameter.value_at(0 / 127) == first
    assert parameter.value_at(127 / 127) == last
    reached = {parameter.value_at(control / 127) for control in range(128)}
    if parameter.steps:
        assert reached == set(parameter.steps)
    elif isinstance(parameter.default, int):
        assert len(reached) == parameter.maximum - parameter.minimum + 1
    else:
        assert len(reached) == 128


@pytest.mark.parametrize("parameter", [*CONTINUOUS, *STEPPED, STEPS], ids=lambda one: one.id)
@given(position=st.floats(allow_nan=False))
def test_positions_beyond_the_ends_are_the_ends(parameter, position):
    assert parameter.value_at(position) == parameter.value_at(min(1.0, max(0.0, position)))


def test_an_exponential_range_has_equal_ratios_and_a_linear_one_equal_steps():
    quarters = [BITRATE.value_at(quarter / 4) for quarter in range(5)]
    ratios = [after / before for before, after in pairwise(quarters)]
    assert ratios == pytest.approx([ratios[0]] * 4)
    assert GAIN.value_at(0.5) == -24


def test_what_has_no_range_has_no_positions():
    for use in (lambda: BOUNDLESS.value_at(0.5), lambda: BOUNDLESS.position_of(0.5)):
        with pytest.raises(ParameterError, match="free has no range of its own"):
            use()


@pytest.mark.parametrize("parameter", EVERY, ids=lambda one: one.id)
def test_declared_parameters_agree_with_themselves(parameter):
    assert parameter.check(parameter.default) == parameter.default
    assert parameter.id.isidentifier()
    assert parameter.id == parameter.id.lower()
    assert parameter.name
    assert parameter.allowed
    if reachable(parameter):
        assert parameter.value_at(parameter.position_of(parameter.default)) == pytest.approx(
            parameter.default
        )
        for position in (0, 0.3, 1):
            assert parameter.check(parameter.value_at(position)) == parameter.value_at(position)
    if parameter.curve is Curve.EXPONENTIAL and reachable(parameter):
        assert parameter.minimum > 0


# What is taken


@pytest.mark.parametrize(
    ("parameter", "given_value", "taken"),
    [
        (BITRATE, "24", 24.0),
        (BITRATE, " 24.5 ", 24.5),
        (BITRATE, 24, 24.0),
        (BITRATE, np.float32(0.5) * 48, 24.0),
        (BITRATE, np.int64(24), 24.0),
        (BITRATE, np.array(24.0), 24.0),
        (BITRATE, 2, 2.0),
        (BITRATE, 510, 510.0),
        (BITRATE, "1e2", 100.0),
        (STEPS, "7", 7),
        (STEPS, 7.0, 7),
        (STEPS, np.float64(7), 7),
        (STEPS, np.uint8(7), 7),
        (FRAME, "2.5", 2.5),
        (FRAME, 20, 20.0),
        (FRAME, np.float32(2.5), 2.5),
        (MODE, "silk", "silk"),
        (MODE, " SILK ", "silk"),
        (TEXT, " As It Is ", " As It Is "),
        (SWITCH, True, True),
        (SWITCH, "on", True),
        (SWITCH, " Yes ", True),
        (SWITCH, "TRUE", True),
        (SWITCH, "1", True),
        (SWITCH, 1, True),
        (SWITCH, 1.0, True),
        (SWITCH, "off", False),
        (SWITCH, "no", False),
        (SWITCH, "false", False),
        (SWITCH, "0", False),
        (SWITCH, 0, False),
        (SWITCH, np.True_, True),
        (SWITCH, np.False_, False),
        (SWITCH, np.int64(1), True),
        (BOUNDLESS, -1e30, -1e30),
    ],
)
def test_what_means_a_value_is_taken_for_it(parameter, given_value, taken):
    value = parameter.check(given_value)
    assert value == taken
    assert type(value) is type(taken)  # plain Python: presets write it, and `is` may be asked


NO_NUMBERS = [None, "", "loud", [], [24.0], {}, True, object(), 1j, "nan", math.nan, math.inf]


@pytest.mark.parametrize("parameter", [BITRATE, STEPS, FRAME, BOUNDLESS], ids=lambda one: one.id)
@pytest.mark.parametrize("wrong", [*NO_NUMBERS, -math.inf, "inf", np.nan, np.zeros(2), b"24"])
def test_what_is_no_number_is_refused(parameter, wrong):
    with pytest.raises(ParameterError, match=f"{parameter.id} is .*; it takes ") as refusal:
        parameter.check(wrong)
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("parameter", "wrong", "message"),
    [
        (BITRATE, 600, "bitrate_kbps is 600; it takes 2 to 510 kbps"),
        (BITRATE, 1.999, "bitrate_kbps is 1.999; it takes 2 to 510 kbps"),
        (BITRATE, math.nan, "bitrate_kbps is nan; it takes 2 to 510 kbps"),
        (BITRATE, True, "bitrate_kbps is True; it takes 2 to 510 kbps"),
        (GAIN, "-61", "gain_db is -61; it takes -60 to 12 dB"),
        (STEPS, 2.5, "complexity is 2.5; it takes a whole number from 0 to 10"),
        (STEPS, 11, "complexity is 11; it takes a whole number from 0 to 10"),
        (STEPS, "1e400", "complexity is 1e400; it takes a whole number from 0 to 10"),
        (FRAME, 3, "frame_ms is 3; it takes 2.5, 5, 10, 20, 40 or 60 ms"),
        (MODE, "mp3", "mode is mp3; it takes auto, silk or celt"),
        (MODE, 1, "mode is 1; it takes auto, silk or celt"),
        (SWITCH, "maybe", "dtx is maybe; it takes on or off"),
        (SWITCH, 2, "dtx is 2; it takes on or off"),
        (SWITCH, None, "dtx is None; it takes on or off"),
        (TEXT, 5, "path is 5; it takes text"),
        (BOUNDLESS, "x", "free is x; it takes a number"),
    ],
)
def test_a_refusal_says_what_is_taken(parameter, wrong, message):
    with pytest.raises(ParameterError) as refusal:
        parameter.check(wrong)
    assert str(refusal.value) == message


def test_units_stand_in_the_words():
    assert Parameter("t", "T", 1.0, unit="s").allowed == "a number in s"
    assert Parameter("n", "N", 1, unit="Hz").allowed == "a whole number in Hz"
    assert Parameter("m", "M", "a", choices=("a",)).allowed == "a"


# Many at once, and on an effect


def test_settings_are_checked_and_completed_by_defaults():
    assert checked((BITRATE, SWITCH), {"dtx": "on"}, "opus") == {"bitrate_kbps": 32.0, "dtx": True}
    with pytest.raises(UnknownName, match="opus: no parameter 'bitrate'; did you mean 'bitrate_kbps'"):
        checked((BITRATE, SWITCH), {"bitrate": 24}, "opus")
    with pytest.raises(ParameterError, match=r"^opus: bitrate_kbps is 1; it takes 2 to 510 kbps$"):
        checked((BITRATE, SWITCH), {"bitrate_kbps": 1}, "opus")
    assert by_id((BITRATE, SWITCH), "dtx", "opus") is SWITCH
    with pytest.raises(UnknownName, match="it takes none"):
        by_id((), "anything", "nothing")
    with pytest.raises(UnknownName, match="there is: bitrate_kbps, dtx"):
        by_id((BITRATE, SWITCH), "zzz", "opus")


def test_attributes_are_checked_and_misspelt_ones_are_none():
    opus = registry.find("opus")(bitrate_kbps="24", label="voice")
    assert opus.bitrate_kbps == 24.0
    opus.bitrate_kbps = np.float32(48)
    assert opus.bitrate_kbps == 48.0
    assert type(opus.bitrate_kbps) is float
    with pytest.raises(ParameterError, match="opus: bitrate_kbps is 1"):
        opus.bitrate_kbps = 1
    assert opus.bitrate_kbps == 48.0
    with pytest.raises(AttributeError, match="did you mean 'bitrate_kbps'"):
        opus.bitrate = 24
    with pytest.raises(UnknownName, match="did you mean 'bitrate_kbps'"):
        opus.set("bitrate", 24)
    with pytest.raises(UnknownName, match="did you mean 'complexity'"):
        registry.find("opus")(complexiti=3)
    with pytest.raises(AttributeError):
        _ = opus.bitrate
    opus.label = "other"
    assert repr(opus) == "Opus(bitrate_kbps=48.0, label='other')"
    with pytest.raises(TypeError):
        opus.values["mix"] = 0  # read-only


def test_a_parameter_tells_of_itself():
    described = type(registry.find("opus")()).bitrate_kbps.__doc__
    assert described.startswith("Bitrate: 2 to 510 kbps. Of one mono or stereo stream")


def test_only_what_needs_a_prepare_makes_stale():
    for name in registry.codec_names():
        for parameter in registry.find(name).parameters:
            effect = registry.find(name)()
            other = next(
                value
                for value in (*parameter.steps, parameter.minimum, parameter.maximum, "x..")
                if value is not None and value != parameter.default
            )
            effect.set(parameter.id, parameter.default)
            assert not effect.is_stale
            effect.set(parameter.id, other)
            assert effect.is_stale == (parameter.change is Change.PREPARE)
            assert effect.values[parameter.id] == other
