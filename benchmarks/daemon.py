"""The daemon at real time: share of a core and resident memory; and the start: imports and model.

No broker is needed: what waits in the outbox costs the same.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import soundfile
import yaml

from monitor.soundscape import soundscape

SETTLE_S, MEASURE_S = 5.0, 20.0
START = "import monitor.service.serve; from monitor.classifier import Classifier; Classifier()"


def start_seconds() -> float:
    """Wall seconds from nothing to a loaded, checked model, less an empty interpreter; best of three."""

    def wall(code: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - begin

    return min(wall(START) for _ in range(3)) - min(wall("pass") for _ in range(3))


def main() -> None:
    """Print both lines."""
    print(f"importing the service and loading the model: {start_seconds():.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        recording = Path(folder) / "soundscape.wav"
        soundfile.write(recording, soundscape(), 48_000, subtype="PCM_16")
        config = {
            "source": {"kind": "recordings", "paths": [str(recording)], "speed": 1.0},
            "store": {"directory": folder},
            "mqtt": {"host": "127.0.0.1", "port": 9},
        }
        path = Path(folder) / "config.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [sys.executable, "-m", "monitor", "run", "--config", str(path)]
        with psutil.Popen(command, stderr=subprocess.DEVNULL) as daemon:
            time.sleep(SETTLE_S)
            before = daemon.cpu_times()
            time.sleep(MEASURE_S)
            after = daemon.cpu_times()
            memory = daemon.memory_info().rss
            daemon.terminate()
        share = (after.user + after.system - before.user - before.system) / MEASURE_S
        print(f"daemon at real time: {100 * share:.1f} % of a core, resident memory {memory / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
