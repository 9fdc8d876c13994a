"""Times that recorders write into names and comments."""

import io
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import ConfigError
from monitor.recorded import Position
from monitor.sources.metadata import read_metadata
from monitor.sources.names import in_utc, name_position, name_time, read_zone, without_time

modest = settings(derandomize=True, deadline=None, max_examples=200)

MAY_MORNING = datetime(2026, 5, 1, 4, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
AUDIOMOTH = (
    "Recorded at {} by AudioMoth 247AA5065E0FF99A at medium gain while battery was 4.5V and temperature was 12.6C."
)

times = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001
    datetime(2099, 12, 31),  # noqa: DTZ001
).map(lambda time: time.replace(microsecond=0))
offsets_min = st.integers(-14 * 60, 14 * 60)


def start_time(name: str, comment: str, zone: tzinfo | None) -> datetime | None:
    """UTC at which a file began that has a name, a comment and nothing else."""
    return in_utc(read_metadata(name, io.BytesIO(), comment).written, zone)


def offset(minutes: int) -> timezone:
    """So many minutes from UTC."""
    return timezone(timedelta(minutes=minutes))


@pytest.mark.parametrize(
    "name",
    [
        "20260501_041200.WAV",
        "20260501_041200.wav",
        "247AA5065E0FF99A_20260501_041200.WAV",
        "S4A03895_20190522_20260501_041200.ogg",
        "SITE-7_20260501_041200.wav",
        "SITE_20260501$041200.wav",
        "SITE_20260501-041200.wav",
        "SITE_0+1_20260501_041200_000.wav",
        "20260501T041200_REC.flac",
        "20260501_041200T.WAV",
        "247AA5065E0FF99A_20260501_041200T.WAV",
        "SITE_0+1_20260501$041200.wav",
        "2026-05-01T04:12:00.wav",
        "2026-05-01 04.12.00.flac",
        "garden 2026-05-01_04-12-00.mp3",
        "2026-05-01-04-12-00.3gp",
    ],
)
def test_a_name_without_an_offset_needs_the_zone(name: str) -> None:
    assert start_time(name, "", None) is None
    assert start_time(name, "", UTC) == MAY_MORNING
    assert start_time(name, "", offset(120)) == MAY_MORNING - timedelta(hours=2)
    assert start_time(name, "", BERLIN) == MAY_MORNING - timedelta(hours=2)


@pytest.mark.parametrize(
    "name",
    [
        "20260501T041200Z.wav",
        "20260501_041200Z.wav",
        "20260501T061200+0200_REC.flac",
        "20260501T061200+0200_Site 4 [-27.38 152.87].flac",
        "20260501T061200+02:00.wav",
        "SITE_20260501_004200-0330.wav",
        "2026-05-01T06:12:00+02:00.wav",
        "2026-05-01T04-12-00Z.flac",
        "20260501T061200+0200_REC_-18.2656+144.5564.flac",
    ],
)
def test_a_name_with_an_offset_needs_no_zone_and_heeds_none(name: str) -> None:
    assert start_time(name, "", None) == MAY_MORNING
    assert start_time(name, "", BERLIN) == MAY_MORNING


@pytest.mark.parametrize(
    "written",
    [
        "04:12:00 01/05/2026 (UTC)",
        "06:12:00 01/05/2026 (UTC+2)",
        "04:12:00.000 01/05/2026 (UTC)",
        "09:42:00 01/05/2026 (UTC+5:30)",
        "00:42:00 01/05/2026 (UTC-3:30)",
        "18:12:00 30/04/2026 (UTC-10)",
    ],
)
def test_the_comment_of_an_audiomoth_decides(written: str) -> None:
    comment = AUDIOMOTH.format(written)
    assert start_time("20200101_000000.WAV", comment, None) == MAY_MORNING
    assert start_time("20200101T000000Z.WAV", comment, BERLIN) == MAY_MORNING


@modest
@given(local=times, minutes=offsets_min, colon=st.booleans())
def test_what_a_recorder_writes_with_its_offset_reads_back(local: datetime, minutes: int, *, colon: bool) -> None:
    time = local.replace(tzinfo=offset(minutes))
    written = time.strftime("%Y%m%dT%H%M%S%z")
    name = f"{written[:-2]}:{written[-2:]}_REC.flac" if colon else f"{written}_REC.flac"
    found = start_time(name, "", None)
    assert found == time
    assert found.tzinfo is UTC


@modest
@given(local=times, minutes=offsets_min)
def test_what_an_audiomoth_comments_reads_back(local: datetime, minutes: int) -> None:
    hours, rest = divmod(abs(minutes), 60)
    zone = f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "") if minutes else "UTC"
    comment = AUDIOMOTH.format(f"{local:%H:%M:%S %d/%m/%Y} ({zone})")
    assert start_time("", comment, None) == local.replace(tzinfo=offset(minutes))


@modest
@given(local=times)
def test_a_name_in_local_time_follows_the_zone_through_summer_and_winter(local: datetime) -> None:
    assert start_time(f"{local:%Y%m%d_%H%M%S}.WAV", "", BERLIN) == local.replace(tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("name", "comment"),
    [
        ("dawn.wav", ""),
        ("", ""),
        ("20261301_041200Z.wav", ""),
        ("20260230_041200Z.wav", ""),
        ("20260501_246000Z.wav", ""),
        ("00000501_041200Z.wav", ""),
        ("00010101_001200+0200.wav", ""),
        ("20260501_041200+9900.wav", ""),
        ("120260501_041200Z.wav", ""),
        ("20260501_0412001Z.wav", ""),
        ("dawn.wav", "Recorded at 25:12:00 01/05/2026 (UTC) by"),
        ("dawn.wav", "Recorded at 04:12:00 01/05/2026 (UTC+99) by"),
    ],
)
def test_digits_that_are_no_time_are_no_time(name: str, comment: str) -> None:
    assert start_time(name, comment, UTC) is None


@modest
@given(name=st.text(alphabet="0123456789T_$-+Z:. R", max_size=30), comment=st.text(max_size=30))
def test_no_name_is_too_strange(name: str, comment: str) -> None:
    found = start_time(name, comment, BERLIN)
    assert found is None or found.utcoffset() == timedelta(0)


def test_an_audiomoth_of_before_2020_names_its_files_by_the_second_since_1970() -> None:
    assert start_time("5EAB9A3C.WAV", "", None) == datetime(2020, 5, 1, 3, 40, 44, tzinfo=UTC)
    assert start_time("5EAB9A3C.WAV", "", BERLIN) == datetime(2020, 5, 1, 3, 40, 44, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    ["60123456.WAV", "20260501.WAV", "DEADBEEF.WAV", "5EAB9A3C.wav", "5EAB9A3C7.WAV", "X5EAB9A3C.WAV", "5EAB.WAV"],
)
def test_what_may_as_well_be_a_number_is_not_guessed_to_be_a_time(name: str) -> None:
    assert start_time(name, "", UTC) is None


@pytest.mark.parametrize(
    ("name", "milliseconds"),
    [
        ("SITE_0+1_20260501_041200_125.wav", 125),
        ("SITE_20260501$041200_125.wav", 125),
        ("20260501_041200.125.wav", 125),
        ("2026-05-01T04:12:00.125000Z.wav", 125),
        ("SITE_20260501_041200_1254.wav", 0),
        ("SITE_20260501_041200_125x.wav", 0),
    ],
)
def test_a_fraction_of_a_second_counts(name: str, milliseconds: int) -> None:
    assert start_time(name, "", UTC) == MAY_MORNING + timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize("name", ["19700101_000512.WAV", "19700101T000512Z.wav"])
def test_a_recorder_whose_clock_was_never_set_does_not_know_the_time(name: str) -> None:
    assert name_time(name) is not None
    assert start_time(name, "", UTC) is None


def test_a_comment_that_makes_no_sense_leaves_it_to_the_name() -> None:
    assert start_time("20260501_041200.wav", "Recorded at 25:12:00 01/05/2026 (UTC) by", UTC) == MAY_MORNING


@pytest.mark.parametrize(
    ("name", "position"),
    [
        ("20210617T080000+0000_REC_-18.2656+144.5564.flac", Position(-18.2656, 144.5564)),
        ("20210617T080000+0000_Site 4 [-27.38 152.87].flac", Position(-27.38, 152.87)),
        ("20210617T080000+0000_REC [47.9100+11.2800].flac", Position(47.91, 11.28)),
        ("20210617T080000+0000_REC [47.9100,-11.2800].flac", Position(47.91, -11.28)),
        ("20210617T080000+0000_REC [19.21440152.8811].flac", None),
        ("20210617T080000+0000_REC_-98.2656+144.5564.flac", None),
        ("20210617T080000+0000_REC.flac", None),
        ("SITE_1.5_20260501_041200.wav", None),
    ],
)
def test_a_place_in_a_name_is_read(name: str, position: Position | None) -> None:
    assert name_position(name) == position


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("A1_20260501_041200.wav", "A1_20260501_051200.wav", True),
        ("A1_20260501_041200.wav", "A2_20260501_051200.wav", False),
        ("5EAB9A3C.WAV", "5EABA84C.WAV", True),
        ("A_0+1_20260501_041200_001.wav", "A_0+1_20260501_051200_999.wav", True),
        ("20260501_041200.wav", "20260501_051200.flac", False),
    ],
)
def test_names_that_differ_in_their_time_alone_are_told_from_others(first: str, second: str, *, same: bool) -> None:
    assert (without_time(first) == without_time(second)) is same


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("UTC", ZoneInfo("UTC")),
        ("Europe/Berlin", BERLIN),
        ("+02:00", offset(120)),
        ("+0200", offset(120)),
        ("-03:30", offset(-210)),
        ("-00:30", offset(-30)),
        ("+00:00", UTC),
    ],
)
def test_a_zone_is_a_name_or_an_offset(text: str, zone: tzinfo) -> None:
    time = datetime(2026, 5, 1)  # noqa: DTZ001
    assert time.replace(tzinfo=read_zone(text)) == time.replace(tzinfo=zone)


@pytest.mark.parametrize(
    "text", ["", "Berlin", "Europe", "+2", "+2:00", "2", "../etc/passwd", "/etc/localtime", "\0", "Europe/Berlin ", "ü"]
)
def test_an_unknown_zone_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(ConfigError, match=r"UTC, an offset such as .* or a name such as") as refused:
        read_zone(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize("text", ["+24:00", "-25:00", "+23:99"])
def test_an_offset_of_a_day_or_more_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        read_zone(text)
