"""A great tit that sings and is silent in turns, for tests in which a station listens for a while."""

from pathlib import Path

import numpy as np
import soundfile
from rigs import song

TURNS = 90


def in_turns(folder: Path, silence_s: int = 8) -> Path:
    """A folder of recordings: in those that end in `a` the great tit sings, in those that end in `b` nobody does."""
    played = folder / "played"
    rate = soundfile.info(song(folder / "song.wav")).samplerate
    played.mkdir()
    noise = np.random.default_rng(4).normal(0, 1e-4, silence_s * rate)
    soundfile.write(folder / "silence.wav", noise, rate)
    for turn in range(TURNS):
        (played / f"{turn:02}a.wav").hardlink_to(folder / "song.wav")
        (played / f"{turn:02}b.wav").hardlink_to(folder / "silence.wav")
    return played
