"""MIDI ports in a process of their own. [child]

rtmidi holds Python's lock through every call, and JACK's calls wait for JACK's server, which waits for
the sound: in the engine they would stop each other. What comes is put into shared memory, where the
engine's audio thread finds it with its next block.
"""

import os
import sys
from contextlib import ExitStack

from codecfx.live.child import answering, first_order, further_orders, prefer

_SWITCH_SECONDS = 5e-4
_PRIORITY = 30


def main() -> None:
    """Serve the host that started this process: `inputs` are played from, values shown at `output`."""
    sys.setswitchinterval(_SWITCH_SECONDS)
    prefer(_PRIORITY)
    say = answering()
    from codecfx.control.midi_ports import MidiInput, MidiOutput
    from codecfx.errors import CodecFxError
    from codecfx.live.memory import Memory

    order = first_order()
    midi = Memory(order["memory"]).midi
    output: MidiOutput | None = None

    def heard(_: float, message: bytes) -> None:
        midi.send((message,))

    def state(way: str, name: str, is_there: bool) -> None:
        openings = output.openings if output is not None else 0
        say("port", way=way, name=name, is_there=is_there, openings=openings)

    with ExitStack() as opened:
        try:
            if order["output"]:
                output = opened.enter_context(
                    MidiOutput(order["output"], lambda name, is_there: state("out", name, is_there))
                )
            if order["inputs"] is not None:
                opened.enter_context(
                    MidiInput(
                        order["inputs"],
                        heard,
                        lambda name, is_there: state("in", name, is_there),
                    )
                )
        except CodecFxError as error:
            say("note", text=str(error))
        orders = further_orders()
        while (wanted := orders.get())["do"] != "end":
            if output is not None:
                output.send(bytes.fromhex(wanted["message"]))
    os._exit(0)  # what a dead server holds is not waited for


if __name__ == "__main__":
    main()
