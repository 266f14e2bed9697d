"""MIDI files: exact times, against a clock that counts every tick; one clear line for what is broken.
Files are made by mido and byte by byte.
"""

import struct
from fractions import Fraction

import mido
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codecfx.control.midi_file import read_midi_file
from codecfx.control.timeline import TempoMap
from codecfx.errors import ConfigurationError, ControlFileError

END = b"\x00\xff\x2f\x00"
NOTE = b"\x00\x90\x3c\x40"
AGAIN = "export it again from where it was made"


def number(value):
    """A variable-length quantity."""
    digits = [value & 127]
    while value := value >> 7:
        digits.append(value & 127 | 128)
    return bytes(reversed(digits))


def chunk(content, kind=b"MTrk"):
    return kind + struct.pack(">L", len(content)) + content


def midi(*tracks, form=1, division=480, count=None):
    """A file of whole chunks, or of tracks' contents."""
    header = struct.pack(">HHH", form, len(tracks) if count is None else count, division & 0xFFFF)
    return chunk(header, b"MThd") + b"".join(
        one if one[:4] in (b"MTrk", b"XFIH") else chunk(one) for one in tracks
    )


def tempo(microseconds):
    return b"\xff\x51\x03" + microseconds.to_bytes(3, "big")


@pytest.fixture
def read(tmp_path):
    """Reads bytes as a file called song.mid."""

    def reading(content):
        path = tmp_path / "song.mid"
        path.write_bytes(content)
        return read_midi_file(path)

    return reading


@pytest.fixture
def refusal(tmp_path, read):
    """What reading bytes is refused with, seen from the file's name."""

    def refused(content):
        with pytest.raises(ControlFileError) as error:
            read(content)
        before, _, message = str(error.value).partition(f"{tmp_path / 'song.mid'}: ")
        assert not before
        assert "\n" not in message
        return message

    return refused


# Times


def counted(events, division):
    """Seconds at every (tick, what) of a file: tick after tick, each as long as the last tempo says.

    `events` is in the file's order; what is bytes or, for a tempo, its microseconds.
    """
    tempos = {}
    for tick, what in events:
        if isinstance(what, int):
            tempos[tick] = what
    seconds, length = [Fraction(0)], 500_000
    for tick in range(max((tick for tick, _ in events), default=0)):
        length = tempos.get(tick, length)
        seconds.append(seconds[-1] + Fraction(length, 1_000_000 * division))
    return seconds


def track_of(events):
    """The content of a track with (tick, what), which ends with its last event."""
    content, before = b"", 0
    for tick, what in events:
        content += number(tick - before) + (tempo(what) if isinstance(what, int) else what)
        before = tick
    return content + END


messages = st.one_of(
    st.tuples(st.integers(0x80, 0xBF), st.integers(0, 127), st.integers(0, 127)).map(bytes),
    st.tuples(st.integers(0xC0, 0xDF), st.integers(0, 127)).map(bytes),
    st.tuples(st.integers(0xE0, 0xEF), st.integers(0, 127), st.integers(0, 127)).map(bytes),
)
events = st.lists(
    st.tuples(st.integers(0, 200), st.one_of(messages, st.integers(1, 0xFFFFFF))), max_size=12
)
tracks = st.lists(events.map(lambda track: sorted(track, key=lambda event: event[0])), max_size=4)


@settings(max_examples=150)
@given(tracks=tracks, division=st.sampled_from((1, 7, 96, 480, 32767)))
def test_times_are_those_of_a_clock_that_counts_every_tick(tmp_path, tracks, division):
    path = tmp_path / "song.mid"
    path.write_bytes(midi(*map(track_of, tracks), division=division))
    file = read_midi_file(path)
    every = [event for track in tracks for event in track]
    every.sort(key=lambda event: event[0])  # keeps the order of one tick: track by track
    seconds = counted(every, division)
    sent = [(seconds[tick], what) for tick, what in every if isinstance(what, bytes)]
    assert list(file.messages) == sent
    assert file.seconds == seconds[-1]
    for tick in range(len(seconds)):
        assert file.tempo.seconds_at(Fraction(tick, division)) == seconds[tick]


def test_a_tempo_change_in_another_track_and_between_events(read):
    control = b"\xb0\x07"
    notes = b"".join(
        number(delta) + control + bytes([value]) for delta, value in ((0, 1), (480, 2), (480, 3))
    )
    # From beat 0.5 on a beat lasts a second, from beat 1.5 on a quarter of one
    tempos = number(240) + tempo(1_000_000) + number(480) + tempo(250_000) + number(960) + END[1:]
    file = read(midi(tempos, notes + END))
    assert file.messages == (
        (Fraction(0), control + b"\x01"),
        (Fraction(3, 4), control + b"\x02"),
        (Fraction(3, 4) + Fraction(1, 2) + Fraction(1, 8), control + b"\x03"),
    )
    half = Fraction(1, 2)
    assert file.tempo == TempoMap(((0, Fraction(120)), (half, Fraction(60)), (3 * half, Fraction(240))))
    assert file.seconds == Fraction(1, 4) + 1 + Fraction(1, 2)  # the end of the longer track: beat 3.5


@pytest.mark.parametrize("before", [True, False])
def test_of_several_tempos_at_one_tick_the_last_wins(read, before):
    """Also over tracks, whose order is the file's; and a tempo counts for its own tick's messages."""
    first, last = b"\x60" + tempo(300_000), b"\x60" + tempo(400_000) + b"\x00" + tempo(600_000)
    notes = b"\x60\x90\x01\x02\x60\x90\x01\x00" + END
    both = (first + END, last + END)
    file = read(midi(*both, notes, division=96) if before else midi(notes, *both, division=96))
    assert file.tempo.changes == ((0, 120), (1, 100))
    assert [seconds for seconds, _ in file.messages] == [Fraction(1, 2), Fraction(11, 10)]


@pytest.mark.parametrize("microseconds", [1, 0xFFFFFF, 333_333])
def test_odd_tempos_are_exact(read, microseconds):
    file = read(midi(b"\x00" + tempo(microseconds) + b"\x07\x90\x01\x02" + END, division=7))
    assert file.tempo.changes == ((0, Fraction(60_000_000, microseconds)),)
    assert file.messages[0][0] == Fraction(microseconds, 1_000_000)


@pytest.mark.parametrize(
    ("frames", "rate"),
    [(24, Fraction(24)), (25, Fraction(25)), (29, Fraction(30_000, 1001)), (30, Fraction(30))],
)
@pytest.mark.parametrize("ticks", [1, 40, 255])
def test_smpte_counts_frames_and_ignores_tempos(read, frames, rate, ticks):
    content = (
        b"\x00" + tempo(1_000) + number(1000) + b"\x90\x3c\x40" + number(7) + b"\xc0\x05\x11" + END[1:]
    )
    file = read(midi(content, form=0, division=(256 - frames) << 8 | ticks))
    assert file.messages == (
        (1000 / (rate * ticks), b"\x90\x3c\x40"),
        (1007 / (rate * ticks), b"\xc0\x05"),
    )
    assert file.seconds == 1024 / (rate * ticks)
    assert file.tempo == TempoMap.steady(120)


def test_hand_counted_smpte(read):
    """25 frames of 40 ticks are milliseconds, as the standard's own example has it: E7 28."""
    assert read(midi(number(1500) + b"\x90\x3c\x40" + END, division=0xE728)).seconds == Fraction(3, 2)


# Events


def test_running_status(read):
    content = NOTE + b"\x01\x3e\x41\x02\x3e\x00\x00\xc3\x05\x00\x06\x00\xb2\x07\x08\x00\x09\x0a" + END
    assert [message for _, message in read(midi(content)).messages] == [
        b"\x90\x3c\x40",
        b"\x90\x3e\x41",
        b"\x90\x3e\x00",  # a note-off, as it was written
        b"\xc3\x05",
        b"\xc3\x06",
        b"\xb2\x07\x08",
        b"\xb2\x09\x0a",
    ]


def test_what_is_no_channel_message_is_skipped_and_its_time_counts(read):
    sysex = b"\x01\xf0" + number(300) + bytes(299) + b"\xf7"
    escape = b"\x02\xf7\x02\xf8\xff"  # real-time bytes, which mido refuses
    text = b"\x03\xff\x01\x04\xff\x2f\x00\x90"
    key = b"\x04\xff\x59\x02\x09\x00"  # nine sharps, which mido refuses
    lone = b"\x05\xff\x20\x00"
    content = NOTE + sysex + escape + text + key + lone + b"\x06\x3c\x00" + END
    file = read(midi(content, division=1))
    assert file.messages == (
        (Fraction(0), b"\x90\x3c\x40"),
        (Fraction(1 + 2 + 3 + 4 + 5 + 6, 2), b"\x90\x3c\x00"),  # running status went on
    )


def test_what_follows_an_end_of_track_is_not_played(read):
    assert read(midi(NOTE + END + NOTE + b"\xff\xff\xff")).messages == ((Fraction(0), b"\x90\x3c\x40"),)


def test_messages_of_one_time_keep_the_files_order(read):
    def at(tick, *values):
        return [(tick, bytes((0xB0, 1, value))) for value in values]

    file = read(
        midi(track_of(at(0, 5, 4) + at(9, 3)), track_of(at(0, 9) + at(9, 8, 7)), track_of(at(9, 6)))
    )
    assert [message[2] for _, message in file.messages] == [5, 4, 9, 3, 8, 7, 6]


def test_foreign_chunks_a_long_header_and_what_follows_are_passed_over(read):
    strange = chunk(NOTE, b"XFIH")
    header = b"MThd" + struct.pack(">LHHHH", 8, 1, 2, 480, 0xABCD)
    content = header + strange + chunk(NOTE + END) + strange + chunk(END) + b"and so on"
    assert len(read(content).messages) == 1


@pytest.mark.parametrize(
    "content", [midi(END, form=0), midi(END, END), midi(), midi(b"\x87\x40\xff\x2f\x00")]
)
def test_files_without_messages(read, content):
    file = read(content)
    assert file.messages == ()
    assert file.tempo == TempoMap.steady(120)
    assert file.seconds == (Fraction(1) if b"\x87" in content else 0)


# mido


def made_by_mido(form, division=96):
    random = np.random.default_rng(3)
    file = mido.MidiFile(type=form, ticks_per_beat=division)
    for _ in range(3 if form else 1):
        track = mido.MidiTrack()
        for _ in range(60):
            after, one, two = (int(value) for value in random.integers(0, 128, 3))
            choice = one % 7
            if choice == 0:
                track.append(mido.MetaMessage("set_tempo", tempo=1 + one * 9001, time=after))
            elif choice == 1:
                track.append(mido.Message("sysex", data=[one] * two, time=after))
            elif choice == 2:
                track.append(mido.MetaMessage("lyrics", text="la", time=after))
            elif choice == 3:
                track.append(mido.Message("pitchwheel", channel=3, pitch=one - 64, time=after))
            elif choice == 4:
                track.append(mido.Message("program_change", program=one, time=after))
            else:
                track.append(mido.Message("control_change", control=one, value=two, time=after))
        file.tracks.append(track)
    return file


@pytest.mark.parametrize("form", [0, 1])
def test_files_that_mido_writes_are_read_as_mido_reads_them(tmp_path, form):
    path = tmp_path / "song.mid"
    made_by_mido(form).save(path)
    seconds, expected = 0.0, []
    for message in (reread := mido.MidiFile(path)):
        seconds += message.time
        if not message.is_meta and message.type != "sysex":
            expected.append((seconds, bytes(message.bytes())))
    file = read_midi_file(path)
    assert len(expected) > 30
    assert [message for _, message in file.messages] == [message for _, message in expected]
    times = [float(time) for time, _ in file.messages]
    assert times == pytest.approx([time for time, _ in expected], rel=1e-12)
    assert float(file.seconds) == pytest.approx(reread.length, rel=1e-12)


def test_format_2_is_refused(tmp_path, refusal):
    made_by_mido(2).save(path := tmp_path / "song.mid")
    assert refusal(path.read_bytes()) == "is a MIDI file of format 2; save it as format 0 or 1"


# What is broken


@pytest.mark.parametrize(
    "whole",
    [
        midi(NOTE + END, form=0),
        midi(
            b"\x00" + tempo(9) + END, NOTE + b"\x81\x00\x3c\x00\x00\xf0\x01\xf7" + END, division=0xE250
        ),
        midi(chunk(NOTE, b"XFIH"), NOTE + b"\x00\xff\x01\x02hi\x00\xc0\x01" + END, count=1),
    ],
)
def test_a_truncated_file_is_refused_wherever_it_is_cut(refusal, read, whole):
    assert read(whole).messages
    for length in range(len(whole)):
        message = refusal(whole[:length])
        assert ("MThd" in message) == (length < 4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no MIDI file (it does not begin with 'MThd'); give a .mid"),
        (b"RIFF\x10\0\0\0RMIDdata", "is no MIDI file (it does not begin with 'MThd'); give a .mid"),
        (b"MThd", f"its header is cut off; {AGAIN}"),
        (b"MThd\0\0\0\5\0\1\0\0\1\0", f"its header is cut off; {AGAIN}"),
        (b"MThd\xff\xff\xff\xff\0\1\0\0\1\0", f"its header is cut off; {AGAIN}"),
        (midi(form=0xFFFF), "is a MIDI file of format 65535; save it as format 0 or 1"),
        (midi(END, END, form=0), "has 2 tracks, and format 0 has one; save it as format 1"),
        (midi(form=0), "has 0 tracks, and format 0 has one; save it as format 1"),
        (midi(END, division=0), f"has 0 ticks per quarter note; it takes 1 to 32767: {AGAIN}"),
        (
            midi(END, division=0xE700),
            "has 25 frames per second and 0 ticks a frame; it takes 24, 25, 29 or 30, and 1 to 255: "
            f"{AGAIN}",
        ),
        (
            midi(END, division=0x8001),
            "has 128 frames per second and 1 ticks a frame; it takes 24, 25, 29 or 30, and 1 to 255: "
            f"{AGAIN}",
        ),
        (midi(END, count=2), f"the file ends before track 2 of 2 begins; {AGAIN}"),
        (midi(END, count=0xFFFF), f"the file ends before track 2 of 65535 begins; {AGAIN}"),
        (midi(END)[:-1], f"track 1 of 1 says it has 4 bytes, and 3 are left; {AGAIN}"),
        (
            midi(END, b"MTrk\xff\xff\xff\xff" + NOTE),
            f"track 2 of 2 says it has 4294967295 bytes, and 4 are left; {AGAIN}",
        ),
        (midi(NOTE), f"track 1 of 1 has no end, at byte 26; {AGAIN}"),
        (midi(b""), f"track 1 of 1 has no end, at byte 22; {AGAIN}"),
        (midi(NOTE[:-1], END), f"track 1 of 2 ends in the middle of an event, at byte 25; {AGAIN}"),
        (
            midi(b"\x00\xff\x01\x7f" + END),
            f"track 1 of 1 ends in the middle of an event, at byte 30; {AGAIN}",
        ),
        (
            midi(b"\x81\x80\x80\x80\x00" + END),
            f"track 1 of 1 has a number of more than 4 bytes, at byte 22; {AGAIN}",
        ),
        (
            midi(b"\xff" * 100_000),
            f"track 1 of 1 has a number of more than 4 bytes, at byte 22; {AGAIN}",
        ),
        (
            midi(b"\x00\x3c\x40" + END),
            f"track 1 of 1 begins with a message without a status, at byte 23; {AGAIN}",
        ),
        (
            midi(NOTE + b"\x00\xf8" + END),
            f"track 1 of 1 has an event 0xf8, which no file can have, at byte 27; {AGAIN}",
        ),
        (
            midi(b"\x00\x90\x3c\x80" + END),
            f"track 1 of 1 has a message with a value above 127, at byte 23; {AGAIN}",
        ),
        (
            midi(b"\x00\xc0\xff" + END),
            f"track 1 of 1 has a message with a value above 127, at byte 23; {AGAIN}",
        ),
        (midi(b"\x00" + tempo(0) + END), f"track 1 of 1 has a tempo that is none, at byte 23; {AGAIN}"),
        (
            midi(b"\x00\xff\x51\x02\x07\xa1" + END),
            f"track 1 of 1 has a tempo that is none, at byte 23; {AGAIN}",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_said_in_one_line(refusal, content, message):
    assert refusal(content) == message


def test_files_that_are_not_there_or_never_end(tmp_path):
    missing, folder, large = tmp_path / "missing.mid", tmp_path / "folder.mid", tmp_path / "large.mid"
    folder.mkdir()
    with large.open("wb") as file:
        file.write(midi(END))
        file.truncate(16 * 2**20 + 1)
    for path, message in (
        (missing, f"{missing}: there is no such file; check the path"),
        (str(missing), f"{missing}: there is no such file; check the path"),
        (folder, f"{folder}: is a folder or a device; give a MIDI file"),
        (large, f"{large}: is larger than 16 MiB; keep the tracks with controllers only"),
        ("/dev/zero", "/dev/zero: is a folder or a device; give a MIDI file"),
        ("x" * 5000, f"{'x' * 5000}: cannot be read (File name too long)"),
        ("a\nb.mid", r"'a\nb.mid': there is no such file; check the path"),
    ):
        with pytest.raises(ControlFileError) as error:
            read_midi_file(path)
        assert str(error.value) == message
    with pytest.raises(ControlFileError, match=r"^'a\\x00b.mid': cannot be read \("):
        read_midi_file("a\0b.mid")


def test_the_error_is_a_configuration_error():
    assert issubclass(ControlFileError, ConfigurationError)


WHOLE = midi(b"\x00" + tempo(9) + END, NOTE + b"\x81\x00\x3c\x00\x00\xf0\x01\xf7\x00\xc0\x05" + END)
garbage = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda track: midi(track)),
    st.binary(max_size=60).map(lambda track: midi(track + END, track + END)),
    st.binary(max_size=60).map(lambda rest: midi(count=2) + rest),
    st.tuples(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=4)).map(
        lambda change: WHOLE[: change[0]] + change[1] + WHOLE[change[0] + len(change[1]) :]
    ),
    st.lists(
        st.sampled_from((b"\0", b"\x01", b"\x90", b"\xc0", b"\xff", b"\xf0", b"\x51", b"\x2f", b"\x03"))
    ).map(lambda parts: midi(b"".join(parts))),
)


@settings(max_examples=600)
@given(content=garbage)
@example(content=WHOLE)
def test_garbage_is_read_or_refused_and_nothing_else(tmp_path, content):
    path = tmp_path / "song.mid"
    path.write_bytes(content)
    try:
        file = read_midi_file(path)
    except ControlFileError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert refused.startswith(f"{path}: ")
        assert "\n" not in refused
        assert content != WHOLE
        return
    times = [seconds for seconds, _ in file.messages]
    assert times == sorted(times)
    assert all(0 <= seconds <= file.seconds for seconds in times)
    for _, message in file.messages:
        assert 0x80 <= message[0] < 0xF0
        assert len(message) == (2 if 0xC0 <= message[0] < 0xE0 else 3)
        assert max(message[1:]) < 128
