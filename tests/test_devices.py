"""Sound devices: which are meant, what refuses them, and what would howl; on made lists of devices."""

import dataclasses
import json
import os
import sys

import pytest

from codecfx.cli import run
from codecfx.errors import AudioDeviceError, ConfigurationError
from codecfx.live.devices import (
    Device,
    check,
    choose,
    choose_one,
    devices,
    host_apis,
    listing,
    load,
    opening_error,
    parse_channels,
    portaudio,
    quiet,
    would_feed_back,
)
from codecfx.live.devices.refusals import refusal

JACK, MAC, WASAPI = "JACK Audio Connection Kit", "Core Audio", "Windows WASAPI"


def made(text):
    """Devices from lines like those of sounddevice: `>` and `<` mark a host API's defaults."""
    found = []
    for line in text.strip().splitlines():
        marks, _, rest = line.strip().partition("|")
        name, api, inputs, outputs = (part.strip() for part in rest.rsplit(",", 3))
        found.append(
            Device(
                number=len(found),
                name=name,
                host_api=api,
                input_channels=int(inputs),
                output_channels=int(outputs),
                rate_hz=48_000.0,
                input_low_ms=2.7,
                input_high_ms=10.0,
                output_low_ms=5.3,
                output_high_ms=35.0,
                is_default_input=">" in marks,
                is_default_output="<" in marks,
            )
        )
    return found


LINUX = made("""
   |HDA Intel PCH: ALC257 Analog (hw:0,0), ALSA, 2, 2
   |HDA Intel PCH: HDMI 0 (hw:0,3), ALSA, 0, 8
   |Scarlett 2i2 USB: Audio (hw:1,0), ALSA, 2, 2
   |jack, ALSA, 2, 2
   |pulse, ALSA, 32, 32
 ><|default, ALSA, 32, 32
""")
LINUX_JACK = [*LINUX, *made(f"><|system, {JACK}, 2, 2\n|jack-mixer, {JACK}, 4, 0")]
LINUX_JACK[-2:] = [dataclasses.replace(one, number=len(LINUX) + one.number) for one in LINUX_JACK[-2:]]
MACBOOK = made(f"""
 > |MacBook Pro Microphone, {MAC}, 1, 0
  <|MacBook Pro Speakers, {MAC}, 0, 2
   |Scarlett 2i2 USB, {MAC}, 2, 2
   |Scarlett 18i20 USB, {MAC}, 18, 20
   |External Headphones, {MAC}, 0, 2
""")
WINDOWS = made(f"""
   |Microsoft Sound Mapper - Input, MME, 2, 0
 > |Microphone (Realtek High Defini, MME, 2, 0
   |Line (Focusrite USB Audio), MME, 2, 0
   |Microsoft Sound Mapper - Output, MME, 0, 2
  <|Speakers (Realtek High Definiti, MME, 0, 2
 > |Primary Sound Capture Driver, Windows DirectSound, 2, 0
  <|Primary Sound Driver, Windows DirectSound, 0, 2
   |Microphone (Realtek High Definition Audio), Windows DirectSound, 2, 0
   |Line (Focusrite USB Audio), Windows DirectSound, 2, 0
  <|Speakers (Realtek High Definition Audio), {WASAPI}, 0, 2
 > |Microphone (Realtek High Definition Audio), {WASAPI}, 2, 0
   |Line (Focusrite USB Audio), {WASAPI}, 2, 0
   |Old Card, Windows WDM-KS, 2, 2
""")


@pytest.mark.parametrize(
    ("among", "asked", "numbers"),
    [
        (LINUX, {}, (5, 5)),
        (LINUX, {"input": "default", "output": ""}, (5, 5)),
        (LINUX, {"input": "scarlett"}, (2, 5)),
        (LINUX, {"input": "SCARLETT", "output": "alc257"}, (2, 0)),
        (LINUX, {"input": 0, "output": "2"}, (0, 2)),
        (LINUX, {"output": "HDMI"}, (5, 1)),
        (LINUX, {"input": "jack"}, (3, 5)),  # whoever asks for it
        (LINUX[:4], {}, (0, 0)),
        (LINUX[:5], {}, (4, 4)),
        (LINUX_JACK, {}, (6, 6)),
        (LINUX_JACK, {"input": "jack-m"}, (7, 6)),
        (LINUX_JACK, {"output": "scarlett"}, (5, 2)),
        (LINUX_JACK, {"host_api": "alsa"}, (5, 5)),
        (LINUX_JACK, {"host_api": "JACK", "input": "system"}, (6, 6)),
        (LINUX_JACK, {"input": 6}, (6, 6)),
        (LINUX_JACK, {"input": 2}, (2, 5)),
        (MACBOOK, {}, (0, 1)),
        (MACBOOK, {"output": "headphones"}, (0, 4)),
        (MACBOOK, {"input": "2i2", "output": "18i20"}, (2, 3)),
        (MACBOOK, {"input": "macbook", "output": "macbook"}, (0, 1)),
        (MACBOOK, {"host_api": "coreaudio"}, (0, 1)),
        (WINDOWS, {}, (10, 9)),
        (WINDOWS, {"input": "focusrite"}, (11, 9)),
        (WINDOWS, {"input": "focusrite", "host_api": "mme"}, (2, 4)),
        (WINDOWS, {"host_api": "DirectSound"}, (5, 6)),
        (WINDOWS, {"host_api": "wdm-ks"}, (12, 12)),
        (WINDOWS, {"input": "Microphone (Realtek High Defini"}, (1, 4)),  # an exact name wins
        (WINDOWS, {"input": "old"}, (12, 12)),
        (WINDOWS, {"output": 4}, (1, 4)),
    ],
)
def test_which_devices_are_meant(among, asked, numbers):
    pair = choose(**asked, among=among)
    assert tuple(one.number for one in pair) == numbers
    assert pair[0].host_api == pair[1].host_api


def test_the_plug_to_jack_is_never_taken_unasked():
    """PortAudio makes it its default from JACK's blocks of 256 on, and it breaks off."""
    among = made("|HDA Intel PCH: HDMI 0 (hw:0,3), ALSA, 0, 8\n><|jack, ALSA, 2, 2")
    assert choose_one("output", among=among).number == 0
    with pytest.raises(AudioDeviceError, match="no input device; plug one in, or take a file"):
        choose(among=among)
    assert choose("jack", "jack", among=among)[0].number == 1
    with_jack = [*among, *made(f"|system, {JACK}, 2, 2")]
    assert choose(among=with_jack)[0].name == "system"


@pytest.mark.parametrize(
    ("among", "asked", "message"),
    [
        (
            MACBOOK,
            {"input": "scarlet"},
            "may be 2 'Scarlett 2i2 USB', 3 'Scarlett 18i20 USB' (Core Audio)",
        ),
        (MACBOOK, {"input": "scralett 2i2"}, "did you mean 'Scarlett 2i2 USB'? (codecfx devices)"),
        (MACBOOK, {"input": "headphones"}, "'External Headphones' (Core Audio) has no input channels"),
        (MACBOOK, {"input": "1"}, "'MacBook Pro Speakers' (Core Audio) has no input channels"),
        (MACBOOK, {"output": 17}, "no device 17; codecfx devices lists 0 to 4"),
        (MACBOOK, {"output": "9" * 5000}, "codecfx devices lists 0 to 4"),
        (
            MACBOOK,
            {"host_api": "jack"},
            "no host API 'jack' with devices; there is: Core Audio; JACK is there",
        ),
        (LINUX_JACK, {"input": "scarlett", "output": "system"}, "are of different host APIs"),
        (
            LINUX_JACK,
            {"input": "scarlett", "host_api": "jack"},
            "'Scarlett 2i2 USB: Audio (hw:1,0)' (ALSA) is",
        ),
        (LINUX_JACK, {"input": "2", "host_api": "jack"}, "(ALSA), not of JACK"),
        (LINUX_JACK, {"output": "mixer"}, "'jack-mixer' (JACK) has no output channels"),
        (WINDOWS, {"host_api": "windows"}, "may be DirectSound, WASAPI, WDM-KS"),
        (WINDOWS[:3], {}, "no output device; plug one in, or take a file: --output out.wav"),
        (WINDOWS[:3], {"host_api": "mme"}, "no output device under MME"),
        ([], {}, "or try without one: codecfx live --input song.wav --output out.wav"),
        ([], {"input": "scarlett"}, "no audio device; "),
    ],
)
def test_what_is_not_there_is_said_in_a_line(among, asked, message):
    with pytest.raises(AudioDeviceError) as caught:
        choose(**asked, among=among)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


def test_two_devices_of_one_name_have_numbers():
    twins = made(f"><|USB Mic, {MAC}, 1, 2\n|USB Mic, {MAC}, 1, 2")
    with pytest.raises(AudioDeviceError, match="0 'USB Mic', 1 'USB Mic'"):
        choose("usb mic", among=twins)
    assert choose("1", "0", among=twins) == (twins[1], twins[0])


def test_a_name_is_shown_in_one_line_whatever_is_in_it():
    hostile = made(f"><|mic, {MAC}, 1, 1")
    hostile = [dataclasses.replace(hostile[0], name="mic\x1b[2J\n" + "x" * 500)]
    with pytest.raises(AudioDeviceError) as caught:
        choose("nix", among=hostile)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 150


# Names as PortAudio lists them, from issues of sounddevice, PortAudio, FlexASIO and others
HOWLING = [
    ("MacBook Pro Microphone", "MacBook Pro Speakers", MAC),
    ("MacBook Air Microphone", "MacBook Air Speakers", MAC),
    ("Built-in Microphone", "Built-in Output", MAC),
    ("iMac Microphone", "iMac Speakers", MAC),
    ("MacBook Pro Microphone", "Studio Display Speakers", MAC),
    ("Microphone Array (Realtek(R) Audio)", "Speakers (Realtek(R) Audio)", WASAPI),
    ("Microphone (Realtek High Defini", "Speakers (Realtek High Definiti", "MME"),
    ("Microphone (High Definition Aud", "Speakers (High Definition Audio", "MME"),
    ("Microphone interne (Conexant 20", "Speakers (Conexant 20672 SmartA", "MME"),
    ("Microphone Array (Realtek(R) Audio)", "Speakers / Headphones (Realtek Audio)", WASAPI),
    (
        "Microphone Array (Intel® Smart Sound Technology for Digital Microphones)",
        "Speakers (Realtek(R) Audio)",
        WASAPI,
    ),
    ("Mikrofonarray (Realtek(R) Audio)", "Lautsprecher (Realtek(R) Audio)", WASAPI),
    ("HDA Intel PCH: ALC257 Analog (hw:0,0)", "HDA Intel PCH: ALC257 Analog (hw:0,0)", "ALSA"),
    ("HD-Audio Generic: ALC1220 Analog (hw:1,0)", "HD-Audio Generic: ALC1220 Analog (hw:1,0)", "ALSA"),
    ("sof-hda-dsp: - (hw:1,7)", "sof-hda-dsp: - (hw:1,31)", "ALSA"),
    ("Built-in Audio Analog Stereo", "Built-in Audio Analog Stereo", JACK),
    ("Family 17h/19h HD Audio Controller Analog Stereo",) * 2 + (JACK,),
]
QUIET = [
    ("MacBook Pro Microphone", "External Headphones", MAC),
    ("MacBook Pro Microphone", "AirPods Pro", MAC),
    ("MacBook Pro Microphone", "Scarlett 2i2 USB", MAC),
    ("Scarlett 2i2 USB", "MacBook Pro Speakers", MAC),
    ("Scarlett 2i2 USB", "Scarlett 2i2 USB", MAC),
    ("USB Audio CODEC", "Mac mini Speakers", MAC),
    ("Built-in Line Input", "Built-in Output", MAC),
    ("BlackHole 2ch", "MacBook Pro Speakers", MAC),
    ("Microphone Array (Realtek(R) Audio)", "Headphones (Realtek(R) Audio)", WASAPI),
    ("Microphone Array (Realtek(R) Audio)", "Kopfhörer (Realtek(R) Audio)", WASAPI),
    ("Microphone Array (Realtek(R) Audio)", "Headphones (WH-1000XM4 Stereo)", WASAPI),
    ("Headset Microphone (Realtek(R) Audio)", "Speakers (Realtek(R) Audio)", WASAPI),
    ("Line In (Realtek High Definition Audio)", "Speakers (Realtek High Definition Audio)", WASAPI),
    ("Analogue 1 + 2 (Focusrite USB Audio)", "Speakers (Focusrite USB Audio)", WASAPI),
    ("Microphone (USB Audio Device)", "Speakers (Realtek(R) Audio)", WASAPI),
    ("Microphone (Realtek USB2.0 Audio)", "Speakers (Realtek USB2.0 Audio)", WASAPI),
    ("Microphone Array (Realtek(R) Audio)", "LG ULTRAGEAR (NVIDIA High Definition Audio)", WASAPI),
    ("CABLE Output (VB-Audio Virtual Cable)", "Speakers (Realtek(R) Audio)", WASAPI),
    ("HDA Intel PCH: ALC257 Analog (hw:0,0)", "HDA Intel PCH: HDMI 0 (hw:0,3)", "ALSA"),
    ("HDA Intel PCH: ALC257 Analog (hw:0,0)", "Scarlett 2i2 USB: Audio (hw:1,0)", "ALSA"),
    ("Desk Digital Audio: USB Audio (hw:1,0)", "HDA Intel PCH: ALC257 Analog (hw:0,0)", "ALSA"),
    ("Blue Yeti", "bcm2835 Headphones: - (hw:0,0)", "ALSA"),
    ("system", "system", JACK),
    ("default", "default", "ALSA"),
]


@pytest.mark.parametrize(
    ("microphone", "speakers", "api", "howls"),
    [(*row, True) for row in HOWLING] + [(*row, False) for row in QUIET],
)
def test_what_would_howl(microphone, speakers, api, howls):
    heard, played = made(f"|{microphone}, {api}, 2, 0\n|{speakers}, {api}, 0, 2")
    assert would_feed_back(heard, played) is howls


def test_what_stands_for_the_usual_is_known_by_the_cards_there_are():
    laptop = [LINUX[0], LINUX[1], *LINUX[3:]]
    assert would_feed_back(LINUX[5], LINUX[5], laptop)
    assert would_feed_back(LINUX[4], LINUX[0], laptop)
    assert not would_feed_back(LINUX[5], LINUX[1], laptop)
    assert not would_feed_back(LINUX[5], LINUX[5], LINUX)  # a Scarlett may be the usual
    assert would_feed_back(WINDOWS[0], WINDOWS[3], [*WINDOWS[:2], *WINDOWS[3:]])
    assert not would_feed_back(WINDOWS[0], WINDOWS[3], WINDOWS)


HOST_ERROR = ("Unanticipated host error", -9999)
BUSY = "is busy: another program has it; end that one, or choose another device"


@pytest.mark.parametrize(
    ("error", "rate_hz", "channels", "api", "message"),
    [
        (
            ("Invalid sample rate", -9997),
            44_100,
            2,
            JACK,
            "does not take 44100 Hz; it runs at 48000 Hz: leave out --rate, or give 48000",
        ),
        (
            ("Invalid sample rate", -9997),
            48_000,
            2,
            "ALSA",
            "does not take 48000 Hz, its own rate; give another: --rate 44100 or 48000",
        ),
        (
            ("Invalid device", -9996),  # PortAudio's issue 314
            44_100,
            2,
            WASAPI,
            "does not take 44100 Hz; it runs at 48000 Hz: leave out --rate, or give 48000",
        ),
        (
            ("Invalid device", -9996),
            44_100,
            2,
            MAC,
            "does not open as input; was it unplugged? codecfx devices lists the others",
        ),
        (
            ("Invalid number of channels", -9998),
            48_000,
            9,
            JACK,
            "has no input channel 9; it has channels 1 to 2",
        ),
        (
            ("Invalid number of channels", -9998),
            48_000,
            1,
            WASAPI,
            "does not open with 1 of its 2 input channels; name the last one",
        ),
        (("Device unavailable", -9985), 48_000, 2, "ALSA", BUSY),
        ((*HOST_ERROR, (0, -16, "Device or resource busy")), 48_000, 2, "ALSA", BUSY),
        (
            (*HOST_ERROR, (0, 5, "Access is denied.\r\n")),
            48_000,
            2,
            WASAPI,
            "is not for you (Access is denied.); allow it in the system's privacy settings",
        ),
        (
            ("Illegal combination of I/O devices", -9993),
            48_000,
            2,
            "ALSA",
            "does not open as input: unplugged, or not for you (Linux: join the group audio)",
        ),
        (
            ("Sample format not supported", -9994),
            48_000,
            2,
            "ALSA",
            "takes no samples of 32 bits floating point; codecfx devices lists the others",
        ),
        (
            ("Internal error", -9986, (0, 1, "a b\nc")),
            48_000,
            2,
            "ALSA",
            "does not open as input (Internal error: a b c); codecfx devices lists the others",
        ),
        (
            ("Error querying device 9",),
            48_000,
            2,
            JACK,
            "does not open as input (Error querying device 9); codecfx devices lists the others",
        ),
        (
            (),
            48_000,
            2,
            JACK,
            "does not open as input (no reason given); codecfx devices lists the others",
        ),
    ],
)
def test_portaudios_codes_in_words(error, rate_hz, channels, api, message):
    (card,) = made(f"|card, {api}, 2, 2")
    line = f"{card} {message}"
    assert refusal(error, card, "input", rate_hz, channels) == line
    sounddevices = type("PortAudioError", (Exception,), {})(*error)
    assert str(opening_error(sounddevices, card, "input", rate_hz, channels)) == line


@pytest.mark.parametrize(
    ("text", "channels"),
    [("1", (1,)), ("3,4", (3, 4)), ("1-2", (1, 2)), (" 2 , 1 ", (2, 1)), ("17-19,1", (17, 18, 19, 1))],
)
def test_channels(text, channels):
    assert parse_channels(text) == channels


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "write numbers from 1: 3,4 or 1-2"),
        ("1,,2", "write numbers from 1"),
        ("left", "channels 'left': write numbers from 1"),
        ("-1", "write numbers from 1"),
        ("1.5", "write numbers from 1"),
        ("²", "write numbers from 1"),
        ("0,1", "the first channel is 1"),
        ("4-3", "4-3 ends before it begins"),
        ("1-2,2", "2 is there twice"),
        ("1-999999", "a device has 1024 at most"),
        ("9" * 5000, "write numbers from 1"),
        ("1\n2", "write numbers from 1"),
    ],
)
def test_what_are_no_channels(text, message):
    with pytest.raises(ConfigurationError) as caught:
        parse_channels(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def answer(monkeypatch, tmp_path):
    """Puts a script in the place of the one that asks PortAudio."""

    def replace(code):
        script = tmp_path / "answers.py"
        script.write_text(code, encoding="utf-8")
        monkeypatch.setattr(portaudio, "_SCRIPT", script)

    return replace


def raw(device):
    return {
        "name": device.name,
        "index": device.number,
        "hostapi": 0 if device.host_api == "ALSA" else 1,
        "max_input_channels": device.input_channels,
        "max_output_channels": device.output_channels,
        "default_samplerate": device.rate_hz,
        "default_low_input_latency": device.input_low_ms / 1000,
        "default_high_input_latency": device.input_high_ms / 1000,
        "default_low_output_latency": device.output_low_ms / 1000,
        "default_high_output_latency": device.output_high_ms / 1000,
    }


def said(devices, refusals=()):
    apis = [
        {
            "name": name,
            "devices": [one.number for one in devices if one.host_api == name],
            "default_input_device": next(
                (one.number for one in devices if one.host_api == name and one.is_default_input), -1
            ),
            "default_output_device": next(
                (one.number for one in devices if one.host_api == name and one.is_default_output), -1
            ),
        }
        for name in ("ALSA", JACK)
    ]
    answer = {
        "version": "PortAudio V19",
        "host_apis": apis,
        "devices": [raw(one) for one in devices],
        "refusals": list(refusals),
    }
    return f"print({json.dumps(answer)!r})"


def test_a_listing(answer):
    answer(said(LINUX_JACK))
    assert [(one.name, one.api) for one in devices()] == [(one.name, one.api) for one in LINUX_JACK]
    assert devices()[6].output_high_ms == pytest.approx(35.0)
    assert [one.name for one in devices() if one.is_default_input] == ["default", "system"]
    assert [(one.name, one.default_output) for one in host_apis()] == [("ALSA", 5), (JACK, 6)]
    assert host_apis()[1].devices == (6, 7)
    assert listing().version == "PortAudio V19"
    assert choose("system")[0].number == 6


def test_a_latency_of_25_hours_is_none(answer):
    """JACK's clients that set no range: 2^32 samples."""
    answer(said([dataclasses.replace(LINUX_JACK[6], number=0, output_low_ms=89_478_480.0)]))
    (device,) = devices()
    assert device.output_low_ms != device.output_low_ms
    assert device.input_low_ms == pytest.approx(2.7)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ('print(\'{"missing": "sounddevice"}\')', "pip install 'codecfx[live]'"),
        (
            'print(\'{"missing": "PortAudio"}\')',
            "PortAudio is missing; apt install libportaudio2 (macOS: brew install portaudio)",
        ),
        ('print(\'{"missing": "Internal error"}\')', "PortAudio does not start here: Internal error"),
        ("import os; os.abort()", "PortAudio breaks off (exit code -6)"),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGALRM)",
            "the JACK server 'studio' hangs; end",
        ),
        ("import sys; sys.exit(3)", "PortAudio breaks off (exit code 3)"),
        ("import time; time.sleep(60)", "PortAudio does not answer within 1 s"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_what_keeps_portaudio_from_answering(answer, monkeypatch, capfd, code, message):
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "studio")
    monkeypatch.setattr(portaudio, "_PATIENCE_SECONDS", 1.0)
    answer(code)
    with pytest.raises(AudioDeviceError) as caught:
        devices()
    assert message in str(caught.value)
    assert run(["devices"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err == f"codecfx: error: {caught.value}\n"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("ImportError('no cffi')", "sounddevice is missing; pip install 'codecfx[live]'"),
        ("OSError('PortAudio library not found')", "PortAudio is missing; apt install libportaudio2"),
        ("Exception('Error initializing')", "PortAudio does not start here: Error initializing"),
    ],
)
def test_what_is_missing(monkeypatch, tmp_path, error, message):
    noise = "import os; os.write(1, b'{}'); os.write(2, b'ALSA lib')"  # what libraries do
    (tmp_path / "sounddevice.py").write_text(f"{noise}\nraise {error}", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(AudioDeviceError) as caught:
        devices()
    assert message in str(caught.value)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AudioDeviceError) as caught:  # the same for whoever loads it
        load()
    assert message in str(caught.value)


def test_an_answer_counts_even_if_leaving_fails(answer):
    """A server that dies meanwhile: PortAudio ends the process that leaves it."""
    answer(f"{said(LINUX)}\nimport os, sys; sys.stdout.flush(); os.abort()")
    assert len(devices()) == len(LINUX)


@pytest.mark.parametrize(
    ("refusals", "asked", "rate"),
    [
        ([None, None] * 2, {}, 48_000),
        ([None, None], {"rate_hz": 44_100}, 44_100),
        ([None, ["Invalid sample rate", -9997], None, None], {}, 44_100),
        ([None], {"input": None, "rate_hz": 96_000}, 96_000),
    ],
)
def test_the_rate_that_both_take(answer, refusals, asked, rate):
    answer(said(LINUX, refusals))
    asked = {"input": LINUX[2], "output": LINUX[0]} | asked
    assert check(**asked) == rate


@pytest.mark.parametrize(
    ("refusals", "asked", "message"),
    [
        ([["Device unavailable", -9985], None] * 2, {}, "ALC257 Analog (hw:0,0)' (ALSA) is busy"),
        (
            [None, ["Invalid sample rate", -9997], ["Invalid sample rate", -9997], None],
            {},
            "take no rate both",
        ),
        (
            [None, ["Invalid sample rate", -9997]],
            {"rate_hz": 44_100},
            "'Scarlett 2i2 USB: Audio (hw:1,0)' (ALSA) does not take 44100 Hz; it runs at 48000 Hz",
        ),
        (
            [None, ["Invalid sample rate", -9997]] * 3,
            {"input": dataclasses.replace(LINUX[2], rate_hz=16_000.0)},
            "(ALSA) does not take 16000 Hz, its own rate; give another",
        ),
        ([], {"input_channels": (3, 4)}, "has no input channel 4; it has channels 1 to 2"),
        ([], {"output_channels": (9,)}, "has no output channel 9; it has channels 1 to 2"),
        ([], {"input": LINUX[1]}, "HDMI 0 (hw:0,3)' (ALSA) has no input channels"),
    ],
)
def test_what_does_not_open(answer, refusals, asked, message):
    answer(said(LINUX, refusals))
    with pytest.raises(AudioDeviceError) as caught:
        check(**{"input": LINUX[2], "output": LINUX[0]} | asked)
    assert message in str(caught.value)


def test_quiet_keeps_the_terminal_clean(capfd):
    with quiet():
        os.write(2, b"ALSA lib pcm.c:2666:(snd_pcm_open_noupdate) Unknown PCM\n")
    os.write(2, b"seen\n")
    assert capfd.readouterr().err == "seen\n"


def test_the_verb_fits_80_columns(answer, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    long = dataclasses.replace(
        LINUX_JACK[0], name="Microphone Array (Smart Sound for Digital Microphones)"
    )
    answer(said([long, *LINUX_JACK[1:]]))
    assert run(["devices"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert err == ""
    assert max(map(len, lines)) <= 80
    (system,) = [line.split() for line in lines if line.endswith("system") or " system " in line]
    assert system == ["6", "both", "2", "2", "48000", "2.7-10", "5.3-35", "JACK", "system"]
    assert sum("both" in line for line in lines) == 1


def test_the_verb_for_programs(answer, capsys):
    answer(said(LINUX_JACK))
    assert run(["devices", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["host_apis"] == ["ALSA", JACK]
    assert [one["used_as"] for one in told["devices"]] == [[]] * 6 + [["input", "output"], []]
    assert told["devices"][7]["input_channels"] == 4


def test_the_verb_without_devices(answer, capsys):
    answer(said([]))
    assert run(["devices"]) == 1
    assert capsys.readouterr().err.startswith("codecfx: error: no audio device; ")
    assert run(["devices", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["devices"] == []
