"""How long a window takes, of several files in turn: only the ratios mean something on another machine."""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from export.graph import INPUT, LOGITS
from export.runtime import open_session
from monitor.features import Floats

ROUNDS, CALLS = 9, 10


def latencies_ms(paths: Sequence[Path], window: Floats, threads: int = 1) -> list[float]:
    """Milliseconds a window (n_channels, n_mels, n_frames) for each file, the median over rounds in turn.

    On one thread what that thread spends, so that others who are busy do not count; on more the time that passes.
    """
    clock = time.thread_time if threads == 1 else time.perf_counter
    sessions = [open_session(path, threads) for path in paths]
    spent: list[list[float]] = [[] for _ in paths]
    for _ in range(ROUNDS + 1):
        for session, rounds in zip(sessions, spent, strict=True):
            begin = clock()
            for _ in range(CALLS):
                session.run([LOGITS], {INPUT: window[None]})
            rounds.append(1000 * (clock() - begin) / CALLS)
    return [median(rounds[1:]) for rounds in spent]
