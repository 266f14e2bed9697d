"""Plans: parameters that change at a packet, whenever somebody says so."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from codecfx.control.parameters import Change, Parameter, Value


def of_packets(group: str) -> Callable[..., Parameter]:
    """How parameters of a group are declared that change at a packet, unless they say otherwise."""

    def declared(parameter_id: str, name: str, default: Value, **more: Any) -> Parameter:
        return Parameter(
            parameter_id, name, default, group=group, **({"change": Change.NEXT_FRAME} | more)
        )

    return declared


def shares_of(group: str) -> Callable[..., Parameter]:
    """The same for fractions from 0 to 1, 0 unless they say otherwise."""
    return partial(_share, of_packets(group))


def _share(
    declared: Callable[..., Parameter],
    parameter_id: str,
    name: str,
    description: str,
    default: float = 0.0,
) -> Parameter:
    return declared(parameter_id, name, default, minimum=0.0, maximum=1.0, description=description)


class Plan:
    """Values of some parameters, as they are for the packet that comes next."""

    def __init__(self, parameters: Iterable[Parameter], values: Mapping[str, Value]) -> None:
        """`values` may hold others too, and where it lacks one it is the default."""
        self.values = {one.id: values.get(one.id, one.default) for one in parameters}
        self._planned: list[tuple[int, str, Value]] = []  # from which packet on, what

    @property
    def is_empty(self) -> bool:
        """Whether nothing is going to change."""
        return not self._planned

    def set(self, number: int, parameter_id: str, value: Value) -> None:
        """Have this value from packet `number` on."""
        self._planned.append((number, parameter_id, value))

    def reach(self, number: int) -> bool:
        """Whether something has changed for packet `number`."""
        due = [one for one in self._planned if one[0] <= number]
        if due:
            self._planned = [one for one in self._planned if one[0] > number]
            self.values |= {parameter_id: value for _, parameter_id, value in due}
        return bool(due)

    def finish(self) -> None:
        """Change everything that is planned now."""
        self.values |= {parameter_id: value for _, parameter_id, value in self._planned}
        self._planned.clear()
