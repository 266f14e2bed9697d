"""The public API on one page: all of it resolves, tells what it is, and is what the docs show."""

import doctest
import sys
from importlib import import_module

import numpy as np
import pytest
from signals import noise, same

import codecfx
from codecfx import codecs, errors
from codecfx.effects import registry


@pytest.mark.parametrize("name", codecfx.__all__)
def test_every_name_resolves_and_tells_what_it_is(name):
    thing = getattr(codecfx, name)
    assert thing is getattr(codecfx, name)
    assert thing.__doc__
    assert name in dir(codecfx)


def test_names_are_sorted_and_once_each():
    assert codecfx.__all__ == sorted(set(codecfx.__all__))
    assert set(dir(codecfx)) == {*codecfx.__all__, "__version__"}
    assert codecfx.__version__


def test_from_codecfx_import_everything_works():
    names = {}
    exec("from codecfx import *", names)
    assert set(codecfx.__all__) <= set(names)


def test_every_codec_is_there_under_its_title():
    for name in codecs.names():
        codec = codecs.find(name)
        effect = getattr(codecfx, codec.title)
        assert effect is registry.find(name)
        assert effect.__name__ == codec.title
        assert effect.__doc__ == codec.__doc__
        assert issubclass(effect, codecfx.CodecEffect)
        assert issubclass(effect, codecfx.Effect)
        assert codecfx.effect_of(codec) is effect


def test_what_does_not_exist_does_not():
    for name in ("Opuss", "numpy", "import_module_", "_nothing"):
        with pytest.raises(AttributeError, match=f"module 'codecfx' has no attribute '{name}'"):
            getattr(codecfx, name)


@pytest.mark.parametrize("first", [*sorted(set(codecfx._HOMES.values())), "codecfx.cli"])
def test_names_mean_the_same_whatever_was_imported_before(first):
    # `import codecfx.render` must not leave a module where the function of that name was
    import_module(first)
    for name, home in codecfx._HOMES.items():
        assert getattr(codecfx, name) is getattr(sys.modules[home], name)
        assert callable(getattr(codecfx, name))


def test_the_page_says_what_is_so():
    result = doctest.testmod(codecfx)
    assert result.attempted > 3
    assert result.failed == 0
    for word in codecfx.__doc__.split("`")[1::2]:
        if word.isidentifier():
            assert word in codecfx.__all__


def test_effects_are_used_as_pedalboards_are():
    audio = noise(2, 4800)
    opus = codecfx.Opus(bitrate_kbps=12)
    assert same(opus(audio, 48000), opus.process(audio, 48000, buffer_size=512, reset=True))
    assert opus(audio.T, sample_rate=48000).shape == (4800, 2)
    assert opus(input_array=audio, sample_rate=48000.0, buffer_size=1).shape == (2, 4800)
    gain = codecfx.native("gain", gain_db=-6, mix=0.5, label="quieter")
    assert (gain.gain_db, gain.mix, gain.label) == (-6, 0.5, "quieter")
    board = codecfx.Pedalboard([codecfx.Mix([codecfx.Chain([opus]), gain])])
    assert board(audio, 48000).dtype == np.float32


def test_errors_are_what_python_would_raise():
    kin = {
        "ConfigurationError": ValueError,
        "UnknownName": ValueError,
        "ParameterError": ValueError,
        "SameEffectTwice": RuntimeError,
        "UnsupportedFormat": ValueError,
        "PresetError": ValueError,
        "CodecUnavailable": ImportError,
        "ModelMissing": errors.CodecUnavailable,
        "ModelFileError": errors.CodecUnavailable,
        "StreamError": RuntimeError,
        "NotPrepared": RuntimeError,
        "FrameSizeError": RuntimeError,
        "AudioFileError": OSError,
    }
    for name, relative in kin.items():
        error = getattr(errors, name)
        assert issubclass(error, codecfx.CodecFxError)
        assert issubclass(error, relative)
        assert name in errors.__doc__  # drawn in the tree
    assert str(errors.AudioFileError("song.wav: is not there")) == "song.wav: is not there"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("opuss", "no effect 'opuss'; did you mean 'opus'?"),
        ("REVERBB", "no effect 'REVERBB'; did you mean 'Reverb'?"),
        ("chian", "no effect 'chian'; did you mean 'chain'?"),
    ],
)
def test_a_wrong_name_gets_the_nearest(name, message):
    with pytest.raises(errors.UnknownName) as refusal:
        registry.find(name)
    assert str(refusal.value) == message
    assert refusal.value.name == name


def test_a_name_like_no_other_gets_them_all():
    with pytest.raises(errors.UnknownName, match=r"no effect 'zzzz'; there is: .*opus, pcm") as refusal:
        registry.find("zzzz")
    assert "Reverb" in str(refusal.value)


def test_the_registry_knows_every_kind():
    assert registry.find("OPUS") is codecfx.Opus
    assert registry.find("chain") is codecfx.Chain
    assert registry.find("Mix") is codecfx.Mix
    assert registry.find("reverb").name == "Reverb"
    assert set(registry.codec_names()).isdisjoint(registry.native_names())
