"""The least that can be done: pedalboard's compressor and reverb and libopus' own calls in a bare
callback of sounddevice, no parameter that moves, no guard, no meters. The peer of the live host.
"""

import os
import sys

import numpy as np
import pedalboard
import sounddevice

from codecfx.codecs import libopus

RATE, FRAME = 48_000, 960


def main() -> None:
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    api = libopus.load()
    encoder = api.create_encoder(RATE, 2, 2049)  # OPUS_APPLICATION_AUDIO
    decoder = api.create_decoder(RATE, 2)
    packet = np.empty(4000, np.uint8)
    frame, decoded = np.zeros((FRAME, 2), np.float32), np.zeros((FRAME, 2), np.float32)
    board = pedalboard.Pedalboard(
        [pedalboard.Compressor(threshold_db=-20, ratio=4), pedalboard.Reverb()]
    )
    at = 0

    def callback(heard, out, samples, time, flags):  # type: ignore[no-untyped-def]
        nonlocal at
        frame[at : at + samples] = heard
        sound = decoded[at : at + samples].copy()
        at += samples
        if at + samples > FRAME:
            size = api.encode_float(encoder, frame.ctypes.data, FRAME, packet.ctypes.data, 4000)
            api.decode_float(decoder, packet[:size].tobytes(), size, decoded.ctypes.data, FRAME, 0)
            at = 0
        out[:] = board.process(sound.T, RATE, samples, reset=False).T

    (jack,) = [one for one in sounddevice.query_hostapis() if "JACK" in one["name"]]
    devices = jack["default_input_device"], jack["default_output_device"]
    with sounddevice.Stream(
        samplerate=RATE, blocksize=0, device=devices, channels=2, dtype="float32", callback=callback
    ):
        print("running", flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
