"""Positions, lanes, control files: what is written, and at which sample it becomes what."""

import json
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecfx.control.automation import Interpolation, Lane, Trajectory, on_grid, tick_samples
from codecfx.control.control_file import controls_of, load_controls, table_of
from codecfx.control.parameters import Curve, Parameter
from codecfx.control.timeline import Position, TempoMap, Timeline, tempo_of
from codecfx.errors import ConfigurationError, ControlFileError, ParameterError, UnknownName

RATE = 48000
BITRATE = Parameter("bitrate_kbps", "Bitrate", 32.0, 2.0, 510.0, unit="kbps", curve=Curve.EXPONENTIAL)
LEVEL = Parameter("level_db", "Level", 0.0, -60.0, 12.0, unit="dB")
EFFORT = Parameter("complexity", "Complexity", 10, 0, 10)
BYPASS = Parameter("bypass", "Bypass", False)
MODE = Parameter("mode", "Mode", "auto", choices=("auto", "silk", "hybrid", "celt"))
MP3 = Parameter("bitrate_kbps", "Bitrate", 128, choices=(32, 64, 96, 128, 320), unit="kbps")


# Time


@pytest.mark.parametrize(
    ("written", "sample"),
    [
        (0, 0),
        (48_000, 48_000),
        ("48000", 48_000),
        ("96000 samples", 96_000),
        ("2.5 s", 120_000),
        ("2.5s", 120_000),
        ("1 seconds", 48_000),
        ("250 ms", 12_000),
        ("50 %", 250_000),
        ("33.3%", 166_500),
        ("0.1 ms", 5),  # 4.8
        ("4 beats", 96_000),
        ("16 beats", 384_000),
        ("18 beats", 448_000),  # two of them at 90
    ],
)
def test_a_position_is_a_sample(written, sample):
    tempo = tempo_of([[0, 120], [16, 90]])
    assert Timeline(RATE, 500_000, tempo).sample_of(Position.of(written)) == sample


@pytest.mark.parametrize(
    "written", ["", "soon", -1, "-1 s", "1.5", 1.5, True, None, "1 h", "1e3 s", [], "٣ s"]
)
def test_what_is_no_position_is_said(written):
    with pytest.raises(ConfigurationError, match=r"^position .* is none; write samples \(48000\)"):
        Position.of(written)


def test_positions_want_what_they_are_measured_against():
    with pytest.raises(ConfigurationError, match="known length"):
        Timeline(RATE).sample_of(Position.of("50 %"))
    with pytest.raises(ConfigurationError, match="tempo = 120"):
        Timeline(RATE).sample_of(Position.of("1 beats"))


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(20, 300)), min_size=1, max_size=8))
def test_a_tempo_map_is_exact_both_ways(changes):
    beat, seconds, written = Fraction(0), Fraction(0), []
    for length, bpm in changes:
        written.append([int(beat), bpm])
        beat += length
        seconds += Fraction(60 * length, bpm)
    tempo = tempo_of(written)
    assert tempo.seconds_at(beat) == seconds
    assert tempo.beats_at(np.array([float(seconds)]))[0] == pytest.approx(float(beat), rel=1e-12)


@pytest.mark.parametrize(
    "written", [0, 2000, "fast", [], [[1, 120]], [[0, 120], [0, 90]], [[0]], [["a", 1]]]
)
def test_what_is_no_tempo_is_said(written):
    with pytest.raises(ConfigurationError, match=r"tempo"):
        tempo_of(written)


# Lanes


def moves(lane, parameter, end=10**6, tick=480, samples=None, shift=0, begin=0):
    at, values = lane.along(parameter, Timeline(RATE, samples)).moves(begin, end, tick, shift)
    return list(zip(at.tolist(), values, strict=True))


def test_steps_are_taken_where_they_stand():
    lane = Lane("x", [("0.5 s", 6), (30_000, 96), (30_001, 12)], "step")
    assert moves(lane, BITRATE) == [(24_000, 6.0), (30_000, 96.0), (30_001, 12.0)]


@pytest.mark.parametrize(
    ("way", "curve"),
    [
        ("linear", lambda t: 96 + (6 - 96) * t),
        ("exponential", lambda t: 96 * (6 / 96) ** t),
        ("smooth", lambda t: 96 + (6 - 96) * (3 * t**2 - 2 * t**3)),
    ],
)
def test_ways_follow_their_formulas_tick_by_tick(way, curve):
    played = moves(Lane("x", [(100, 96), (4900, 6)], way), BITRATE)
    assert [sample for sample, _ in played] == [100, *range(480, 4900, 480), 4900]
    for sample, value in played:
        assert value == pytest.approx(curve((sample - 100) / 4800), rel=1e-12)


def test_every_breakpoint_may_have_its_own_way():
    lane = Lane("x", [(0, 8, "step"), (960, 16, "exponential"), (1920, 64), (2880, 32)], "step")
    assert moves(lane, BITRATE) == [(0, 8.0), (960, 16.0), (1440, 32.0), (1920, 64.0), (2880, 32.0)]


def test_whole_numbers_and_choices_are_kept():
    lane = Lane("x", [(0, 0), (4800, 10)])
    assert [value for _, value in moves(lane, EFFORT)] == list(range(11))
    lane = Lane("x", [(0, 32), (4800, 320)])
    values = [value for _, value in moves(lane, MP3)]
    assert set(values) <= set(MP3.choices)
    assert values == sorted(values)
    assert moves(Lane("x", [(0, "on"), (7, "off")]), BYPASS) == [(0, True), (7, False)]
    assert moves(Lane("x", [(3, "SILK")]), MODE) == [(3, "silk")]


def test_two_points_at_one_position_are_a_jump():
    lane = Lane("x", [(0, 10), (960, 20), (960, 100), (1920, 110)])
    assert moves(lane, BITRATE) == [
        (0, 10.0), (480, 15.0), (960, 20.0), (960, 100.0), (1440, 105.0), (1920, 110.0)
    ]  # fmt: skip


def test_a_lane_that_meets_the_sound_keeps_its_ticks_on_the_streams():
    played = moves(Lane("x", [(0, 0), (4800, 10)]), LEVEL, shift=1000)
    assert [sample for sample, _ in played] == [1000, *range(1440, 5800, 480), 5800]
    for sample, value in played:
        assert value == pytest.approx((sample - 1000) / 480, abs=1e-12)


@given(st.lists(st.integers(0, 7000), max_size=6), st.integers(0, 700))
def test_what_moves_does_not_depend_on_where_it_is_asked_for(cuts, shift):
    lane = Lane("x", [(5, 0), (960, 7, "smooth"), (2111, -3, "step"), (2500, 9), (6000, 1)])
    ends = sorted({0, *cuts, 8000})
    pieces = [
        move
        for begin, end in pairwise(ends)
        for move in moves(lane, LEVEL, begin=begin, end=end, shift=shift)
    ]
    assert pieces == moves(lane, LEVEL, end=8000, shift=shift)


@pytest.mark.parametrize(
    ("points", "way", "parameter", "message"),
    [
        ([(0, 1)], None, BITRATE, "bitrate_kbps is 1; it takes 2 to 510 kbps"),
        ([(0, 8), (1, -1)], None, BITRATE, "bitrate_kbps is -1; it takes 2 to 510 kbps"),
        (
            [("1 s", 8), ("500 ms", 9)],
            None,
            BITRATE,
            "points go back in time, from sample 48000 to 24000",
        ),
        (
            [(0, -1), (9, 1)],
            "exponential",
            LEVEL,
            "level_db goes from -1 to 1, which no equal ratios do",
        ),
        (
            [(0, "on"), (9, "off")],
            "linear",
            BYPASS,
            "interpolation is linear, and bypass has nothing in",
        ),
        (
            [(0, "silk", "smooth"), (9, "celt")],
            None,
            MODE,
            "interpolation is smooth, and mode has nothing",
        ),
        ([(0, "loud")], None, MODE, "mode is loud; it takes auto, silk, hybrid or celt"),
    ],
)
def test_what_a_parameter_does_not_do_is_said(points, way, parameter, message):
    with pytest.raises(ConfigurationError, match="^" + message.split(";")[0]):
        Lane("x", points, way).along(parameter, Timeline(RATE))


def test_what_is_no_point_is_said():
    with pytest.raises(ConfigurationError, match=r"^points is empty"):
        Lane("x", [])
    for wrong in (5, "1 s", (1,), (1, 2, "step", 4), (1, None)):
        with pytest.raises(ConfigurationError, match=r"^point .* is none; write \[position, value\]"):
            Lane("x", [wrong])
    with pytest.raises(UnknownName, match="did you mean 'linear'"):
        Lane("x", [(0, 1, "liner")])


# Arrays


def array_moves(parameter, curve, tick=480):
    samples, values = Trajectory.of_array(parameter, curve, tick).moves(0, len(curve), tick)
    return list(zip(samples.tolist(), values, strict=True))


def test_an_array_of_steps_is_exact():
    curve = np.full(5000, 24.0)
    curve[1234:] = 6
    curve[1300:1301] = 96
    assert array_moves(BITRATE, curve) == [(0, 24.0), (1234, 6.0), (1300, 96.0), (1301, 6.0)]
    switch = np.zeros(100, bool)
    switch[30:60] = True
    assert array_moves(BYPASS, switch) == [(0, False), (30, True), (60, False)]
    assert array_moves(MODE, np.array(["silk"] * 5 + ["celt"] * 5)) == [(0, "silk"), (5, "celt")]


def test_an_array_that_moves_all_the_time_is_looked_at_once_a_tick():
    curve = np.linspace(96, 6, 4800)
    assert array_moves(BITRATE, curve) == [(at, curve[at]) for at in (*range(0, 4800, 480), 4799)]
    fade = np.clip(1 - np.arange(4800) / 1000, 0, 1) * 8 + 2  # over in the middle of a tick
    played = array_moves(BITRATE, fade)
    assert played[-1] == (1000, 2.0)
    assert [at for at, _ in played] == [0, 480, 960, 1000]


def test_a_value_that_an_array_may_not_have_is_named_with_its_sample():
    curve = np.full(100, 24.0)
    curve[77] = np.nan
    with pytest.raises(ParameterError, match=r"^at sample 77, bitrate_kbps is nan"):
        array_moves(BITRATE, curve)


def test_ticks_are_ten_milliseconds_on_the_grid():
    for rate in (8000, 22_050, 44_100, 48_000, 192_000):
        assert tick_samples(rate) % 64 == 0
        assert 0 <= tick_samples(rate) - rate / 100 < 64
    assert [on_grid(samples) for samples in (0, 1, 64, 64.5)] == [0, 64, 64, 128]


# Files

TOML = """\
version = 1
tempo = [[0, 120], [16, 90]]

[[lane]]
target = "opus.bitrate_kbps"
interpolation = "exponential"
points = [["0 s", 96], ["50 %", 24, "step"], ["16 beats", 64], [960000, 6]]

[[lane]]
# a comment
target = "mix"
points = [
  ["0 s", 0.5],
  ["1 s", 1],
]

[[modulator]]
name = "wobble"
type = "lfo"
rate_hz = 0.5

[[map]]
source = "modulator wobble"
target = "opus.mix"
min = 0.2
"""


@pytest.fixture
def written(tmp_path):
    def written(text, name="lanes.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def test_toml_and_json_say_the_same(written):
    import tomllib

    controls = load_controls(written(TOML))
    assert controls == load_controls(written(json.dumps(tomllib.loads(TOML)), "lanes.json"))
    first, second = controls.lanes
    assert first.interpolation is Interpolation.EXPONENTIAL
    assert [str(point.position) for point in first.breakpoints] == [
        "0 s",
        "50 %",
        "16 beats",
        "960000 samples",
    ]
    assert second.target == "mix"
    assert controls.tempo == TempoMap(((Fraction(0), Fraction(120)), (Fraction(16), Fraction(90))))
    assert controls.maps[0].where.endswith("lanes.toml:24")
    assert second.where.endswith("lanes.toml:11")


def test_what_was_read_can_be_written(written, tmp_path):
    controls = load_controls(written(TOML))
    assert controls_of(table_of(controls, tmp_path), tmp_path / "again.toml") == controls


@pytest.mark.parametrize(
    "text",
    [
        "position,opus.bitrate_kbps,mix\n0 s,96,1\n2.5 s,6,\n50 %,,0.5\n",
        "position;opus.bitrate_kbps;mix\r\n0 s;96;1\r\n2,5 s;6;\r\n50 %;;0,5\r\n",
        "position\topus.bitrate_kbps\tmix\n0 s\t96\t1\n2.5 s\t6\t\n\n50 %\t\t0.5\n",
        "position,target,value\n0 s,opus.bitrate_kbps,96\n2.5 s,opus.bitrate_kbps,6\n"
        "0 s,mix,1\n50 %,mix,0.5\n",
        "\ufeffposition,target,value,interpolation\n0 s,opus.bitrate_kbps,96,\n"
        "2.5 s,opus.bitrate_kbps,6,\n0 s,mix,1,\n50 %,mix,0.5,\n",
    ],
)
def test_a_spreadsheets_csv_is_read(written, text):
    lanes = {lane.target: lane for lane in load_controls(written(text, "lanes.csv")).lanes}
    timeline = Timeline(RATE, 480_000)
    bitrate = lanes["opus.bitrate_kbps"].along(BITRATE, timeline)
    assert bitrate.extremes == [6.0, 96.0]
    assert bitrate.moves(120_000, 120_001, 480)[1] == [6.0]
    mix = lanes["mix"].along(Parameter("mix", "Mix", 1.0, 0.0, 1.0), timeline)
    assert mix.moves(120_000, 120_001, 480)[1] == [0.75]
    assert mix.moves(240_000, 240_001, 480)[1] == [0.5]


@pytest.mark.parametrize(("unit", "place"), [("seconds", 120_000), ("samples", 2), ("percent", 9600)])
def test_a_csv_column_may_have_a_unit(written, unit, place):
    cell = "2" if unit != "seconds" else "2.5"
    (lane,) = load_controls(written(f"{unit},mix\n0,1\n{cell},0\n", "lanes.csv")).lanes
    samples, _ = lane.along(LEVEL, Timeline(RATE, 480_000)).moves(1, 10**6, 10**7)
    assert samples.tolist() == [place]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lanes.toml: version is missing; this codecfx reads 'version = 1'"),
        ("version = 2", "lanes.toml: version is 2; this codecfx reads 'version = 1'"),
        ("version = 1\nlanes = []", "no key 'lanes'; did you mean 'lane'?"),
        ("version = 1\nlane = 5", "lanes.toml: lane is no list of tables; write [[lane]] for each"),
        ("version = [", "lanes.toml: is no TOML ("),
        ("version = 1\ntempo = 0", "lanes.toml:2: tempo is 0; it takes 1 to 1000 beats per minute"),
        ("version = 1\n[[lane]]\ntarget = 'mix'", "lanes.toml:2: points: is missing"),
        ("version = 1\n[[lane]]\npoints = []", "lanes.toml:2: target: is missing"),
        (
            "version = 1\n[[lane]]\ntarget = 'mix'\n\npoints = [['1 h', 5]]",
            "lanes.toml:5: points: position '1 h' is none",
        ),
        (
            "version = 1\n[[lane]]\ntarget = 'mix'\npoints = [[0, 5]]\n[[lane]]\n"
            "interpolation = 'stepp'\ntarget = 'mix'\npoints = [[0, 1]]",
            "lanes.toml:6: interpolation: no interpolation 'stepp'; did you mean 'step'?",
        ),
        (
            "version = 1\n[[map]]\nsource = 'cc 21'\ntarget = 'mix'\n[[map]]\ntarget = 'x'\n"
            "source = 'cc 200'",
            "lanes.toml:7: source: ",
        ),
        (
            "version = 1\n[[modulator]]\nname = 'a'\ntype = 'lfo'\nrate_hz = 600",
            "lanes.toml:5: rate_hz: it takes 0.001 to 50 Hz, not 600",
        ),
        (
            "version = 1\n[[modulator]]\nname = 'a'\ntype = 'lfo'\n[[modulator]]\nname = 'a'\n"
            "type = 'lfo'",
            "lanes.toml:6: name: there are two modulators 'a'; rename one",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(written, text, message):
    with pytest.raises(ControlFileError) as refusal:
        load_controls(written(text))
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lanes.csv:1: the first row names the columns"),
        ("0,96\n", "lanes.csv:1: the first row names the columns"),
        ("position,mix\n,1\n", "lanes.csv:2: the row has no position"),
        ("position,mix\n0 s,1\n1 s,1,2\n", "lanes.csv:3: the row has more cells than the first"),
        ("position,mix\n0 s,1\n1 parsec,0\n", "lanes.csv:2: position '1 parsec' is none"),
    ],
)
def test_what_is_wrong_in_a_csv_is_said_with_its_line(written, text, message):
    with pytest.raises(ControlFileError) as refusal:
        load_controls(written(text, "lanes.csv"))
    assert message in str(refusal.value)


def test_files_that_are_none_are_said(tmp_path, written):
    for name, message in (
        ("missing.toml", "cannot be read (No such file or directory)"),
        ("lanes.txt", "is no control file; use one of .toml, .json, .csv"),
    ):
        with pytest.raises(ControlFileError, match=rf"{name}: ") as refusal:
            load_controls(tmp_path / name)
        assert message in str(refusal.value)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ControlFileError, match="is no text in UTF-8"):
        load_controls(tmp_path / "binary.toml")
    with pytest.raises(ControlFileError, match="is no JSON"):
        load_controls(written("[1", "x.json"))
    with pytest.raises(ControlFileError, match="is no table"):
        load_controls(written("[1]", "x.json"))


# Documents


@pytest.mark.parametrize("document", ["docs/control.md", "README.md"])
def test_what_documents_show_can_be_read(document, written, tmp_path):
    text = (Path(__file__).parents[1] / document).read_text(encoding="utf-8")
    blocks = [
        block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "[[chain]]" not in block
    ]
    assert blocks
    head = "version = 1\n"
    whole = head + "\n".join(block.removeprefix(head) for block in blocks)
    controls = load_controls(written(whole))
    assert controls.lanes
    assert controls.maps
    assert controls.modulators
    assert controls_of(table_of(controls, tmp_path), tmp_path / "again.toml") == controls
