"""The live host's screen and lines: what is seen and heard of a host, and what keys and commands do."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from scripted_host import LATENCY, LEVELS, ScriptedHost

import codecfx
from codecfx.cli import live_words as words
from codecfx.cli.live_app import LiveApp, Picture
from codecfx.cli.live_glyphs import UNICODE, ascii_glyphs, bar
from codecfx.cli.live_journal import Journal
from codecfx.cli.live_knobs import HELP
from codecfx.cli.live_lines import facts, run_lines
from codecfx.cli.live_turning import stepped, typed
from codecfx.cli.live_view import PeakHold
from codecfx.control.parameters import Curve, Parameter
from codecfx.errors import ConfigurationError, ParameterError
from codecfx.live.status import Dropout, Level, Load, Part, Status

SILENT = float("-inf")
FIVE_EFFECTS = (
    Part("device in", 0, 0.0, is_known=False),
    Part("block", 128, 2.67),
    Part("match channels and resample", 77, 1.6),
    Part("mp3 of some web radio", 3456, 72.0),
    Part("opus", 1272, 26.5),
    Part("encodec", 960, 13.3),
    Part("g726", 4096, 512.0),
    Part("device out", 128, 2.67),
)


class Seen:
    """What a screen shows after keys."""

    def __init__(self, host, *keys, size=(80, 24), glyphs=UNICODE, wait=0.0):
        self.host = host
        self.app = LiveApp(host, glyphs)
        asyncio.run(self._look(keys, size, wait))
        self.text = "\n".join(self.rows)

    async def _look(self, keys, size, wait):
        async with self.app.run_test(size=size) as pilot:
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause(wait)
            self.app.tick()
            self.was_running = self.app.is_running
            picture = self.app.query_one(Picture)
            self.strips = [picture.render_line(y) for y in range(picture.size.height)]
            self.rows = [strip.text for strip in self.strips]
            self.entry = self.app.query_one("#entry")
            self.is_asking = self.entry.display

    def row(self, text):
        """The only row with `text` in it."""
        (found,) = [row for row in self.rows if text in row]
        return found


@pytest.fixture(scope="module")
def calm():
    return Seen(
        ScriptedHost(kbps=18.3, lost_packets=12, dropouts=3, recent_dropouts=(Dropout(131, 2),))
    )


def test_everything_is_on_a_small_screen(calm):
    assert len(calm.rows) == 24
    assert {len(row) for row in calm.rows} == {80}
    assert calm.row("hotel-wifi").startswith(" [A hotel-wifi]  B underwater   1 of 3 ")
    assert calm.row("hotel-wifi").endswith(" 2:13 ")
    assert "sound is on" in calm.rows[1]
    assert "18.3 kbps   lost 12 packets (1.2 %)" in calm.row("guard")
    sum_of_parts = "device in 2.7 + block 2.7 + opus 26.5 + device out 2.7 = 34.6 ms"
    assert sum_of_parts in calm.row("latency")
    assert "12 % (worst 34 %, headroom 66 %)   dropouts 3, last 2:11" in calm.row("load")
    assert "Scarlett 2i2 → Phones   48 kHz   block 128" in calm.row("devices")
    assert "none   real-time priority yes" in calm.row("midi")
    assert "m mute  space bypass  p panic  x A/B  n next  r record  ? help  q quit" in calm.rows[23]


def test_meters_say_what_they_show(calm):
    first, second = calm.rows[2:4]
    assert first.count("-18.2 dB │-6.1") == 2
    assert second.count("-21.0 dB │-9.4") == 2
    assert first.startswith(" in 1  █")
    assert " out 1 █" in first


@pytest.mark.parametrize("level_db", [SILENT, -90.0, -60.0, -59.0, -12.0, -3.0, -0.1, 0.0, 6.0])
@pytest.mark.parametrize("cells", [1, 13, 16, 17])
def test_a_bar_is_as_long_as_it_is_loud(level_db, cells):
    plain = "".join(text for text, _ in bar(level_db, SILENT, cells, ascii_glyphs("ascii")))
    assert len(plain) == cells
    share = min(1.0, max(0.0, 1 + level_db / 60))
    assert abs(plain.count("#") - share * cells) <= 0.5
    assert plain.rstrip() == "#" * plain.count("#")
    marked = "".join(text for text, _ in bar(level_db, level_db, cells, UNICODE))
    assert len(marked) == cells
    assert marked.count("│") == (level_db >= -60)


def test_a_peak_is_held_and_goes():
    hold = PeakHold()
    assert hold.held([Level(-20, -6)], 0.0) == [-6]
    assert hold.held([Level(-20, -30)], 1.4) == [-6]
    assert hold.held([Level(-20, -30)], 1.6) == [-30]
    assert hold.held([Level(-20, -10)], 1.7) == [-10]
    assert hold.held([Level(-20, SILENT)] * 2, 1.8) == [SILENT] * 2  # another device


ALARMS = {
    "is_muted": True,
    "is_bypassed": True,
    "is_howling": True,
    "howl_hz": 1250.0,
    "has_silent_input": True,
    "is_changing": True,
    "take": "takes/2026-11-26-103000",
    "take_seconds": 61.0,
    "state": "lost",
}


def test_nothing_is_cut_off_when_everything_is_wrong():
    name = "a-very-long-preset-name-that-somebody-typed-in-a-hurry"
    seen = Seen(
        ScriptedHost(
            **ALARMS,
            preset=name,
            sides=(name, "another-very-long-preset-name-beside-it"),
            latency=FIVE_EFFECTS,
            trouble="Scarlett 2i2 is gone: plug it in again and it goes on, or quit and start with "
            "another one, such as --input 'Built-in Microphone'",
            news=("MIDI: Launch Control is there",),
            input_name="Scarlett 2i2 USB: Audio (hw:1,0), ALSA",
            output_name="Scarlett 2i2 USB: Audio (hw:1,0), ALSA",
            midi_inputs=("Launch Control XL", "nanoKONTROL2 SLIDER/KNOB"),
            is_real_time=False,
            restarts=2,
            clamped_samples=123,
            lost_packets=1000,
            packets=80_000,
            dropouts=123,
            recent_dropouts=(Dropout(5000, 2),),
            reduction_db=-13.1,
            load=Load(0.95, 1.3),
        )
    )
    assert len(seen.rows) == 24
    assert {len(row) for row in seen.rows} == {80}
    for flag in ("DEVICE LOST", "HOWL 1250 Hz", "MUTED", "BYPASS", "REC 1:01", "NO INPUT", "CHANGING"):
        assert f" {flag} " in seen.rows[1]
    assert "[A a-very-long-preset-name" in seen.rows[0]
    assert "B another" in seen.rows[0]
    latency = "".join(seen.rows[5:7])
    for term in ("device in ?", "mp3 of some web~ 72.0", "opus 26.5", "g726 512.0", "= 630.8 ms + ?"):
        assert term in latency
    assert "-13.1 dB   18.3 kbps   lost 1000 packets (1.2 %)   clamped 123" in seen.row("guard")
    assert "95 % (worst 130 %, headroom 0 %)   dropouts 123, last 1:23:20" in seen.row("load")
    assert "48 kHz   block 128" in seen.row("devices")
    assert "real-time priority NO   2 restarts" in seen.row("midi")
    assert "plug it in again and it goes on" in seen.row(" ! ")
    assert "another one, such as --input 'Built-in Microphone'" in seen.text
    assert "MIDI: Launch Control is there" in seen.text
    assert "q quit" in seen.rows[23]
    assert "parameters 1-8 of" in seen.text


def test_flags_stand_out_without_colours():
    seen = Seen(ScriptedHost(is_muted=True, take="takes/one", take_seconds=5.0))
    reverse = [part.text for part in seen.strips[1] if part.style and part.style.reverse]
    assert reverse == [" MUTED ", " REC 0:05 "]
    assert "sound is on" not in seen.rows[1]
    assert seen.rows[1].rstrip().endswith("one")


def test_only_the_terminals_own_sixteen_colours_are_used(calm):
    for strip in calm.strips:
        for segment in strip:
            for colour in (segment.style.color, segment.style.bgcolor) if segment.style else ():
                assert colour is None or colour.triplet is None
                assert colour is None or colour.number is None or colour.number < 16


def test_sixty_parameters_scroll():
    board = codecfx.Pedalboard([codecfx.Opus() for _ in range(4)])
    host = ScriptedHost(board=board)
    paths = [knob.path for knob in host.status().knobs]
    assert len(paths) > 55
    seen = Seen(host, "a", "pagedown", "down")
    assert f"▸ {paths[13]} " in seen.text
    assert "parameters 3-14 of" in seen.text
    seen = Seen(host, "a", "end", "k")
    assert f"▸ {paths[-2]} " in seen.text
    assert f"  {paths[-1]} " in seen.text
    assert f"-{len(paths)} of {len(paths)}" in seen.text


def test_of_network_and_damage_only_what_is_in_use_is_shown():
    host = ScriptedHost(board=codecfx.Pedalboard([codecfx.Opus(flip=0.1)]))
    host.sources["opus.freeze"] = "note 36"
    every = len(host.status().knobs)
    seen = Seen(host, "end")
    own = [one for one in host.status().knobs if not one.parameter.group]
    assert f"of {len(own) + 2} (a: all {every})" in seen.text
    assert "opus.flip" in seen.text
    assert "note 36" in seen.row("opus.freeze")
    assert "opus.jitter_ms" not in seen.text
    assert f"of {every} " in Seen(host, "a").text


def test_what_became_of_packets_is_a_line():
    board = codecfx.Pedalboard([codecfx.Opus(seed=7)])
    facts = {"lost_packets": 12, "concealed_packets": 10, "repaired_packets": 2}
    seen = Seen(ScriptedHost(board=board, packets=1000, damaged_packets=5, **facts))
    line = " packets  lost 12, concealed 10, repaired 2, damaged 5 of 1000; seed 7"
    assert seen.row("concealed").rstrip() == line
    assert "concealed" not in Seen(ScriptedHost(packets=1000)).text


def test_a_parameter_says_where_it_stands_and_what_moves_it():
    host = ScriptedHost()
    host.sources["call.bitrate_kbps"] = "cc 21"
    row = Seen(host).row("call.bitrate_kbps")
    assert row.split()[0] == "call.bitrate_kbps"
    assert row.rstrip().endswith("18 kbps       cc 21")
    assert 0 < row.count("━") < row.count("─")
    chosen = Seen(host, "down", "down", "down")
    assert "Bitrate: 2 to 510 kbps ──" in chosen.row("parameters")


def test_keys_do_what_they_should():
    host = ScriptedHost()
    Seen(host, "m", "space", "b", "p", "x", "n", "N", "r", "s")
    assert host.asked == [
        ("mute",),
        ("bypass",),
        ("bypass",),
        ("panic",),
        ("swap",),
        ("next_preset", 1),
        ("next_preset", -1),
        ("record",),
        ("save",),
    ]


def test_parameters_are_turned():
    host = ScriptedHost()
    bitrate = "call.bitrate_kbps"
    Seen(host, "down", "j", "j", "right", "l", "left", "h", "]", "[")
    assert host.asked == [
        ("turn", bitrate, value) for value in (19.0, 20.0, 19.0, 18.0, 31.0, pytest.approx(18, abs=1))
    ]
    host.asked.clear()
    Seen(host, "down", "right", "right", "left")  # a switch
    assert host.asked == [("turn", "bypass", True), ("turn", "bypass", False)]


def test_a_value_is_typed():
    host = ScriptedHost()
    seen = Seen(host, "down", "down", "down", "enter")
    assert seen.is_asking
    assert seen.entry.value == "18"
    assert "call.bitrate_kbps: 2 to 510 kbps" in seen.text
    seen = Seen(host, *"jjj", "enter", *"64", "enter", "m", "enter", "q", "enter")
    assert host.asked == [("turn", "call.bitrate_kbps", 64.0), ("mute",)]
    assert seen.is_asking  # and has not quit
    assert "bitrate_kbps is q; it takes 2 to 510 kbps" in seen.text
    seen = Seen(host, *"jjj", "enter", "9", "escape", "b")
    assert not seen.is_asking
    assert host.asked[2:] == [("bypass",)]


def test_a_controller_is_learnt_and_forgotten():
    host = ScriptedHost()
    seen = Seen(host, "down", "down", "down", "L")
    assert host.asked == [("learn", "call.bitrate_kbps")]
    assert "move a control: it will move call.bitrate_kbps" in seen.text
    assert "move a control" in seen.row("18 kbps")
    Seen(host, "escape")
    assert host.asked[1:] == [("learn", "")]
    seen = Seen(host, "down", "down", "down", "delete")
    assert host.asked[2:] == [("forget", "call.bitrate_kbps")]
    assert "no map 'call.bitrate_kbps'" in seen.text  # what cannot be is said


def test_the_answer_to_a_key_is_shown():
    assert "saved: my-sound.toml" in Seen(ScriptedHost(), "s").text
    host = ScriptedHost()
    host.saved = ""
    assert "my-sound.toml is there; choose another name" in Seen(host, "s").text


def test_help_is_an_overlay_under_which_everything_goes_on():
    host = ScriptedHost()
    seen = Seen(host, "?", "m")
    assert "panic: silence, now" in seen.text
    assert "learn: move a control" in seen.text
    assert "MUTED" in seen.rows[1]
    assert "-18.2 dB" in seen.text
    assert "call.bitrate_kbps" not in seen.text
    assert {len(row) for row in seen.rows} == {80}
    assert "call.bitrate_kbps" in Seen(host, "?", "escape").text
    crowded = Seen(ScriptedHost(inputs=LEVELS * 4, trouble="lost", latency=FIVE_EFFECTS), "?")
    for key, what in HELP:
        assert key in crowded.text
        assert what in crowded.text


@pytest.mark.parametrize("size", [(20, 3), (40, 10), (140, 45)])
def test_every_size_is_filled_and_not_more(size):
    seen = Seen(ScriptedHost(**ALARMS, latency=FIVE_EFFECTS, trouble="lost"), "?", "?", size=size)
    assert len(seen.rows) == size[1]
    assert {len(row) for row in seen.rows} == {size[0]}
    assert "quit" in seen.rows[-1] or size[0] < 40


@pytest.mark.parametrize(("inputs", "outputs"), [(0, 0), (1, 2), (8, 8)])
def test_any_number_of_channels_has_meters(inputs, outputs):
    levels = [Level(-40.0, -30.0)] * 7 + [Level(-10.0, -1.0)]
    seen = Seen(ScriptedHost(inputs=tuple(levels[-inputs or 8 :]), outputs=tuple(levels[:outputs])))
    assert {len(row) for row in seen.rows} == {80}
    if inputs == 8:
        assert "in 4-8" in seen.text
        assert "-10.0 dB │-1.0" in seen.text  # the loudest of those that share a row
    if not outputs:
        assert "out  none" in seen.text


def test_ascii_is_enough():
    host = ScriptedHost(
        preset="grüße", sides=("grüße", "無音"), news=("\x1b[31mred\x07",), learning="call.mix"
    )
    seen = Seen(host, glyphs=ascii_glyphs("ascii"))
    assert seen.text.isascii()
    assert {len(row) for row in seen.rows} == {80}
    assert "in 1  ####" in seen.text
    assert "[A gr??e]" in seen.text
    assert "\x1b" not in Seen(host).text


def test_wide_letters_stay_in_their_places():
    seen = Seen(ScriptedHost(preset="無音" * 30, sides=("無音" * 30, "無音" * 30)))
    from rich.cells import cell_len

    assert {cell_len(row) for row in seen.rows} == {80}


def test_a_take_is_finished_before_the_end():
    host = ScriptedHost(take="takes/one")
    seen = Seen(host, "q", wait=0.1)
    assert host.asked == [("record",)]
    assert not seen.was_running
    host = ScriptedHost(take="takes/one")
    host.record = lambda: None  # a disk that is slow
    seen = Seen(host, "q", "m", wait=0.1)
    assert seen.was_running
    assert "the take is finished first (q: quit at once)" in seen.text
    seen = Seen(host, "q", "q", wait=0.1)
    assert not seen.was_running


def test_it_ends_with_the_host_and_says_what_failed():
    seen = Seen(ScriptedHost(state="ended"), wait=0.1)
    assert not seen.was_running
    host = ScriptedHost()
    host.panic = lambda: 1 / 0
    assert isinstance(Seen(host, "p", wait=0.1).app.failure, ZeroDivisionError)


# Turning


BITRATE = Parameter("bitrate", "", 32.0, 2.0, 510.0, unit="kbps", curve=Curve.EXPONENTIAL)
GAIN = Parameter("gain", "", 0.0, -120.0, 120.0, unit="dB")
ATTACK = Parameter("attack", "", 5.0, 0.0, 60_000.0, unit="ms")
COMPLEXITY = Parameter("complexity", "", 10, 0, 10)
FRAME = Parameter("frame", "", 20.0, choices=(2.5, 5.0, 10.0, 20.0), unit="ms")


@pytest.mark.parametrize(
    ("parameter", "value", "steps", "expected"),
    [
        (BITRATE, 18.0, 1, 19.0),
        (BITRATE, 18.0, 10, 31.0),
        (BITRATE, 509.0, 10, 510.0),
        (GAIN, 4.5, 1, 5.0),
        (GAIN, 0.0, -10, -10.0),
        (ATTACK, 5.0, 1, 5.6),  # and not 600 more
        (ATTACK, 150.0, -1, 140.0),
        (COMPLEXITY, 5, 1, 6),
        (COMPLEXITY, 5, -10, 0),
        (FRAME, 10.0, 1, 20.0),
        (FRAME, 10.0, -10, 2.5),
        (Parameter("mix", "", 1.0, 0.0, 1.0), 0.5, 1, 0.51),
        (Parameter("q", "", 0.9), 0.9, 1, 1.0),  # the engine has a range of its own
        (Parameter("on", "", False), False, 1, True),
        (Parameter("on", "", False), False, -1, False),
    ],
)
def test_a_step_is_as_large_as_hands_expect(parameter, value, steps, expected):
    moved = stepped(parameter, value, steps)
    assert moved == pytest.approx(expected)
    assert type(moved) is type(parameter.default)
    parameter.check(moved)


@pytest.mark.parametrize("parameter", [BITRATE, GAIN, ATTACK, COMPLEXITY, FRAME])
@pytest.mark.parametrize("way", [1, -1])
def test_steps_lead_from_one_end_to_the_other(parameter, way):
    ends = parameter.steps or (parameter.minimum, parameter.maximum)
    value, last = (ends[0], ends[-1])[::way]
    for _ in range(2500):
        moved = stepped(parameter, value, way)
        if moved == value:
            break
        assert (moved - value) * way > 0
        value = moved
    assert value == last


def test_a_text_has_no_steps():
    with pytest.raises(ConfigurationError, match="press Enter and type"):
        stepped(Parameter("file", "", ""), "room.wav", 1)


def test_a_typed_value_may_have_its_unit():
    assert typed(BITRATE, " 24 kbps") == 24.0
    assert typed(FRAME, "2.5ms") == 2.5
    assert typed(Parameter("on", "", False), "off") is False
    with pytest.raises(ParameterError, match="2 to 510 kbps"):
        typed(BITRATE, "loud")


def test_a_key_that_is_held_turns_on_even_if_the_host_is_slow():
    host = ScriptedHost()
    old = host.status()
    host.status = lambda: old
    Seen(host, "down", "down", "down", "right", "right", "right")
    assert [value for _, _, value in host.asked] == [19.0, 20.0, 21.0]


# Words


def test_a_latency_is_a_sum():
    assert words.latency_sum(LATENCY) == (
        "device in 2.7 + block 2.7 + opus 26.5 + device out 2.7 = 34.6 ms"
    )
    assert words.latency_sum(()) == "0.0 ms"
    assert words.latency_sum(LATENCY[2:3]) == "opus 26.5 ms"
    free = (*LATENCY[:2], Part("gain", 0, 0.0), *LATENCY[2:])
    assert words.latency_sum(free) == words.latency_sum(LATENCY)
    assert words.latency_sum(FIVE_EFFECTS).startswith("device in ? + block 2.7 + match channels~ 1.6")
    assert words.latency_sum(FIVE_EFFECTS).endswith(" = 630.8 ms + ?")
    terms, whole = words.latency_terms(LATENCY)
    shown = sum(float(term.rpartition(" ")[2]) for term in terms)
    assert whole == f"{shown:.1f} ms"  # whoever adds up finds the same


@pytest.mark.parametrize("width", [10, 30, 53, 70, 200])
@pytest.mark.parametrize("most", [1, 2])
def test_a_long_sum_is_shortened_but_stays_right(width, most):
    lines = words.latency_lines(FIVE_EFFECTS, width, most)
    assert " ".join(lines).endswith("630.8 ms + ?")
    if width >= 30 * (3 - most):
        assert len(lines) <= most
        assert max(map(len, lines)) <= width
    assert ("more" in " ".join(lines)) == (width < 200)


def test_words_for_what_is_not_there():
    nothing = Status("starting")
    assert words.summary(nothing) == (
        "starting; muted; preset none; in none; out none; 0.0 kbps; latency 0.0 ms; "
        "load 0 % (worst 0 %, headroom 100 %); dropouts 0"
    )
    assert words.levels((Level(SILENT, SILENT),)) == "silent"
    assert words.losses(nothing) == "no packets"
    assert words.devices(nothing) == "? to ?"


# Lines


def journal_of(*statuses, step=1.0):
    journal = Journal()
    return [journal.lines(status, at * step) for at, status in enumerate(statuses)]


def test_everything_that_happens_is_a_line():
    host = ScriptedHost()
    calm = host.status()
    changes = {
        "muted": {"is_muted": True},
        "bypass: the dry sound": {"is_bypassed": True},
        "howl at 1250 Hz": {"is_howling": True, "howl_hz": 1250.0},
        "no input: nothing but zeros comes in": {"has_silent_input": True},
        "device lost": {"state": "lost"},
        "trouble: plug it in": {"trouble": "plug it in"},
        "MIDI: Launchkey is there": {"news": ("MIDI: Launchkey is there",)},
        "the engine was restarted, 1 time in all": {"restarts": 1},
        "preset: underwater": {"preset": "underwater"},
        "dropouts: 2, last 2:13, 1 block": {"dropouts": 2, "recent_dropouts": (Dropout(133, 1),)},
        "clamped: 5 samples in all": {"clamped_samples": 5},
        "take started: takes/one": {"take": "takes/one"},
        "latency: opus 26.5 ms": {"latency": LATENCY[2:3]},
        "learning: move a control, it will move call.mix": {"learning": "call.mix"},
    }
    for line, change in changes.items():
        assert journal_of(calm, replace(calm, **change))[1] == [f"2:13 {line}"]
    lost = replace(calm, state="lost")
    back = "2:13 device is back; running: Scarlett 2i2 to Phones, 48 kHz, block 128"
    assert journal_of(lost, calm)[1] == [back]
    take = replace(calm, take="takes/one", take_seconds=61.0)
    assert journal_of(take, calm)[1] == ["2:13 take finished: takes/one, 1:01"]
    assert journal_of(calm, replace(calm, side="B", preset="underwater"))[1] == [
        "2:13 side B",
        "2:13 preset: underwater",
    ]
    assert journal_of(calm, calm, calm)[1:] == [[], []]
    assert "".join(journal_of(replace(calm, preset="\x1b[31m\n"))[0]).isprintable()


def test_a_summary_comes_every_ten_seconds():
    status = ScriptedHost().status()
    lines = journal_of(*[status] * 51, step=0.5)
    found = [at / 2 for at, some in enumerate(lines) if some]
    assert found == [0, 10, 20]
    assert lines[20] == [
        "2:13 preset hotel-wifi; in -18.2 and -21.0 dB, peak -6.1; out -18.2 and -21.0 dB, peak -6.1; "
        "18.3 kbps; latency 34.6 ms; load 12 % (worst 34 %, headroom 66 %); dropouts 0"
    ]


def test_parameters_are_told_twice_a_second_and_where_they_end():
    host = ScriptedHost()
    host.sources["call.bitrate_kbps"] = "cc 21"
    statuses = [host.status()]
    for kbps in range(20, 40):
        host.turn("call.bitrate_kbps", float(kbps))
        statuses.append(host.status())
    statuses += [host.status()] * 20
    lines = [line for some in journal_of(*statuses, step=0.05) for line in some if "call." in line]
    assert lines == [
        "2:13 call.bitrate_kbps = 20 kbps (cc 21)",
        "2:13 call.bitrate_kbps = 30 kbps (cc 21)",
        "2:13 call.bitrate_kbps = 39 kbps (cc 21)",
    ]
    other = ScriptedHost(board=codecfx.Pedalboard([codecfx.MP3()]), preset="mp3").status()
    assert len(journal_of(statuses[0], other)[1]) == 1  # a preset, and none of its values


@pytest.fixture
def desk(monkeypatch, capsys):
    """Runs a host with lines on standard input; what is printed."""

    def run(host, text, **how):
        reading, writing = os.pipe()
        os.write(writing, text.encode())
        os.close(writing)
        with os.fdopen(reading) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            run_lines(host, **how)
            time.sleep(0.01)  # for the reader to see the end
        return capsys.readouterr().out.splitlines()

    return run


def test_commands_come_as_lines(desk):
    host = ScriptedHost(take="takes/one")
    commands = (
        "mute",
        "BYPASS ",
        "panic",
        "next",
        "previous",
        "swap",
        "set call.bitrate_kbps 24 kbps",
        "set CALL.dtx on",
        "learn call.mix",
        "learn",
        "save",
        "",
        "quit",
    )
    lines = desk(host, "\n".join(commands))
    assert host.asked == [
        ("mute",),
        ("bypass",),
        ("panic",),
        ("next_preset", 1),
        ("next_preset", -1),
        ("swap",),
        ("turn", "call.bitrate_kbps", 24.0),
        ("turn", "call.dtx", True),
        ("learn", "call.mix"),
        ("learn", ""),
        ("save",),
        ("record",),  # the take is finished first
    ]
    assert "saved: my-sound.toml" in lines


def test_a_wrong_command_is_one_line(desk):
    host = ScriptedHost()
    wrong = {
        "mut": "error: no command 'mut'; did you mean 'mute'?",
        "set call.bitrate 8": "error: no parameter 'call.bitrate'; did you mean 'call.bitrate_kbps'?",
        "set call.bitrate_kbps": "error: set call.bitrate_kbps to what? 2 to 510 kbps",
        "set call.bitrate_kbps 1": "error: bitrate_kbps is 1; it takes 2 to 510 kbps",
        "forget call.mix": "error: no map 'call.mix'; it takes none",
    }
    lines = desk(host, "\n".join([*wrong, "quit"]))
    assert lines[4:] == list(wrong.values())  # after what there is at the beginning
    assert host.asked == [("forget", "call.mix")]


def test_the_board_can_be_heard_without_being_seen(desk):
    lines = desk(ScriptedHost(), "parameters\nstatus\nhelp\nquit\n")
    assert "call.bitrate_kbps = 18 kbps" in lines
    assert "devices: Scarlett 2i2 to Phones, 48 kHz, block 128; real-time priority: yes" in lines
    assert "set PATH VALUE: set a parameter" in lines
    assert "2:13 running: Scarlett 2i2 to Phones, 48 kHz, block 128" in lines


def test_json_is_all_of_the_status_five_times_a_second(desk):
    host = ScriptedHost(inputs=(Level(SILENT, SILENT),))
    host.sources["call.bitrate_kbps"] = "cc 21"
    before = time.monotonic()
    lines = desk(host, "mut\nsave\n", as_json=True, seconds=0.7)
    assert time.monotonic() - before >= 0.7

    def refused(text):
        raise AssertionError(f"{text} is no JSON")

    read = [json.loads(line, parse_constant=refused) for line in lines]
    assert {"command": "mut", "error": "no command 'mut'; did you mean 'mute'?"} in read
    assert {"command": "save", "reply": ["saved: my-sound.toml"]} in read
    statuses = [one for one in read if "state" in one]
    assert 3 <= len(statuses) <= len(read) - 2 <= 6
    status = statuses[0]
    assert set(status) == {*Status.__slots__, "latency_ms"}
    assert status["inputs"] == [{"rms_db": None, "peak_db": None}]
    assert status["latency_ms"] == pytest.approx(34.51)
    assert status["load"] == {"mean": 0.12, "worst": 0.34, "headroom": pytest.approx(0.66)}
    knob = next(one for one in status["knobs"] if one["path"] == "call.bitrate_kbps")
    assert (knob["value"], knob["source"]) == (18.0, "cc 21")
    assert (knob["parameter"]["unit"], knob["parameter"]["curve"]) == ("kbps", "exponential")
    assert facts(host.status()) == facts(host.status())


def test_without_commands_it_goes_on_until_the_host_ends(capsys):
    host = ScriptedHost(state="ended")
    run_lines(host)  # standard input cannot be read here
    assert capsys.readouterr().out.splitlines()[0] == "2:13 ended"


def test_a_signal_ends_it_cleanly(capsys):
    host = ScriptedHost(take="takes/one")
    before = signal.getsignal(signal.SIGINT)
    alarm = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    run_lines(host)
    signal.signal(signal.SIGALRM, alarm)
    assert host.asked == [("record",)]
    assert signal.getsignal(signal.SIGINT) is before
    assert "take finished: takes/one" in capsys.readouterr().out


def test_a_broken_pipe_finishes_the_take(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    host = ScriptedHost(take="takes/one")
    nobody = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stdout", nobody)
    with pytest.raises(BrokenPipeError):
        run_lines(host)
    with pytest.raises(BrokenPipeError):
        nobody.close()
    assert host.asked == [("record",)]


# Real terminals


class Terminal:
    """A pseudo-terminal of 80x24 with a scripted host in it."""

    def __init__(self, how="screen", **environment):
        import fcntl
        import pty
        import termios

        def take_over():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # closing the terminal hangs up

        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.master, (24, 80))
        self.before = termios.tcgetattr(self.slave)
        self.output = b""
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("scripted_host.py"), how],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={**os.environ, "TERM": "xterm", **environment},
            start_new_session=True,
            preexec_fn=take_over,
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.wait()
        for number in (self.master, self.slave):
            if number is not None:
                os.close(number)

    def wait_for(self, text, seconds=60.0):
        """Read until `text` was written."""
        latest = time.monotonic() + seconds
        while text not in self.output:
            assert time.monotonic() < latest, self.output[-2000:]
            if select.select([self.master], [], [], 0.1)[0]:
                self.output += os.read(self.master, 65536)

    def hang_up(self):
        """Close it, as a window is closed."""
        os.close(self.slave)
        os.close(self.master)
        self.master = self.slave = None

    def is_restored(self):
        """Whether the process ended, and left the terminal as it was."""
        import termios

        self.wait_for(b"the end")
        assert self.process.wait(30) == 0
        left = self.output.rpartition(b"\x1b[?1049l")
        shows_cursor = self.output.rfind(b"\x1b[?25h") > self.output.rfind(b"\x1b[?25l")
        return bool(left[1]) and shows_cursor and termios.tcgetattr(self.slave) == self.before


on_posix = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX'")


@on_posix
def test_a_real_terminal_is_drawn_and_left_as_it_was():
    with Terminal() as quitting, Terminal() as stopped:
        quitting.wait_for(b"peakfilter.gain_db")
        quitting.wait_for("█".encode())
        assert b"\x1b[?1049h" in quitting.output
        assert b"38;2;" not in quitting.output  # no colours but the terminal's own
        os.write(quitting.master, b"m")
        quitting.wait_for(b" MUTED ")
        os.write(quitting.master, b"q")
        quitting.wait_for(b"the end mute")
        assert quitting.is_restored()

        stopped.wait_for(b"peakfilter.gain_db")
        stopped.process.send_signal(signal.SIGTERM)
        assert stopped.is_restored()


@on_posix
def test_a_terminal_that_stalls_or_goes_keeps_nobody():
    with Terminal("silent") as stalled, Terminal("silent") as gone:
        for terminal in (stalled, gone):
            terminal.wait_for(b"peakfilter.gain_db")
        time.sleep(2.5)  # nobody reads, and what lies between is full
        stalled.process.send_signal(signal.SIGTERM)
        gone.hang_up()
        for terminal in (stalled, gone):
            terminal.process.wait(30)


@on_posix
def test_other_terminals_get_what_they_can_show():
    with Terminal(TERM="dumb") as dumb, Terminal(PYTHONIOENCODING="latin-1") as old:
        dumb.wait_for(b"TERM is 'dumb', which is no screen: lines instead of a screen")
        dumb.wait_for(b"running: Scarlett 2i2 to Phones")
        os.write(dumb.master, b"quit\n")
        dumb.wait_for(b"the end")
        assert b"\x1b" not in dumb.output
        old.wait_for(b"#####")
        old.wait_for(b"peakfilter.gain_db")
        os.write(old.master, b"\x03")
        assert old.is_restored()
        assert old.output.isascii()


def test_help_does_not_load_textual():
    code = "import sys, codecfx.cli as c; c.run(['--help']); print('textual' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
