"""What recorders write into a WAV, and what becomes of it where it is damaged."""

import io
import struct
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clock import Quality
from monitor.errors import RecordingError
from monitor.recorded import Position, Recorder, guano, riff, wamd
from monitor.sources.metadata import Metadata, read_metadata
from monitor.sources.names import in_utc
from monitor.sources.recordings import open_recording

modest = settings(derandomize=True, deadline=None, max_examples=100)

BERLIN = ZoneInfo("Europe/Berlin")
MAY_MORNING = datetime(2026, 5, 1, 4, 12, tzinfo=UTC)


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def wav(*further: bytes, before: bool = False) -> bytes:
    """A tenth of a second of silence with further chunks."""
    own = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 24_000, 48_000, 2, 16)), chunk(b"data", bytes(4800))
    inside = b"WAVE" + b"".join((own[0], *further, own[1]) if before else (*own, *further))
    return b"RIFF" + struct.pack("<I", len(inside)) + inside


def wamd_chunk(**fields: str) -> bytes:
    """What a recorder of Wildlife Acoustics writes."""
    numbers = {"model": 1, "serial": 2, "firmware": 3, "prefix": 4, "timestamp": 5, "gpsfirst": 6}
    parts = [(0, b"\x01\0"), *((numbers[name], text.encode()) for name, text in fields.items()), (0xFFFF, b"\0")]
    return chunk(b"wamd", b"".join(struct.pack("<HI", number, len(text)) + text for number, text in parts))


def read(content: bytes, name: str = "a.wav", comment: str = "") -> Metadata:
    return read_metadata(name, io.BytesIO(content), comment)


def guano_chunk(**fields: str) -> bytes:
    return chunk(b"guan", guano.chunk({key.replace("_", " "): value for key, value in fields.items()}))


@pytest.mark.parametrize("before", [False, True])
def test_guano_says_when_where_and_with_what(*, before: bool) -> None:
    fields = guano_chunk(
        Timestamp="2026-05-01T06:12:00.250+02:00",
        Loc_Position="47.91 -11.28",
        Make="Titley",
        Model="Chorus",
        Serial="7",
    )
    found = read(wav(fields, before=before))
    assert in_utc(found.written, None) == MAY_MORNING.replace(microsecond=250_000)
    assert found.position == Position(47.91, -11.28)
    assert found.recorder == Recorder("Titley", "Chorus", "7")


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("WGS84,47.91,N,11.28,E", Position(47.91, 11.28)),
        ("WGS84,47.91,S,11.28,W,560", Position(-47.91, -11.28)),
        ("WGS84,-47.91,11.28", Position(-47.91, 11.28)),
        ("WGS84, 47.91, N, 11.28, E", Position(47.91, 11.28)),
        ("WGS84,97.91,N,11.28,E", None),
        ("WGS84", None),
        ("nowhere", None),
    ],
)
def test_wildlife_acoustics_says_where(text: str, position: Position | None) -> None:
    found = read(wav(wamd_chunk(model="SM4", serial="S4A00123", timestamp="2026-05-01 06:12:00+02:00", gpsfirst=text)))
    assert found.position == position
    assert found.recorder == Recorder("Wildlife Acoustics", "SM4", "S4A00123")
    assert in_utc(found.written, None) == MAY_MORNING


def test_the_comment_of_an_audiomoth_names_it() -> None:
    comment = "Recorded at 04:12:00 01/05/2026 (UTC) by AudioMoth 247AA5065E0FF99A at medium gain"
    assert read(wav(), comment=comment).recorder == Recorder("Open Acoustic Devices", "AudioMoth", "247AA5065E0FF99A")


def test_a_time_that_states_its_offset_is_better_than_one_that_does_not() -> None:
    local = guano_chunk(Timestamp="2026-05-01T06:12:00")
    stated = wamd_chunk(timestamp="2026-05-01 04:12:00+00:00")
    assert read(wav(local, stated)).written == MAY_MORNING
    assert read(wav(local), "20260501T041200Z.wav").written == MAY_MORNING
    assert in_utc(read(wav(local)).written, BERLIN) == MAY_MORNING
    assert in_utc(read(wav(local), "20200101_000000.wav").written, BERLIN) == MAY_MORNING
    assert in_utc(read(wav(local)).written, None) is None


def test_a_recording_in_local_time_says_so_to_who_could_be_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(guano_chunk(Timestamp="2026-05-01T06:12:00")))
    unknown, known = open_recording(path), open_recording(path, BERLIN)
    assert unknown.recorded is not None
    assert known.recorded is not None
    assert (unknown.start, unknown.quality) == (None, Quality.UNKNOWN)
    assert unknown.recorded.local_start == datetime(2026, 5, 1, 6, 12)  # noqa: DTZ001
    assert (known.start, known.quality, known.recorded.local_start) == (MAY_MORNING, Quality.RECORDER, None)


def test_a_clock_that_was_never_set_is_told_of_and_not_believed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "19700101_000512.WAV"
    path.write_bytes(wav())
    stream = open_recording(path, UTC)
    assert (stream.start, stream.quality) == (None, Quality.UNKNOWN)
    (message,) = caplog.messages
    assert message.startswith(f"{path}: began in 1970, says its recorder, whose clock was not set")


@pytest.mark.parametrize(
    ("name", "zone", "told"),
    [
        ("20261025_023000.wav", BERLIN, True),
        ("20260329_023000.wav", BERLIN, True),
        ("20261025_043000.wav", BERLIN, False),
        ("20261025T023000+0200.wav", BERLIN, False),
        ("20261025_023000.wav", UTC, False),
        ("20261025_023000.wav", None, False),
    ],
)
def test_a_time_that_there_was_twice_is_not_guessed_in_silence(
    name: str, zone: tzinfo | None, *, told: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name
    path.write_bytes(wav())
    open_recording(path, zone)
    assert [("clocks are changed" in message) for message in caplog.messages] == [True] * told


@modest
@given(
    fields=st.dictionaries(
        st.text(st.characters(codec="ascii", categories=["L", "Zs"]), min_size=1, max_size=9)
        .map(str.strip)
        .filter(bool),
        st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=20),
        max_size=5,
    )
)
def test_guanos_fields_come_back_as_they_were_written(fields: dict[str, str]) -> None:
    blanks = " \t\n\x0b\x0c\r\0"
    kept = {key: value.strip(blanks) for key, value in fields.items() if value.strip(blanks)}
    written = guano.chunk(fields)
    assert len(written) % 2 == 0
    assert written.startswith(b"GUANO|Version: 1.0\n")
    assert guano.fields(written) == {"GUANO|Version": "1.0"} | kept


@settings(derandomize=True, deadline=None, max_examples=300)
@given(damage=st.lists(st.tuples(st.integers(0, 5300), st.integers(0, 255)), max_size=12), size=st.integers(0, 5300))
def test_nothing_that_is_damaged_keeps_the_rest_from_being_read(damage: list[tuple[int, int]], size: int) -> None:
    content = bytearray(
        wav(
            guano_chunk(Timestamp="2026-05-01T06:12:00", Loc_Position="1 2"),
            wamd_chunk(gpsfirst="WGS84,1,2"),
            before=True,
        )
    )
    for offset, value in damage:
        content[offset % len(content)] = value
    found = read(bytes(content[:size]))
    assert found.written is None or isinstance(found.written, datetime)


@given(content=st.binary(max_size=200))
@modest
def test_no_chunk_is_too_strange(content: bytes) -> None:
    assert isinstance(guano.fields(content), dict)
    assert isinstance(wamd.fields(content), dict)


def test_a_chunk_that_promises_more_than_there_is_holds_what_there_is() -> None:
    content = wav()[:-1000]
    *_, last = riff.chunks(io.BytesIO(content))
    assert (last.name, last.size, last.whole) == (b"data", 3800, False)


def test_the_samples_of_an_rf64_are_a_chunk_of_the_length_that_stands_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(1000), 24_000, "PCM_16", format="RF64")
    with path.open("rb") as file:
        sizes = {chunk.name: chunk.size for chunk in riff.chunks(file)}
    assert sizes[b"data"] == 2000


def test_a_wav_without_end_of_chunks_is_left_after_a_thousand() -> None:
    endless = b"RIFF\xff\xff\xff\xffWAVE" + chunk(b"junk", b"") * 5000
    assert len(list(riff.chunks(io.BytesIO(endless)))) == riff.MOST_CHUNKS


@pytest.mark.parametrize("content", [b"", b"RIFF", b"fLaC" + bytes(100), b"RIFF\0\0\0\0AVI " + bytes(100)])
def test_what_is_no_wav_has_no_chunks(content: bytes) -> None:
    assert list(riff.chunks(io.BytesIO(content))) == []


# Frontier Labs: comments of a FLAC


def flac_with(comments: list[str], vendor: str = "Frontier Labs", *, last: bool = True) -> bytes:
    """A FLAC of a tenth of a second with these comments in the place of its own."""
    made = io.BytesIO()
    soundfile.write(made, np.zeros(2_400, np.float32), 24_000, format="FLAC")
    content = made.getvalue()
    kept, position, more = [], 4, True
    while more:
        kind, size = content[position], int.from_bytes(content[position + 1 : position + 4], "big")
        more = not kind & 0x80
        if kind & 0x7F != 4:
            kept.append((kind & 0x7F, content[position + 4 : position + 4 + size]))
        position += 4 + size
    texts = [vendor.encode(), *(comment.encode() for comment in comments)]
    parts = [struct.pack("<I", len(text)) + text for text in texts]
    kept.append((4, parts[0] + struct.pack("<I", len(comments)) + b"".join(parts[1:])))
    blocks = [
        bytes([kind | (0x80 if last and index == len(kept) - 1 else 0)]) + len(block).to_bytes(3, "big") + block
        for index, (kind, block) in enumerate(kept)
    ]
    return b"fLaC" + b"".join(blocks) + content[position:]


FRONTIER = [
    "SensorFirmwareVersion= 3.28   ",
    "RecordingStart=2026-05-01T04:12:03+0000",
    "RecordingEnd=2026-05-01T05:12:03+0000",
    "SensorUid=000010205",
    "SensorLocation=-18.2656 +144.5564",
    "BatteryLevel= 91% ( 4.02 V )",
]


def test_a_recorder_of_frontier_labs_says_when_it_really_began_where_and_who_it_is(tmp_path: Path) -> None:
    path = tmp_path / "20260501T061200+0200_REC.flac"
    path.write_bytes(flac_with(FRONTIER))
    stream = open_recording(path)
    assert stream.start == datetime(2026, 5, 1, 4, 12, 3, tzinfo=UTC)
    assert stream.recorded is not None
    assert stream.recorded.position == Position(-18.2656, 144.5564)
    assert stream.recorded.recorder == Recorder("Frontier Labs", "", "000010205")
    assert sum(len(block.samples) for block in stream.blocks) == 2_400


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("+43.7043 -065.9508", Position(43.7043, -65.9508)),
        ("-18.2656+144.5564", Position(-18.2656, 144.5564)),
        ("43.7043, +1", Position(43.7043, 1.0)),
        ("unknown", None),
        ("", None),
        ("+91.0 +10.0", None),
    ],
)
def test_frontier_labs_says_where_if_it_knows(text: str, position: Position | None) -> None:
    assert read(flac_with([*FRONTIER[:4], f"sensorLocation={text}"]), "a.flac").position == position


def test_the_name_says_the_time_where_the_comments_of_frontier_labs_make_no_sense() -> None:
    found = read(flac_with(["SensorFirmwareVersion=3.08", "RecordingStart=soon"]), "20260501T061200+0200_REC.flac")
    assert in_utc(found.written, None) == MAY_MORNING


def test_the_comments_of_any_other_flac_say_nothing_of_a_recorder() -> None:
    found = read(flac_with(["ARTIST=a bird", "RecordingStart=2026-05-01T04:12:03+0000"], "reference libFLAC"), "a.flac")
    assert (found.written, found.recorder) == (None, Recorder())


@modest
@given(st.binary(max_size=60), st.integers(0, 400))
def test_no_flac_is_too_strange(damage: bytes, at: int) -> None:
    whole = flac_with(FRONTIER)
    read(whole[:at] + damage + whole[at + len(damage) :], "a.flac")
    read(whole[:at], "a.flac")
    read(flac_with([], last=False) + damage, "a.flac")


# Time expansion


@pytest.mark.parametrize(
    "further",
    [
        guano_chunk(TE="10"),
        guano_chunk(TE="10", Samplerate="240000"),
        chunk(b"wamd", struct.pack("<HIH", 0x0F, 2, 10)),
    ],
)
def test_a_recording_that_is_slower_than_what_it_heard_is_refused(further: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bat.wav"
    path.write_bytes(wav(further))
    with pytest.raises(RecordingError, match=r"bat\.wav: is 10 times slower than what it heard"):
        open_recording(path)


@pytest.mark.parametrize(
    "further",
    [
        guano_chunk(TE="1"),
        guano_chunk(TE="10", Samplerate="24000"),
        guano_chunk(TE="nan"),
        guano_chunk(TE="none"),
        chunk(b"wamd", struct.pack("<HIH", 0x0F, 2, 1)),
        chunk(b"wamd", struct.pack("<HI", 0x0F, 2)),
    ],
)
def test_a_recording_in_real_time_is_heard_whatever_its_field_says(further: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bird.wav"
    path.write_bytes(wav(further))
    assert open_recording(path).sample_rate == 24_000
