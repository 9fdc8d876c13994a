"""A level meter in the terminal while a microphone is listened to, and a picture of what was heard."""

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text

from monitor.levels import FULL_SCALE, dbfs
from monitor.pictures.terminal import drawn, spectrogram
from monitor.records import Block, Samples

WIDTH = 60
LOWEST_DBFS, LOUD_DBFS = -90.0, -12.0
PICTURED_S = 10


class Meter:
    """Shows each block as it comes; on closing, the spectrogram of the last seconds."""

    def __init__(self, console: Console, *, visible: bool) -> None:
        self._console, self._visible = console, visible
        self._live = Live(console=console, transient=True, refresh_per_second=10)
        self._heard: list[Samples] = []
        self._sample_rate = 0
        self._loudest = LOWEST_DBFS

    def show(self, sample_rate: int, block: Block) -> None:
        """The level of a block; called from the thread that listens."""
        if not self._visible:
            return
        if not self._heard:
            self._live.start()
        self._sample_rate = sample_rate
        self._heard.append(block.samples)
        while len(self._heard) > 1 and sum(map(len, self._heard[1:])) > PICTURED_S * sample_rate:
            self._heard.pop(0)
        peak = float(np.abs(block.samples).max(initial=0.0))
        self._loudest = max(self._loudest, dbfs(peak**2))
        self._live.update(
            bar(dbfs(float(np.mean(np.square(block.samples)))), self._loudest, clipped=peak >= FULL_SCALE)
        )

    def close(self) -> None:
        """Take the meter away and draw what was heard, if anything; once."""
        heard, self._heard = self._heard, []
        if heard:
            self._live.stop()
            samples = np.concatenate(heard)
            self._console.print(drawn(spectrogram(samples, self._sample_rate), self._sample_rate))


def bar(level_dbfs: float, loudest_dbfs: float, *, clipped: bool) -> Text:
    """A line whose length is the level, with a mark at the loudest peak so far."""
    filled, mark = _column(level_dbfs), _column(loudest_dbfs)
    colour = "red" if clipped else "yellow" if level_dbfs > LOUD_DBFS else "green"
    text = Text(no_wrap=True)
    text.append(f"{level_dbfs:6.1f} dBFS ")
    text.append("█" * filled, colour)
    text.append("·" * (WIDTH - filled), "dim")
    text.append(f" peak {loudest_dbfs:.1f}{' CLIPPED' if clipped else ''}", "red" if clipped else "")
    if filled <= mark < WIDTH:
        start = len(f"{level_dbfs:6.1f} dBFS ")
        text.plain = f"{text.plain[: start + mark]}▏{text.plain[start + mark + 1 :]}"
    return text


def _column(level_dbfs: float) -> int:
    share = (level_dbfs - LOWEST_DBFS) / -LOWEST_DBFS
    return round(WIDTH * min(1.0, max(0.0, share)))
