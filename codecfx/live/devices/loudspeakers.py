"""Microphones in front of loudspeakers: pairs of devices that would howl, told by their names."""

import re
from collections.abc import Iterable, Sequence

from codecfx.live.devices.listing import Device, Way

# The card that a computer comes with: makers' words, chips', and what Linux calls them. Windows puts
# the chip in brackets, whatever language it speaks
_BUILT_IN = re.compile(
    r"built-?in|intern|macbook|imac|studio display|mac mini|mac studio"
    r"|realtek|conexant|cirrus|synaptics|\bidt\b|soundmax|sigmatel|aqstic|smart sound"
    r"|high definition|hd.audio|\bhda\b|\balc\d|\bsof-|\bacp|surface|amd audio device"
    r"|microphone array|mikrofonarray",
    re.IGNORECASE,
)
# What is not in front of, or inside of, the computer, even if its chip is: cables, screens, ears
_ELSEWHERE = re.compile(
    r"usb|bluetooth|hdmi|display.?port|display.audio|nvidia|amd high def|s/?p-?dif|digital.out"
    r"|iec958|\bline\b|line.?in|stereo.?mi[xs]|what u hear|headset|extern|virtual",
    re.IGNORECASE,
)
_WORN = re.compile(
    r"head-?phone|earphone|earbud|airpods|kopfhörer|casque|écouteur|auricular|cuffi|hoofdtelefoon|hörlurar"
    r"|fones|ヘッドホン|耳机",
    re.IGNORECASE,
)
_LOUD = re.compile(r"speaker|lautsprecher|haut-?parleur|altavo|altoparlant", re.IGNORECASE)
# Names for whatever the system uses at the moment
_STAND_IN = re.compile(
    r"^(default|sysdefault|pulse|pipewire|dmix|microsoft sound mapper.*|primary sound.*)$",
    re.IGNORECASE,
)
_CARD = re.compile(r"\(hw:\d")  # of ALSA's devices, those that are cards


def would_feed_back(input: Device, output: Device, among: Sequence[Device] = ()) -> bool:
    """Whether the input looks like a built-in microphone and the output like built-in loudspeakers, so
    that monitoring would howl.

    A name decides. It means a built-in one if it has a computer's own word (Built-in, MacBook), that of
    a chip which computers have inside (Realtek, HDA, Smart Sound), or Microphone Array; and nothing
    that says otherwise: USB, Bluetooth, HDMI, Line, External, Headset, Headphones. "Speakers /
    Headphones" counts as speakers, as does macOS' old "Built-in Output". What stands for the usual
    ("default", "pulse", "Microsoft Sound Mapper") means a built-in one if `among`, the devices there
    are, has no other card.

    Names say only so much. JACK's "system" may be anything, and is not refused; nor is a microphone on
    a cable before loudspeakers. Headphones in a socket that keeps the speakers' name are refused: so
    let people say that they wear some.
    """
    return _is_built_in(input, "input", among) and _is_built_in(output, "output", among)


def _is_built_in(device: Device, way: Way, among: Sequence[Device]) -> bool:
    if _STAND_IN.search(device.name):
        cards = [
            one.name
            for one in _cards(among)
            if one.host_api == device.host_api and one.channels(way) and _is_heard(one.name)
        ]
        return bool(cards) and all(map(_names_built_in, cards))
    return _names_built_in(device.name)


def _cards(among: Iterable[Device]) -> list[Device]:
    """The devices that are no other name for one of the others."""
    return [
        one
        for one in among
        if not _STAND_IN.search(one.name) and (one.api != "ALSA" or _CARD.search(one.name))
    ]


def _is_heard(name: str) -> bool:
    """Whether it may be what is usual: a screen's or a cable's sound seldom is."""
    return not re.search(r"hdmi|display|nvidia|s/?p-?dif|iec958|stereo.?mi[xs]", name, re.IGNORECASE)


def _names_built_in(name: str) -> bool:
    if _ELSEWHERE.search(name) or (_WORN.search(name) and not _LOUD.search(name)):
        return False
    return _BUILT_IN.search(name) is not None
