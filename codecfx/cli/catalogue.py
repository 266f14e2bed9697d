"""What there is, as tables of plain values: effects and codecs with parameters, ranges and latency."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from codecfx.preset_tables import is_tables

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
    """Codecs, with what only they have: facts, and the format they work in for a 48 kHz stereo stream.
    One whose engine or model is missing says why under `unavailable`, which is empty for the others;
    `needs_model` tells whether it is the model.
    """
    from codecfx import codecs

    for name in codecs.names():
        yield codec(name)


def codec(name: str) -> dict[str, Any]:
    """One of `every_codec`. Raises UnknownName."""
    from codecfx import codecs
    from codecfx.codecs.base import Facts
    from codecfx.control.parameters import checked
    from codecfx.errors import CodecUnavailable, ModelMissing

    codec_class = codecs.find(name)
    values = checked(codec_class.parameters, {}, name)
    facts = getattr(codec_class, "facts", Facts())
    about = entry(name, "codec") | {
        "title": codec_class.title,
        "family": facts.family,
        "sample_rates_hz": list(facts.sample_rates),
        "channels_carried": list(facts.channels),
        "bitrate_kbps": facts.bitrate,
        "live_change": facts.changes,
        "licence": facts.licence,
        "unavailable": "",
        "needs_model": False,
    }
    try:
        made = codec_class(48_000, codec_class.widest(values), values)
    except CodecUnavailable as error:
        needs_model = isinstance(error, ModelMissing)
        return about | {"unavailable": str(error), "needs_model": needs_model, "frame_ms": None}
    return about | {
        "sample_rate_hz": made.format.sample_rate,
        "channels": made.format.channels,
        "frame_samples": made.format.frame_samples,
        "frame_ms": 1000 * made.format.frame_samples / made.format.sample_rate,
        "lookahead_samples": made.format.lookahead_samples,
    }


def needs_model(chain: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a codec in a preset's chain of tables has a model that is not here. Builds no codec."""
    from codecfx import codecs, models

    for table in chain:
        name = str(table.get("effect")).lower()
        model = getattr(codecs.find(name), "model", "") if codecs.has(name) else ""
        if model in models.MODELS and models.is_missing(model):
            return True
        inner: Any = table.get("chain")
        if is_tables(inner) and needs_model(inner):
            return True
    return False


def rates_in_words(about: dict[str, Any]) -> str:
    """A codec's own sample rates in kHz: '8', '8-48', 'any'."""
    rates = [f"{rate / 1000:.3g}" for rate in about["sample_rates_hz"]]
    return "any" if not rates else rates[0] if len(rates) == 1 else f"{rates[0]}-{rates[-1]}"


def channels_in_words(about: dict[str, Any]) -> str:
    """How many channels one codec carries: '1', '1-2', '2'."""
    counts = about["channels_carried"]
    return "-".join(str(count) for count in sorted({counts[0], counts[-1]}))


def _latency(effect_class: Any, rate: int) -> dict[str, float] | None:
    """Latency with default settings; None where the effect does not take the rate, or needs a file."""
    from codecfx.effects.processor import StreamSpec
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
        "group": parameter.group,
    }
