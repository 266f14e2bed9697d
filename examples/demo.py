"""The first thing to run (`make demo`): a stem of our own making through three presets."""

import sys
from pathlib import Path

import soundfile
from stem import synthesise

import codecfx

PRESETS = ("hotel-wifi", "hold-music", "celt-crush")


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / "stem.wav"
    soundfile.write(stem, synthesise(16.0).T, 48_000, "PCM_24")
    print(f"{stem}: 16 s of drums, bass, chords and a lead, made just now\n")
    for name in PRESETS:
        preset = codecfx.load_preset(name)
        report = codecfx.render(preset.board(), stem, folder / f"stem-{name}.wav", overwrite=True)
        rates = ", ".join(f"{codec} at {kbps:.1f} kbps" for codec, kbps in report.kbps.items())
        print(f"{report.target}: {preset.description}")
        print(
            f"    {rates}; {report.latency_ms:.1f} ms of latency removed; "
            f"{report.real_time_factor:.0f} times faster than real time"
        )
    print(f"\nListen to {stem} first, then to the others: same length, in time to the sample.")
    command = Path(sys.executable).with_name("codecfx")
    print(f"Next: {command} presets list")
    print(f"      {command} render YOUR.wav -o out.wav -p hotel-wifi")


if __name__ == "__main__":
    main()
