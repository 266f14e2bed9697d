"""What is in a take's folder, for those who write and those who read it."""

from importlib import metadata

VERSION = 1
ABOUT, PRESET, PRESETS, EVENTS = "take.toml", "preset.toml", "presets", "events.csv"
DRY, WET = "dry.wav", "wet.wav"
COLUMNS = ["sample", "kind", "target", "value"]
MIDI, SET, BOARD = "midi", "set", "board"
# What the sound may depend on: another version of one may make another sound
ENGINES = ("codecfx", "numpy", "pedalboard", "av", "opuslib", "soundfile", "onnxruntime")


def version_of(distribution: str) -> str:
    """The version that is installed; "" for none."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
