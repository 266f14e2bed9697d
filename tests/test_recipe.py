"""Recipes: the effects of a command line, in words, become a board, or one line that says why not."""

import pickle
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import noise, same

from codecfx import Mix, Opus, Pedalboard, native
from codecfx.effects import native_effect, registry
from codecfx.effects.base import Effect
from codecfx.errors import ConfigurationError, ParameterError, PresetError, UnknownName
from codecfx.recipe import Recipe, effect_from

RATE = 48_000

CALL = """
version = 1
mix = 0.5

[[chain]]
effect = "opus"
bitrate_kbps = 16
label = "call"

[[chain]]
effect = "Gain"
gain_db = -6
"""


@pytest.fixture
def call(tmp_path: Path) -> str:
    """The path of a preset of two effects, at half mix."""
    path = tmp_path / "call.toml"
    path.write_text(CALL)
    return str(path)


# One effect


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("opus", {"bitrate_kbps": 32.0}),
        ("opus:bitrate_kbps=8,frame_ms=2.5", {"bitrate_kbps": 8.0, "frame_ms": 2.5}),
        ("opus:application=VOIP,fec=on,dtx=no", {"application": "voip", "fec": True, "dtx": False}),
        (" Opus : bitrate_kbps = 8 , frame_ms = 20 ", {"bitrate_kbps": 8.0, "frame_ms": 20.0}),
        ("pcm:bits=8,rate_hz=22050", {"bits": 8, "rate_hz": 22050}),
        ("pcm:mix=0.25,bypass=yes", {"mix": 0.25, "bypass": True}),
        ("Compressor:threshold_db=-20,ratio=4", {"threshold_db": -20.0, "ratio": 4.0}),
        ("compressor:mix=0.5", {"mix": 0.5, "threshold_db": 0.0}),
        ("LadderFilter:mode=hpf24", {"mode": "hpf24"}),
        ("chain:mix=0.5", {"mix": 0.5}),
    ],
)
def test_text_becomes_an_effect(text, expected):
    effect = effect_from(text)
    assert {key: effect.values[key] for key in expected} == expected
    assert all(type(effect.values[key]) is type(value) for key, value in expected.items())
    assert effect.label == ""


def test_a_label_is_kept_as_it_is_written():
    assert effect_from("opus:label=Lead Vox").label == "Lead Vox"
    assert effect_from("Gain:gain_db=3,label=x=y").label == "x=y"


def test_native_settings_reach_the_plugin():
    assert effect_from("Compressor:threshold_db=-20,ratio=4").plugin.threshold_db == -20
    assert effect_from("Delay:mix=0.25").plugin.mix == 0.25  # one with a mix of its own


def test_a_name_alone_is_the_effect_as_it_comes():
    for name in [*registry.codec_names(), *registry.CONTAINERS, *registry.native_names()]:
        if name != "Convolution":  # which needs a file
            made, fresh = effect_from(name), registry.find(name)()
            assert type(made) is type(fresh)
            assert made.values == fresh.values


def test_an_impulse_response_is_named_by_its_path(impulse_path):
    assert effect_from(f"Convolution:impulse_response_filename={impulse_path},mix=0.5").mix == 0.5


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("opsu", UnknownName, "no effect 'opsu'; did you mean 'opus'?"),
        ("Compresor", UnknownName, "no effect 'Compresor'; did you mean 'Compressor'?"),
        ("opus bitrate_kbps=8", UnknownName, "no effect 'opus bitrate_kbps=8'; "),
        ("", UnknownName, "no effect ''; there is: Bitcrush, "),
        (
            "opus:bitrate=8",
            UnknownName,
            "opus: no parameter 'bitrate'; did you mean 'bitrate_kbps'?",
        ),
        ("Gain:gain=3", UnknownName, "Gain: no parameter 'gain'; did you mean 'gain_db'?"),
        ("opus:bitrate_kbps=1", ParameterError, "opus: bitrate_kbps is 1; it takes 2 to 510 kbps"),
        ("opus:bitrate_kbps=511", ParameterError, "it takes 2 to 510 kbps"),
        ("opus:bitrate_kbps=nan", ParameterError, "it takes 2 to 510 kbps"),
        ("opus:bitrate_kbps=", ParameterError, "it takes 2 to 510 kbps"),
        ("opus:bitrate_kbps=8kbps", ParameterError, "bitrate_kbps is 8kbps; it takes 2 to 510 kbps"),
        ("opus:frame_ms=7", ParameterError, "it takes 2.5, 5, 10, 20, 40 or 60 ms"),
        ("opus:application=phone", ParameterError, "it takes voip, audio or lowdelay"),
        ("opus:fec=perhaps", ParameterError, "fec is perhaps; it takes on or off"),
        ("pcm:bits=7.5", ParameterError, "it takes a whole number from 1 to 32 bits"),
        ("opus:mix=1.01", ParameterError, "opus: mix is 1.01; it takes 0 to 1"),
        ("Compressor:ratio=0.5", ParameterError, "Compressor: ratio is 0.5; "),
        ("Compressor:ratio=much", ParameterError, "ratio is much; it takes 1 to 1000"),
        ("opus:bitrate_kbps", ConfigurationError, "'bitrate_kbps' is no setting; write name:"),
        ("opus:", ConfigurationError, "'opus:': '' is no setting"),
        ("opus:bitrate_kbps=8,", ConfigurationError, "'' is no setting"),
        ("opus:=8", ConfigurationError, "'=8' is no setting"),
        ("opus:8=", UnknownName, "opus: no parameter '8'"),
        (":", ConfigurationError, "'' is no setting"),
        ("pcm:bits=8,bits=9", ConfigurationError, "bits is given twice"),
        ("plugin", ConfigurationError, "give plugin:path=FILE"),
        ("plugin:plugin_name=x", ConfigurationError, "give plugin:path=FILE"),
        ("plugin:path=none.vst3", ParameterError, "none.vst3: "),
        ("Convolution", ParameterError, "give impulse_response_filename"),
        ("Convolution:impulse_response_filename=none.wav", ParameterError, "none.wav"),
        # what constructors take besides is nobody's parameter
        ("Compressor:plugin=x", UnknownName, "Compressor: no parameter 'plugin'"),
        ("chain:plugins=x", UnknownName, "chain: no parameter 'plugins'"),
        ("mix:self=x", UnknownName, "mix: no parameter 'self'"),
        ("opus:label=a,self=x", UnknownName, "opus: no parameter 'self'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text, error, message):
    with pytest.raises(error) as raised:
        effect_from(text)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@given(
    name=st.sampled_from(
        [*registry.codec_names(), *registry.CONTAINERS, "Compressor", "Delay", "plugin", "nobody"]
    ),
    settings=st.lists(
        st.tuples(
            st.one_of(
                st.sampled_from(
                    ["bitrate_kbps", "bits", "mix", "ratio", "feedback", "label", "plugin"]
                ),
                st.text(max_size=6),
            ),
            st.one_of(st.integers().map(str), st.floats().map(str), st.text(max_size=6)),
        ),
        max_size=3,
    ),
    between=st.sampled_from([":", "", "::", " : "]),
)
def test_any_text_is_an_effect_or_a_configuration_error(name, settings, between):
    text = name + between + ",".join(f"{key}={value}" for key, value in settings)
    with suppress(ConfigurationError):
        assert isinstance(effect_from(text), Effect)


# A board


def test_effects_stand_in_the_order_they_are_given(call):
    board = Recipe(preset=call, effects=("pcm:bits=8", "Reverb")).board()
    assert [effect.name for effect in board] == ["opus", "Gain", "pcm", "Reverb"]
    assert [effect.label for effect in board] == ["call", "", "", ""]
    assert board.label == "call"  # the preset's name
    assert [effect.name for effect in Recipe(effects=("Reverb", "pcm")).board()] == ["Reverb", "pcm"]


@pytest.mark.parametrize(("given_mix", "mix"), [(None, 0.5), (0.0, 0.0), (0.25, 0.25), (1.0, 1.0)])
def test_the_mix_is_the_presets_unless_one_is_given(call, given_mix, mix):
    assert Recipe(preset=call, mix=given_mix).board().mix == mix


def test_without_a_preset_the_mix_is_all_wet():
    assert Recipe(effects=("pcm",)).board().mix == 1
    assert Recipe(effects=("pcm",), mix=0.5).board().mix == 0.5


def test_a_built_in_preset_goes_by_its_name():
    board = Recipe(preset="hotel-wifi").board()
    assert board.label == "hotel-wifi"
    assert "opus" in [effect.name for effect in board]


def test_every_board_is_a_new_one(call):
    recipe = Recipe(preset=call, effects=("opus",))
    one, other = recipe.board(), recipe.board()
    assert not {id(effect) for effect in one} & {id(effect) for effect in other}
    one[0].bitrate_kbps = 64
    assert other[0].bitrate_kbps == recipe.board()[0].bitrate_kbps == 16


def test_a_recipe_sounds_as_the_board_it_describes(call):
    audio = noise(2, 9_601, seed=1)
    by_hand = Pedalboard(
        [Opus(bitrate_kbps=16), native("Gain", gain_db=-6), native("Reverb", room_size=0.2)], mix=0.3
    )
    recipe = Recipe(call, ("Reverb:room_size=0.2",), mix=0.3)
    travelled = pickle.loads(pickle.dumps(recipe))  # as it goes to another process
    assert travelled == recipe
    assert same(by_hand(audio, RATE), recipe.board()(audio, RATE))
    assert same(by_hand(audio, RATE), travelled.board()(audio, RATE))


def test_a_container_by_name_is_an_empty_one():
    audio = noise(1, 1000, seed=2)
    board = Recipe(effects=("chain",)).board()
    assert same(board(audio, RATE), audio)
    assert isinstance(Recipe(effects=("mix",)).board()[0], Mix)
    assert not np.any(Recipe(effects=("mix",)).board()(audio, RATE))  # a sum of nothing


@pytest.mark.parametrize(
    ("recipe", "error", "message"),
    [
        (Recipe(), ConfigurationError, "no effect given; choose a preset (-p "),
        (Recipe(mix=0.5), ConfigurationError, "no effect given"),
        (Recipe(effects=("pcm",), mix=2.0), ParameterError, "mix is 2.0; it takes 0 to 1"),
        (Recipe(effects=("pcm",), mix=-0.1), ParameterError, "mix is -0.1; it takes 0 to 1"),
        (Recipe(effects=("pcm",), mix=float("nan")), ParameterError, "it takes 0 to 1"),
        (Recipe(effects=("pcm", "opsu")), UnknownName, "did you mean 'opus'?"),
        (
            Recipe(preset="hotel-wify"),
            UnknownName,
            "no preset 'hotel-wify'; did you mean 'hotel-wifi'?",
        ),
        (Recipe(preset="nowhere/x.toml"), PresetError, "nowhere/x.toml: no such preset file"),
    ],
)
def test_a_board_that_cannot_be_is_said_in_one_line(recipe, error, message):
    with pytest.raises(error) as raised:
        recipe.board()
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_broken_preset_names_its_file_and_key(tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text('version = 1\n[[chain]]\neffect = "opus"\nbitrate_kps = 8\n')
    with pytest.raises(PresetError) as raised:
        Recipe(preset=str(path)).board()
    assert str(raised.value) == (
        f"{path}: chain[1].bitrate_kps: opus: no parameter 'bitrate_kps'; did you mean 'bitrate_kbps'?"
    )


def test_every_native_takes_its_own_values_as_text():
    """What `codecfx effects` prints as a default can be typed back."""
    for name in native_effect.names():
        if name == "Convolution":
            continue
        effect = registry.find(name)()
        text = ",".join(f"{key}={value}" for key, value in effect.values.items())
        assert effect_from(f"{name}:{text}").values == effect.values
