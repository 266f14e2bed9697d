"""Forty years of lossy sound in half a minute: the same bar through one codec after another, in the
order in which people first heard them. Writes forty-years.wav.
"""

import numpy as np
import soundfile
from stem import synthesise

import codecfx

RATE = 48_000
HEARD = [
    (1972, "digital telephone lines", codecfx.MuLaw(coupling="mono")),
    (1982, "talking toys and voice mail", codecfx.VoxADPCM(rate_hz=6000, coupling="mono")),
    (1988, "broadcast commentary", codecfx.G722(coupling="mono")),
    (1991, "digital mobile phones", codecfx.GSM(coupling="mono")),
    (1992, "games on CD-ROM", codecfx.MSADPCM()),
    (1995, "radio through a modem", codecfx.RealAudio144(coupling="mono")),
    (1996, "digital radio", codecfx.MP2(bitrate_kbps=128)),
    (1999, "file sharing", codecfx.MP3(bitrate_kbps=96)),
    (1999, "web radio", codecfx.WMA1(bitrate_kbps=32, rate_hz=22_050)),
    (2002, "microphones in Flash", codecfx.Nellymoser(coupling="mono")),
    (2003, "wireless headphones", codecfx.SBC(bitpool=35)),
    (2007, "phones with music", codecfx.AAC(bitrate_kbps=64)),
    (2012, "calls over the internet", codecfx.Opus(bitrate_kbps=12)),
]


def main() -> None:
    bar = synthesise(2.4)
    parts = []
    for year, where, codec in HEARD:
        heard = codec(bar, RATE)
        parts.append(heard)
        print(
            f"{year}  {where:28} {type(codec).__name__:13} "
            f"{codec.meter.kbps:6.1f} kbps  {codec.latency_ms:5.1f} ms late when live"
        )
    sound = np.concatenate(parts, axis=1)
    soundfile.write("forty-years.wav", 0.9 * sound.T / np.abs(sound).max(), RATE)
    print(f"forty-years.wav: {sound.shape[1] / RATE:.0f} s")


if __name__ == "__main__":
    main()
