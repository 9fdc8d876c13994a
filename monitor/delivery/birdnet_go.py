"""Detections once more, as BirdNET-Go publishes them, for consumers that were written for it.

The fields are those of its `NoteWithBirdImage` of 2026, whose names its own tests freeze (tphakala/birdnet-go,
internal/datastore/model.go and internal/analysis/processor/actions_integrations.go). What we do not know has Go's zero
value, which it sends where it does not know either; so has a time that nobody knows. Its format has no word for the
quality of a clock, so times are sent as they are known, and a correction that comes later is not sent: a consumer would
take it for another bird.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import partial

import msgspec

from monitor.config.birdnet_go import BirdnetGo
from monitor.config.place import Place
from monitor.delivery.packing import Parcels
from monitor.delivery.publication import Parcel, Publication
from monitor.messages import DetectionMessage
from monitor.sinks.outbox import TOPICS, OutboxRow

NO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""Go's zero"""


class Image(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A picture of the species. We have none, but templates ask for its parts."""

    url: str = msgspec.field(name="URL", default="")
    scientific_name: str
    license_name: str = ""
    license_url: str = msgspec.field(name="LicenseURL", default="")
    author_name: str = ""
    author_url: str = msgspec.field(name="AuthorURL", default="")
    cached_at: datetime = NO_TIME
    source_provider: str = ""


class Note(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A detection. Times are local, with their offset from UTC."""

    source_node: str
    date: str
    time: str
    begin_time: datetime
    end_time: datetime
    species_code: str = ""
    """eBird's, which no model of ours knows"""
    scientific_name: str
    common_name: str
    confidence: float
    latitude: float
    longitude: float
    threshold: float = 0.0
    sensitivity: float = 1.0
    """scores are as the model gives them"""
    clip_name: str = ""
    processing_time: int = 0
    """nanoseconds"""
    raw_label: str
    results: None = None
    review: None = None
    comments: None = None
    lock: None = None
    verified: str = ""
    locked: bool = False
    detection_id: int = msgspec.field(name="detectionId")
    """the sequence number: what comes twice has the same"""
    source_id: str = msgspec.field(name="sourceId")
    source_name: str = msgspec.field(name="sourceName")
    bird_image: Image


def repacking(settings: BirdnetGo | None, place: Place, zone: tzinfo) -> Callable[[Parcels], Parcels]:
    """What puts a copy of each detection, at QoS 1, into its parcel: neither is forgotten before both have arrived."""
    if settings is None:
        return lambda parcels: parcels
    topic = settings.topic

    def copied(parcel: Parcel, detections: Mapping[int, bytes]) -> Parcel:
        own = [detections[sequence] for sequence in parcel.sequences if sequence in detections]
        copies = [Publication(topic, copy(payload, place, zone), qos=1) for payload in own]
        return replace(parcel, publications=(*parcel.publications, *copies))

    def with_copies(parcels: Parcels, rows: Sequence[OutboxRow]) -> list[Parcel]:
        detections = {row.sequence: row.payload for row in rows if row.topic == TOPICS[DetectionMessage]}
        return [copied(parcel, detections) for parcel in parcels(rows)]

    return lambda parcels: partial(with_copies, parcels)


def copy(payload: bytes, place: Place, zone: tzinfo) -> bytes:
    """A DetectionMessage as JSON -> the same as BirdNET-Go says it."""
    message = msgspec.json.decode(payload, type=DetectionMessage)
    begin, end = (_local(text, zone) for text in (message.onset_utc, message.offset_utc))
    note = Note(
        source_node=message.station,
        date=begin.date().isoformat(),
        time=begin.strftime("%H:%M:%S"),
        begin_time=begin,
        end_time=end,
        scientific_name=message.scientific_name,
        common_name=message.common_name or message.label,
        confidence=message.confidence,
        latitude=place.latitude or 0.0,
        longitude=place.longitude or 0.0,
        raw_label=message.label,
        detection_id=message.sequence,
        source_id=message.recording,
        source_name=message.recording,
        bird_image=Image(scientific_name=message.scientific_name),
    )
    return msgspec.json.encode(note)


def _local(utc: str | None, zone: tzinfo) -> datetime:
    return NO_TIME if utc is None else datetime.fromisoformat(utc).astimezone(zone)
