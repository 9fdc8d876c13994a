"""The ledger as tables: what users open in a spreadsheet, and what a data portal takes."""

import csv
import json
from pathlib import Path

import pytest
from command import dawnchorus, sentence
from rigs import configure, free_port, recordings
from synthetic import read_table
from test_keeping import Line, recorded

from monitor.records import Cause
from monitor.sinks.reading import by_hour, by_minute, in_all, read_minutes

PARTS = ("heard_s", "lost_s", "paused_s", "withheld_s")
LOST = ("lost_device_s", "lost_overrun_s", "lost_overload_s", "lost_damaged_s", "lost_unknown_s")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An hour and a half with everything in it."""
    line = recorded(tmp_path / "store")
    line.heard(1000)
    line.lost(200.25, Cause.DEVICE)
    line.lost(599.75, Cause.SCHEDULE)
    line.sink.withheld(1_850_000, 1_875_500)
    line.heard(3000)
    line.lost(600, Cause.OVERLOAD)
    line.ended()
    return tmp_path / "store"


def numbers(row: dict[str, str], *columns: str) -> float:
    """The sum of some columns."""
    return sum(float(row[column]) for column in columns)


@pytest.mark.parametrize(("by", "rows"), [("minute", 90), ("hour", 2)])
def test_each_row_of_a_csv_adds_up_and_all_of_them_to_what_elapsed(
    by: str, rows: int, store: Path, tmp_path: Path
) -> None:
    result = dawnchorus("effort", "--store", store, "--by", by, "-o", tmp_path / "effort.csv")
    assert result.returncode == 0, result.stderr
    table = read_table(tmp_path / "effort.csv")
    assert len(table) == rows
    for row in table:
        assert numbers(row, *PARTS) == pytest.approx(float(row["elapsed_s"]), abs=1e-9)
        assert numbers(row, *LOST) == pytest.approx(float(row["lost_s"]), abs=1e-9)
    totals = [sum(float(row[column]) for row in table) for column in (*PARTS, "elapsed_s")]
    assert totals == pytest.approx([3974.5, 800.25, 599.75, 25.5, 5400.0])
    assert table[0]["start_utc"] == "2026-05-01T12:30:00.000Z"
    assert table[0]["clock_quality"] == "recorder"
    assert float(table[0]["noise_125_hz_dbfs"]) < 0
    assert f"{rows} rows, 3974.5 s heard, 800.2 s lost" in result.stdout


def test_the_hours_are_those_of_utc(store: Path) -> None:
    first, second = by_hour(read_minutes(store))
    assert (first.start_utc, first.end_utc) == ("2026-05-01T12:30:00.000Z", "2026-05-01T13:00:00.000Z")
    assert (second.start_utc, second.end_utc) == ("2026-05-01T13:00:00.000Z", "2026-05-01T14:00:00.000Z")
    assert (second.lost_overload_s, second.lost_s) == (600.0, 600.0)


def test_a_second_run_of_the_same_source_is_the_same_deployment(store: Path) -> None:
    line = Line(store, recorded(store).sink._origin.clock)
    line.heard(60)
    line.ended()
    assert len(by_minute(read_minutes(store))) == 91
    (whole,) = in_all(read_minutes(store))
    assert whole.elapsed_s == 5460.0


def test_a_package_like_camtrap_dp_has_the_deployment_and_its_effort(store: Path, tmp_path: Path) -> None:
    config = configure(tmp_path, recordings(tmp_path), free_port(), place={"latitude": 47.4, "longitude": 8.5})
    result = dawnchorus(
        "effort", "--config", config, "--store", store, "--format", "camtrap-dp", "-o", tmp_path / "may"
    )
    assert result.returncode == 0, result.stderr
    (deployment,) = read_table(tmp_path / "may" / "deployments.csv")
    assert (deployment["deploymentID"], deployment["locationID"]) == ("valley:mic:starter", "valley")
    assert (float(deployment["latitude"]), float(deployment["longitude"])) == (47.4, 8.5)
    assert deployment["deploymentStart"] == "2026-05-01T12:30:00.000Z"
    assert deployment["deploymentEnd"] == "2026-05-01T14:00:00.000Z"
    assert deployment["timestampIssues"] == "false"
    assert deployment["deploymentComments"].startswith("heard 3974.5 s of 5400.0 s; lost 800.2 s")
    package = json.loads((tmp_path / "may" / "datapackage.json").read_text(encoding="utf-8"))
    assert {resource["name"]: resource["path"] for resource in package["resources"]} == {
        "deployments": "deployments.csv",
        "effort": "effort.csv",
        "marks": "marks.csv",
    }
    assert package["spatial"] == {"type": "Point", "coordinates": [8.5, 47.4]}
    assert package["temporal"] == {"start": "2026-05-01", "end": "2026-05-01"}
    assert package["profile"].endswith("/camtrap-dp/1.0/camtrap-dp-profile.json")
    assert len(read_table(tmp_path / "may" / "effort.csv")) == 2


def test_the_place_is_the_receivers_where_the_configuration_has_none(store: Path, tmp_path: Path) -> None:
    arguments: list[str | Path] = ["effort", "--store", store, "--format", "camtrap-dp", "-o", tmp_path / "may"]
    said = sentence(dawnchorus(*arguments), 78)
    assert "place.latitude and place.longitude expected in the configuration" in said
    line = recorded(store)
    line.store.locate(-12.5, 130.9)
    line.store.close()
    assert dawnchorus(*arguments).returncode == 0
    (deployment,) = read_table(tmp_path / "may" / "deployments.csv")
    assert (float(deployment["latitude"]), float(deployment["longitude"])) == (-12.5, 130.9)


def test_a_ledger_that_holds_nothing_is_said_and_no_store_is_an_error(tmp_path: Path) -> None:
    assert "no store in this folder" in sentence(dawnchorus("effort", "--store", tmp_path), 1)
    line = recorded(tmp_path / "store")
    line.store.close()
    result = dawnchorus("effort", "--store", tmp_path / "store", "-o", tmp_path / "effort.csv")
    assert result.returncode == 0
    assert "holds no minute yet" in result.stderr
    with (tmp_path / "effort.csv").open(encoding="utf-8") as file:
        assert len(list(csv.reader(file))) == 1


def test_a_place_that_cannot_be_written_is_one_sentence(store: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = sentence(dawnchorus("effort", "--store", store, "-o", tmp_path / "file" / "effort.csv"), 1)
    assert f"{tmp_path}/file/effort.csv cannot be written" in said


def test_what_has_no_time_is_no_deployment(tmp_path: Path) -> None:
    line = recorded(tmp_path / "store", None)
    line.heard(100)
    line.store.locate(1.0, 2.0)
    line.ended()
    (whole,) = in_all(read_minutes(tmp_path / "store"))
    assert (whole.start_utc, whole.elapsed_s, whole.clock_quality) == (None, 100.0, "unknown")
    result = dawnchorus("effort", "--store", tmp_path / "store", "--format", "camtrap-dp", "-o", tmp_path / "may")
    assert result.returncode == 0, result.stderr
    assert read_table(tmp_path / "may" / "deployments.csv") == []
    assert json.loads((tmp_path / "may" / "datapackage.json").read_text(encoding="utf-8"))["temporal"] is None
