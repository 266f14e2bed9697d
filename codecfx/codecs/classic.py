"""Classic codecs: a row of the table, an engine, and the two halves between which packets travel."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from codecfx.audio import Audio
from codecfx.codecs.base import CodecFormat, Facts, Packet, Settings, check_frames
from codecfx.codecs.receiving import Receiver
from codecfx.codecs.row import Row
from codecfx.codecs.sending import Sender
from codecfx.control.parameters import Parameter, Value


class ClassicCodec:
    """A codec of the table; `codec_of` makes its class of a row."""

    row: ClassVar[Row]
    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]]
    facts: ClassVar[Facts]
    computes_long: ClassVar[bool]
    header_bytes: ClassVar[int]

    def __init__(self, sample_rate: int, channels: int, settings: Settings) -> None:
        stream = self.row.stream(sample_rate, channels, settings)
        self.format = self.row.format(stream)
        self._sender = Sender(self.row, stream)
        self._receiver = Receiver(self.row, self._sender.header)

    @classmethod
    def widest(cls, settings: Settings) -> int:
        return cls.row.widest(settings)

    @classmethod
    def format_of(cls, sample_rate: int, channels: int, settings: Settings) -> CodecFormat:
        """The format that a codec of these would have. Raises UnsupportedFormat, as it would."""
        return cls.row.format(cls.row.stream(sample_rate, channels, settings))

    def encode(self, frames: Audio) -> list[Packet]:
        check_frames(frames, self.format)
        return self._sender.encode(frames)

    def decode(self, packets: Sequence[Packet | None]) -> Audio:
        return self._receiver.decode(packets)

    def announce(self, parameter_id: str, value: Value) -> None:
        """Do what is slow about a `set` that is to come. [control thread]"""
        self._sender.announce(parameter_id, value)

    def set(self, parameter_id: str, value: Value) -> None:
        self._sender.set(parameter_id, value)

    def reset(self) -> None:
        self._sender.reset()
        self._receiver = Receiver(self.row, self._sender.header)

    def describe(self, packet: Packet) -> Mapping[str, str]:
        return self.row.describe(bytes(packet.payload))


def codec_of(row: Row) -> type[ClassicCodec]:
    """The codec class of a row."""
    return type(
        row.title,
        (ClassicCodec,),
        {
            "__doc__": row.description,
            "__module__": __name__,
            "row": row,
            "name": row.name,
            "title": row.title,
            "description": row.description,
            "parameters": row.all_parameters,
            "facts": row.facts,
            "computes_long": row.computes_long,
            "header_bytes": row.header_bytes,
        },
    )
