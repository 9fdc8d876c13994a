"""The report: numbers against a second way to count them, and a page that needs nothing but itself."""

import base64
import csv
import io
import itertools
import json
import random
import re
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import astuple, replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import soundfile
from command import dawnchorus, sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet

from monitor.clock import rfc3339
from monitor.report.accumulation import accumulate
from monitor.report.calendars import Calendar, calendar, logarithmic, masks, picture
from monitor.report.clips import best_clips
from monitor.report.noise import read_noise
from monitor.report.opening import opened
from monitor.report.page import write_page
from monitor.report.period import Period, standard_offset
from monitor.report.season import CLIP_BYTES, Asked, Clipping, Season, read_season
from monitor.report.species import read_species
from monitor.sinks.database import FILE, connect, migrate
from monitor.sinks.rows import Minute, insert_minutes
from monitor.soundscape import soundscape

START = datetime(2026, 5, 1, tzinfo=UTC)
MADE = datetime(2026, 6, 1, tzinfo=UTC)
RATE = 1000
HOSTILE = "<script>alert('x')</script> & \"Tit\""
BERLIN = timedelta(hours=1)


def minute(at: datetime, *, heard: float = 1.0, recording: str = "mic", model: str = "starter") -> Minute:
    """A minute of which a share was heard, and the rest lost to the microphone."""
    heard_samples = round(heard * 60 * RATE)
    return Minute(
        recording=recording,
        model=model,
        start_utc=rfc3339(at),
        end_utc=rfc3339(at + timedelta(minutes=1)),
        clock_quality="ntp",
        clock_error_s=0.1,
        boot=None,
        start_monotonic=None,
        end_monotonic=None,
        start_s=0.0,
        sample_rate=RATE,
        elapsed=60 * RATE,
        heard=heard_samples,
        paused=0,
        withheld=0,
        lost_device=60 * RATE - heard_samples,
        lost_overrun=0,
        lost_overload=0,
        lost_damaged=0,
        lost_unknown=0,
        clipped_s=0.5,
        noise_dbfs=json.dumps({"1000": -60.0 - at.hour, "250": -50.0}),
    )


class Station:
    """A store in a folder, into which anything can be put."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._numbers = folder, itertools.count(1)
        with closing(connect(folder / FILE)) as connection:
            migrate(connection)

    def hear(self, *minutes: Minute) -> None:
        """Minutes of effort."""
        self.execute("", minutes)

    def find(self, at: datetime | None, name: str = "Parus major", confidence: float = 0.9, **other: str) -> str:
        """A detection of three seconds; returns its id."""
        number = next(self._numbers)
        times = (None, None) if at is None else (rfc3339(at), rfc3339(at + timedelta(seconds=3)))
        common = other.get("common_name", f"common {name}")
        row = (number, f"{number:08x}-id", "mic", other.get("label", "label"), name, common, confidence, 10.0, 13.0)
        self.execute(
            "INSERT INTO detections (sequence, id, recording, label, scientific_name, common_name, confidence, onset_s,"
            " offset_s, onset_utc, offset_utc, clock_quality, model) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *[(*row, *times, "ntp", other.get("model", "starter"))],
        )
        return row[1]

    def execute(self, statement: str, *arguments: object) -> None:
        """Write into it."""
        with closing(connect(self.folder / FILE)) as connection:
            connection.execute("BEGIN")
            if statement:
                connection.execute(statement, *arguments)
            else:
                insert_minutes(connection.cursor(), *arguments)
            connection.execute("COMMIT")

    def season(self, period: Period | None = None, **asked: object) -> Season:
        """What a report reads in it."""
        wanted = Asked("valley", period or Period(), **asked)  # type: ignore[arg-type]
        with opened(self.folder, wanted.period) as connection:
            return read_season(connection, wanted)


@pytest.fixture
def station(tmp_path: Path) -> Station:
    """An empty store."""
    return Station(tmp_path / "store")


class Page(HTMLParser):
    """What a browser would load and show."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.words: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count it, and note what it would load."""
        self.tags[tag] += 1
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "data"}]

    def handle_data(self, data: str) -> None:
        """Note what is shown."""
        self.words.append(data)


def page_of(season: Season, folder: Path) -> Page:
    """The page of it."""
    write_page(folder / "report.html", season, MADE)
    return Page(folder / "report.html")


def rows_of(path: Path) -> list[dict[str, str]]:
    """A table read back."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("offset_minutes", [0, 60, 570, 345, -210])
def test_days_and_hours_are_those_of_the_clock_whatever_its_offset(station: Station, offset_minutes: int) -> None:
    chance, offset = random.Random(1), timedelta(minutes=offset_minutes)  # noqa: S311 - no secret
    expected: Counter[tuple[date, int]] = Counter()
    for _ in range(60):
        at = START + timedelta(seconds=chance.randrange(3 * 86_400))
        station.find(at)
        expected[(at + offset).date(), (at + offset).hour] += 1
    (species,) = station.season(Period(offset)).species
    assert {(hour.day, hour.hour): hour.detections for hour in species.hours} == expected


def test_the_clock_is_not_changed_in_spring() -> None:
    assert standard_offset(ZoneInfo("Europe/Berlin"), 2026) == BERLIN
    assert standard_offset(ZoneInfo("Australia/Adelaide"), 2026) == timedelta(hours=9, minutes=30)
    assert Period(BERLIN).clock == "UTC+01:00"
    assert Period(-timedelta(hours=3, minutes=30)).clock == "UTC-03:30"


def test_a_species_is_counted_over_models_labels_and_unknown_times(station: Station) -> None:
    station.find(START, confidence=0.5)
    station.find(START + timedelta(days=2), confidence=1.0, model="other", label="x")
    station.find(None, confidence=0.6)
    station.find(START, "", label="rain", common_name="")
    tit, rain = station.season().species
    assert (tit.detections, tit.undated, tit.best, tit.mean) == (3, 1, 1.0, pytest.approx(0.7))
    assert (tit.first_utc, tit.last_utc) == ("2026-05-01T00:00:00.000Z", "2026-05-03T00:00:00.000Z")
    assert {number: count for number, count in enumerate(tit.bins) if count} == {10: 1, 12: 1, 19: 1}
    assert (rain.called, rain.name, rain.detections) == ("rain", "rain", 1)


def test_what_lies_outside_the_days_asked_for_is_not_told(station: Station) -> None:
    for day in range(5):
        station.find(START + timedelta(days=day, hours=-0.5))
        station.hear(minute(START + timedelta(days=day, hours=-0.5)))
    season = station.season(Period(BERLIN, date(2026, 5, 2), date(2026, 5, 3)))
    assert season.species[0].days == {date(2026, 5, 2), date(2026, 5, 3)}
    assert season.listening.days == [date(2026, 5, 2), date(2026, 5, 3)]
    assert season.listening.total.heard_s == 120


def test_effort_of_two_models_is_counted_once_and_of_two_sources_twice(station: Station) -> None:
    station.hear(minute(START), minute(START, model="other", heard=0.5), minute(START, recording="second", heard=0.25))
    listening = station.season().listening
    assert listening.hours == {(date(2026, 5, 1), 0): 75.0}
    assert listening.total.elapsed_s == 120
    assert listening.total.lost_device_s == listening.total.lost_s == 45
    assert [(one.recording, one.spent.heard_s) for one in listening.sources] == [("mic", 60), ("second", 15)]


def pixels(page: str, name: str) -> np.ndarray:
    """The picture in a mask."""
    found = re.search(rf'<mask[^>]* id="{name}"[^>]*><image [^>]*href="data:image/png;base64,([^"]+)"', page)
    assert found
    return np.array(Image.open(io.BytesIO(base64.b64decode(found[1]))))


def test_hours_in_which_nobody_listened_are_hatched_and_no_others(station: Station, tmp_path: Path) -> None:
    heard = [(0, 4), (0, 5), (2, 23)]
    station.hear(*(minute(START + timedelta(days=day, hours=hour)) for day, hour in heard))
    station.hear(minute(START + timedelta(days=1), heard=0.0))
    station.find(START + timedelta(hours=4))
    page = page_of(station.season(), tmp_path).source
    unheard = pixels(page, "unheard")[::-1]
    assert unheard.shape == (24, 3)
    assert {(int(day), int(hour)) for hour, day in zip(*np.nonzero(unheard == 0), strict=True)} == set(heard)
    found = pixels(page, "species0")[::-1]
    assert found[4, 0] == round(255 * logarithmic(1)(1))
    assert np.count_nonzero(found) == 1


def test_one_detection_can_be_seen_and_the_most_is_full_colour() -> None:
    share = logarithmic(1000)
    assert 0.15 < share(1) < share(10) < share(100) < share(1000) == pytest.approx(1)
    assert logarithmic(1)(1) > 0.15


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sets(st.integers(0, 4), min_size=1), min_size=1, max_size=6))
def test_the_expected_curve_is_the_mean_over_all_orders_of_the_days(found: list[set[int]]) -> None:
    days = [date(2026, 5, 1) + timedelta(days=number) for number in range(5)]
    by_species = [{days[number] for number in numbers} for numbers in found]
    orders = list(itertools.permutations(days))
    seen = np.array(
        [[sum(bool(one & set(order[: n + 1])) for one in by_species) for n in range(5)] for order in orders]
    )
    accumulation = accumulate(days, by_species)
    np.testing.assert_allclose(accumulation.expected, seen.mean(axis=0), atol=1e-9)
    assert accumulation.observed == seen[orders.index(tuple(days))].tolist()


def test_the_estimate_counts_on_what_was_found_once() -> None:
    days = [date(2026, 5, number) for number in range(1, 11)]
    found = [{days[0]}, {days[3]}, {days[4]}, {days[1], days[2]}, set(days)]
    assert accumulate(days, found).chao2 == pytest.approx(5 + 0.9 * 3 * 2 / (2 * 2))
    assert accumulate(days, [set(days)]).chao2 == 1
    assert accumulate(days, []).observed == [0] * 10


def test_levels_are_those_of_the_hour_and_the_octave(station: Station) -> None:
    station.hear(*(minute(START + timedelta(hours=hour, minutes=m)) for hour in (3, 20) for m in range(3)))
    noise = station.season(Period(BERLIN)).noise
    assert noise.bands == ["250", "1000"]
    assert noise.levels[("1000", 4)] == (-63.0, -63.0, -63.0)
    assert noise.levels[("1000", 21)] == (-80.0, -80.0, -80.0)
    assert noise.minutes == 6


def test_of_very_many_minutes_an_even_share_is_looked_at(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.report.noise.MOST_MINUTES", 10)
    station.hear(*(minute(START + timedelta(minutes=number)) for number in range(95)))
    with opened(station.folder, Period()) as connection:
        assert 9 <= read_noise(connection).minutes <= 10


def test_the_page_needs_nothing_but_itself_and_runs_nothing(station: Station, tmp_path: Path) -> None:
    station.hear(minute(START))
    station.find(START)
    page = page_of(station.season(place=(48.1, 11.6)), tmp_path)
    assert page.tags["script"] == page.tags["link"] == page.tags["iframe"] == 0
    assert all(address.startswith("data:") for address in page.addresses)
    assert "default-src 'none'" in page.source
    assert "url(h" not in page.source
    assert "@import" not in page.source


def test_names_and_remarks_from_outside_are_text(station: Station, tmp_path: Path) -> None:
    station.hear(minute(START, recording=HOSTILE, model=HOSTILE))
    station.find(START, HOSTILE, common_name=HOSTILE, model=HOSTILE)
    station.execute(
        "INSERT INTO marks VALUES ('m', ?, 'ntp', ?, ?)",
        ["2026-05-01T00:00:00.000Z", "2026-05-01T00:00:00.000Z", HOSTILE],
    )
    page = page_of(station.season(), tmp_path)
    assert page.tags["script"] == 0
    assert page.text.count(HOSTILE) >= 5


def test_who_could_not_look_does_not_say_that_there_was_nothing(station: Station, tmp_path: Path) -> None:
    nothing = page_of(station.season(), tmp_path).text
    assert "There is no record of effort: absence says nothing here." in nothing
    assert "? heard" in nothing
    assert "Nothing was found." in nothing
    station.hear(minute(START))
    looked = page_of(station.season(), tmp_path).text
    assert "1.0 min heard" in looked
    assert "no record of effort" not in looked
    timeless = Station(tmp_path / "other")
    timeless.find(None)
    told = page_of(timeless.season(), tmp_path).text
    assert "no times are known" in told
    assert "1 detection" in told


def test_sunrise_and_sunset_stand_where_they_are_and_break_at_midnight() -> None:
    shown = calendar([date(2026, 6, 21), date(2026, 6, 23)], Period(BERLIN), (48.1, 11.6))
    assert shown is not None
    assert shown.days == 3
    sunrise, sunset = shown.sun[0]
    assert (sunrise, sunset) == (pytest.approx(4.22, abs=0.1), pytest.approx(20.28, abs=0.1))
    far = Calendar(date(2026, 3, 1), 3, [(23.9, 12.0), (0.1, 12.0), (0.2, 12.0)])
    drawn = picture("x", far, {}, logarithmic(1), "far")
    assert [path.get("d", "").count("M") for path in drawn.iter("path") if path.get("class") == "sunrise"] == [2]
    assert masks(far, {}, 1.0).tag == "svg"


@pytest.mark.parametrize("days", [1, 2, 8, 40, 70, 400, 1200])
def test_labels_of_days_do_not_crowd_however_many_there_are(days: int) -> None:
    drawn = picture("x", Calendar(date(2026, 1, 1), days), {}, logarithmic(1), "many")
    labels = [float(text.get("x", 0)) for text in drawn.iter("text") if text.get("class") == "axis"]
    assert 1 <= len(labels) <= 15
    assert all(later - earlier >= 26 for earlier, later in itertools.pairwise(labels))


def clip(folder: Path, name: str, seconds: float = 6.0, rate: int = 32_000) -> Path:
    """A clip as a station keeps them."""
    path = folder / name[:4] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, soundscape(rate)[: round(seconds * rate)], rate)
    return path


def test_the_best_clips_are_in_the_page_as_opus_with_their_detection_marked(station: Station, tmp_path: Path) -> None:
    station.hear(minute(START))
    known = station.find(START + timedelta(seconds=12.4))
    clips = tmp_path / "clips"
    clip(clips, f"20260501T000010Z_parus-major_0.95_{known[:8]}.flac")
    clip(clips, "20260501T000110Z_parus-major_0.80_cccccccc.flac")
    clip(clips, "20260501T000110Z_parus-major_0.70_dddddddd.flac")
    clip(clips, "20260501T000110Z_somebody-else_0.99_eeeeeeee.flac")
    (clips / "2026" / "notes.flac").touch()
    season = station.season(clipping=Clipping(clips, 2.0))
    best, second = season.sounds["Parus major"]
    assert (best.confidence, second.confidence) == (0.95, 0.80)
    assert best.mark == pytest.approx((2.0, 5.0))
    assert (second.mark, second.onset_utc) == (None, None)
    audio = base64.b64decode(best.audio.removeprefix("data:audio/ogg;base64,"))
    heard = soundfile.info(io.BytesIO(audio))
    assert (heard.format, heard.subtype, heard.duration) == ("OGG", "OPUS", pytest.approx(6.0, abs=0.01))
    assert len(audio) < 80_000
    page = page_of(season, tmp_path)
    assert page.tags["audio"] == 2
    assert page.addresses.count(best.audio) == 1


def test_a_clip_that_cannot_be_read_is_counted_and_a_link_is_not_followed(station: Station, tmp_path: Path) -> None:
    station.find(START)
    clips = tmp_path / "clips"
    broken = clip(clips, "20260501T000010Z_parus-major_0.95_aaaaaaaa.flac")
    broken.write_bytes(b"fLaC")
    secret = clip(tmp_path / "elsewhere", "20260501T000110Z_parus-major_0.99_bbbbbbbb.flac")
    (clips / "2026" / secret.name).symlink_to(secret)
    (clips / "linked").symlink_to(secret.parent)
    season = station.season(clipping=Clipping(clips))
    assert (season.sounds, season.unread) == ({}, 1)
    assert "1 clip could not be read." in page_of(season, tmp_path).text
    assert [one.confidence for one in best_clips(clips, 2)["parus-major"]] == [0.95]


def test_however_many_clips_there_are_the_page_stays_small(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["Parus major", "Corvus corax", "Athene noctua"]
    for name in names:
        station.find(START, name)
        for number in range(2):
            slug = name.lower().replace(" ", "-")
            clip(tmp_path / "clips", f"20260501T000010Z_{slug}_0.9{number}_{number:08d}.flac")
    size = station.season(clipping=Clipping(tmp_path / "clips")).sounds["Parus major"][0].size
    monkeypatch.setattr("monitor.report.season.CLIP_BYTES", round(3.5 * size))
    sounds = station.season(clipping=Clipping(tmp_path / "clips")).sounds
    assert sum(one.size for kept in sounds.values() for one in kept) <= 3.5 * size
    assert [len(sounds[name]) for name in sorted(names)] in ([1, 1, 1], [2, 1, 1], [1, 2, 1], [1, 1, 2])


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What analyze makes of three recordings, in a store and in tables."""
    folder = tmp_path_factory.mktemp("analysis")
    for hour in (4, 5, 7):
        soundfile.write(folder / f"202605{hour:02d}_0{hour}5950.wav", soundscape(32_000), 32_000)
    run = dawnchorus("analyze", folder, "-o", folder / "results", "-f", "sqlite", "-f", "csv", "--timezone", "UTC")
    assert run.returncode == 0, run.stderr
    return folder / "results"


def test_an_analysis_is_reported_from_its_store_or_from_its_tables_alike(results: Path, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.mkdir()
    for name in ("detections.csv", "effort.csv"):
        (tables / name).write_bytes((results / name).read_bytes())
    seasons = []
    for folder in (results, tables):
        with opened(folder, Period()) as connection:
            seasons.append(read_season(connection, Asked("card")))
    stored, tabled = seasons
    assert stored.species
    assert [astuple(one) for one in stored.species] == [astuple(one) for one in tabled.species]
    assert tabled.listening.total.heard_s == pytest.approx(90)
    assert tabled.listening.hours == pytest.approx(
        {(date(2026, 5, day), hour): seconds for day in (4, 5, 7) for hour, seconds in ((day, 10), (day + 1, 20))}
    )
    assert stored.listening.total.heard_s == pytest.approx(90, abs=0.1)


def test_the_command_writes_a_page_and_tables_that_agree_with_it(results: Path, tmp_path: Path) -> None:
    run = dawnchorus(
        *("report", results, "-o", tmp_path / "card.html", "--tables", tmp_path / "tables"),
        *("--at", "48.1", "11.6", "--timezone", "Europe/Berlin", "--title", "card"),
    )
    assert run.returncode == 0, run.stderr
    page = Page(tmp_path / "card.html")
    with closing(sqlite3.connect(results / FILE)) as connection:
        found = connection.execute("SELECT id, scientific_name FROM detections ORDER BY sequence").fetchall()
    assert f"{len(found)} detections" in page.text
    assert "where" in page.text
    assert "of reports were right" in page.text
    (species,) = [
        row for row in rows_of(tmp_path / "tables" / "species.csv") if row["scientific_name"] == "Parus major"
    ]
    assert int(species["detections"]) == sum(name == "Parus major" for _id, name in found)
    hours = rows_of(tmp_path / "tables" / "hours.csv")
    assert sum(int(row["detections"]) for row in hours) == len(found)
    occurrences = rows_of(tmp_path / "tables" / "occurrence.csv")
    assert [row["occurrenceID"] for row in occurrences] == [number for number, _name in found]
    assert {row["basisOfRecord"] for row in occurrences} == {"MachineObservation"}
    assert all(re.fullmatch(r"\S+Z/\S+Z", row["eventDate"]) for row in occurrences)


def test_observations_belong_to_deployments_that_the_package_describes(results: Path, tmp_path: Path) -> None:
    assert (
        dawnchorus("report", results, "-o", tmp_path / "x.html", "--tables", tmp_path, "--at", "1", "2").returncode == 0
    )
    package = json.loads((tmp_path / "camtrap-dp" / "datapackage.json").read_text(encoding="utf-8"))
    paths = {one["name"]: tmp_path / "camtrap-dp" / one["path"] for one in package["resources"]}
    observations = rows_of(paths["observations"])
    deployments = {row["deploymentID"] for row in rows_of(paths["deployments"])}
    assert observations
    assert {row["deploymentID"] for row in observations} <= deployments
    assert {row["classificationMethod"] for row in observations} == {"machine"}
    assert all(0 <= float(row["classificationProbability"]) <= 1 for row in observations)


def test_what_has_no_scientific_name_or_no_time_is_no_occurrence(station: Station, tmp_path: Path) -> None:
    station.find(START)
    station.find(None)
    station.find(START, "", label="rain")
    run = dawnchorus("report", station.folder, "-o", tmp_path / "x.html", "--tables", tmp_path / "t")
    assert run.returncode == 0, run.stderr
    assert len(rows_of(tmp_path / "t" / "occurrence.csv")) == 1
    assert "a deployment needs its place" in run.stderr


def test_of_very_many_species_or_years_the_page_stays_below_5_mb(tmp_path: Path) -> None:
    chance = random.Random(2)  # noqa: S311 - no secret
    for days in (365, 3650):
        other = Station(tmp_path / str(days))
        rows = [
            (
                f"{name}-{number}",
                f"Avis {name:03d}",
                str(rfc3339(START + timedelta(minutes=chance.randrange(days * 1440)))),
            )
            for name in range(150)
            for number in range(300)
        ]
        with closing(connect(other.folder / FILE)) as connection, connection:
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO detections (id, recording, label, scientific_name, common_name, confidence, onset_s,"
                " offset_s, onset_utc, clock_quality, model) VALUES (?, 'm', 'l', ?, '', 0.9, 0, 1, ?, 'ntp', 'm')",
                rows,
            )
        page = page_of(other.season(), tmp_path)
        assert len(page.source) + CLIP_BYTES < 5_000_000
        assert f"The other {150 - page.tags['article']} species stand in the table." in page.text


def lost_minute(at: datetime, cause: str, **others: object) -> Minute:
    """A minute in which nothing was heard."""
    none = replace(minute(at, heard=0.0), lost_device=0, **others)  # type: ignore[arg-type]
    return replace(none, **{cause: 60 * RATE})  # type: ignore[arg-type]


def minutes_from(at: datetime, count: int, **others: object) -> list[Minute]:
    """Minutes that were heard."""
    return [replace(minute(at + timedelta(minutes=number)), **others) for number in range(count)]  # type: ignore[arg-type]


def test_interruptions_are_told_with_their_cause_and_where_there_is_no_record(station: Station, tmp_path: Path) -> None:
    at = START + timedelta(hours=6)
    station.hear(*minutes_from(START, 3))
    station.hear(*(lost_minute(START + timedelta(minutes=number), "lost_device") for number in (3, 4, 5)))
    station.hear(
        lost_minute(START + timedelta(minutes=6), "lost_overload"), *minutes_from(START + timedelta(minutes=7), 2)
    )
    station.hear(*minutes_from(at, 2), lost_minute(at + timedelta(minutes=2), "paused"))
    station.hear(lost_minute(at + timedelta(minutes=3), "lost_overrun"))
    station.hear(*(replace(one, recording="pond") for one in minutes_from(START, 2)))
    found = [
        (one.recording, one.start_utc[11:16], one.lasting_s, one.cause) for one in station.season().health.interruptions
    ]
    assert found == [
        ("mic", "00:09", (6 * 60 - 9) * 60, "no_record"),
        ("mic", "00:03", 180, "lost_device"),
        ("mic", "00:06", 60, "lost_overload"),
        ("mic", "06:03", 60, "lost_overrun"),
    ]
    assert station.season().health.lost == {(START.date(), 0): 240, (START.date(), 6): 60}
    text = page_of(station.season(), tmp_path).text
    assert "1 May 2026 00:09 1 May 2026 06:00 mic no record: without power, or not running 5.8 h" in text
    assert "mic lost: the microphone was gone, dead or frozen 3.0 min" in text


def test_of_very_many_interruptions_the_longest_are_told_and_the_others_summed_up(
    station: Station, tmp_path: Path
) -> None:
    for number in range(30):
        at = START + timedelta(minutes=40 * number)
        station.hear(
            minute(at), *(lost_minute(at + timedelta(minutes=1 + n), "lost_device") for n in range(1 + number % 3))
        )
        station.hear(*minutes_from(at + timedelta(minutes=2 + number % 3), 38 - number % 3))
    text = page_of(station.season(), tmp_path).text
    assert "18 shorter ones together 26.0 min" in text
    assert len(station.season().health.interruptions) == 30


def test_how_far_the_clock_could_be_trusted_is_told_day_by_day(station: Station, tmp_path: Path) -> None:
    station.hear(*(replace(minute(START + timedelta(days=day)), clock_error_s=0.01 * (day + 1)) for day in range(3)))
    unsynced = {"clock_quality": "unsynced", "clock_error_s": None}
    for day in (3, 5):
        station.hear(*minutes_from(START + timedelta(days=day), 1, **unsynced))
        station.hear(*minutes_from(START + timedelta(days=day, hours=1), 1))
    station.hear(minute(START + timedelta(days=6)))
    found = [(one.first.day, one.last.day, one.quality, one.error_s) for one in station.season().health.trust]
    assert found == [(1, 3, "ntp", 0.03), (4, 6, "unsynced", None), (7, 7, "ntp", 0.1)]
    text = page_of(station.season(), tmp_path).text
    assert "1 May 2026 3 May 2026 by a synchronised system clock 30 ms" in text
    assert "4 May 2026 6 May 2026 by a clock that nothing vouches for ?" in text


def test_what_became_of_clips_and_of_messages_is_told(station: Station, tmp_path: Path) -> None:
    station.hear(minute(START))
    rows = [
        (1, None, "kept", 2e6),
        (2, "size", "deleted", 3e6),
        (3, "size", "deleted", 1e6),
        (4, "age", "deleted", 5e5),
    ]
    for number, why, state, size in rows:
        station.execute(
            "INSERT INTO clips (folder, file, detection, species, confidence, start_utc, clock_quality, length_s, "
            "bytes, state, why) VALUES ('clips', ?, 'x', 'Parus major', 0.9, ?, 'ntp', 6, ?, ?, ?)",
            (f"{number}.flac", rfc3339(START + timedelta(days=number)), round(size), state, why),
        )
    station.execute("UPDATE outbox_totals SET dropped = 1234")
    text = page_of(station.season(), tmp_path).text
    assert "kept 1 2.0 MB deleted: they were old 1 0.5 MB deleted: all together were too large 2 4.0 MB" in text
    assert "gave up 1,234 messages" in text
    early = station.season(Period(first=START.date(), last=START.date() + timedelta(days=1)))
    assert [(one.why, one.count) for one in early.health.clips] == [(None, 1)]


def test_a_detection_that_somebody_rejected_is_not_among_the_best_clips(station: Station, tmp_path: Path) -> None:
    first, second = station.find(START + timedelta(seconds=12)), station.find(START + timedelta(seconds=72))
    clip(tmp_path / "clips", f"20260501T000010Z_parus-major_0.95_{first[:8]}.flac")
    clip(tmp_path / "clips", f"20260501T000110Z_parus-major_0.80_{second[:8]}.flac")
    for said in ("confirmed", "rejected"):
        station.execute(
            "INSERT INTO verdicts (id, detection, verdict, scientific_name, who, at_utc, note) "
            "VALUES (?, ?, ?, '', '', '', '')",
            (said, first, said),
        )
    season = station.season(clipping=Clipping(tmp_path / "clips"))
    assert [one.confidence for one in season.sounds["Parus major"]] == [0.80]


def test_the_same_numbers_stand_in_parquet_with_types(results: Path, tmp_path: Path) -> None:
    told = dawnchorus(
        "report", results, "-o", tmp_path / "x.html", "--tables", tmp_path / "t", "-f", "csv", "-f", "parquet"
    )
    assert told.returncode == 0, told.stderr
    names = sorted(path.stem for path in (tmp_path / "t").glob("*.csv"))
    assert names == sorted(path.stem for path in (tmp_path / "t").glob("*.parquet"))
    assert len(names) == 11
    for name in names:
        table = parquet.read_table(tmp_path / "t" / f"{name}.parquet")
        rows = rows_of(tmp_path / "t" / f"{name}.csv")
        assert [[_plain(cell) for cell in row.values()] for row in table.to_pylist()] == [
            [_plain(cell) for cell in row.values()] for row in rows
        ]
    species = parquet.read_schema(tmp_path / "t" / "species.parquet")
    assert str(species.field("first_utc").type) == "timestamp[ms, tz=UTC]"
    assert str(species.field("detections").type) == "int64"
    assert str(parquet.read_schema(tmp_path / "t" / "hours.parquet").field("day").type) == "date32[day]"


def _plain(cell: object) -> object:
    """The same from a cell of either, what is empty being None."""
    if isinstance(cell, datetime):
        return rfc3339(cell)
    text = "" if cell is None else str(cell)
    try:
        return float(text)
    except ValueError:
        return text


def test_an_unknown_form_of_tables_is_one_sentence(station: Station) -> None:
    told = dawnchorus("report", station.folder, "-f", "xls")
    assert told.returncode == 2
    assert "expected csv, parquet" in told.stderr


def test_the_clips_of_an_analysis_are_in_its_report_without_being_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "20260501_045950.wav", soundscape(32_000)[: 12 * 32_000], 32_000)
    results = tmp_path / "results"
    told = dawnchorus("analyze", tmp_path / "20260501_045950.wav", "-o", results, "--timezone", "UTC", "--clips", "1")
    assert told.returncode == 0, told.stderr
    assert dawnchorus("report", results, "-o", tmp_path / "x.html").returncode == 0
    assert Page(tmp_path / "x.html").tags["audio"] == 1
    with opened(results, Period()) as connection:
        (sound,) = read_season(connection, Asked("x", clipping=Clipping(results / "clips", 99.0))).sounds["Parus major"]
    (row,) = rows_of(results / "clips" / "clips.csv")
    (found,) = [one for one in rows_of(results / "detections.csv") if one["id"][:8] in row["clip"]]
    assert sound.onset_utc == found["onset_utc"]
    assert sound.mark is not None
    lasts_s = float(found["offset_s"]) - float(found["onset_s"])
    assert sound.mark[1] - sound.mark[0] == pytest.approx(lasts_s, abs=0.01)


def test_nothing_is_written_to_the_store(station: Station, tmp_path: Path) -> None:
    station.find(START)
    before = (station.folder / FILE).read_bytes()
    page_of(station.season(), tmp_path)
    assert (station.folder / FILE).read_bytes() == before


def test_a_store_is_read_while_the_daemon_is_writing_to_it(station: Station) -> None:
    station.find(START)
    with closing(connect(station.folder / FILE)) as daemon:
        daemon.execute("BEGIN IMMEDIATE")
        daemon.execute("DELETE FROM detections")
        assert [one.detections for one in station.season().species] == [1]
        daemon.execute("COMMIT")
    assert station.season().species == []


def test_what_cannot_be_reported_on_is_one_sentence(station: Station, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "nothing to report on in this folder" in sentence(dawnchorus("report", tmp_path / "empty"), 1)
    (tmp_path / "empty" / "detections.csv").write_text("a,b\n1,2\n")
    assert "detections.csv: not as analyze writes it" in sentence(dawnchorus("report", tmp_path / "empty"), 1)
    (tmp_path / "file").touch()
    said = sentence(dawnchorus("report", station.folder, "-o", tmp_path / "file" / "x.html"), 1)
    assert "file/x.html cannot be written" in said
    said = sentence(dawnchorus("report", station.folder, "--timezone", "Nowhere"), 78)
    assert "'Nowhere' is not known" in said
    station.execute("PRAGMA user_version = 99")
    assert "version 99" in sentence(dawnchorus("report", station.folder), 1)
    run = dawnchorus("report", station.folder, "--from", "2026-05-02", "--to", "2026-05-01")
    assert run.returncode == 2


def test_species_are_in_the_order_of_their_detections(station: Station) -> None:
    for name, times in (("A b", 1), ("C d", 3), ("E f", 2)):
        for number in range(times):
            station.find(START + timedelta(hours=number), name)
    with opened(station.folder, Period()) as connection:
        assert [one.name for one in read_species(connection)] == ["C d", "E f", "A b"]
