"""Detections in BirdNET-Go's field names: complete, at local time, and never without the original."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import STATION, Broker, Daemon, Subscriber, configure, kept, recordings, song, until

from monitor.clock import rfc3339
from monitor.config.birdnet_go import BirdnetGo
from monitor.config.place import Place
from monitor.config.reading import parse
from monitor.delivery.birdnet_go import copy, repacking
from monitor.delivery.publication import Parcel, Publication
from monitor.errors import ConfigError
from monitor.messages import DetectionMessage
from monitor.sinks.outbox import OutboxRow

modest = settings(derandomize=True, deadline=None, max_examples=100)

BERLIN = ZoneInfo("Europe/Berlin")
GARDEN = Place(latitude=52.5, longitude=13.4)


class BirdImage(msgspec.Struct, rename="pascal", forbid_unknown_fields=True):
    """As consumers declare it."""

    url: str = msgspec.field(name="URL")
    scientific_name: str
    license_name: str
    license_url: str = msgspec.field(name="LicenseURL")
    author_name: str
    author_url: str = msgspec.field(name="AuthorURL")
    cached_at: datetime
    source_provider: str


class Consumer(msgspec.Struct, rename="pascal"):
    """A typed consumer of BirdNET-Go's topic, with the fields of its `NoteWithBirdImage` and no others."""

    source_node: str
    date: str
    time: str
    begin_time: datetime
    end_time: datetime
    species_code: str
    scientific_name: str
    common_name: str
    confidence: float
    latitude: float
    longitude: float
    threshold: float
    sensitivity: float
    clip_name: str
    processing_time: int
    verified: str
    locked: bool
    bird_image: BirdImage
    detection_id: int = msgspec.field(name="detectionId")
    source_id: str = msgspec.field(name="sourceId")
    source_name: str = msgspec.field(name="sourceName")


def message(onset: datetime | None, seconds: float = 4.0, sequence: int = 7) -> DetectionMessage:
    """A great tit that sings for so long."""
    offset = None if onset is None else onset + timedelta(seconds=seconds)
    return DetectionMessage(
        id=f"id-{sequence}",
        station=STATION,
        sequence=sequence,
        recording="garden",
        onset_utc=rfc3339(onset),
        offset_utc=rfc3339(offset),
        clock_quality="unknown" if onset is None else "ntp",
        onset_s=3.0,
        offset_s=3.0 + seconds,
        label="parus_major",
        scientific_name="Parus major",
        common_name="Great Tit",
        confidence=0.87,
        model="starter",
    )


def copied(onset: datetime | None, zone: tzinfo = BERLIN, place: Place = GARDEN) -> tuple[Consumer, dict[str, Any]]:
    """The copy as a typed consumer reads it, and as a template does."""
    payload = copy(msgspec.json.encode(message(onset)), place, zone)
    return msgspec.json.decode(payload, type=Consumer), json.loads(payload)


def test_a_copy_says_in_their_words_what_the_detection_says() -> None:
    read, bare = copied(datetime(2026, 5, 1, 4, 12, 7, 250_000, tzinfo=UTC))
    assert (bare["Date"], bare["Time"]) == ("2026-05-01", "06:12:07")
    assert bare["BeginTime"] == "2026-05-01T06:12:07.250000+02:00"
    assert read.end_time - read.begin_time == timedelta(seconds=4)
    assert (read.scientific_name, read.common_name, read.confidence) == ("Parus major", "Great Tit", 0.87)
    assert (read.source_node, read.source_id, read.source_name) == (STATION, "garden", "garden")
    assert (read.latitude, read.longitude) == (52.5, 13.4)
    assert read.detection_id == 7
    assert read.bird_image.scientific_name == "Parus major"


@pytest.mark.parametrize(
    ("utc", "begin"),
    [
        (datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC), "2026-03-29T01:59:59+01:00"),
        (datetime(2026, 3, 29, 1, 0, 0, tzinfo=UTC), "2026-03-29T03:00:00+02:00"),
        (datetime(2026, 10, 25, 0, 30, 0, tzinfo=UTC), "2026-10-25T02:30:00+02:00"),
        (datetime(2026, 10, 25, 1, 30, 0, tzinfo=UTC), "2026-10-25T02:30:00+01:00"),
    ],
)
def test_the_hour_that_comes_twice_is_told_apart_by_its_offset(utc: datetime, begin: str) -> None:
    assert copied(utc)[1]["BeginTime"] == begin


def test_utc_is_written_as_go_writes_it() -> None:
    assert copied(datetime(2026, 5, 1, 4, 12, 7, tzinfo=UTC), UTC)[1]["BeginTime"] == "2026-05-01T04:12:07Z"


def test_a_time_that_nobody_knows_and_a_place_that_nobody_told_are_gos_zero() -> None:
    read, bare = copied(None, place=Place())
    assert (bare["Date"], bare["Time"]) == ("0001-01-01", "00:00:00")
    assert bare["BeginTime"] == bare["EndTime"] == bare["BirdImage"]["CachedAt"] == "0001-01-01T00:00:00Z"
    assert (read.latitude, read.longitude) == (0.0, 0.0)


def test_what_has_no_common_name_is_called_by_its_label() -> None:
    rain = msgspec.structs.replace(message(None), common_name="", scientific_name="", label="rain")
    assert json.loads(copy(msgspec.json.encode(rain), GARDEN, UTC))["CommonName"] == "rain"


offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@modest
@given(onset=st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)), zone=offsets)  # noqa: DTZ001
def test_in_every_zone_the_copy_means_the_same_instant(onset: datetime, zone: tzinfo) -> None:
    whole = onset.replace(tzinfo=UTC, microsecond=onset.microsecond // 1000 * 1000)
    read, bare = copied(whole, zone)
    assert read.begin_time == whole
    local = datetime.fromisoformat(f"{bare['Date']}T{bare['Time']}").replace(tzinfo=zone)
    assert local == whole.replace(microsecond=0)


def row(sequence: int, level: str) -> OutboxRow:
    """What waits in the outbox."""
    return OutboxRow(sequence, level, msgspec.json.encode(message(None, sequence=sequence)))


def in_one(rows: Sequence[OutboxRow]) -> list[Parcel]:
    """All in one parcel, as in a batch."""
    return [Parcel(tuple(one.sequence for one in rows), (Publication("batch", b"all", qos=1),))]


def alone(rows: Sequence[OutboxRow]) -> list[Parcel]:
    """Each for itself."""
    return [Parcel((one.sequence,), (Publication(one.topic, one.payload, qos=1),)) for one in rows]


@pytest.mark.parametrize(("parcels", "copies"), [(alone, [[1], [], [3]]), (in_one, [[1, 3]])])
def test_a_detection_is_forgotten_only_together_with_its_copy(
    parcels: Callable[[Sequence[OutboxRow]], list[Parcel]], copies: list[list[int]]
) -> None:
    rows = [row(1, "detections"), row(2, "effort"), row(3, "detections")]
    made = repacking(BirdnetGo(), GARDEN, BERLIN)(parcels)(rows)
    assert [one.sequences for one in made] == [one.sequences for one in parcels(rows)]
    for parcel, before, expected in zip(made, parcels(rows), copies, strict=True):
        original, *others = parcel.publications
        assert [original] == list(before.publications)
        assert [json.loads(one.payload)["detectionId"] for one in others] == expected
        assert {(one.topic, one.qos, one.retain) for one in others} <= {("birdnet", 1, False)}


def test_rows_that_wait_for_company_get_no_copy_yet() -> None:
    assert repacking(BirdnetGo(), GARDEN, BERLIN)(lambda _rows: [])([row(1, "detections")]) == []


def test_it_is_off_unless_asked_for_and_its_topic_is_no_filter() -> None:
    assert parse("").mqtt.birdnet_go is None
    assert repacking(None, GARDEN, BERLIN)(alone) is alone
    asked = parse("mqtt: {birdnet_go: {topic: garden/birdnet}}").mqtt.birdnet_go
    assert asked is not None
    assert asked.topic == "garden/birdnet"
    with pytest.raises(ConfigError, match="topic"):
        parse("mqtt: {birdnet_go: {topic: birdnet/#}}")


def test_a_consumer_of_birdnet_go_hears_each_detection_of_a_real_daemon(
    tmp_path: Path, broker: Broker, new_subscriber: Callable[..., Subscriber]
) -> None:
    theirs = new_subscriber(broker.port, "-t", "birdnet")
    path = song(tmp_path / "20260501_041200Z.wav")
    others = {
        "mqtt": {"host": "127.0.0.1", "port": broker.port, "birdnet_go": {}},
        "place": {"latitude": 52.5, "longitude": 13.4, "timezone": "Europe/Berlin"},
    }
    with Daemon(configure(tmp_path, recordings(path), broker.port, **others)) as daemon:
        assert daemon.ended() == 0
    store = kept(tmp_path / "store")
    assert store["outbox"] == []
    assert store["detections"]
    heard = until(lambda: [one for one in theirs.received() if one.topic == "birdnet"], "a copy")
    read = [msgspec.json.decode(one.payload, type=Consumer) for one in heard]
    assert [(one.begin_time, one.common_name) for one in read] == [
        (datetime.fromisoformat(one["onset_utc"]), one["common_name"]) for one in store["detections"]
    ]
    assert {one.begin_time.utcoffset() for one in read} == {timedelta(hours=2)}
