"""The live host in words: what its screen, its lines and its summary say. Nothing here has a state."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from codecfx.live.status import Knob, Level, Load, Part, Status

_NAME_CELLS = 16  # of a part of the latency


def clean(text: str) -> str:
    """Text as one line without control characters: names of devices and presets may hold anything.

    >>> clean("mic\\n\\x1b[31m 1")
    'mic ?[31m 1'
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))


def clock(seconds: float) -> str:
    """A time since the start.

    >>> clock(133.9), clock(3733)
    ('2:13', '1:02:13')
    """
    whole = int(max(0.0, seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def decibels(level_db: float) -> str:
    """A level's figure.

    >>> decibels(-18.24), decibels(float("-inf"))
    ('-18.2', 'silent')
    """
    return f"{level_db:.1f}" if math.isfinite(level_db) else "silent"


def percent(share: float) -> str:
    """A share of 1, or more of it.

    >>> percent(0.1234), percent(0.004), percent(0)
    ('12 %', '0.4 %', '0 %')
    """
    return f"{100 * share:.1f} %" if 0 < share < 0.0995 else f"{100 * share:.0f} %"


def rate(sample_rate: int) -> str:
    """A sample rate: '48 kHz', '44.1 kHz'."""
    return f"{sample_rate / 1000:g} kHz"


def counted(count: int, noun: str) -> str:
    """'1 block', '3 blocks'."""
    return f"{count} {noun}" + "s" * (count != 1)


def side(status: "Status", name: str) -> str:
    """What stands on side "A" or "B"; the preset that is heard is known best."""
    there = status.sides["AB".index(name)] if name in ("A", "B") else ""
    return clean(status.preset if name == status.side and status.preset else there)


def flags(status: "Status") -> list[tuple[str, str]]:
    """What must not be overlooked, and how urgent: "alarm", "warning" or "fact"."""
    howl = f"HOWL {status.howl_hz:.0f} Hz" if status.howl_hz > 0 else "HOWL"
    found = [
        (status.state.upper(), "warning") if status.state == "starting" else None,
        ("DEVICE LOST", "alarm") if status.state == "lost" else None,
        (howl, "alarm") if status.is_howling else None,
        ("MUTED", "warning") if status.is_muted else None,
        ("BYPASS", "warning") if status.is_bypassed else None,
        (f"REC {clock(status.take_seconds)}", "alarm") if status.take else None,
        ("REC begins", "warning") if status.is_recording and not status.take else None,
        ("NO INPUT", "warning") if status.has_silent_input else None,
        ("CHANGING", "fact") if status.is_changing else None,
    ]
    return [one for one in found if one is not None]


def latency_terms(parts: Sequence["Part"]) -> tuple[list[str], str]:
    """Each part with its milliseconds, and the whole, which is the sum of what is shown. A '?' is what
    the device does not say; parts that cost nothing are left out.
    """
    known = sum(round(part.ms, 1) for part in parts if part.is_known)
    terms = []
    for part in parts:
        ms = f"{part.ms:.1f}" if part.is_known else "?"
        if ms not in ("0.0", "-0.0"):
            terms.append(f"{_short(clean(part.name), _NAME_CELLS)} {ms}")
    whole = f"{known:.1f} ms"
    return terms, whole if all(part.is_known for part in parts) else f"{whole} + ?"


def latency_sum(parts: Sequence["Part"]) -> str:
    """'device in 2.7 + block 2.7 + opus 26.5 + device out 2.7 = 34.6 ms'"""
    terms, whole = latency_terms(parts)
    if len(terms) < 2:
        return " ".join([*terms, "ms"]) if terms and "?" not in whole else whole
    return f"{' + '.join(terms)} = {whole}"


def latency_lines(parts: Sequence["Part"], width: int, most: int = 2) -> list[str]:
    """The sum in at most `most` lines of `width`: where it does not fit, its smallest parts are one."""
    left = list(parts)
    merged: list[Part] = []
    while True:
        shown = [*left, _together(merged)] if merged else left
        lines = _wrapped(latency_sum(shown), width)
        if len(lines) <= most or len(left) < 2:
            return lines
        smallest = min((part for part in left if part.is_known), key=_lateness, default=left[-1])
        left.remove(smallest)
        merged.append(smallest)


def _lateness(part: "Part") -> float:
    return part.ms


def _together(parts: Sequence["Part"]) -> "Part":
    from codecfx.live.status import Part

    shown = sum(1 for part in parts if part.ms >= 0.05)
    return Part(
        f"{shown} more",
        sum(part.samples for part in parts),
        sum(round(part.ms, 1) for part in parts),
        all(part.is_known for part in parts),
    )


def _wrapped(text: str, width: int) -> list[str]:
    """Lines that break before a '+' or '='."""
    lines = [""]
    for piece in text.replace(" + ", "\n+ ").replace(" = ", "\n= ").split("\n"):
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(piece) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {piece}".lstrip()
    return lines


def _short(text: str, cells: int) -> str:
    while cell_len(text) > cells:
        text = text.rstrip("~")[:-1].rstrip() + "~"
    return text


def load(of: "Load") -> str:
    """'12 % (worst 34 %, headroom 66 %)'"""
    return f"{percent(of.mean)} (worst {percent(of.worst)}, headroom {percent(of.headroom)})"


def dropouts(status: "Status") -> str:
    """'3, last 2:13'"""
    if not status.dropouts or not status.recent_dropouts:
        return str(status.dropouts)
    return f"{status.dropouts}, last {clock(status.recent_dropouts[-1].seconds)}"


def losses(status: "Status") -> str:
    """'lost 12 packets (1.2 %)'"""
    if not status.packets:
        return "no packets"
    if not status.lost_packets:
        return "no packet lost"
    share = percent(status.lost_packets / status.packets)
    return f"lost {counted(status.lost_packets, 'packet')} ({share})"


def fates(status: "Status") -> str:
    """'lost 12, concealed 10, repaired 2, damaged 5 of 1000; seed 7'"""
    counts = {
        "lost": status.lost_packets,
        "concealed": status.concealed_packets,
        "repaired": status.repaired_packets,
        "damaged": status.damaged_packets,
    }
    seeds = sorted({knob.text for knob in status.knobs if knob.path.endswith(".seed")})
    fate = ", ".join(f"{what} {count}" for what, count in counts.items())
    return f"{fate} of {status.packets}; seed {' and '.join(seeds) or 'unknown'}"


def is_wrong(status: "Status") -> bool:
    """Whether any packet was lost, repaired or damaged."""
    return bool(status.lost_packets or status.repaired_packets or status.damaged_packets)


def bitrate(status: "Status") -> str:
    """'18.3 kbps'"""
    return f"{status.kbps:.0f} kbps" if status.kbps >= 1000 else f"{status.kbps:.1f} kbps"


def devices(status: "Status") -> str:
    """'Scarlett to Phones, 48 kHz, block 128'"""
    facts = [f"{clean(status.input_name) or '?'} to {clean(status.output_name) or '?'}"]
    facts += [rate(status.sample_rate)] if status.sample_rate else []
    facts += [f"block {status.block_samples}"] if status.block_samples else []
    return ", ".join(facts)


def levels(of: Sequence["Level"]) -> str:
    """'-18.2 and -20.0 dB, peak -6.1'"""
    if not any(math.isfinite(level.peak_db) for level in of):
        return "silent" if of else "none"
    figures = " and ".join(decibels(level.rms_db) for level in of)
    return f"{figures} dB, peak {decibels(max(level.peak_db for level in of))}"


def knob(of: "Knob") -> str:
    """'opus.bitrate_kbps = 24 kbps (cc 21)'"""
    return f"{clean(of.path)} = {clean(of.text)}" + f" ({clean(of.source)})" * bool(of.source)


def summary(status: "Status") -> str:
    """Everything that matters now, in a line."""
    words = [
        *(word.lower() for word, _ in flags(status)),
        f"preset {clean(status.preset) or 'none'}",
        f"in {levels(status.inputs)}",
        f"out {levels(status.outputs)}",
        *([f"guard {decibels(status.reduction_db)} dB"] if status.reduction_db <= -0.05 else []),
        bitrate(status),
        *([losses(status)] if is_wrong(status) else []),
        f"latency {latency_terms(status.latency)[1]}",
        f"load {load(status.load)}",
        f"dropouts {dropouts(status)}",
    ]
    return "; ".join(words)


def report(status: "Status") -> list[str]:
    """Everything there is to say but the parameters, a line each."""
    priority = "yes" if status.is_real_time else "no"
    lines = [
        summary(status),
        f"devices: {devices(status)}; real-time priority: {priority}",
        f"midi: {', '.join(map(clean, status.midi_inputs)) or 'none'}",
        f"latency: {latency_sum(status.latency)}",
        f"packets: {fates(status) if is_wrong(status) else losses(status)}",
        f"A: {side(status, 'A') or 'empty'}; B: {side(status, 'B') or 'empty'}; heard: {status.side}",
    ]
    if status.clamped_samples:
        lines.append(f"clamped: {counted(status.clamped_samples, 'sample')}")
    if status.restarts:
        lines.append(f"restarts: {status.restarts}")
    if status.take:
        lines.append(f"take: {clean(status.take)}, {clock(status.take_seconds)}")
    if status.trouble:
        lines.append(f"trouble: {clean(status.trouble)}")
    return lines
