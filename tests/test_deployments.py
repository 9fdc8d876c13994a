"""The user's table of where recorders stood."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import soundfile

from monitor.errors import ConfigError, RecordingError
from monitor.recorded import Position
from monitor.sources.deployments import Deployments
from monitor.sources.recordings import Reading, open_recordings

BERLIN = ZoneInfo("Europe/Berlin")
HEADER = "site,latitude,longitude,start,end,path\n"
ANY = Path("card/a.wav")


def table(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "deployments.csv"
    path.write_text(header + "".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def site(deployments: Deployments, path: Path, start: datetime | None) -> str | None:
    found = deployments.at(path, start)
    return None if found is None else found.site


def test_a_recording_gets_the_place_of_its_time(tmp_path: Path) -> None:
    file = table(tmp_path, "Moor,47.91,11.28,2026-04-01,2026-04-30,", "Wald,48.1,11.6,2026-05-01T12:00,,")
    deployments = Deployments.read(file, BERLIN)
    at = {
        datetime(2026, 3, 31, 21, 59, tzinfo=UTC): None,
        datetime(2026, 3, 31, 22, 0, tzinfo=UTC): "Moor",
        datetime(2026, 4, 30, 21, 59, tzinfo=UTC): "Moor",
        datetime(2026, 4, 30, 22, 0, tzinfo=UTC): None,
        datetime(2026, 5, 1, 10, 0, tzinfo=UTC): "Wald",
        datetime(2030, 5, 1, 10, 0, tzinfo=UTC): "Wald",
    }
    assert {time: site(deployments, ANY, time) for time in at} == at


def test_a_pattern_tells_recorders_apart_that_stood_at_the_same_time(tmp_path: Path) -> None:
    file = table(tmp_path, "Moor,47.91,11.28,,,*/moor/*", "Wald,48.1,11.6,,,*/wald/*")
    deployments = Deployments.read(file, None)
    assert site(deployments, Path("card/moor/a.wav"), None) == "Moor"
    assert site(deployments, Path("card/wald/x/a.wav"), None) == "Wald"
    assert site(deployments, Path("card/see/a.wav"), None) is None


def test_a_recording_whose_time_nobody_knows_is_not_guessed_to_be_from_a_period(tmp_path: Path) -> None:
    deployments = Deployments.read(table(tmp_path, "Moor,47.91,11.28,2026-04-01,2026-04-30,"), UTC)
    assert site(deployments, ANY, None) is None


def test_a_recording_that_fits_two_places_is_one_sentence(tmp_path: Path) -> None:
    deployments = Deployments.read(table(tmp_path, "Moor,47.91,11.28,,,", "Wald,48.1,11.6,,,"), None)
    with pytest.raises(RecordingError, match=r"a.wav: was made at Moor, Wald according to the deployments"):
        deployments.at(ANY, None)


def test_what_is_read_goes_before_what_the_file_says(tmp_path: Path) -> None:
    path = tmp_path / "20260501T041200Z_REC_-18.2656+144.5564.flac"
    soundfile.write(path, np.zeros(8000), 8000)
    (stream,) = open_recordings([path], Reading())
    assert stream.recorded is not None
    assert (stream.recorded.site, stream.recorded.position) == ("", Position(-18.2656, 144.5564))
    deployments = Deployments.read(table(tmp_path, "Moor,47.91,11.28,2026-05-01,2026-05-01,"), UTC)
    (stream,) = open_recordings([path], Reading(deployments=deployments))
    assert stream.recorded is not None
    assert (stream.recorded.site, stream.recorded.position) == ("Moor", Position(47.91, 11.28))


def test_a_table_of_a_spreadsheet_program_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deployments.csv"
    path.write_bytes("\ufeffsite,who,latitude,longitude\r\nHöhe,me, 47.91 ,11.28\r\n".encode())
    assert site(Deployments.read(path, None), ANY, None) == "Höhe"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Moor,97.91,11.28,,,", "line 2: no place: 97.91 11.28: latitude from -90 to 90"),
        ("Moor,north,11.28,,,", "line 2: no place: could not convert string to float: 'north'"),
        ("Moor,,,,,", "line 2: no place"),
        ("Moor,nan,11.28,,,", "line 2: no place"),
        (",47.91,11.28,,,", "line 2: the site has no name"),
        ("Moor,47.91,11.28,01.05.2026,,", "line 2: '01.05.2026' is no time: 2026-05-01 or"),
        ("Moor,47.91,11.28,2026-05-02,2026-05-01,", "line 2: ends at 2026-05-01, before it starts at 2026-05-02"),
    ],
)
def test_a_line_that_makes_no_sense_is_one_sentence(line: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        Deployments.read(table(tmp_path, line), UTC)
    assert reason in str(refused.value)
    assert "deployments.csv" in str(refused.value)


def test_a_time_without_a_zone_is_not_guessed(tmp_path: Path) -> None:
    file = table(tmp_path, "Moor,47.91,11.28,2026-05-01,,")
    with pytest.raises(ConfigError, match="line 2: '2026-05-01' does not say in which time zone"):
        Deployments.read(file, None)


@pytest.mark.parametrize("content", [b"", b"site;latitude;longitude\n", b"site,lat,lon\nMoor,1,2\n", b"\xff\xfe\0"])
def test_what_is_no_such_table_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "deployments.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"deployments.csv(: no column (site, )?latitude| cannot be read)"):
        Deployments.read(path, None)


def test_a_table_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"deployments .*gone.csv cannot be read: No such file or directory"):
        Deployments.read(tmp_path / "gone.csv", None)
