"""Diagnosis: what this machine has, what it lacks, and how to get it."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the machine: there with what it says of itself, or missing with how to get it."""

    name: str
    found: bool
    detail: str
    needed: bool = True


def findings() -> Iterator[Finding]:
    """Every part of the machine that codecfx uses, or would."""
    import codecfx

    yield Finding("codecfx", True, codecfx.__version__)
    yield Finding("python", True, sys.version.split()[0])
    yield from _core()
    yield _libopus()
    yield from _optional()
    yield from _models()


def _core() -> Iterator[Finding]:
    for name in ("numpy", "av", "opuslib"):
        version = _version(name)
        yield Finding(name, bool(version), version or f"pip install {name}")
    try:
        from codecfx.effects import native  # noqa: F401

        yield Finding("pedalboard", True, _version("pedalboard"))
    except ImportError as error:
        yield Finding("pedalboard", False, str(error))
    try:
        import soundfile

        yield Finding("soundfile", True, f"{_version('soundfile')}, {soundfile.__libsndfile_version__}")
        mp3 = "MP3" in soundfile.available_formats()
        yield Finding(
            "reads MP3", mp3, "yes" if mp3 else "update soundfile (pip install -U soundfile)", False
        )
    except (ImportError, OSError) as error:
        yield Finding("soundfile", False, f"pip install soundfile ({error})")


def _libopus() -> Finding:
    from codecfx.codecs import libopus
    from codecfx.errors import CodecUnavailable

    try:
        library = libopus.load()
    except CodecUnavailable as error:
        return Finding("libopus", False, str(error))
    return Finding("libopus", True, f"{library.version}, {library.path}")


def _optional() -> Iterator[Finding]:
    from codecfx.codecs.family.libraries import LIBRARIES
    from codecfx.errors import CodecUnavailable

    for library in LIBRARIES:
        try:
            library.load()
            yield Finding(f"lib{library.name}", True, library.find(), needed=False)
        except CodecUnavailable as error:
            yield Finding(f"lib{library.name}", False, str(error), needed=False)
    neural = "neural codecs: pip install 'codecfx[neural]'"
    live = "live monitoring: pip install 'codecfx[live]'"
    for name, module, how in (
        ("torch", "torch", neural),
        ("onnxruntime", "onnxruntime", neural),
        ("onnx", "onnx", neural),
        ("encodec", "encodec", neural),
        ("ai-edge-litert", "ai_edge_litert", "faster Lyra: pip install 'codecfx[litert]'"),
        ("sounddevice", "sounddevice", live),
        ("python-rtmidi", "rtmidi", live),
    ):
        found = find_spec(module) is not None
        yield Finding(name, found, _version(name) or "there" if found else how, needed=False)
    if find_spec("sounddevice") is not None:
        yield _portaudio()


def _portaudio() -> Finding:
    from codecfx.errors import AudioDeviceError
    from codecfx.live.devices import choose, listing

    try:
        found = listing()
    except AudioDeviceError as error:
        return Finding("PortAudio", False, f"live monitoring: {error}", needed=False)
    detail = f"{found.version.partition(',')[0]}, devices: {len(found.devices)}"
    try:
        source, target = choose(among=found.devices)
    except AudioDeviceError:  # live may still go from file to file, or one way
        return Finding("PortAudio", True, detail, needed=False)
    return Finding("PortAudio", True, f"{detail}; live uses {source} and {target}", needed=False)


def _models() -> Iterator[Finding]:
    from codecfx import models
    from codecfx.errors import ModelFileError, ModelMissing

    for name in models.MODELS:
        try:
            paths = list(models.files(name).values())
        except (ModelMissing, ModelFileError) as error:
            yield Finding(f"{name} model", False, str(error), needed=False)
        else:
            where = paths[0] if len(paths) == 1 else paths[0].parent
            yield Finding(f"{name} model", True, str(where), needed=False)


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
