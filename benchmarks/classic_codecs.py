"""What classic codecs cost beside ffmpeg's own encode and decode of the same: five minutes of 48 kHz
stereo, file to file, default settings. Codecs of one channel get two files, as we give them two codecs.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Where one frame is shorter, Python's own cost for each is part of the figure and no bound is set
BOUND, BOUND_FROM_MS = 1.15, 20.0


@dataclass(frozen=True)
class Peer:
    """ffmpeg's words for a codec at the settings that are our defaults."""

    encode: str
    suffix: str
    rate_hz: int = 48_000
    mono: bool = False
    decode: str = ""  # what a file without a header must be told


PEERS = {
    "mp3": Peer("libmp3lame -b:a 128k -reservoir 0 -compression_level 5", "mp3"),
    "aac": Peer("aac -b:a 128k", "m4a"),
    "mp2": Peer("mp2 -b:a 192k", "mp2"),
    "vorbis": Peer("vorbis -strict -2 -q:a 3", "ogg"),
    "ac3": Peer("ac3 -b:a 192k", "ac3"),
    "eac3": Peer("eac3 -b:a 128k", "eac3"),
    "wma1": Peer("wmav1 -b:a 64k", "asf"),
    "wma2": Peer("wmav2 -b:a 64k", "asf"),
    "flac": Peer("flac -frame_size 256 -sample_fmt s32", "flac"),
    "mulaw": Peer("pcm_mulaw", "wav", 8_000, True),
    "alaw": Peer("pcm_alaw", "wav", 8_000, True),
    "g722": Peer("g722 -frame_size 160", "g722", 16_000, True),
    "g726": Peer("g726 -code_size 4", "wav", 8_000, True),
    "g723": Peer("g723_1 -b:a 6.3k", "tco", 8_000, True, "-f g723_1"),
    "amr": Peer("libopencore_amrnb -b:a 12.2k", "amr", 8_000, True),
    "gsm": Peer("libgsm", "gsm", 8_000, True),
    "sbc": Peer("sbc -b:a 328k", "sbc"),
    "msbc": Peer("sbc -msbc 1", "msbc", 16_000, True, "-f sbc"),
    "aptx": Peer("aptx -frame_size 64", "aptx", decode="-f aptx -sample_rate 48000"),
    "aptx_hd": Peer("aptx_hd -frame_size 60", "aptxhd", decode="-f aptx_hd -sample_rate 48000"),
    "adpcm_ima": Peer("adpcm_ima_wav -block_size 256", "wav", 22_050),
    "adpcm_ms": Peer("adpcm_ms -block_size 256", "wav", 22_050),
    "adpcm_yamaha": Peer("adpcm_yamaha -block_size 128", "wav", 16_000),
    "adpcm_swf": Peer("adpcm_swf", "flv", 22_050),
    "dfpwm": Peer("dfpwm -frame_size 64", "dfpwm", 32_000, decode="-f dfpwm -ar 32000 -ac 2"),
    "real144": Peer("real_144", "rm", 8_000, True),
    "nellymoser": Peer("nellymoser", "flv", 22_050, True),
}


def encoders() -> set[str]:
    """The encoders of the ffmpeg on the path."""
    listed = subprocess.run(["ffmpeg", "-hide_banner", "-encoders"], capture_output=True, text=True)
    return {line.split()[1] for line in listed.stdout.splitlines() if len(line.split()) > 1}


def commands(peer: Peer, source: Path, work: Path) -> Iterator[list[str]]:
    """Encode and decode of one file, as ffmpeg's command lines."""
    quiet = ["ffmpeg", "-y", "-loglevel", "error", "-threads", "1"]
    names = ("left", "right") if peer.mono else ("both",)
    encoded = [work / f"{name}.{peer.suffix}" for name in names]
    settings = ["-c:a", *peer.encode.split(), "-ar", str(peer.rate_hz), "-threads", "1"]
    settings += ["-ac", "1"] if peer.mono else []
    raw = (
        ["-f", "sbc"] if peer.suffix == "msbc" else ["-f", "aptx_hd"] if peer.suffix == "aptxhd" else []
    )
    outputs: list[str] = []
    for name, path in zip(names, encoded, strict=True):
        outputs += ["-map", f"[{name}]" if peer.mono else "0:a", *settings, *raw, str(path)]
    split = ["-filter_complex", "channelsplit[left][right]"] if peer.mono else []
    yield [*quiet, "-i", str(source), *split, *outputs]
    inputs: list[str] = []
    for path in encoded:
        inputs += [*peer.decode.split(), "-i", str(path)]
    joined = ["-filter_complex", "[0:a][1:a]amerge=inputs=2"] if peer.mono else []
    yield [*quiet, *inputs, *joined, "-ar", "48000", str(work / "decoded.wav")]
