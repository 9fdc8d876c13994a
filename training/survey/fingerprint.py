"""The same sound under two names, even if cut, re-encoded or made louder or softer.

After Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): each frame gives 32 bits, the
signs of how the difference between neighbouring bands changes to the next frame. Theirs are 33 bands from 300 Hz to
2 kHz every 11.6 ms; ours reach 8 kHz, where birds sing, every 16 ms. What was played faster or slower, or pitched up
or down, is not found.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.features import Floats, MelSpec, mel_power

SPEC = MelSpec(sample_rate=24_000, n_fft=1536, hop=384, n_mels=33, fmin_hz=300.0, fmax_hz=8000.0, floor=1e-9)
SMOOTHED_FRAMES = 23
"""0.37 s: so long that where a frame starts, which a cut changes, hardly matters"""
MOST_ERRORS = 0.35
"""share of bits that differ, up to which two stretches are the same sound, as in the paper; by chance half differ"""
LEAST_PRINTS = 125
"""two seconds in common; fewer prove nothing"""
NEIGHBOURS = 16
"""recordings that share a print are compared with so many others that share it; a chain of pairs links the rest"""

Prints = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Match:
    """Two recordings, by their places in the sequence, that hold the same sound."""

    first: int
    second: int
    lead_s: float
    """where the second one starts in the first one; negative: the first one starts in the second one"""
    shared_s: float
    errors: float
    """share of differing bits"""


def fingerprint(samples: Floats) -> Prints:
    """Samples (n,) at SPEC.sample_rate Hz -> one print of 32 bits every 16 ms; none of less than 0.44 s."""
    power = mel_power(samples, SPEC).astype(np.float64)
    total = np.cumsum(np.pad(power, ((0, 0), (1, 0))), axis=1)
    energy = total[:, SMOOTHED_FRAMES:] - total[:, :-SMOOTHED_FRAMES]
    rising = np.diff(np.diff(energy, axis=0), axis=1) < 0
    if not rising.size:
        return np.zeros(0, np.uint32)
    return np.ascontiguousarray(np.packbits(rising, axis=0).T).view(np.uint32)[:, 0]


def matches(fingerprints: Sequence[Prints]) -> list[Match]:
    """The pairs that hold the same sound, each once, in the order of the sequence.

    An inverted index finds the pairs that have a print in common, and where; only those are compared bit by bit.
    The time grows with the length of all recordings, not with the number of pairs.
    """
    best: dict[tuple[int, int], Match] = {}
    for first, second, lead in _candidates(fingerprints):
        match = _compared(fingerprints, first, second, lead)
        if match is None or match.errors > MOST_ERRORS:
            continue
        rival = best.setdefault((first, second), match)
        best[first, second] = min(rival, match, key=lambda one: one.errors)
    return [best[pair] for pair in sorted(best)]


def _candidates(fingerprints: Sequence[Prints]) -> list[tuple[int, int, int]]:
    """Pairs (first < second) with a print in common and by how many prints the second one starts later."""
    lengths = [len(prints) for prints in fingerprints]
    prints = np.concatenate([np.zeros(0, np.uint32), *fingerprints])
    owner = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    place = np.concatenate([np.zeros(0, np.int32), *(np.arange(length, dtype=np.int32) for length in lengths)])
    # 0 is digital silence, which is everywhere; of a print that stays, the first is enough.
    kept = prints != 0
    kept[1:] &= (prints[1:] != prints[:-1]) | (owner[1:] != owner[:-1])
    prints, owner, place = prints[kept], owner[kept], place[kept]
    order = np.argsort(prints, kind="stable")
    prints, owner, place = prints[order], owner[order], place[order]
    found: set[tuple[int, int, int]] = set()
    for lag in range(1, NEIGHBOURS + 1):
        at = np.flatnonzero((prints[lag:] == prints[:-lag]) & (owner[lag:] != owner[:-lag]))
        lead = place[at] - place[at + lag]
        found.update(zip(owner[at].tolist(), owner[at + lag].tolist(), lead.tolist(), strict=True))
    return sorted(found)


def _compared(fingerprints: Sequence[Prints], first: int, second: int, lead: int) -> Match | None:
    """How much of the stretch in common differs; None where too little is in common."""
    one, other = fingerprints[first][max(lead, 0) :], fingerprints[second][max(-lead, 0) :]
    length = min(len(one), len(other))
    one, other = one[:length], other[:length]
    sounding = (one != 0) | (other != 0)
    count = int(sounding.sum())
    if count < LEAST_PRINTS:
        return None
    errors = float(np.unpackbits((one ^ other)[sounding].view(np.uint8)).mean())
    print_s = SPEC.hop / SPEC.sample_rate
    return Match(first, second, lead * print_s, length * print_s, errors)
