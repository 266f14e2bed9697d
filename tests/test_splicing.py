"""Splicing: another sound's packets inside a stream's own."""

import numpy as np
import pytest
import soundfile
from signals import noise, rms_db, same, sine, stream_through, tones, voice

import codecfx
from codecfx.effects import registry
from codecfx.effects.processor import StreamSpec
from codecfx.errors import CodecFxError, ConfigurationError
from codecfx.presets import load_preset, save_preset
from codecfx.stream.channels import MatchChannels

RATE = 48_000
FRAME = 960


@pytest.fixture
def donor(tmp_path):
    """A donor of noise, and its sound."""
    sound = noise(1, 40 * FRAME, seed=9, level=0.1)
    soundfile.write(tmp_path / "donor.wav", sound.T, RATE, subtype="FLOAT")
    return str(tmp_path / "donor.wav"), sound.reshape(40, FRAME)


def frames_of(audio, **values):
    return codecfx.PCM(frame_samples=FRAME, **values)(audio, RATE).reshape(-1, FRAME)


def test_packets_are_the_donors_over_and_over(donor):
    file, theirs = donor
    audio = noise(1, 400 * FRAME, level=0.1)
    own = audio.reshape(-1, FRAME)
    assert same(frames_of(audio, splice_file=file, splice=1.0), theirs[np.arange(400) % 40])
    some = frames_of(audio, splice_file=file, splice=0.3)
    spliced = [not same(one, clean) for one, clean in zip(some, own, strict=True)]
    for at in np.flatnonzero(spliced):
        assert same(some[at], theirs[at % 40])
    assert np.mean(spliced) == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 400))


def test_parts_of_packets_are_the_donors(donor):
    file, theirs = donor
    audio = noise(1, 40 * FRAME, level=0.1)
    own = audio.reshape(-1, FRAME)
    end = frames_of(audio, splice_file=file, splice=1.0, splice_share=0.25)
    assert same(end[:, : 3 * FRAME // 4], own[:, : 3 * FRAME // 4])
    assert same(end[:, 3 * FRAME // 4 :], theirs[:, 3 * FRAME // 4 :])
    begin = frames_of(audio, splice_file=file, splice=1.0, splice_share=0.25, splice_place="beginning")
    assert same(begin[:, : FRAME // 4], theirs[:, : FRAME // 4])
    assert same(begin[:, FRAME // 4 :], own[:, FRAME // 4 :])


def test_books_cross_breed(tmp_path):
    """The coarse books of one sound, the fine ones of another: neither, but more like the coarse."""
    audio, other = voice(RATE, RATE, seed=1), tones(RATE, RATE, seed=2)
    soundfile.write(tmp_path / "other.flac", other.T, RATE)
    file = str(tmp_path / "other.flac")
    bare = codecfx.EnCodec()(audio, RATE)
    theirs = codecfx.EnCodec()(other, RATE)

    def like(one, two):
        return np.corrcoef(one[0, 6000:40_000], two[0, 6000:40_000])[0, 1]

    fine = codecfx.EnCodec(splice_file=file, splice=1.0, splice_share=0.5)(audio, RATE)
    assert like(fine, bare) > 0.7 > 0.4 > abs(like(fine, theirs))
    whole = codecfx.EnCodec(splice_file=file, splice=1.0)(audio, RATE)
    assert like(whole, theirs) > 0.9
    scattered = codecfx.EnCodec(
        splice_file=file, splice=1.0, splice_share=0.5, splice_place="scattered"
    )(audio, RATE)
    assert 0.1 < like(scattered, theirs) < 0.9


@pytest.mark.parametrize("name", ["opus", "mp3", "gsm", "sbc", "lyra"])
def test_any_donor_for_any_codec(name, tmp_path):
    sound = voice(22_050, 11_025, channels=2, seed=3)
    soundfile.write(
        tmp_path / "donor.wav", np.concatenate((sound, sound[:1])).T, 22_050
    )  # three channels
    values = {"splice_file": str(tmp_path / "donor.wav"), "splice": 0.5, "splice_share": 0.6}
    audio = tones(RATE, 24_000, channels=2)
    effect = registry.find(name)(**values)
    effect.prepare(StreamSpec(RATE, 2))
    whole = effect.process_block(audio).copy()
    assert effect.meter.damaged > 1
    assert np.isfinite(whole).all()
    effect.reset()
    assert same(stream_through(effect, audio, [480, 7, 513]), whole)
    assert effect.latency_samples == registry.find(name)().prepared(StreamSpec(RATE, 2)).latency_samples


def test_a_donor_is_as_loud_as_it_is(tmp_path):
    soundfile.write(tmp_path / "loud.wav", noise(1, RATE, level=0.2).T, RATE)
    silence = np.zeros((1, RATE), np.float32)
    heard = codecfx.PCM(splice_file=str(tmp_path / "loud.wav"), splice=1.0)(silence, RATE)
    assert np.sqrt(np.square(heard).mean()) == pytest.approx(0.2, rel=0.02)


def test_what_is_wrong_is_one_line(tmp_path):
    spec = StreamSpec(RATE, 1)
    with pytest.raises(ConfigurationError, match="and there is no splice_file; name an audio"):
        codecfx.Opus(splice=0.5).prepare(spec)
    (tmp_path / "text.wav").write_text("no sound")
    for file, reason in (("missing.wav", "there is no file"), ("text.wav", "text.wav")):
        with pytest.raises(CodecFxError, match=f"splice_file: .*{reason}") as error:
            codecfx.Opus(splice=0.5, splice_file=str(tmp_path / file)).prepare(spec)
        assert "\n" not in str(error.value)


def test_nothing_moves_what_has_no_donor(donor):
    audio = noise(1, RATE)
    moves = {"opus.splice": np.linspace(0, 0.5, RATE)}
    with pytest.raises(ConfigurationError, match="there is no splice_file"):
        codecfx.Opus()(audio, RATE, automation=moves)
    heard = codecfx.Opus(splice_file=donor[0])(audio, RATE, automation=moves)
    assert not same(heard, codecfx.Opus()(audio, RATE))


def test_a_preset_has_its_donor_beside_it(donor, tmp_path):
    file, _ = donor
    board = codecfx.Pedalboard([codecfx.Opus(splice_file=file, splice=0.5)])
    text = save_preset(board, tmp_path / "one.toml").read_text()
    assert '[chain.splicing]\nsplice_file = "donor.wav"\nsplice = 0.5\n' in text
    assert load_preset(tmp_path / "one.toml").board()[0].splice_file == file


def test_three_channels_fold():
    three = noise(3, 64)
    mono = MatchChannels(3, 1).push(three)
    assert np.allclose(mono[0], three.mean(axis=0), atol=1e-7)


@pytest.mark.parametrize("name", ["mp3", "mp2", "aac"])
def test_a_donor_is_heard_on_after_a_move(name, tmp_path):
    """Though the stream has begun anew since it was coded."""
    donor = sine(1000, RATE, RATE, level=0.4)
    soundfile.write(tmp_path / "donor.wav", donor.T, RATE)
    effect = registry.find(name)(bitrate_kbps=128, splice=0.5, splice_file=str(tmp_path / "donor.wav"))
    effect.prepare(StreamSpec(RATE, 1))
    silence = np.zeros((1, RATE), np.float32)
    before = effect.process_block(np.concatenate((silence, silence), axis=1))[:, RATE:].copy()
    effect.bitrate_kbps = 64
    effect.process_block(silence)
    after = effect.process_block(silence)
    assert rms_db(after) == pytest.approx(rms_db(before), abs=3)


def test_nothing_of_another_is_nothing_damaged(tmp_path):
    soundfile.write(tmp_path / "donor.wav", noise(1, RATE).T, RATE)
    effect = codecfx.Opus(splice=1.0, splice_share=0.0, splice_file=str(tmp_path / "donor.wav"))
    effect(voice(RATE, RATE), RATE)
    assert effect.meter.damaged == 0
