"""Codecs of libraries that a machine may have: nothing added to them and nothing lost, true bitrates,
losses and changes as they should sound; and what is said where one is missing.
"""

import ctypes
import ctypes.util

import numpy as np
import pytest
from signals import measure_latency, noise, rms_db, same, snr_db, voice

from codecfx.codecs import amrwb, g729, lc3, native_library, speex
from codecfx.codecs.classic import codec_of
from codecfx.codecs.engine import Stream
from codecfx.codecs.family import libraries
from codecfx.codecs.native_library import owned, words_of
from codecfx.control.parameters import checked
from codecfx.effects.codec_effect import effect_of
from codecfx.errors import CodecUnavailable

CODECS = {row.name: codec_of(row) for row in libraries.ROWS}
LIBRARIES = {
    "speex": speex.LIBRARY,
    "g729": g729.LIBRARY,
    "amr_wb": amrwb.LIBRARY,
    "lc3": lc3.LIBRARY,
}


def is_there(name):
    try:
        LIBRARIES[name].load()
    except CodecUnavailable:
        return False
    return True


def having(name):
    return pytest.mark.skipif(not is_there(name), reason=f"no lib{LIBRARIES[name].name} here")


def of(*names):
    """Runs a test for each of these codecs, where its library is."""
    return pytest.mark.parametrize("name", [pytest.param(name, marks=having(name)) for name in names])


def make(name, rate=48000, channels=1, **values):
    cls = CODECS[name]
    return cls(rate, channels, checked(cls.parameters, values, name))


def speech(codec, seconds=1.0, seed=0):
    """Whole frames of a voice with some breath."""
    form = codec.format
    samples = round(seconds * form.sample_rate) // form.frame_samples * form.frame_samples
    hiss = noise(form.channels, samples, seed, level=0.003)
    return voice(form.sample_rate, samples, form.channels, seed) + hiss


def kbps(packets, form):
    seconds = len(packets) * form.frame_samples / form.sample_rate
    return sum(packet.bits for packet in packets) / seconds / 1000


def likeness(one, other, rate):
    """How alike two sounds are to an ear that hears no phase, 1 at most: loudness in sixteen bands over
    time, in windows of 40 ms, each band's changes against the other's.
    """
    size = rate // 25

    def loudness(sound):
        windows = np.lib.stride_tricks.sliding_window_view(sound[0], size)[:: size // 2]
        power = np.square(np.abs(np.fft.rfft(windows * np.hanning(size))))
        edges = np.unique(np.geomspace(100 * size / rate, 0.45 * size, 17).astype(int))
        bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1) ** 0.15
        return bands - bands.mean(axis=0)

    one, other = loudness(one), loudness(other)
    return np.vdot(one, other) / np.sqrt(np.vdot(one, one) * np.vdot(other, other))


# Where one is missing


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_missing_library_says_how_to_get_it(name, monkeypatch, tmp_path):
    library = LIBRARIES[name]
    how = rf"install it \(apt install {library.debian}, brew install .*, or set {library.variable} to"
    monkeypatch.setenv(library.variable, str(tmp_path / "nothing.so"))
    with pytest.raises(CodecUnavailable, match=rf"{library.variable} is '.*', which is no file; {how}"):
        make(name)
    (tmp_path / "text.so").write_bytes(b"not at all")
    monkeypatch.setenv(library.variable, str(tmp_path / "text.so"))
    with pytest.raises(CodecUnavailable, match=rf"is no lib{library.name} that works here .*{how}"):
        make(name)
    monkeypatch.delenv(library.variable)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(native_library.NativeLibrary, "_in_wheel", lambda self: None)
    with pytest.raises(
        CodecUnavailable, match=rf"^no lib{library.name} on this machine; {how}"
    ) as said:
        library.find()
    assert "\n" not in str(said.value)


def test_a_library_without_the_functions_is_another():
    library = native_library.NativeLibrary("c", "libc6", "none", {"c_create": (None,)})
    with pytest.raises(CodecUnavailable, match=r"is no libc that works here \(.*c_create.*\); install"):
        library.load()


def test_a_wheel_that_ships_it_comes_first(monkeypatch, tmp_path):
    files = ["lc3py/lc3.py", "lc3py.libs/liblc3-30fc.so.1.1", "lc3py/lc3.pyi"]
    about = tmp_path / "lc3py-99.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: lc3py\nVersion: 99\n")
    (about / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv(lc3.LIBRARY.variable, raising=False)
    assert lc3.LIBRARY.find() == str(tmp_path / files[1])


def test_what_c_has_made_is_given_back():
    class Owner:
        pass

    freed = []
    owner = Owner()
    assert owned(owner, 0x1000, freed.append) == 0x1000
    assert not freed
    del owner
    assert freed == [0x1000]
    with pytest.raises(MemoryError):
        owned(Owner(), None, freed.append)


# Nothing added, nothing lost: the libraries, called bare


def bare(library, *constructors):
    """A library with no types declared, but for what returns addresses."""
    opened = ctypes.CDLL(library.find())
    for name in constructors:
        getattr(opened, name).restype = ctypes.c_void_p
    return opened


def address(array, at=0):
    return ctypes.c_void_p(array.ctypes.data + at * array.itemsize)


@having("speex")
@pytest.mark.parametrize("rate", [8000, 16000, 32000])
@pytest.mark.parametrize(
    "values", [{}, {"quality": 0}, {"quality": 10, "complexity": 5}, {"vbr": True}]
)
def test_speex_is_the_librarys_own(rate, values):
    codec = make("speex", rate_hz=rate, **values)
    sound = speech(codec)
    library = bare(speex.LIBRARY, "speex_lib_get_mode", "speex_encoder_init", "speex_decoder_init")
    mode = ctypes.c_void_p(library.speex_lib_get_mode((8000, 16000, 32000).index(rate)))
    encoder = ctypes.c_void_p(library.speex_encoder_init(mode))
    decoder = ctypes.c_void_p(library.speex_decoder_init(mode))
    quality = values.get("quality", 8)
    for request, value in (
        (4, ctypes.c_int(quality)),
        (12, ctypes.c_int(values.get("vbr", 0))),
        (14, ctypes.c_float(quality)),
        (16, ctypes.c_int(values.get("complexity", 3))),
    ):
        library.speex_encoder_ctl(encoder, request, ctypes.byref(value))
    bits, packet = ctypes.create_string_buffer(64), ctypes.create_string_buffer(200)
    library.speex_bits_init(bits)
    words, heard, payloads = words_of(sound), np.empty(sound.shape[1], np.int16), []
    for at in range(0, words.size, rate // 50):
        library.speex_bits_reset(bits)
        library.speex_encode_int(encoder, address(words, at), bits)
        size = library.speex_bits_write(bits, packet, 200)
        payloads.append(packet.raw[:size])
        library.speex_bits_read_from(bits, packet, size)
        assert library.speex_decode_int(decoder, bits, address(heard, at)) == 0
    delays = (ctypes.c_int * 2)()
    library.speex_encoder_ctl(encoder, 39, ctypes.byref(delays))
    library.speex_decoder_ctl(decoder, 39, ctypes.byref(delays, 4))
    assert codec.format.lookahead_samples == sum(delays)
    packets = codec.encode(sound)
    assert [packet.payload for packet in packets] == payloads
    assert np.array_equal(words_of(codec.decode(packets)), heard)


@having("lc3")
@pytest.mark.parametrize("rate", lc3.RATES)
@pytest.mark.parametrize(("frame_ms", "total"), [(10, 160), (7.5, 64)])
def test_lc3_is_the_librarys_own(rate, frame_ms, total):
    codec = make("lc3", channels=2, rate_hz=rate, frame_ms=frame_ms, bitrate_kbps=total)
    size = codec.format.frame_samples
    sound = speech(codec, 0.5) + noise(2, speech(codec, 0.5).shape[1])  # another in each channel
    library = bare(lc3.LIBRARY, "lc3_setup_encoder", "lc3_setup_decoder")
    form = (round(1000 * frame_ms), 48000 if rate == 44100 else rate)
    assert codec.format.frame_samples == library.lc3_frame_samples(*form)
    assert codec.format.lookahead_samples == library.lc3_delay_samples(*form)
    memory = [ctypes.create_string_buffer(20_000) for _ in range(4)]
    encoders = [ctypes.c_void_p(library.lc3_setup_encoder(*form, 0, one)) for one in memory[:2]]
    decoders = [ctypes.c_void_p(library.lc3_setup_decoder(*form, 0, one)) for one in memory[2:]]
    together = np.ascontiguousarray(sound.T)
    heard = np.empty_like(together)
    packets = codec.encode(sound)
    count = len(packets[0].payload) // 2
    for index, packet in enumerate(packets):
        sent = b""
        for side in (0, 1):
            at, part = 2 * index * size + side, ctypes.create_string_buffer(count)
            assert library.lc3_encode(encoders[side], 3, address(together, at), 2, count, part) == 0
            assert library.lc3_decode(decoders[side], part, count, 3, address(heard, at), 2) == 0
            sent += part.raw
        assert packet.payload == sent
    assert same(codec.decode(packets), np.ascontiguousarray(heard.T))


@having("amr_wb")
@pytest.mark.parametrize("mode", range(9))
def test_amr_wb_is_the_librarys_own(mode):
    codec = make("amr_wb", bitrate_kbps=amrwb.MODES[mode])
    sound = speech(codec, 0.3)
    library = bare(amrwb.LIBRARY, "E_IF_init")
    state, packet = ctypes.c_void_p(library.E_IF_init()), ctypes.create_string_buffer(64)
    words = words_of(sound)
    for at, sent in zip(range(0, words.size, 320), codec.encode(sound), strict=True):
        size = library.E_IF_encode(state, mode, address(words, at), packet, 0)
        assert sent.payload == packet.raw[:size]
        assert codec.describe(sent) == {"mode": f"{amrwb.MODES[mode]:g}"}
    library.E_IF_exit(state)


@having("g729")
def test_g729_is_the_librarys_own():
    codec = make("g729")
    sound = speech(codec)
    library = bare(g729.LIBRARY, "initBcg729EncoderChannel", "initBcg729DecoderChannel")
    encoder = ctypes.c_void_p(library.initBcg729EncoderChannel(0))
    decoder = ctypes.c_void_p(library.initBcg729DecoderChannel())
    words, heard, size = words_of(sound), np.empty(sound.shape[1], np.int16), ctypes.c_uint8()
    packets = codec.encode(sound)
    for at, sent in zip(range(0, words.size, 80), packets, strict=True):
        packet = ctypes.create_string_buffer(10)
        library.bcg729Encoder(encoder, address(words, at), packet, ctypes.byref(size))
        library.bcg729Decoder(decoder, packet, 10, 0, 0, 0, address(heard, at))
        assert (size.value, packet.raw) == (10, sent.payload)
    assert np.array_equal(words_of(codec.decode(packets)), heard)


# True bitrates


BITRATES = [
    # speex.h's bits to a frame, in whole bytes: 43 to 492, with 4 to 352 and 4 to 36 more
    *(
        ("speex", {"quality": quality, "rate_hz": rate}, size * 0.4)
        for rate, sizes in (
            (8000, (6, 20, 38, 62)),
            (16000, (10, 32, 70, 106)),
            (32000, (11, 37, 74, 110)),
        )
        for quality, size in zip((0, 4, 8, 10), sizes, strict=True)
    ),
    *(("amr_wb", {"bitrate_kbps": mode}, mode) for mode in amrwb.MODES),
    ("g729", {}, 8),
    *(("lc3", {"bitrate_kbps": total}, total) for total in (16, 24, 32, 64, 96, 160, 320)),
    *(("lc3", {"bitrate_kbps": total, "frame_ms": 7.5}, total) for total in (32, 64, 320)),
    *(("lc3", {"bitrate_kbps": total, "rate_hz": 44100}, total) for total in (32, 95, 248)),
]


@pytest.mark.parametrize(("name", "values", "expected"), BITRATES)
def test_the_bitrate_is_what_it_says(name, values, expected):
    if not is_there(name):
        pytest.skip(f"no library {name}")
    codec = make(name, **values)
    # a byte to a frame of LC3 is 0.8 or 1.1 kbps
    assert kbps(codec.encode(speech(codec)), codec.format) == pytest.approx(
        expected, abs=1.1 if name == "lc3" else 1e-9
    )


@having("lc3")
def test_no_channel_of_lc3_has_less_than_twenty_bytes():
    codec = make("lc3", channels=2, bitrate_kbps=16)
    assert {packet.bits for packet in codec.encode(speech(codec))} == {2 * 20 * 8}


@having("speex")
def test_speex_with_a_variable_bitrate_spares_pauses():
    codec = make("speex", vbr=True)
    size = codec.format.frame_samples
    sound = speech(codec)
    sound[:, sound.shape[1] // 2 :] = noise(1, 1, level=0)
    bits = np.array([packet.bits for packet in codec.encode(sound)])
    assert bits[5 : 8000 // size].mean() > 2 * bits[-10:].mean()
    assert len(set(bits)) > 3


@having("amr_wb")
def test_amr_wb_sends_no_pauses_with_dtx():
    codec = make("amr_wb", dtx=True)
    sound = speech(codec, 3)
    sound[:, 16000:32000] *= 1e-3
    packets = codec.encode(sound)
    said = [codec.describe(packet)["mode"] for packet in packets]
    assert {*said[5:45], *said[105:]} == {"12.65"}
    assert {*said[60:98]} == {"comfort noise", "no data"}  # a description of it every eighth frame
    heard = codec.decode(packets)
    assert -100 < rms_db(heard[:, 22000:31000]) < -60


# Latency and likeness


@of("speex", "g729", "amr_wb", "lc3")
def test_the_sound_comes_as_late_as_it_says(name):
    for rate in CODECS[name].row.rates:
        codec = make(name, **({"rate_hz": rate} if len(CODECS[name].row.rates) > 1 else {}))
        sound = speech(codec, 2)
        heard = codec.decode(codec.encode(sound))
        assert codec.format.sample_rate == rate
        assert measure_latency(sound, heard) == pytest.approx(codec.format.lookahead_samples, abs=0.5)


ALIKE = {"speex": 0.97, "g729": 0.95, "amr_wb": 0.97, "lc3": 0.99}


@of(*ALIKE)
def test_speech_is_still_the_speech_it_was(name):
    effect = effect_of(CODECS[name])()
    sound = voice(44100, 2 * 44100, 2)
    heard = effect(sound, 44100)
    assert heard.shape == sound.shape
    low = [one[:1, ::6] for one in (sound, heard)]  # the bands of a telephone; nothing is above 4 kHz
    assert likeness(*low, 7350) > ALIKE[name]
    assert rms_db(heard) == pytest.approx(rms_db(sound), abs=2)


# Changes


CHANGES = [
    ("speex", "quality", 2, 10),
    ("speex", "vbr", True, False),
    ("speex", "complexity", 1, 6),
    ("amr_wb", "bitrate_kbps", 6.6, 23.85),
    ("amr_wb", "dtx", True, False),
    ("lc3", "bitrate_kbps", 32.0, 320.0),
]


def ridden(codec, sound, parameter, values, every):
    """`sound` frame by frame, another value every so many frames."""
    size = codec.format.frame_samples
    packets = []
    for index in range(sound.shape[1] // size):
        if index % every == 0:
            codec.set(parameter, values[index // every % len(values)])
        packets += codec.encode(sound[:, index * size : (index + 1) * size])
    return codec.decode(packets), packets


@pytest.mark.parametrize(("name", "parameter", "low", "high"), CHANGES)
def test_a_change_never_clicks(name, parameter, low, high):
    if not is_there(name):
        pytest.skip(f"no library {name}")
    codec = make(name, **{parameter: high})
    form = codec.format
    time = np.arange(3 * form.sample_rate // form.frame_samples * form.frame_samples) / form.sample_rate
    wave = 0.4 * np.sin(2 * np.pi * 220 * time) + 0.2 * np.sin(2 * np.pi * 331 * time)
    sound = wave[np.newaxis].astype(np.float32)
    begin = form.lookahead_samples + form.sample_rate // 5

    def clicks_db(heard):
        """The loudest of what lies far above the two sines."""
        spectrum = np.fft.rfft(heard[0])
        spectrum[: round(0.3 * heard.shape[1])] = 0
        return 20 * np.log10(np.abs(np.fft.irfft(spectrum))[begin:-begin].max() + 1e-9)

    steady = [make(name, **{parameter: value}) for value in (low, high)]
    quiet = [clicks_db(one.decode(one.encode(sound))) for one in steady]
    heard, packets = ridden(codec, sound, parameter, (high, low), 11)
    assert clicks_db(heard) < max(quiet) + 6  # the louder one's own noise
    headers = {id(packet.header) for packet in packets}
    assert (len(headers) == 1) == (parameter in codec.row.tunable)
    assert codec.format == form


@of("speex", "amr_wb", "lc3")
def test_a_change_never_moves_the_sound(name):
    parameter, low, high = next(change[1:] for change in CHANGES if change[0] == name)
    codec = make(name)
    sound = speech(codec, 4)
    heard, _ = ridden(codec, sound, parameter, (high, low), 9)
    quarter = sound.shape[1] // 4
    for begin in range(0, 4 * quarter, quarter):
        window = slice(begin, begin + quarter)
        late = measure_latency(sound[:, window], heard[:, window])
        assert late == pytest.approx(codec.format.lookahead_samples, abs=0.5)


# Losses and damage


@of("speex", "g729", "amr_wb", "lc3")
def test_a_loss_goes_on_and_fades_out(name):
    codec = make(name)
    form = codec.format
    sound = speech(codec, 3)
    packets = codec.encode(sound)
    clean = codec.decode(packets)
    frames = form.sample_rate // form.frame_samples
    codec.reset()
    begin, end = round(1.1 * frames), round(1.7 * frames)  # from the middle of a syllable
    lossy = [None if begin <= index < end else packet for index, packet in enumerate(packets)]
    heard = codec.decode(lossy)
    first, after = begin * form.frame_samples, end * form.frame_samples
    short = form.sample_rate // 100
    assert same(heard[:, :first], clean[:, :first])
    assert rms_db(heard[:, first : first + short]) == pytest.approx(
        rms_db(heard[:, first - 2 * short : first]), abs=6
    )
    assert rms_db(heard[:, after - 10 * short : after]) < rms_db(clean[:, :first]) - 15
    # no step at either end: none is larger than speech makes
    steps = np.abs(np.diff(heard[0]))
    assert steps[[*range(first - 2, first + 2), *range(after - 2, after + 2)]].max() < (
        1.2 * np.abs(np.diff(clean[0])).max()
    )
    late = after + form.sample_rate * 3 // 4
    assert snr_db(clean[:, late:], heard[:, late:]) > 25


@of("speex", "g729", "lc3")
def test_packets_of_another_length_never_reach_the_library(name):
    codec = make(name, channels=2 if name == "lc3" else 1)
    (packet,) = codec.encode(speech(codec)[:, : codec.format.frame_samples])
    decoder = codec.row.engine.decoder(
        codec.row.stream(48000, codec.format.channels, checked(codec.parameters, {}, name)), b""
    )
    assert decoder.decode(packet.payload) is not None
    decoder._library = None
    for length in {0, 1, 19, 39, 41, 802, 1500, len(packet.payload) - 1, len(packet.payload) + 1}:
        assert decoder.decode((150 * packet.payload)[:length]) is None


@having("speex")
def test_speex_prints_nothing_of_damage(capfd):
    random = np.random.default_rng(0)
    for rate in (8000, 16000, 32000):
        codec = make("speex", rate_hz=rate)
        packets = codec.encode(speech(codec))
        decoder = codec.row.engine.decoder(Stream(rate, 1, rate // 50, {}), b"")
        for index in range(600):
            payload = bytearray(packets[index % len(packets)].payload)
            for _ in range(index % 17):
                payload[random.integers(len(payload))] ^= 1 << random.integers(8)
            heard = decoder.decode(bytes(payload))
            assert heard is None or heard.shape == (1, rate // 50)
    assert capfd.readouterr() == ("", "")
