"""One recording -> its windows, with what the network makes of each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from monitor.batch.found import Recording
from monitor.classifier import Classifier
from monitor.clock import rfc3339
from monitor.contract import Contract
from monitor.errors import MonitorError, RecordingError
from monitor.records import Window
from monitor.resample import resampled
from monitor.sinks.unknown.standing import Loudness, standings_db, together_dbfs
from monitor.sources import Stream, until_broken
from monitor.sources.recordings import Reading, open_recordings
from monitor.sources.remote import here
from monitor.unknown.collection import Windows
from monitor.windows import windows


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """What a recording came to."""

    start_utc: str | None
    windows: Windows
    errors: Sequence[MonitorError] = ()
    """why not all of it was heard"""


@contextmanager
def opened(
    recording: Recording, contract: Contract, reading: Reading, report: Callable[[MonitorError], None]
) -> Iterator[tuple[Stream, Iterator[Window]]]:
    """A recording, and its windows, one every half of one. RecordingError where it cannot be opened."""
    with here(recording.paths) as places:
        (stream,) = open_recordings(places, reading, report)
        audio = resampled(until_broken(stream.blocks, report), stream.sample_rate, contract.sample_rate)
        yield stream, windows(audio, contract.window_samples, max(1, contract.window_samples // 2))


def embed(recording: Recording, classifier: Classifier, reading: Reading) -> Embedded:
    """Hear a recording as `analyze` does. RecordingError where nothing of it can be."""
    contract, errors = classifier.contract, list[MonitorError]()
    loudness = Loudness(contract.sample_rate, contract.band_hz)
    starts, bands, scored, vectors = [], [], [], []
    with opened(recording, contract, reading, errors.append) as (stream, cut):
        for window, scores, vector in classifier.described(cut):
            starts.append(window.start_sample / contract.sample_rate)
            bands.append(loudness.bands(window.samples))
            scored.append((float(scores.max()), int(scores.argmax())))
            vectors.append(vector.astype(np.float16))
    if not starts and errors:
        raise errors[0]
    if not starts:
        msg = f"{stream.name}: too short to judge: at least {contract.window_s / 3:g} s expected"
        raise RecordingError(msg)
    heard = Windows(
        np.array(starts),
        np.array([together_dbfs(levels) for levels in bands], np.float32),
        np.array(standings_db(bands), np.float32),
        np.array([score for score, _label in scored], np.float32),
        np.array([label for _score, label in scored], np.int64),
        np.array(vectors),
    )
    return Embedded(rfc3339(stream.start), heard, errors)
