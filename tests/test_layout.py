"""Layouts: which side of an array is the channels, and that it comes back as it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from signals import noise, same

from codecfx.audio import interleaved, planar
from codecfx.effects.layout import Layout
from codecfx.errors import UnsupportedFormat


@pytest.mark.parametrize(
    ("shape", "channels", "samples"),
    [
        ((48000,), 1, 48000),
        ((0,), 1, 0),
        ((1,), 1, 1),
        ((1, 48000), 1, 48000),
        ((48000, 1), 1, 48000),
        ((2, 48000), 2, 48000),
        ((48000, 2), 2, 48000),
        ((8, 9), 8, 9),
        ((9, 8), 8, 9),
        ((2, 2), 2, 2),  # channels first, where nothing else is known
        ((2, 1), 1, 2),
        ((1, 2), 1, 2),
        ((1, 1), 1, 1),
        ((2, 0), 2, 0),
        ((0, 2), 2, 0),  # no samples of two channels, not two of none
        ((1, 0), 1, 0),
        ((0, 1), 1, 0),
    ],
)
def test_the_smaller_side_is_the_channels(shape, channels, samples):
    array = noise(1, int(np.prod(shape))).reshape(shape)
    layout = Layout.of(array)
    assert layout.channels == channels
    audio = layout.inward(array)
    assert audio.shape == (channels, samples)
    assert audio.flags.c_contiguous
    assert same(layout.outward(audio), array)


@given(
    channels=st.integers(1, 8),
    channels_first=st.booleans(),
    lengths=st.lists(st.sampled_from((0, 1, 2, 3, 7, 8, 9, 64, 65)), min_size=1, max_size=9),
)
def test_a_running_stream_keeps_its_layout_whatever_its_blocks(channels, channels_first, lengths):
    first = np.zeros((channels, 100) if channels_first else (100, channels), np.float32)
    layout = Layout.of(first)
    for samples in lengths:
        audio = noise(channels, samples)
        block = audio if channels_first else audio.T
        layout = Layout.of(block, layout)
        assert same(layout.inward(block), audio)
        assert layout.outward(audio).shape == block.shape
        assert same(layout.outward(audio), np.ascontiguousarray(block))


def test_a_block_that_does_not_fit_the_stream_is_read_afresh():
    stream = Layout.of(np.zeros((2, 100), np.float32))
    assert Layout.of(np.zeros((100, 2), np.float32), stream) == Layout(2, False, 2)
    assert Layout.of(np.zeros((3, 100), np.float32), stream) == Layout(2, True, 3)
    assert Layout.of(np.zeros(100, np.float32), stream) == Layout(1, True, 1)


def test_a_vector_stream_goes_on_as_one():
    vector = Layout.of(np.zeros(100, np.float32))
    assert Layout.of(np.zeros(1, np.float32), vector) == vector
    assert Layout.of(np.zeros((2, 2), np.float32), vector) == Layout(2, True, 2)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.dtype(">f4"), np.dtype(">f8")])
def test_every_float_becomes_float32(kind):
    array = np.linspace(-1, 1, 16).reshape(2, 8).astype(kind)
    for given_array in (array, array[:, ::-1], array.T, np.asfortranarray(array), array.tolist()):
        audio = Layout.of(given_array).inward(given_array)
        assert audio.dtype == np.float32
        assert audio.dtype.isnative
        assert audio.shape == (2, 8)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.uint8, np.int64])
def test_integers_are_refused_with_what_to_do(kind):
    with pytest.raises(UnsupportedFormat, match=r"audio is u?int.* at 1\.0: divide integers"):
        Layout.of(np.zeros((2, 100), kind))


@pytest.mark.parametrize("wrong", [["a"], None, {}, [[None]], np.zeros(3, bool), np.zeros(3, complex)])
def test_what_holds_no_numbers_is_refused(wrong):
    with pytest.raises(UnsupportedFormat, match="must be an array of numbers"):
        Layout.of(wrong)


@pytest.mark.parametrize("shape", [(), (2, 2, 2), (1, 1, 1, 1)])
def test_other_dimensions_are_refused(shape):
    with pytest.raises(UnsupportedFormat, match=f"has {len(shape)} dimensions; codecfx takes"):
        Layout.of(np.zeros(shape, np.float32))


@pytest.mark.parametrize("samples", [0, 1, 7, 64, 65])
@pytest.mark.parametrize("channels", [1, 2, 7, 8])
def test_interleaved_and_planar_are_each_others_way_back(channels, samples):
    audio = noise(channels, samples)
    frames = interleaved(audio)
    assert same(frames, np.ascontiguousarray(audio.T))
    assert frames.flags.c_contiguous
    assert same(planar(frames), audio)
    assert planar(frames).flags.c_contiguous
    assert same(interleaved(audio[:, ::2]), np.ascontiguousarray(audio[:, ::2].T))
