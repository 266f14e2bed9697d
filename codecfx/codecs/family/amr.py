"""What AMR's frames say of themselves, narrowband and wideband alike. In files a byte goes before the
bits of speech, and the last one is filled up (RFC 4867, section 5.3); a network carries the bits alone.
"""

from collections.abc import Mapping

from codecfx.control.parameters import Change, Parameter

_NO_DATA = 15

DTX = Parameter(
    "dtx",
    "Discontinuous transmission",
    default=False,
    change=Change.NEXT_FRAME,
    description="Pauses are not sent; the decoder fills them with comfort noise",
)


def _frame_type(payload: bytes) -> int:
    return payload[0] >> 3 & 15 if payload else _NO_DATA


def bits(payload: bytes, table: tuple[int, ...]) -> int:
    """Bits of speech or of comfort noise, by the frame type's place in `table`."""
    frame_type = _frame_type(payload)
    return table[frame_type] if frame_type < len(table) else 0


def is_legal(payload: bytes, table: tuple[int, ...]) -> bool:
    """Whether its frame type has bits in `table`, or says that nothing came; others are reserved, and
    OpenCORE decodes them to memory that nobody wrote.
    """
    frame_type = _frame_type(payload)
    return frame_type < len(table) or frame_type == _NO_DATA


def details(payload: bytes, modes: tuple[float, ...]) -> Mapping[str, str]:
    """The mode, kbps in words, or what came instead."""
    if not payload:
        return {}
    frame_type = _frame_type(payload)
    if frame_type < len(modes):
        return {"mode": f"{modes[frame_type]:g}"}
    return {"mode": "comfort noise" if frame_type == len(modes) else "no data"}
