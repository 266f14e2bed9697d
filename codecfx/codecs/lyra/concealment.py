"""The receiving half of Lyra: a frame of sound for every frame of time, packet or not.

As in Lyra's lyra_decoder.cc (github.com/google/lyra, v1.3.2), on whole frames of 20 ms: a lost packet
is features of zeros for 80 ms, then 40 ms lead over to comfort noise; a packet that comes leads back in
another 40. Nothing leaves louder than `LOUDEST_PEAK`.
"""

import numpy as np

from codecfx.audio import Audio
from codecfx.codecs.engine import LOUDEST_PEAK
from codecfx.codecs.lyra.comfort_noise import HOP, ComfortNoise, NoiseEstimator, Samples
from codecfx.codecs.lyra.network import FrameNetwork
from codecfx.codecs.lyra.quantizer import Features

_CONCEALED_FRAMES = 4  # 80 ms
_FADE_FRAMES = 2  # 40 ms

# How much of the network is heard, from all of it to none, a value for each sample of the fade
_FADE = (0.5 + 0.5 * np.cos(np.pi * np.arange(_FADE_FRAMES * HOP + 1) / (_FADE_FRAMES * HOP))).astype(
    np.float32
)


class Receiver:
    """Features in, or None for a lost packet; sound out."""

    def __init__(self, generator: FrameNetwork, features: int) -> None:
        self._generator = generator
        self._nothing = np.zeros(features, np.float32)
        self._estimator, self._noise = NoiseEstimator(), ComfortNoise()
        self._lost = 0  # packets in a row, at most _CONCEALED_FRAMES
        self._faded = 0  # frames on the way to comfort noise, at most _FADE_FRAMES

    def reset(self) -> None:
        """As if new."""
        self._generator.reset()
        self._estimator.reset()
        self._noise.reset()
        self._lost = self._faded = 0

    def receive(self, features: Features | None, frame: Audio) -> None:
        """Fill `frame`, float32 (320)."""
        to_noise = features is None and self._lost == _CONCEALED_FRAMES
        self._lost = 0 if features is not None else min(self._lost + 1, _CONCEALED_FRAMES)
        if to_noise and self._faded == _FADE_FRAMES:
            sound = self._noise.make(self._estimator.estimate)
        else:
            sound = self._generator.run(self._nothing if features is None else features)
            if features is not None:
                self._estimator.hear(sound)
            if to_noise or self._faded:
                sound = self._mixed(sound, to_noise)
        np.clip(sound, -LOUDEST_PEAK, LOUDEST_PEAK, out=frame)

    def _mixed(self, sound: Samples, to_noise: bool) -> Samples:
        """The network's sound and comfort noise, on the way from one to the other."""
        at = self._faded * HOP
        share = _FADE[at : at + HOP] if to_noise else _FADE[at - HOP + 1 : at + 1][::-1]
        self._faded += 1 if to_noise else -1
        if at == 0:
            self._noise.begin()
        noise = self._noise.make(self._estimator.estimate)
        mixed: Samples = noise + share * (sound - noise)
        return mixed
