"""What a stream sounds like where nobody speaks, learnt while packets come, and made when they do not.

As in Lyra's noise_estimator.cc, log_mel_spectrogram_extractor_impl.cc and comfort_noise_generator.cc
(github.com/google/lyra, v1.3.2), where the numbers are from: the least that each of 160 mel bands has
had lately, and noise of that spectrum with random phases.
"""

import math

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Bands = NDArray[np.float32]  # a logarithm for each mel band

SAMPLE_RATE = 16_000
HOP = 320
_WINDOW = 2 * HOP
_FFT = 1024
_BANDS = 160
_HIGHEST_HZ = 0.495 * SAMPLE_RATE
_FULL_SCALE = 32_768.0  # Lyra's levels are those of 16-bit samples
_FLOOR = 500.0  # least magnitude of a band
_LOG_SCALE = 10.0

_HOP_SECONDS = HOP / SAMPLE_RATE
_SLOWEST = 0.5 ** (_HOP_SECONDS / 0.7)  # smoothing of what seems to be noise: halved in 0.7 s
_BOUND_DECAY = 0.5 ** (_HOP_SECONDS / 1.0)
_HOPS_PER_MINIMUM = round(1.0 / _HOP_SECONDS)  # how long a minimum counts at least
_LIKENESS = 0.3  # how far apart logarithms are that have nothing to do with one another
_BOUND = 0.9 * math.sqrt(math.log(_BANDS))  # of noise around its mean, in standard deviations


def mel_weights() -> NDArray[np.float64]:
    """How much of each bin of the spectrum a band has: triangles between neighbouring centres on the
    mel scale, (bands, bins), as in google/multichannel-audio-tools, mel_filterbank.cc.
    """
    hz = np.arange(_FFT // 2 + 1) * SAMPLE_RATE / _FFT
    highest = 1127 * math.log1p(_HIGHEST_HZ / 700)
    position = 1127 * np.log1p(hz / 700) * (_BANDS + 1) / highest - 1  # a band's number at its centre
    nearness = 1 - np.abs(position - np.arange(_BANDS)[:, np.newaxis])
    weights: NDArray[np.float64] = np.maximum(nearness, 0) * ((hz > 0) & (hz <= _HIGHEST_HZ))
    return weights


_WEIGHTS = mel_weights()
_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)
_TO_BANDS = np.ascontiguousarray(_FULL_SCALE * _WEIGHTS.T, np.float32)
# The other way, every bin has the mean magnitude of its bands; a sine of random phase at that magnitude
# in every bin is as loud as what went through the Hann window
_SHARES = _WEIGHTS / np.maximum(_WEIGHTS.sum(axis=1, keepdims=True), 1e-9)
_LOUDNESS = math.sqrt(_FFT / float(np.square(_HANN).sum())) / _FULL_SCALE
_FROM_BANDS = np.ascontiguousarray(_LOUDNESS * _SHARES, np.float32)
# Squares of overlapping halves add up to one, and so does the power of independent noises
_SINE = np.sin(np.pi * (np.arange(_WINDOW) + 0.5) / _WINDOW).astype(np.float32)


class NoiseEstimator:
    """Minimum statistics of what was received, frame by frame."""

    def __init__(self) -> None:
        self._heard = np.zeros(_FFT, np.float32)  # two hops, and zeros behind them
        self._windowed = np.zeros(_FFT, np.float32)
        self.reset()

    def reset(self) -> None:
        """As if new: nothing heard."""
        self._heard[:] = 0
        self.estimate = np.zeros(_BANDS, np.float32)
        self._bound = np.zeros(_BANDS, np.float32)
        self._smooth: Bands | None = None
        self._smooth_square = self._least = self.estimate
        self._hops = 0

    def hear(self, frame: Samples) -> None:
        """Take a received frame, float32 (320), into account."""
        now = self._spectrum(frame)
        difference = np.abs(now - self.estimate)
        if (difference <= self._bound).all():  # noise as it was: after a while, look again
            self._bound *= np.float32(_BOUND_DECAY)
        else:
            self._learn(now)

    def _spectrum(self, frame: Samples) -> Bands:
        heard, windowed = self._heard, self._windowed
        heard[:HOP] = heard[HOP:_WINDOW]
        heard[HOP:_WINDOW] = frame
        np.multiply(heard[:_WINDOW], _HANN, out=windowed[:_WINDOW])
        bands: Bands = np.abs(np.fft.rfft(windowed)) @ _TO_BANDS
        return np.log(np.maximum(bands, np.float32(_FLOOR))) * np.float32(1 / _LOG_SCALE)

    def _learn(self, now: Bands) -> None:
        square = now * now
        if self._smooth is None:
            self._smooth, self._smooth_square, self._least = now, square, now
        smooth = self._smooth
        # Smooth what is like noise, in level and in each band, and follow what is not
        apart = float((smooth - now).sum()) / _BANDS / _LIKENESS
        slowness = (smooth - self.estimate) * np.float32(1 / _LIKENESS)
        slowness = np.exp(-slowness * slowness) * np.float32(_SLOWEST * math.exp(-apart * apart))
        self._smooth = smooth = now + slowness * (smooth - now)
        self._smooth_square = square + slowness * (self._smooth_square - square)
        if self._hops == 0:
            self.estimate, self._least = np.minimum(self._least, smooth), smooth
        else:
            self.estimate = np.minimum(self.estimate, smooth)
            self._least = np.minimum(self._least, smooth)
        variance = np.maximum(self._smooth_square - smooth * smooth, np.float32(0))
        self._bound = np.sqrt(variance) * np.float32(_BOUND)
        self._hops = (self._hops + 1) % _HOPS_PER_MINIMUM


class ComfortNoise:
    """Noise of a spectrum that is given frame by frame, from a seed."""

    _SEED = 1

    def __init__(self) -> None:
        # of all of numpy's generators the one whose numbers are promised never to change
        self._random = np.random.RandomState(self._SEED)
        self.begin()

    def reset(self) -> None:
        """As if new."""
        self._random.seed(self._SEED)
        self.begin()

    def begin(self) -> None:
        """Forget what would overlap with the next frame: that was another gap's."""
        self._late = np.zeros(HOP, np.float32)

    def make(self, estimate: Bands) -> Samples:
        """A frame, float32 (320), of the spectrum that an estimator has found."""
        magnitude = np.exp(estimate * np.float32(_LOG_SCALE)) @ _FROM_BANDS
        phase = self._random.random_sample(magnitude.size) * (2 * np.pi)
        spectrum = magnitude * np.exp(1j * phase)
        noise = np.fft.irfft(spectrum, _FFT)[:_WINDOW].astype(np.float32) * _SINE
        frame: Samples = self._late + noise[:HOP]
        self._late = noise[HOP:]
        return frame
