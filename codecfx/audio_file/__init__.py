"""Audio files as streams: read a block at a time, written aside and put in place when whole.

A render is `AudioSource` -> effects -> `AudioTarget`, in constant memory::

    with AudioSource("in.wav") as source, AudioTarget("out.flac", source) as target:
        while (block := source.read(65_536)).shape[1]:
            target.write(block)
        target.commit()

Samples are float32 (channels, samples). Every error of a file is an `AudioFileError` of one line.
What is where: `source` and `target` are those two, `sample_format` chooses the output's format and
rounds to it, `metadata` carries tags and chunks, `part_file` keeps half files from view,
`mp3_length` knows one thing about MP3 that libsndfile does not.
"""

from codecfx.audio_file.sample_format import CONTAINERS
from codecfx.audio_file.source import AudioSource
from codecfx.audio_file.target import AudioTarget

OUTPUT_SUFFIXES = frozenset(CONTAINERS)
"""The suffixes `AudioTarget` takes, lower case with the dot."""

AUDIO_SUFFIXES = OUTPUT_SUFFIXES | {".rf64", ".aifc", ".opus", ".mp3"}
"""The suffixes of files to look for as input. `AudioSource` itself goes by content."""

__all__ = ["AUDIO_SUFFIXES", "OUTPUT_SUFFIXES", "AudioSource", "AudioTarget"]
