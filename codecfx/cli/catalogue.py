"""What there is, as tables of plain values: effects and codecs with parameters, ranges and latency."""

from collections.abc import Iterator
from typing import Any

USUAL_RATES_HZ = (44_100, 48_000, 96_000)
LIVE_MS = 50.0  # beyond this a voice is heard as an echo of itself


def entry(name: str, kind: str) -> dict[str, Any]:
    """An effect's description, parameters, and latency in stereo at the usual rates."""
    from codecfx.effects import registry

    effect_class = registry.find(name)
    latency = {str(rate): _latency(effect_class, rate) for rate in USUAL_RATES_HZ}
    known = [one["ms"] for one in latency.values() if one is not None]
    return {
        "name": effect_class.name,
        "kind": kind,
        "description": effect_class.description,
        "latency": latency,
        "live": bool(known) and max(known) <= LIVE_MS,
        "parameters": [_parameter(parameter) for parameter in effect_class.parameters],
    }


def every_effect() -> Iterator[dict[str, Any]]:
    """Codecs, containers, pedalboard's effects."""
    from codecfx.effects import registry

    for name in registry.codec_names():
        yield entry(name, "codec")
    for name in registry.CONTAINERS:
        yield entry(name, "container")
    for name in registry.native_names():
        yield entry(name, "pedalboard")


def every_codec() -> Iterator[dict[str, Any]]:
    """Codecs, with what only they have: the format they work in for a 48 kHz stereo stream. One whose
    engine is missing says why under `unavailable`, which is empty for the others.
    """
    from codecfx import codecs
    from codecfx.control.parameters import checked
    from codecfx.errors import CodecUnavailable

    for name in codecs.names():
        codec_class = codecs.find(name)
        values = checked(codec_class.parameters, {}, name)
        about = entry(name, "codec") | {"title": codec_class.title, "unavailable": ""}
        try:
            codec = codec_class(48_000, codec_class.widest(values), values)
        except CodecUnavailable as error:
            yield about | {"unavailable": str(error), "frame_ms": None}
            continue
        yield about | {
            "sample_rate_hz": codec.format.sample_rate,
            "channels": codec.format.channels,
            "frame_samples": codec.format.frame_samples,
            "frame_ms": 1000 * codec.format.frame_samples / codec.format.sample_rate,
            "lookahead_samples": codec.format.lookahead_samples,
        }


def _latency(effect_class: Any, rate: int) -> dict[str, float] | None:
    """Latency with default settings; None where the effect does not take the rate, or needs a file."""
    from codecfx.effects.base import StreamSpec
    from codecfx.errors import CodecFxError

    try:
        effect = effect_class()
        effect.prepare(StreamSpec(rate, 2))
    except CodecFxError:
        return None
    return {"samples": effect.latency_samples, "ms": round(effect.latency_ms, 3)}


def _parameter(parameter: Any) -> dict[str, Any]:
    return {
        "id": parameter.id,
        "name": parameter.name,
        "default": parameter.default,
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "unit": parameter.unit,
        "choices": list(parameter.choices),
        "curve": parameter.curve.value,
        "change": parameter.change.value,
        "allowed": parameter.allowed,
        "description": parameter.description,
    }
