"""Retention: which clips go, that nothing marked does, and that no disk, folder or hand from outside stops us."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from command import dawnchorus, sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import need_root

from monitor.clock import Quality, rfc3339
from monitor.config.clips import ClipKeeping, Clips
from monitor.privacy import Silero, VoiceGate
from monitor.records import Samples, Taxon
from monitor.sinks.clips import Clip, ClipWriter, Fate
from monitor.sinks.clips.clip import About
from monitor.sinks.clips.ledger import Ledger
from monitor.sinks.clips.retention import Holding, Limits, Why, doomed
from monitor.sinks.clips.room import Reconciled, Room
from monitor.sinks.database import FILE, connect
from monitor.sinks.store import Store
from monitor.upkeep import look_after

NOW = datetime(2026, 7, 1, tzinfo=UTC)
RATE = 24_000
SPECIES = ("Parus major", "Corvus corax", "Athene noctua")
TIMES = [None, *(NOW - timedelta(days=days) for days in (0, 1, 5, 9, 30))]

HOLDINGS = st.lists(
    st.builds(
        Holding,
        number=st.just(0),
        file=st.just(""),
        species=st.sampled_from(SPECIES),
        confidence=st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9]),
        time=st.sampled_from(TIMES),
        size=st.integers(1, 100),
        marked=st.booleans(),
    ),
    max_size=30,
).map(lambda found: [replace(one, number=number) for number, one in enumerate(found, 1)])
LIMITS = st.builds(
    Limits,
    before=st.sampled_from([None, NOW - timedelta(days=4), NOW - timedelta(days=20)]),
    per_species=st.sampled_from([None, 1, 3]),
    too_large=st.integers(0, 1500),
    short=st.integers(0, 1500),
)


@settings(max_examples=300, deadline=None)
@given(HOLDINGS, LIMITS)
def test_every_bound_is_met_or_only_marked_clips_are_left(clips: list[Holding], limits: Limits) -> None:
    going = {clip.number for clip, _why in doomed(clips, limits)}
    left = [clip for clip in clips if clip.number not in going]
    unmarked = [clip for clip in left if not clip.marked]
    assert all(not clip.marked for clip in clips if clip.number in going)
    freed = sum(clip.size for clip in clips if clip.number in going)
    assert freed >= max(limits.too_large, limits.short) or not unmarked
    if limits.before is not None:
        assert not [clip for clip in unmarked if clip.time is not None and clip.time < limits.before]
    if limits.per_species is not None:
        for name in {clip.species for clip in unmarked}:
            assert sum(clip.species == name for clip in left) <= limits.per_species


@settings(max_examples=300, deadline=None)
@given(HOLDINGS, LIMITS)
def test_no_clip_goes_without_need_and_the_best_of_each_species_goes_last(clips: list[Holding], limits: Limits) -> None:
    going = doomed(clips, limits)
    assert len({clip.number for clip, _why in going}) == len(going)
    left = {clip.number: clip for clip in clips}
    for clip, why in going:
        others = [one for one in left.values() if one.species == clip.species and not one.marked]
        if why is Why.AGE:
            assert clip.time is not None
            assert limits.before is not None
            assert clip.time < limits.before
        else:
            assert clip.worth == min(one.worth for one in others), "the weakest of its species"
        if why is Why.QUOTA:
            assert limits.per_species is not None
            assert sum(one.species == clip.species for one in left.values()) > limits.per_species
        if why in {Why.SIZE, Why.SPACE}:
            counts = Counter(one.species for one in left.values() if not one.marked)
            assert counts[clip.species] == max(counts.values()), "of the commonest"
        del left[clip.number]
    byte_reasons = [clip for clip, why in going if why in {Why.SIZE, Why.SPACE}]
    if byte_reasons:
        before_last = sum(clip.size for clip, _why in going) - byte_reasons[-1].size
        assert before_last < max(limits.too_large, limits.short)


def about(species: str, number: int, start: datetime | None, confidence: float) -> About:
    """A clip of two seconds."""
    quality = Quality.UNKNOWN if start is None else Quality.NTP
    taxon = Taxon(species, "")
    return About(f"{number:08d}-id", species, taxon, confidence, 0.5, 1.5, start, 0.0, quality, "mic", "m", "valley")


def clip(species: str, number: int, start: datetime | None = NOW, confidence: float = 0.9) -> Clip:
    """Noise, which FLAC cannot make smaller: 96 kB."""
    audio = np.random.default_rng(number).integers(-20_000, 20_000, 2 * RATE).astype(np.int16)
    found = about(species, number, start, confidence)
    return Clip(found, audio, slice(0, len(audio)), RATE, 1, lambda: None)


class Quiet(Silero):
    """Hears nobody: what is judged here is not the gate."""

    def probability(self, frame: Samples) -> float:
        """None."""
        del frame
        return 0.0


class Station:
    """A store, a folder of clips, and who writes them."""

    def __init__(self, folder: Path, clips: Path | None = None, **keep: object) -> None:
        self.store, self.clips = folder / "store", clips or folder / "clips"
        Store(self.store, "valley", 1000).close()
        self.ledger = Ledger(self.store / FILE)
        self.writer = self.begin(**keep)

    def settings(self, **keep: object) -> Clips:
        """What the station was told."""
        told = {"directory": str(self.clips), "pictures": False, "at_most_per_species_and_day": 1000}
        return msgspec.convert(told | {"keep": {"free_megabytes": 0} | keep}, Clips)

    def begin(self, **keep: object) -> ClipWriter:
        """Start, or start again."""
        gate = VoiceGate(Quiet(), 0.3, 0.0)
        return ClipWriter(self.settings(**keep), gate, self.ledger, [], lambda: NOW)

    def write(self, *clips: Clip) -> None:
        """One after the other."""
        for one in clips:
            self.writer.offer(one)
            assert self.writer.flush(30)

    @property
    def numbers(self) -> list[int]:
        """Of the clips that are there."""
        return sorted(int(path.name[-13:-5]) for path in self.clips.rglob("*.flac"))

    def rows(self, columns: str = "detection, state, why") -> list[tuple[object, ...]]:
        """Of the ledger."""
        with closing(connect(self.store / FILE)) as connection:
            return connection.execute(f"SELECT {columns} FROM clips ORDER BY number").fetchall()  # noqa: S608

    def execute(self, statement: str, *values: object) -> None:
        """As somebody else does who has the store open, too."""
        with closing(connect(self.store / FILE)) as connection:
            connection.execute(statement, values)


@pytest.fixture
def station(tmp_path: Path) -> Station:
    """Without any bound."""
    return Station(tmp_path)


def test_the_writer_makes_room_before_it_writes_and_keeps_the_best_and_the_rare(tmp_path: Path) -> None:
    station = Station(tmp_path, megabytes=0.4)
    station.write(clip("Athene noctua", 1, confidence=0.6))
    for number in range(2, 12):
        station.write(clip("Parus major", number, confidence=0.99 if number in {4, 6} else 0.5 + number / 100))
        assert sum(path.stat().st_size for path in station.clips.rglob("*.flac")) <= 400_000
    assert {1, 4, 6} <= set(station.numbers)
    assert len(station.numbers) in {3, 4}
    deleted = {row[0] for row in station.rows() if row[1:] == ("deleted", "size")}
    assert {row[0] for row in station.rows()} - deleted == {f"{number:08d}-id" for number in station.numbers}
    assert station.writer.fates[Fate.SURPLUS] + station.writer.fates[Fate.WRITTEN] == 11
    assert station.writer.fates[Fate.DROPPED] == 0


def test_a_weaker_clip_of_a_species_with_enough_is_not_written_at_all(tmp_path: Path) -> None:
    station = Station(tmp_path, per_species=2)
    song = "Parus major"
    station.write(clip(song, 1, confidence=0.8), clip(song, 2, confidence=0.9), clip(song, 3, confidence=0.7))
    assert station.numbers == [1, 2]
    station.write(clip(song, 4, confidence=0.85), clip("Athene noctua", 5, confidence=0.5))
    assert station.numbers == [2, 4, 5]
    assert station.rows()[0] == ("00000001-id", "deleted", "quota")
    assert station.writer.fates == {Fate.WRITTEN: 4, Fate.SURPLUS: 1}


@pytest.mark.parametrize("mark", ["pinned", "confirmed", "other"])
def test_what_somebody_marked_stays_and_a_clip_that_has_no_room_beside_it_is_dropped(
    tmp_path: Path, mark: str, caplog: pytest.LogCaptureFixture
) -> None:
    station = Station(tmp_path, megabytes=0.25)
    station.write(clip("Parus major", 1, confidence=0.5), clip("Parus major", 2, confidence=0.6))
    if mark == "pinned":
        station.execute("UPDATE clips SET pinned = 1")
    else:
        for number in (1, 2):
            verdict(station, number, "rejected")
            verdict(station, number, mark)
    station.write(clip("Athene noctua", 3, confidence=0.99), clip("Athene noctua", 4, confidence=0.99))
    assert station.numbers == [1, 2]
    assert station.writer.fates[Fate.DROPPED] == 2
    assert caplog.text.count("there is no room for one") == 1
    if mark == "pinned":
        station.execute("UPDATE clips SET pinned = 0 WHERE detection = '00000002-id'")
    else:
        verdict(station, 2, "rejected")
    station.write(clip("Athene noctua", 5, confidence=0.99))
    assert station.numbers == [1, 5]


def verdict(station: Station, number: int, said: str) -> None:
    """What somebody thinks of a detection."""
    station.execute(
        "INSERT INTO verdicts (id, detection, verdict, scientific_name, who, at_utc, note) "
        "VALUES (?, ?, ?, '', '', '', '')",
        f"{number}{said}",
        f"{number:08d}-id",
        said,
    )


def test_the_old_go_by_the_time_of_what_is_heard_and_not_by_a_clock_that_nobody_vouches_for(tmp_path: Path) -> None:
    station = Station(tmp_path, days=10)
    old, young = NOW - timedelta(days=11), NOW - timedelta(days=9)
    station.write(clip("Parus major", 1, old), clip("Parus major", 2, young), clip("Parus major", 3, None))
    assert station.numbers == [1, 2, 3]  # as far as anybody knows it is still the eleventh day before
    ahead = replace(clip("Parus major", 4), about=replace(about("Parus major", 4, NOW, 0.9), clock_quality="unsynced"))
    station.write(ahead)
    assert station.numbers == [1, 2, 3, 4]
    station.write(clip("Parus major", 5, NOW))
    assert station.numbers == [2, 3, 4, 5]
    assert station.rows()[0] == ("00000001-id", "deleted", "age")


def test_a_clip_whose_time_was_corrected_is_as_old_as_that_says(station: Station) -> None:
    station.write(clip("Parus major", 1, NOW - timedelta(days=400)))
    station.execute(
        "INSERT INTO detections (sequence, id, recording, label, scientific_name, common_name, confidence, onset_s, "
        "offset_s, onset_utc, clock_quality, model) "
        "VALUES (1, '00000001-id', 'mic', '', '', '', 1, 0, 1, ?, 'ntp', '')",
        rfc3339(NOW),
    )
    (held,) = station.ledger.held(str(station.clips))
    assert held.time == NOW


def test_so_much_of_the_disk_stays_free(small_disk: Path, tmp_path: Path) -> None:
    station = Station(tmp_path, small_disk / "clips", free_percent=50)
    for number in range(1, 25):
        station.write(clip(SPECIES[number % 3], number, confidence=0.5 + number / 100))
        usage = shutil.disk_usage(small_disk)
        assert usage.free >= usage.total / 2
    assert 6 <= len(station.numbers) <= 10
    assert {row[1:] for row in station.rows()} == {("kept", None), ("deleted", "space")}
    assert max(station.numbers) == 24
    (small_disk / "of others").write_bytes(bytes(450_000))
    station.write(clip("Parus major", 25, confidence=0.4))
    assert shutil.disk_usage(small_disk).free >= 1_000_000 or not station.numbers


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of two megabytes."""
    need_root()
    disk = tmp_path / "disk"
    disk.mkdir()
    assert os.system(f"mount -t tmpfs -o size=2m none {disk}") == 0  # noqa: S605
    yield disk
    os.system(f"umount {disk}")  # noqa: S605


def test_a_disk_that_can_only_be_read_costs_clips_until_it_can_be_written_again(
    small_disk: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    station = Station(tmp_path, small_disk / "clips", per_species=1)
    station.write(clip("Parus major", 1, confidence=0.5))
    assert os.system(f"mount -o remount,ro {small_disk}") == 0  # noqa: S605
    station.write(clip("Parus major", 2), clip("Athene noctua", 3))
    assert station.writer.fates == {Fate.WRITTEN: 1, Fate.DROPPED: 2}
    assert caplog.text.count("Read-only file system") == 1
    assert station.rows() == [("00000001-id", "kept", None)]
    assert os.system(f"mount -o remount,rw {small_disk}") == 0  # noqa: S605
    station.write(clip("Parus major", 4))
    assert station.numbers == [4]


def test_a_folder_that_is_taken_away_while_it_runs_is_made_again_and_the_store_says_what_vanished(
    station: Station,
) -> None:
    station.write(clip("Parus major", 1), clip("Parus major", 2))
    shutil.rmtree(station.clips)
    station.write(clip("Parus major", 3))
    assert station.numbers == [3]
    assert station.writer.fates == {Fate.WRITTEN: 3}
    found = Room(station.ledger, station.clips, lambda: NOW).reconcile()
    assert found == Reconciled(vanished=2, returned=0, unknown=0)
    vanished = [("00000001-id", "deleted", "vanished"), ("00000002-id", "deleted", "vanished")]
    assert station.rows() == [*vanished, ("00000003-id", "kept", None)]


def test_clips_that_come_back_are_kept_again_and_unknown_files_are_left_alone(station: Station) -> None:
    station.write(clip("Parus major", 1), clip("Parus major", 2))
    (day,) = station.clips.iterdir()
    away = day.rename(station.clips.parent / "away")
    room = Room(station.ledger, station.clips, lambda: NOW)
    assert room.reconcile() == Reconciled(2, 0, 0)
    away.rename(day)
    (day / "notes.txt").write_text("mine")
    (day / "20260701T000000Z_parus-major_0.99_99999999.flac").write_bytes(b"fLaC")
    assert room.reconcile() == Reconciled(0, 2, 2)
    room.make(ClipKeeping(megabytes=0.01), None, None)
    assert sorted(path.name for path in day.iterdir()) == [
        "20260701T000000Z_parus-major_0.99_99999999.flac",
        "notes.txt",
    ]
    assert [row[1:] for row in station.rows()] == [("deleted", "size")] * 2


def test_a_store_that_cannot_be_written_costs_clips_and_no_file_is_left_without_a_row(
    station: Station, caplog: pytest.LogCaptureFixture
) -> None:
    station.execute("CREATE TRIGGER refuses BEFORE INSERT ON clips BEGIN SELECT raise(ABORT, 'the disk is worn'); END")
    station.write(clip("Parus major", 1), clip("Parus major", 2))
    assert station.numbers == []
    assert station.writer.fates == {Fate.DROPPED: 2}
    assert caplog.text.count("the disk is worn") == 1
    station.execute("DROP TRIGGER refuses")
    station.write(clip("Parus major", 3))
    assert station.numbers == [3]


def test_another_folder_has_bounds_of_its_own_and_the_clips_of_the_first_stay(tmp_path: Path) -> None:
    station = Station(tmp_path, per_species=1)
    station.write(clip("Parus major", 1))
    first, station.clips = station.clips, tmp_path / "others"
    station.writer.revise(station.settings(per_species=1))
    station.write(clip("Parus major", 2, confidence=0.5))
    assert station.numbers == [2]
    assert len(list(first.rglob("*.flac"))) == 1


def test_pictures_go_with_their_clips_and_so_do_folders_of_days(tmp_path: Path) -> None:
    station = Station(tmp_path, per_species=1)
    station.writer.settings = msgspec.structs.replace(station.writer.settings, pictures=True)
    for number in (1, 2):
        station.write(clip("Parus major", number, NOW + timedelta(days=number), 0.5 + number / 10))
    names = sorted(str(path.relative_to(station.clips)) for path in station.clips.rglob("*"))
    stem = "2026-07-03/20260703T000000Z_parus-major_0.70_00000002"
    assert names == ["2026-07-03", f"{stem}.flac", f"{stem}.png"]


def test_upkeep_applies_the_bounds_and_says_what_went_and_what_nobody_knows(station: Station, tmp_path: Path) -> None:
    ages = [(1, 40), (2, 20), (3, 1)]
    station.write(*(clip("Parus major", number, NOW - timedelta(days=days)) for number, days in ages))
    minute(station, NOW)
    (station.clips / "2026-06-30" / "mine.txt").touch()
    condition = look_after(station.store, None, NOW, station.settings(days=30, per_species=1))
    assert station.numbers == [3]
    assert [row[1:] for row in station.rows()] == [("deleted", "age"), ("deleted", "quota"), ("kept", None)]
    assert "2 clips deleted (1 for age, 1 for quota); 1 file there that nobody knows" in str(condition)
    shutil.rmtree(station.clips)
    unseen = look_after(station.store, None, NOW, station.settings(days=30))
    assert "clips could not be looked at" in str(unseen)
    assert station.rows()[2][1] == "kept"
    config = tmp_path / "config.yaml"
    config.write_text(f"store: {{directory: {station.store}}}\nclips: {{directory: {station.clips}}}\n")
    refused = dawnchorus("upkeep", "--config", config)
    assert (
        sentence(refused, 1)
        == f"dawnchorus: clips in {station.clips} could not be looked at: No such file or directory"
    )


def test_where_rows_grow_old_those_of_deleted_clips_do_too_and_those_that_are_kept_stay(station: Station) -> None:
    station.write(*(clip("Parus major", number, NOW - timedelta(days=400)) for number in (1, 2)))
    minute(station, NOW)
    look_after(station.store, None, NOW, station.settings(per_species=1))
    condition = look_after(station.store, timedelta(days=100), NOW + timedelta(days=101))
    assert condition.removed["clips"] == 0  # the ledger of minutes says that it is not so late yet
    minute(station, NOW + timedelta(days=101))
    condition = look_after(station.store, timedelta(days=100), NOW + timedelta(days=101))
    assert condition.removed["clips"] == 1
    assert station.rows() == [("00000002-id", "kept", None)]


def minute(station: Station, at: datetime) -> None:
    """Somebody who knows the time listened."""
    zeros = "paused, withheld, lost_device, lost_overrun, lost_overload, lost_damaged, lost_unknown, clipped_s"
    station.execute(
        f"INSERT INTO minutes (recording, model, clock_quality, start_s, sample_rate, noise_dbfs, start_utc, elapsed, "  # noqa: S608
        f"heard, {zeros}) VALUES ('mic', 'm', 'ntp', 0, 1, '{{}}', ?, 60, 60, 0, 0, 0, 0, 0, 0, 0, 0)",
        rfc3339(at),
    )
