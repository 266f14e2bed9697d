"""Six kilobits a second, then and now: a bar as it is, through Opus, and through three neural codecs.
Writes six-kilobits.wav. A codec whose model is not here is left out, with a line that says what to do.
"""

import numpy as np
import soundfile
from stem import synthesise

import codecfx
from codecfx.errors import CodecUnavailable

RATE = 48_000
HEARD = [
    (2012, "calls over the internet", codecfx.Opus(bitrate_kbps=6, coupling="mono", rate_mode="cbr")),
    (2022, "any sound, hop by hop", codecfx.EnCodec(bitrate_kbps=6, coupling="mono")),
    (2022, "voices, also in calls", codecfx.Lyra(bitrate_kbps=6, coupling="mono")),
    (2022, "music, a second at a time", codecfx.EnCodec48(bitrate_kbps=6)),
]


def main() -> None:
    bar = synthesise(2.4)
    parts = [bar]
    for year, what, codec in HEARD:
        try:
            heard = codec(bar, RATE)
        except CodecUnavailable as error:
            print(error)
            continue
        parts.append(heard)
        print(
            f"{year}  {what:26} {type(codec).__name__:10} "
            f"{codec.meter.kbps:5.2f} kbps  {codec.latency_ms:7.1f} ms late when live"
        )
    sound = np.concatenate(parts, axis=1)
    soundfile.write("six-kilobits.wav", 0.9 * sound.T / np.abs(sound).max(), RATE)
    print(f"six-kilobits.wav: {sound.shape[1] / RATE:.0f} s")


if __name__ == "__main__":
    main()
