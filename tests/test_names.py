"""Times that recorders write into names and comments."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import ConfigError
from monitor.sources.names import read_zone, start_time

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
        ("20260501_041200.wav", "Recorded at 25:12:00 01/05/2026 (UTC) by"),
        ("20260501_041200.wav", "Recorded at 04:12:00 01/05/2026 (UTC+99) by"),
    ],
)
def test_digits_that_are_no_time_are_no_time(name: str, comment: str) -> None:
    assert start_time(name, comment, UTC) is None


@modest
@given(name=st.text(alphabet="0123456789T_$-+Z:. R", max_size=30), comment=st.text(max_size=30))
def test_no_name_is_too_strange(name: str, comment: str) -> None:
    found = start_time(name, comment, BERLIN)
    assert found is None or found.utcoffset() == timedelta(0)


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
