"""Controls: everything that moves a board's parameters, as people write it."""

from dataclasses import dataclass

from codecfx.control.automation import Lane
from codecfx.control.maps import Map
from codecfx.control.modulation import Modulator
from codecfx.control.timeline import TempoMap


@dataclass(frozen=True, slots=True)
class Controls:
    """Lanes, maps and modulators; beats in them are of `tempo`."""

    lanes: tuple[Lane, ...] = ()
    maps: tuple[Map, ...] = ()
    modulators: tuple[Modulator, ...] = ()
    tempo: TempoMap | None = None

    def __bool__(self) -> bool:
        return bool(self.lanes or self.maps or self.modulators)

    def __add__(self, other: "Controls") -> "Controls":
        """Both; what both move, `other` moves last. A modulator of `other` takes the place of one of
        the same name, its tempo that of this one's.
        """
        names = {one.name for one in other.modulators}
        kept = tuple(one for one in self.modulators if one.name not in names)
        return Controls(
            self.lanes + other.lanes,
            self.maps + other.maps,
            kept + other.modulators,
            other.tempo or self.tempo,
        )
