"""The program that holds the sound card: a process of its own, which can be killed when a sound server hangs in it.

It is run by its path and imports only sounddevice and the standard library: NumPy would double its memory.

It speaks on its standard output: one line of JSON, an object whose `inputs` are all inputs that there are. On
its standard input it is told which to open, as a line of JSON with `index`, `channels` and `sample_rates`, the best
first. It answers with a line that says which `sample_rate` it has, and then with frames until its standard input
ends: HEADER, then the samples as 32-bit floats, channels interleaved. Instead of any line it may say {"error": ...}.
"""

import contextlib
import json
import os
import queue
import signal
import struct
import sys
import threading
import time
from typing import Any

HEADER = struct.Struct("<QdQ")
"""first sample, counted from the opening, lost ones included; CLOCK_MONOTONIC when the last one came; bytes"""
BLOCK_S = 0.1
HELD_BLOCKS = 100
"""10 s of audio, for a reader that is held up"""
FAILED = 1


class Taken:
    """What the sound card gave and nobody has fetched yet."""

    def __init__(self) -> None:
        self._blocks: queue.Queue[tuple[int, float, bytes]] = queue.Queue(HELD_BLOCKS)
        self._position = 0

    def take(self, samples: Any, frames: int, _time: Any, _status: Any) -> None:  # noqa: ANN401
        """PortAudio's callback: copies, enqueues and counts; nothing else."""
        with contextlib.suppress(queue.Full):  # then the next that finds room begins later than the last ended
            self._blocks.put_nowait((self._position, time.monotonic(), bytes(samples)))
        self._position += frames

    def write(self) -> None:
        """Write it down for ever, as it comes."""
        out = sys.stdout.buffer
        while True:
            start, captured, samples = self._blocks.get()
            out.write(HEADER.pack(start, captured, len(samples)) + samples)
            out.flush()


def main() -> int:
    """List, open what is asked for, and give what it hears."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    wishes: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=obey, args=(wishes,), daemon=True).start()
    try:
        import sounddevice  # noqa: PLC0415 - it fails where the system lacks libportaudio
    except OSError:
        say(error="no PortAudio library on this system: install it, on Debian with `apt-get install libportaudio2`")
        return FAILED
    say(inputs=inputs(sounddevice))
    wish, taken = wishes.get(), Taken()
    try:
        stream = opened(sounddevice, wish, taken)
    except (sounddevice.PortAudioError, ValueError) as error:
        say(error=f"cannot be opened at {' or '.join(map(str, wish['sample_rates']))} Hz: {error}")
        return FAILED
    say(sample_rate=round(stream.samplerate))
    taken.write()
    return 0


def inputs(sounddevice: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """Every input as PortAudio describes it."""
    apis = sounddevice.query_hostapis()
    return [
        {
            "index": index,
            "name": found["name"],
            "host_api": apis[found["hostapi"]]["name"],
            "channels": found["max_input_channels"],
            "sample_rate": int(found["default_samplerate"]),
            "default": index == sounddevice.default.device[0],
        }
        for index, found in enumerate(sounddevice.query_devices())
        if found["max_input_channels"] > 0
    ]


def opened(sounddevice: Any, wish: dict[str, Any], taken: Taken) -> Any:  # noqa: ANN401
    """Open the input at the first rate that it takes. PortAudioError or ValueError where it takes none."""
    *others, last = wish["sample_rates"]
    for sample_rate in others:
        try:
            return started(sounddevice, wish, sample_rate, taken)
        except (sounddevice.PortAudioError, ValueError):
            continue
    return started(sounddevice, wish, last, taken)


def started(sounddevice: Any, wish: dict[str, Any], sample_rate: int, taken: Taken) -> Any:  # noqa: ANN401
    """Open the input at a rate and let it run."""
    stream = sounddevice.RawInputStream(
        device=wish["index"],
        samplerate=sample_rate,
        channels=wish["channels"],
        dtype="float32",
        blocksize=round(BLOCK_S * sample_rate),
        callback=taken.take,
    )
    stream.start()
    return stream


def say(**answer: Any) -> None:  # noqa: ANN401
    """One line of JSON."""
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


def obey(wishes: "queue.SimpleQueue[dict[str, Any]]") -> None:
    """Pass on what is asked for, and end with the process that asks, wherever PortAudio may hang at that time."""
    if line := sys.stdin.buffer.readline():
        wishes.put(json.loads(line))
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
