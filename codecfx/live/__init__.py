"""The live host: the microphone through a board to the phones, now.

::

    host (the program that was started)          engine (a process of its own)
    ┌──────────────────────────────┐             ┌───────────────────────────────────┐
    │ screen ─► Host ─► Watch ─────┼─ commands ─►│ control thread: makes decks       │
    │              ▲      ▲        │             │      │                            │
    │        status│      └────────┼─ answers ───┤      ▼          MIDI input ─┐     │
    │ Recorder ◄───┼───────────────┼─ memory ════╪═► Desk: decks, guard, meters      │
    │ files ◄──────┘               │             │      ▲ sound card's callback      │
    └──────────────────────────────┘             └───────────────────────────────────┘

Python lets one thread run at a time. A busy one beside the audio thread costs up to 70 % of the sound;
in another process it costs none. So the engine holds what sounds, and nothing else.

Newcomers start at `desk.py`: what happens to a block. `host.py` is what a performer does, `watch.py`
what happens when something goes wrong. MIDI has a process too (`midi_ports.py`), which the engine's
audio thread hears through the memory.
"""
