"""The sound of the best detections of each species, read from the recordings again when all are analysed.

FLAC at the recording's own rate and with all of its bits, up to 24, and a spectrogram beside it, as a station keeps
them, in a folder for each species. What is there is what was asked last: clips of an earlier call that are none any
more go, as far as its list says that they were made here.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from monitor.batch.best import best, species_of
from monitor.batch.excerpts import Stretch, excerpts
from monitor.batch.found import Failure, Recording
from monitor.batch.journal import Journal
from monitor.clock import Quality, rfc3339
from monitor.errors import RecordingError
from monitor.privacy import VoiceGate
from monitor.recorded import Part, Position, Recorded
from monitor.records import Block, Gap, Samples, Taxon
from monitor.sinks.clips import encoding, naming
from monitor.sinks.clips.clip import About
from monitor.sinks.tables import Row
from monitor.sinks.tables.whole import refusing, whole
from monitor.sources.recordings import Reading, open_recordings
from monitor.sources.remote import here

BEFORE_S = AFTER_S = 2.0
"""around a detection"""
LONGEST_S = 30.0
"""of a clip; of a longer detection the end is kept"""
FOLDER, LIST = "clips", "clips.csv"
_COLUMNS = ("clip", "scientific_name", "common_name", "confidence", "file", "start_s", "length_s", "start_utc")

_OURS = re.compile(r"[a-z0-9-]+/[^/]+\.flac")
Line = tuple[object, ...]


@dataclass(slots=True)
class Clipped:
    """What became of the clips."""

    lines: list[Line] = field(default_factory=list)
    """of the list: those that are there"""
    decided: set[str] = field(default_factory=set)
    """detections whose clips were written or withheld"""
    missed: set[str] = field(default_factory=set)
    """beginnings of the ids of those whose recordings cannot be read"""
    withheld: int = 0
    """because somebody speaks in them"""
    failures: list[Failure] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Clipping:
    """Which clips are made."""

    directory: Path
    """of the results"""
    most: int
    """of each species"""
    reading: Reading
    """as the recordings were read before"""
    gate: VoiceGate | None = None
    """None: who speaks in somebody's own recordings is their own concern"""

    @property
    def folder(self) -> Path:
        """Of the clips."""
        return self.directory / FOLDER

    def write(self, recordings: Sequence[Recording], journal: Journal) -> Clipped:
        """Make the clips of what the journal knows. StoreError where one cannot be written.

        Those that cannot be made because their recording cannot be read (any more) are failures, and the others go on.
        """
        rows = ((number, row) for number, one in enumerate(recordings) for row in journal.outcome(one).rows)
        done = Clipped()
        for number, wanted in sorted(best(rows, self.most).items()):
            _Cut(self, recordings[number], wanted, done).make()
        self._list(done)
        return done

    def _list(self, done: Clipped) -> None:
        """Take away what an earlier call made and this one did not, and write the list."""
        path, made = self.folder / LIST, {line[0] for line in done.lines}
        earlier = {name: line for name, line in _listed(path).items() if name not in made}
        for name, line in sorted(earlier.items()):
            named = naming.parse(Path(name).name)
            if named is not None and named.detection in done.missed and (self.folder / name).is_file():
                done.lines.append(line)  # its recording may come back
                continue
            for one in (self.folder / name, (self.folder / name).with_suffix(naming.PICTURE_SUFFIX)):
                with suppress(OSError):
                    one.unlink()
            with suppress(OSError):  # it holds others
                (self.folder / name).parent.rmdir()
        with (
            whole(path) as partial,
            refusing(path),
            partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
        ):
            csv.writer(file, lineterminator="\n").writerows([_COLUMNS, *done.lines])


@dataclass(frozen=True, slots=True)
class _Cut:
    """The clips of one recording."""

    clipping: Clipping
    recording: Recording
    rows: Sequence[Row]
    done: Clipped

    def make(self) -> None:
        """All of them, or a failure that says how many could not be made."""
        errors: list[RecordingError] = []
        try:
            with here(self.recording.paths) as places:
                for stream in open_recordings(places, self.clipping.reading, errors.append):
                    if stream.recorded is not None:
                        self._channel(stream.blocks, stream.recorded)
        except RecordingError as error:
            errors.append(error)
        except OSError as error:  # it vanished while it was looked at
            errors.append(RecordingError(f"{self.recording.paths[0]}: {error.strerror or error}"))
        if lacking := [row.id or "" for row in self.rows if row.id not in self.done.decided]:
            self.done.missed.update(one[: naming.ID_LETTERS] for one in lacking)
            told = errors or [RecordingError(f"{self.recording.paths[0]}: it does not reach so far any more")]
            failure = Failure.of(told[-1], self.recording.paths)
            clips = "1 clip" if len(lacking) == 1 else f"{len(lacking)} clips"
            self.done.failures.append(Failure(failure.path, f"{clips} could not be made: {failure.reason}"))

    def _channel(self, blocks: Iterator[Block | Gap], known: Recorded) -> None:
        """Those of one stream."""
        there = {part.file for part in known.parts}
        rows = [row for row in self.rows if row.channel == known.channel and row.file in there]
        if not rows:
            return
        beside = self.clipping.gate.margin_s if self.clipping.gate else 0.0
        for number, start, samples in excerpts(blocks, [_stretch(row, known, beside) for row in rows]):
            self._clip(rows[number], known, start, samples)

    def _clip(self, row: Row, known: Recorded, start: int, samples: Samples) -> None:
        """Write one, from what begins at a sample of the recording, with what lies beside it."""
        gate, rate = self.clipping.gate, known.sample_rate
        if gate is not None and gate.holds_speech(samples, rate):
            self.done.withheld += 1
            self.done.decided.add(row.id or "")
            return
        alone = _stretch(row, known, 0.0)
        first = max(0, alone.start_sample - start)
        samples, start = samples[first : alone.end_sample - start], start + first
        about = _about(row, known, start)
        name = naming.name(about.start, about.start_s, about.species, row.confidence, about.detection)
        file = f"{naming.hyphened(about.species)}/{name}"
        path = self.clipping.folder / file
        try:
            sound = _flac(samples, rate, about)
        except soundfile.LibsndfileError as error:
            msg = f"{row.file}: {rate} Hz cannot be kept as FLAC"
            raise RecordingError(msg) from error
        _write(path.with_suffix(naming.PICTURE_SUFFIX), encoding.picture(samples, rate, about))
        _write(path, sound)
        length_s = round(len(samples) / rate, 3)
        self.done.decided.add(row.id or "")
        named = (row.scientific_name, row.common_name, row.confidence)
        self.done.lines.append((file, *named, row.file, round(about.start_s, 3), length_s, rfc3339(about.start)))


def _stretch(row: Row, known: Recorded, beside_s: float) -> Stretch:
    """Where a clip lies in its recording, with so much beside it."""
    rate, part = known.sample_rate, _part(row, known)
    onset, offset = (part.start_sample + round(second * rate) for second in (row.onset_s, row.offset_s))
    end = offset + round(AFTER_S * rate)
    start = max(0, onset - round(BEFORE_S * rate), end - round(LONGEST_S * rate))
    beside = round(beside_s * rate)
    return Stretch(max(0, start - beside), end + beside, max(onset, start))


def _part(row: Row, known: Recorded) -> Part:
    """The file in which a detection begins, one of the recording's."""
    return next(part for part in known.parts if part.file == row.file)


def _about(row: Row, known: Recorded, start: int) -> About:
    rate, part = known.sample_rate, _part(row, known)
    own = known.part_at(start, rate)
    start_s = known.seconds(own, start, rate)
    behind_s = known.seconds(part, start, rate)
    utc = own.utc(start_s)
    position = None if row.latitude is None or row.longitude is None else Position(row.latitude, row.longitude)
    return About(
        detection=row.id or "",
        label=row.label,
        taxon=Taxon(species_of(row), row.common_name),
        confidence=row.confidence,
        onset_s=max(0.0, row.onset_s - behind_s),
        offset_s=row.offset_s - behind_s,
        start=utc,
        start_s=start_s,
        clock_quality=Quality.UNKNOWN if utc is None else Quality.RECORDER,
        recording=own.file,
        model=row.model,
        station=row.site or "",
        position=position,
        recorder=known.recorder,
    )


def _flac(samples: Samples, rate: int, about: About) -> bytes:
    """With 16 bits where these say it all, as of most recorders; else with 24."""
    text = encoding.described(about, len(samples) / rate, rate)
    levels = samples * np.float32(encoding.FULL_SCALE)
    if np.array_equal(levels, np.round(levels)):
        return encoding.flac(np.clip(levels, -32_768, 32_767).astype(np.int16), rate, text)
    fine = np.clip(np.round(samples.astype(np.float64) * (1 << 23)), -(1 << 23), (1 << 23) - 1)
    return encoding.flac((fine.astype(np.int32) << 8), rate, text, encoding.BITS_24)


def _write(path: Path, content: bytes) -> None:
    with whole(path) as partial, refusing(path):
        partial.write_bytes(content)


def _listed(path: Path) -> dict[str, Line]:
    """The lines of an earlier call by their clips; what is not one of ours by its name is left alone."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            lines = [row for row in csv.reader(file) if row]
    except (OSError, csv.Error):
        return {}
    return {line[0]: tuple(line) for line in lines if _OURS.fullmatch(line[0])}
