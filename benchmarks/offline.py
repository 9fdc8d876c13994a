"""`dawnchorus analyze` of one and of ten hours of 48 kHz 16-bit WAV: times real time, and peak memory.

Both are whole processes; the second shows that memory does not grow with length.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from monitor.soundscape import soundscape

RATE = 48_000
HOURS = (1, 10)


def write(path: Path, hours: int) -> None:
    """Write the synthesised soundscape again and again."""
    piece = np.round(soundscape(RATE) * 32767).astype(np.int16)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for _ in range(hours * 3600 * RATE // len(piece)):
            file.write(piece)


def main() -> None:
    """Print a line for each length."""
    with tempfile.TemporaryDirectory() as folder:
        peak_so_far = 0
        for hours in HOURS:
            recording = Path(folder) / f"{hours}h.wav"
            write(recording, hours)
            command = [sys.executable, "-m", "monitor", "analyze", str(recording), "-o", folder]
            begin = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            wall = time.perf_counter() - begin
            peak_so_far = max(peak_so_far, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
            print(
                f"{hours:2d} h analysed in {wall:.1f} s: {hours * 3600 / wall:.0f} times real time, "
                f"peak memory {peak_so_far / 1000:.0f} MB",
                flush=True,
            )
            recording.unlink()


if __name__ == "__main__":
    main()
