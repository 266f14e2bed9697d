"""A JACK server without a sound card, and a rig that plays the microphone and records the phones of
what is under test. A synchronous server (-S), and freewheel, lose no sample if three things are kept;
each, left out, fails now and then, and oftener on a busy machine:

- JACK connects later than it says: from its next cycle on. The rig lets two begin before it goes on.
- PortAudio has its ports before its stream runs: connect when the application has said that it runs.
- In freewheel nobody comes, goes, connects, or starts or stops a stream. A stream that starts there
  waits for the sound card, ten seconds a cycle; what was connected there is forgotten with its end; and
  who left there is waited for ever after: that server can only be killed.

The rig is a process of its own, which can be killed too: a server that hangs, or dies, takes libjack
with it.
"""

import collections
import gc
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe
from pathlib import Path

import numpy as np

PATIENCE = 20  # seconds; only a failure takes so long
HALF = 1 << 31  # of what JACK's clock counts to


def require_jackd():
    import pytest

    if shutil.which("jackd"):
        return
    if os.environ.get("CI") or os.environ.get("GITHUB_ACTIONS"):
        pytest.fail("jackd is missing: apt-get install jackd2")
    pytest.skip("jackd is missing: apt-get install jackd2")


class Server:
    """A JACK server without a sound card. JACK remembers eight names, and frees one only when its
    server ends in an orderly way: so names are few, and one that was killed is started and ended again.

    It is synchronous (-S): it waits for its clients, and ten times as long as -t says (in ms) for one
    that leaves without a word. Servers that are to die are of the other kind, without -S.
    """

    def __init__(
        self, name, flags="-S -t 1000", *, period=128, rate=48_000, channels=2, realtime=False
    ):
        self.period, self.rate, self.channels = period, rate, channels
        self._flags = f"{'-R' if realtime else '-r'} {flags}"
        for number in range(4):  # another session may test here too
            self.name = f"{name}{number}"
            self._log = Path(tempfile.gettempdir()) / f"jackd-{os.getpid()}-{self.name}.log"
            if self.start():
                return
        log = self.log
        self._log.unlink()
        raise RuntimeError(f"jackd does not start:\n{log}")

    def start(self):
        """Returns whether it runs."""
        with self._log.open("wb") as log:  # a pipe that nobody reads would stop it one day
            self.process = subprocess.Popen(
                f"exec jackd {self._flags} -n {self.name} -d dummy -r {self.rate} -p {self.period} "
                f"-C {self.channels} -P {self.channels}",
                shell=True,
                env=os.environ | {"JACK_DEFAULT_SERVER": self.name, "JACK_NO_AUDIO_RESERVATION": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        for _ in range(PATIENCE * 50):
            if self.process.poll() is not None:
                return False
            if "JACK server starting" in self.log and self._answers():
                return True
            time.sleep(0.02)
        return False

    @property
    def log(self):
        """What it has said since it started."""
        return self._log.read_text(errors="replace")

    def _answers(self):
        with socket.socket(socket.AF_UNIX) as request:
            try:
                request.connect(f"/dev/shm/jack_{self.name}_{os.getuid()}_0")
            except OSError:
                return False
        return True

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """End it in an orderly way, if it was killed too."""
        if self.process.poll() is not None:
            self.start()
        self.resume()
        self.process.terminate()
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
        for path in Path("/dev/shm").glob(f"jack_sem.{os.getuid()}_{self.name}_*"):
            path.unlink(missing_ok=True)  # what killed servers leave
        self._log.unlink(missing_ok=True)


class Rig:
    """A microphone (mic_1, ...), phones (phones_1, ...), and a controller (knobs), to be plugged into
    what is under test. What is played at sample n, an application without latency answers at n + the
    server's period: in JACK's graph it and the rig are a loop, which takes one.
    """

    def __init__(self, server, *, channels=2, midi=False, name="rig"):
        self.xruns, self.jumps = 0, []
        self._rate = server.rate
        self._asked, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        try:
            self._ask("open", server.name, channels, midi, name)
        except BaseException:
            self._kill()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _ask(self, verb, *arguments, seconds=PATIENCE):
        try:
            self._asked.send((verb, *arguments))
            assert self._asked.poll(seconds + PATIENCE), f"the rig does not answer to {verb}"
            is_fine, answer = self._asked.recv()
        except (EOFError, OSError) as error:
            raise AssertionError(f"the rig has died ({verb})") from error
        assert is_fine, f"{verb}: {answer}"
        return answer

    def _kill(self):
        self._process.kill()
        self._process.wait()
        self._asked.close()

    def connect(self, client):
        """Plug into the clients whose names begin so: their audio ports, and their MIDI inputs. Where
        every sample counts, they have said before that their streams run.
        """
        self._ask("connect", client)

    def freewheel(self, on):
        """JACK runs as fast as it can, or no longer."""
        self._ask("freewheel", on)

    @contextmanager
    def freewheeling(self):
        self.freewheel(True)
        try:
            yield
        finally:
            self.freewheel(False)

    @contextmanager
    def looping(self):
        """The microphone plays what the phones hear: a cable."""
        self._ask("loop", True)
        try:
            yield
        finally:
            self._ask("loop", False)

    def send(self, messages):
        """Send MIDI messages, one a sample, as soon as can be."""
        self._ask("send", list(messages))

    def start(self, audio, *, tail=0, midi=()):
        """Begin to play audio, float32 (channels, samples), and a tail of silence, in samples; and to
        send messages: (sample, bytes), ... in the order of samples.
        """
        self._seconds = (audio.shape[-1] + tail) / self._rate
        self._ask("start", np.asarray(audio, np.float32), tail, list(midi))

    def wait(self):
        """Wait until all is played; returns what was recorded: its sample n while n was played.

        `xruns` is how many JACK has counted meanwhile, `jumps` where its clock did not go on by one
        period: (sample, by how many samples it jumped), ...
        """
        seconds = PATIENCE + 2 * self._seconds
        recorded, self.xruns, self.jumps = self._ask("wait", seconds, seconds=seconds)
        return recorded

    def play(self, audio, *, tail=0, midi=()):
        """Start, and wait."""
        self.start(audio, tail=tail, midi=midi)
        return self.wait()

    def close(self):
        try:
            if self._process.poll() is None:
                self._ask("close")
        finally:
            self._kill()


class _Client:
    """The rig's JACK client, in a process of its own."""

    def __init__(self, server, channels, midi, name):
        import jack

        self._jack = jack.Client(name, servername=server, no_start_server=True)
        self._mics = [self._jack.outports.register(f"mic_{one + 1}") for one in range(channels)]
        self._phones = [self._jack.inports.register(f"phones_{one + 1}") for one in range(channels)]
        self._knobs = [self._jack.midi_outports.register("knobs")] if midi else []
        self._queue = collections.deque()
        self._cycles = self._xruns = 0
        self._freewheels = self._loops = False
        self._job, self._done, self._problem = None, threading.Event(), None
        self._jack.set_process_callback(self._process)
        self._jack.set_xrun_callback(self._xrun)
        self._jack.activate()

    def _xrun(self, _):
        self._xruns += 1

    def _process(self, frames):
        try:
            self._cycles += 1
            for knobs in self._knobs:
                knobs.clear_buffer()
            if not self._job:
                self._idle(frames)
            elif self._job.process(frames, self._mics, self._phones, self._knobs):
                self._job = None
                self._done.set()
        except Exception:  # JACK would end the client
            self._job, self._problem = None, traceback.format_exc()
            self._done.set()

    def _idle(self, frames):
        for mic, phones in zip(self._mics, self._phones, strict=True):
            mic.get_array()[:] = phones.get_array() if self._loops else 0
        for knobs in self._knobs:
            for offset in range(min(frames, len(self._queue))):
                knobs.write_midi_event(offset, self._queue.popleft())

    def _settle(self):
        """Wait until a cycle has come here that began after now: the first may have begun before."""
        after, end = self._cycles + 2, time.monotonic() + PATIENCE
        while self._cycles < after:
            assert time.monotonic() < end, "JACK's server stands still"
            time.sleep(0.0005)

    def connect(self, client):
        assert not self._freewheels, "what is connected in freewheel is forgotten with its end"
        ports, end = [], time.monotonic() + PATIENCE
        while True:  # they come one by one
            before, ports = ports, self._jack.get_ports(f"^{client}.*:")
            if ports and ports == before:
                break
            assert time.monotonic() < end, f"no ports of {client}: {self._jack.get_ports()}"
            time.sleep(0.02)
        heard = [port for port in ports if port.is_audio and port.is_input]
        plays = [port for port in ports if port.is_audio and port.is_output]
        turns = [port for port in ports if port.is_midi and port.is_input]
        pairs = [
            *zip(plays, self._phones, strict=False),
            *zip(self._mics, heard, strict=False),
            *((knobs, port) for knobs in self._knobs for port in turns),
        ]
        for source, target in pairs:
            if target not in self._jack.get_all_connections(source):
                self._jack.connect(source, target)
        self._settle()

    def freewheel(self, on):
        self._jack.set_freewheel(on)
        self._freewheels = on
        self._settle()

    def loop(self, on):
        self._loops = on

    def send(self, messages):
        self._queue.extend(messages)
        self._settle()

    def start(self, audio, tail, midi):
        assert not midi or self._knobs, "this rig has no MIDI: Rig(midi=True)"
        self._done.clear()
        self._xruns_before = self._xruns
        self._job = self._last = _Job(audio, tail, midi, self._jack, len(self._mics))

    def wait(self, seconds):
        assert self._done.wait(seconds), (
            f"JACK's server stands still; {self._last.at} samples are played"
        )
        assert self._problem is None, self._problem
        return self._last.recorded, self._xruns - self._xruns_before, self._last.jumps

    def close(self):
        if self._freewheels:
            self.freewheel(False)
        self._jack.deactivate()
        self._jack.close()


class _Job:
    """Something to play, and what is recorded meanwhile."""

    def __init__(self, audio, tail, midi, client, channels):
        self.at, self.jumps = 0, []
        self._samples = audio.shape[-1] + tail
        self._played = np.zeros((channels, self._samples), np.float32)
        self._played[:, : audio.shape[-1]] = audio
        self.recorded = np.zeros_like(self._played)
        self._midi, self._client, self._clock = collections.deque(midi), client, None

    def process(self, frames, mics, phones, knobs):
        """One cycle; returns whether it was the last."""
        clock = self._client.last_frame_time
        if self._clock is not None and (jump := (clock - self._clock + HALF) % (2 * HALF) - HALF):
            self.jumps.append((self.at, jump))
        self._clock = clock + frames
        end = min(self.at + frames, self._samples)
        now, size = slice(self.at, end), end - self.at
        for channel, (mic, phone) in enumerate(zip(mics, phones, strict=True)):
            to = mic.get_array()
            to[:size] = self._played[channel, now]
            to[size:] = 0
            self.recorded[channel, now] = phone.get_array()[:size]
        while self._midi and self._midi[0][0] < self.at + frames:
            sample, message = self._midi.popleft()
            for one in knobs:
                one.write_midi_event(sample - self.at, message)
        self.at = end
        return end == self._samples


def lag_of(played, recorded, period):
    """How many samples later `played` is in `recorded`, to the last bit; both (channels, samples).

    Raises:
        AssertionError: it is not, in words: where it begins to differ, and what is where, by periods.
    """
    size = 1 << (recorded.shape[1] + played.shape[1]).bit_length()
    spectra = [np.fft.rfft(one, size) for one in (recorded, played)]
    lag = int(np.argmax(np.fft.irfft(np.sum(spectra[0] * np.conj(spectra[1]), axis=0))))
    lag -= size if lag > size // 2 else 0
    found = np.zeros_like(played)
    first, last = max(0, lag), min(recorded.shape[1], lag + played.shape[1])
    found[:, first - lag : last - lag] = recorded[:, first:last]
    wrong = np.flatnonzero(np.any(found != played, axis=0))
    if not wrong.size:
        return lag
    raise AssertionError(
        f"{wrong.size} of {played.shape[1]} samples differ at lag {lag}, from {wrong[0]}, which is "
        f"{wrong[0] % period} in its period, to {wrong[-1]}; "
        + "; ".join(_by_periods(played, recorded, period))
    )


def _by_periods(played, recorded, period):
    """What every channel of a recording has, period by period."""
    for channel, (source, heard) in enumerate(zip(played, recorded, strict=True)):
        order = np.argsort(source, kind="stable")
        runs = []  # what, first sample, periods
        for at in range(0, len(heard) - period + 1, period):
            block = heard[at : at + period]
            what = "silence" if not block.any() else "something else"
            place = np.searchsorted(source, block[0], sorter=order)
            for start in order[place : place + 4]:
                if block.any() and np.array_equal(source[start : start + period], block):
                    what = f"lag {at - start}"
                    break
            if runs and runs[-1][0] == what:
                runs[-1][2] += 1
            else:
                runs.append([what, at, 1])
        shown = ", ".join(f"{what} for {count} from {at}" for what, at, count in runs[:8])
        more = f", and so on ({len(runs) - 8})" if len(runs) > 8 else ""
        yield f"channel {channel}, in periods of {period}: {shown}{more}"


def _main(descriptor):
    """Do what the other end asks, until it goes."""
    asked, client, verb = Connection(descriptor), None, None
    while verb != "close":
        try:
            verb, *arguments = asked.recv()
        except EOFError:
            break
        try:
            answer = None
            if verb == "open":
                client = _Client(*arguments)
                gc.freeze()
                gc.disable()
            else:
                answer = getattr(client, verb)(*arguments)
            asked.send((True, answer))
        except Exception:
            asked.send((False, traceback.format_exc()))
    os._exit(0)  # the rest is libjack's


if __name__ == "__main__":
    _main(int(sys.argv[1]))
