"""A bitrate that is ridden: by an array, by lanes and a follower, and by a controller, live, whose take
comes back to the last bit. Writes ride-*.wav and a take, ride-take/.
"""

import shutil

import numpy as np
import soundfile
from numpy.typing import NDArray
from stem import synthesise

import codecfx

RATE = 48_000


def board() -> codecfx.Pedalboard:
    return codecfx.Pedalboard([codecfx.Opus(bitrate_kbps=64), codecfx.native("Reverb", wet_level=0.2)])


def write(name: str, sound: NDArray[np.float32]) -> None:
    soundfile.write(f"ride-{name}.wav", sound.T, RATE, subtype="FLOAT")
    print(f"ride-{name}.wav")


def play_live(music: NDArray[np.float32]) -> NDArray[np.float32]:
    """A knob turned between blocks, and all of it written down."""
    knob = codecfx.Map.of({"source": "cc 21", "target": "opus.bitrate_kbps", "min": 4, "max": 96})
    controls, played, spec = codecfx.Controls(maps=(knob,)), board(), codecfx.StreamSpec(RATE, 2, 128)
    heard = []
    shutil.rmtree("ride-take", ignore_errors=True)
    with codecfx.TakeWriter("ride-take", played, spec, controls) as writer:
        player = codecfx.Player(played, controls, in_file_time=False)
        player.prepare(spec)
        player.on_event = writer.event
        for at in range(0, music.shape[1], 128):
            if at % 4096 == 0:
                turned = round(63.5 + 63.5 * np.sin(np.pi * at / RATE))
                player.post(bytes([0xB0, 21, turned]))
            block = music[:, at : at + 128]
            heard.append(player.process_block(block).copy())
            writer.write(block)
    return np.concatenate(heard, axis=1)


def main() -> None:
    music = synthesise(4.0)
    falling = np.geomspace(96, 4, music.shape[1])  # a value for each sample
    write("1-falls", board()(music, RATE, automation={"opus.bitrate_kbps": falling}))

    lanes = (codecfx.Lane("opus.bitrate_kbps", [("0 s", 64), ("2 s", 4), ("2 s", 64), ("100 %", 4)]),)
    follower = codecfx.EnvelopeFollower("loudness", release_ms=300.0)
    duck = {"source": "modulator loudness", "target": "reverb.wet_level", "min": 0.7, "max": 0}
    controls = codecfx.Controls(lanes, (codecfx.Map.of(duck),), (follower,))
    write("2-ducks", board()(music, RATE, automation=controls))

    heard = play_live(music)
    write("3-live", heard)
    report = codecfx.load_take("ride-take").render("ride-4-again.wav", overwrite=True)
    again = soundfile.read("ride-4-again.wav", dtype="float32")[0].T
    late = report.latency_samples
    same = np.array_equal(again[:, : again.shape[1] - late], heard[:, late:])
    print(f"ride-4-again.wav: {'the same samples' if same else 'OTHER samples'}, without the latency")


if __name__ == "__main__":
    main()
