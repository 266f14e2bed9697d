"""Splicing: packets of another sound, coded alike, instead of a stream's own, or parts of them: the
bits of one stem inside another. Of a neural codec's tokens, parts are books: two sounds cross-breed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from codecfx.audio import silence
from codecfx.codecs.base import Codec, Packet
from codecfx.control.parameters import Change, Value
from codecfx.errors import AudioFileError, ParameterError, UnsupportedFormat
from codecfx.stream.chance import Chance, Purpose
from codecfx.stream.channels import MatchChannels
from codecfx.stream.ears import Peaks
from codecfx.stream.plan import of_packets, shares_of
from codecfx.stream.resampling import Resampled
from codecfx.stream.stage import Series, Stage

GROUP = "splicing"
ABOUT = "Packets of another sound, spliced in"
PLACES = ("end", "beginning", "scattered")
LONGEST_SECONDS = 60  # of a donor; what is longer is heard as far as that
_BLOCK_SAMPLES = 65_536
_MOST_KEPT = 4  # donors: a minute of PCM is 45,000 packets
_parameter, _share = of_packets(GROUP), shares_of(GROUP)

SHARE = _share("splice", "Splicing", "Share of packets that the donor's are spliced into")
PARAMETERS = (
    _parameter(
        "splice_file",
        "Donor",
        "",
        change=Change.PREPARE,
        is_file=True,
        description="Audio file whose packets are spliced in, again and again; a minute at most",
    ),
    SHARE,
    _share(
        "splice_share",
        "Spliced part",
        "Share of such a packet that is the donor's: bytes after its header, or books; 1 is all of it",
        default=1.0,
    ),
    _parameter(
        "splice_place",
        "Spliced place",
        "end",
        choices=PLACES,
        description="Where in it: of books, the end is fine and the beginning coarse",
    ),
)

Donor: TypeAlias = Sequence[tuple[Packet, float]]
"""Packets, and the highest sample about each."""

_kept: dict[tuple[object, ...], Donor] = {}


def refuse_no_donor(share: Value, path: Value) -> None:
    """Raises ParameterError where there is something to splice, and nothing to splice in."""
    if share and not path:
        raise ParameterError(
            f"splice is {share:g} and there is no splice_file; name an audio file to splice in"
        )


def donor_of(codec: Codec, settings: Mapping[str, Value], path: str) -> Donor:
    """The packets of an audio file, by a codec of these settings that nobody else uses; those of the
    last few files are kept. [control thread]

    Raises:
        ParameterError: no audio file, or one whose rate is too odd.
    """
    try:
        changed = Path(path).stat().st_mtime_ns
    except OSError:
        changed = 0  # whoever reads it says what is wrong
    own = tuple((one.id, settings[one.id]) for one in codec.parameters)
    key = (type(codec), codec.format, own, path, changed)
    donor = _kept.get(key)
    if donor is None:
        donor = _made(codec, path)
        while len(_kept) >= _MOST_KEPT:  # files rendered side by side are made by threads
            _kept.pop(next(iter(tuple(_kept)), key), None)
        _kept[key] = donor
    return donor


def _made(codec: Codec, path: str) -> Donor:
    from codecfx.audio_file import AudioSource

    form = codec.format
    try:
        with AudioSource(Path(path)) as source:
            rate = source.sample_rate
            samples = min(source.samples, LONGEST_SECONDS * rate)
            stages: list[Stage] = []
            if source.channels != form.channels:
                stages += MatchChannels(source.channels, 1), MatchChannels(1, form.channels)
            if rate != form.sample_rate:
                stages.append(Resampled(rate, form.sample_rate, form.channels))
            into = Series(stages)
            starts = range(0, samples, _BLOCK_SAMPLES)
            parts = [into.push(source.read(min(_BLOCK_SAMPLES, samples - at))) for at in starts]
    except (AudioFileError, UnsupportedFormat) as error:
        raise ParameterError(f"splice_file: {error}") from None
    sound = np.concatenate(parts, axis=1)
    missing = -sound.shape[1] % form.run_samples
    sound = np.concatenate((sound, silence(form.channels, missing)), axis=1)
    packets: list[Packet] = []
    step = ceil(_BLOCK_SAMPLES / form.run_samples) * form.run_samples
    for at in range(0, sound.shape[1], step):
        packets += codec.encode(np.ascontiguousarray(sound[:, at : at + step]))
    return list(zip(packets, Peaks(form).heard(sound), strict=True))


class Splice:
    """What becomes of each packet."""

    def __init__(
        self, values: Mapping[str, Value], chance: Chance, header_bytes: int, donor: Donor
    ) -> None:
        self._values, self._chance, self._header_bytes = values, chance, header_bytes
        self._donor = donor

    @property
    def is_on(self) -> bool:
        return bool(self._donor and self._values["splice"])

    def spliced(self, packet: Packet, peak: float, number: int) -> tuple[Packet, float]:
        """A packet and its peak, to those that are sent instead."""
        if self._chance.at(number, Purpose.SPLICE) >= float(self._values["splice"]):
            return packet, peak
        other, other_peak = self._donor[number % len(self._donor)]
        share = float(self._values["splice_share"])
        if share < 1:
            other = self._grafted(packet, other, share, number)
        return other, max(peak, other_peak)

    def _grafted(self, packet: Packet, other: Packet, share: float, number: int) -> Packet:
        own, theirs = packet.payload, other.payload
        if isinstance(own, bytes) and isinstance(theirs, bytes):
            body = np.frombuffer(own, np.uint8).copy()
            graft = np.frombuffer(theirs, np.uint8)
            header = self._header_bytes
            places = header + np.flatnonzero(self._chosen(max(0, body.size - header), share, number))
            places = places[places < graft.size]  # of a shorter one there is no more
            body[places] = graft[places]
            made = body.tobytes()
            return packet if made == own else replace(packet, payload=made)
        if isinstance(own, np.ndarray) and isinstance(theirs, np.ndarray):
            tokens = own.copy()
            count = min(own.shape[1], theirs.shape[1])
            chosen = self._chosen(count, share, number)
            tokens[:, :count][:, chosen] = theirs[:, :count][:, chosen]
            return packet if np.array_equal(tokens, own) else replace(packet, payload=tokens)
        return packet

    def _chosen(self, count: int, share: float, number: int) -> NDArray[np.bool_]:
        """Which of so many symbols are the donor's."""
        places, part = np.arange(count), round(share * count)
        match self._values["splice_place"]:
            case "end":
                return places >= count - part
            case "beginning":
                return places < part
        return self._chance.fractions(number, Purpose.SPLICE_WHERE, count) < share
