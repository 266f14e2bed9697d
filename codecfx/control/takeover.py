"""Takeover: how a control that stands somewhere else takes hold of a value, without a jump.

>>> pickup = Pickup()
>>> [pickup.take(position, current=0.5) for position in (0.1, 0.3, 0.6)]
[False, False, True]
>>> detents("twos-complement", 127)
-1
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from codecfx.errors import UnknownName

NEAR = 1 / 64  # two steps of a 7-bit control: what a hand cannot tell from there

Relative: TypeAlias = Literal["twos-complement", "signed-bit", "offset"]
RELATIVE: tuple[Relative, ...] = ("twos-complement", "signed-bit", "offset")


@dataclass(slots=True)
class Pickup:
    """Soft takeover: an absolute control holds a parameter only once it has come to where that is."""

    _before: float | None = None  # where the control last stood
    _given: float | None = None  # what it last gave the parameter, while it holds it

    def take(self, position: float, current: float) -> bool:
        """Whether the control, now at `position`, holds the parameter at `current`, both 0 to 1.

        It takes hold within `NEAR`, or where it passes `current` between two readings, and then gives
        the parameter every position. It lets go where somebody else moved the parameter further
        than that from what it gave.
        """
        if self._given is not None and abs(current - self._given) > NEAR:
            self._given = None
        if self._given is None:
            passes = self._before is not None and (self._before - current) * (position - current) <= 0
            holds = passes or abs(position - current) <= NEAR
        else:
            holds = True
        self._before = position
        self._given = position if holds else None
        return holds

    def reset(self) -> None:
        """As new: the control holds nothing, and nobody knows where it stands."""
        self._before = self._given = None


def detents(encoding: str, value: int) -> int:
    """How many detents a relative encoder was turned by a 7-bit `value`, upwards positive.

    twos-complement: 1 to 63 up, 127 down to 64 are -1 to -64. signed-bit: 1 to 63 up, 65 to 127 are
    -1 to -63. offset: 64 is none, 65 one up, 63 one down.

    Raises:
        UnknownName: no such encoding.
    """
    match encoding:
        case "twos-complement":
            return value - 128 if value >= 64 else value
        case "signed-bit":
            return 64 - value if value >= 64 else value
        case "offset":
            return value - 64
    raise UnknownName("relative encoding", encoding, RELATIVE)
