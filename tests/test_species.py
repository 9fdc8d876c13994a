"""Which of a model's labels may be reported: names, lists, a geo model, and two models on one recording."""

import json
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from command import Result, dawnchorus, sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from standins import ROOK, TIT, tone, write_contract, write_geo, write_small
from synthetic import great_tit, read_table

from monitor.batch.alone import Alone
from monitor.batch.analyze import Season
from monitor.batch.found import Search
from monitor.batch.journal import Journal
from monitor.batch.sheets import Results
from monitor.batch.terms import Terms
from monitor.classifier import Classifier
from monitor.clock import Instant, Quality
from monitor.config.detection import Detecting
from monitor.config.place import Place
from monitor.config.species import Species
from monitor.contract import Calibration, Label
from monitor.errors import ConfigError, ModelError
from monitor.recogniser import open_models, recognisers
from monitor.species.filter import SpeciesFilter
from monitor.species.occurrence import WEEKS, GeoModel, SpeciesList, week_of

modest = settings(derandomize=True, deadline=None, max_examples=100)

TITS = ["Parus major", "Cyanistes caeruleus", "Lophophanes cristatus", "Periparus ater"]
LABELS = [Label(f"{n}_x", n, f"{n.split()[0]} bird", "species", 0.5, Calibration()) for n in TITS]
MAY = Instant(datetime(2026, 5, 1, tzinfo=UTC), Quality.NTP)
NEVER = Instant(None, Quality.UNKNOWN)


class _Calendar:
    """An occurrence that a test writes down: the weeks of each name."""

    def __init__(self, **weeks: set[int]) -> None:
        self._weeks = weeks

    def names(self, week: int | None) -> set[str]:
        return {name.replace("_", " ") for name, weeks in self._weeks.items() if week is None or week in weeks}


def allowed(chosen: SpeciesFilter, when: Instant = MAY) -> list[str]:
    return [name for name, may in zip(TITS, chosen.at(when), strict=True) if may]


# Weeks


@modest
@given(day=st.dates(date(1900, 1, 1), date(2100, 12, 31)))
def test_a_year_has_48_weeks_from_its_first_day_to_its_last_and_none_is_left_out(day: date) -> None:
    days = [date(day.year, 1, 1) + timedelta(n) for n in range((date(day.year + 1, 1, 1) - date(day.year, 1, 1)).days)]
    weeks = [week_of(one) for one in days]
    assert (weeks[0], weeks[-1]) == (1, WEEKS)
    assert weeks == sorted(weeks)
    assert set(weeks) == set(range(1, WEEKS + 1))
    assert {weeks.count(week) for week in weeks} <= {7, 8}


# Names and occurrence


def test_without_anything_said_everything_may_be_reported() -> None:
    assert allowed(SpeciesFilter(LABELS)) == TITS


@pytest.mark.parametrize("name", ["Parus major", "parus  MAJOR", "Parus bird", "Parus major_x"])
def test_what_is_included_by_any_of_its_names_is_all_that_is_reported(name: str) -> None:
    assert allowed(SpeciesFilter(LABELS, include=[name])) == ["Parus major"]


@pytest.mark.parametrize("name", ["Parus major", "Parus bird", "Parus major_x"])
def test_what_is_excluded_is_never_reported(name: str) -> None:
    assert allowed(SpeciesFilter(LABELS, exclude=[name])) == TITS[1:]
    assert allowed(SpeciesFilter(LABELS, include=TITS[:2], exclude=[name])) == TITS[1:2]


def test_what_occurs_is_reported_in_its_weeks_and_what_is_included_in_all() -> None:
    occurrence = _Calendar(parus_major=set(range(1, 49)), cyanistes_caeruleus={1, 2})
    chosen = SpeciesFilter(LABELS, include=[TITS[3]], occurrence=occurrence)
    assert allowed(chosen) == [TITS[0], TITS[3]]
    assert allowed(chosen, Instant(datetime(2026, 1, 3, tzinfo=UTC), Quality.GPS)) == [TITS[0], TITS[1], TITS[3]]
    assert allowed(SpeciesFilter(LABELS, exclude=[TITS[0]], occurrence=occurrence)) == []


@pytest.mark.parametrize("when", [NEVER, Instant(datetime(1970, 1, 1, tzinfo=UTC), Quality.UNSYNCED)])
def test_where_nobody_knows_the_week_what_occurs_in_any_is_reported(when: Instant) -> None:
    occurrence = _Calendar(parus_major={17}, cyanistes_caeruleus={40})
    assert allowed(SpeciesFilter(LABELS, occurrence=occurrence), when) == TITS[:2]
    assert allowed(SpeciesFilter(LABELS, occurrence=occurrence, week=40), when) == TITS[1:2]


def test_what_the_filter_comes_to_is_said_with_counts() -> None:
    occurrence = _Calendar(parus_major={17}, cyanistes_caeruleus={40})
    chosen = SpeciesFilter(LABELS, [TITS[3]], [TITS[0]], occurrence)
    assert chosen.said(17) == (
        "1 of 4 labels may be reported in week 17 of 48: 1 included by name, 1 excluded by name, 1 occur here"
    )
    assert chosen.said(None).startswith("2 of 4 labels may be reported in any week: ")
    assert SpeciesFilter(LABELS, [TITS[3]]).said(17) == (
        "1 of 4 labels may be reported in week 17 of 48: 1 included by name, 0 excluded by name"
    )


# Lists and geo models


def test_a_list_may_hold_scientific_and_common_names_in_any_mixture(tmp_path: Path) -> None:
    path = tmp_path / "here.txt"
    path.write_text(
        "# my garden\nParus major_Great Tit\n\nCyanistes bird   # at the feeder\nDodo\n", encoding="utf-8-sig"
    )
    assert allowed(SpeciesFilter(LABELS, occurrence=SpeciesList.read(path))) == TITS[:2]


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "names nothing"), (b"# x\n\n", "names nothing"), (b"\xff", "utf-8")]
)
def test_a_list_of_nothing_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "here.txt"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        SpeciesList.read(path)
    path.unlink()
    with pytest.raises(ConfigError, match=r"here\.txt cannot be read: No such file"):
        SpeciesList.read(path)


@modest
@given(latitude=st.integers(-89, 89), week=st.integers(1, 48))
def test_a_geo_model_says_what_occurs_at_the_place_in_the_week(
    latitude: int, week: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    occurs = {"Parus major": (-90.0, 1.0), "Cyanistes caeruleus": (40.0, 20.0), "Lophophanes cristatus": (60.0, 1.0)}
    folder = tmp_path_factory.mktemp("geo")
    geo = GeoModel(write_geo(folder / "geo.onnx", occurs), float(latitude), 11.0, 0.5)
    expected = {name.casefold() for name, (south, first) in occurs.items() if latitude >= south and week >= first}
    assert geo.names(week) == expected
    assert geo.names(None) == {name.casefold() for name, (south, _first) in occurs.items() if latitude >= south}


def test_a_geo_model_that_is_something_else_is_refused(tmp_path: Path) -> None:
    path = write_geo(tmp_path / "geo.onnx", {"Parus major": (0.0, 1.0)})
    (tmp_path / "geo.labels.txt").write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"geo\.onnx: returns scores \[1, 1\], but has 2 labels"):
        GeoModel(path, 0, 0, 0.5)
    path.with_suffix(".yaml").unlink()
    with pytest.raises(ModelError, match=r"geo\.yaml cannot be read: No such file"):
        GeoModel(path, 0, 0, 0.5)
    with pytest.raises(ModelError, match=r"takes float .*latitude, longitude and week expected"):
        GeoModel(_as_geo(write_small(tmp_path / "ears.onnx")), 0, 0, 0.5)


def _as_geo(path: Path) -> Path:
    terms = {"version": 1, "name": path.stem, "labels": {"file": f"{path.stem}.labels.txt"}, "licence": "CC0-1.0"}
    path.with_suffix(".yaml").write_text(json.dumps(terms), encoding="utf-8")
    return path


# What is refused before anything is heard


@pytest.mark.parametrize(
    ("species", "place", "said"),
    [
        (Species(include=["Parus maior"]), Place(), "species.include names 'Parus maior'.*did you mean 'Parus major'"),
        (Species(exclude=["Great Tut"]), Place(), "species.exclude names 'Great Tut'.*did you mean 'Great Tit'"),
        (Species(geo_model="geo.onnx"), Place(), "needs place.latitude and place.longitude"),
        (Species(geo_model="a", list_file="b"), Place(1, 1), "exclude each other"),
        (Species(exclude=["Parus major", "Rook"]), Place(), "none of the 2 labels may be reported"),
        (Species(list_file="nowhere.txt"), Place(), "nowhere.txt cannot be read"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(species: Species, place: Place, said: str, tmp_path: Path) -> None:
    classifier = Classifier(write_small(tmp_path / "small.onnx"))
    with pytest.raises(ConfigError, match=said):
        recognisers([classifier], Detecting(), species, place)


def test_a_name_counts_where_one_of_the_models_knows_it(tmp_path: Path) -> None:
    models = [str(write_small(tmp_path / f"{n}.onnx", names=[f"{n}_x", "b"])) for n in ("first", "second")]
    detecting = Detecting(thresholds={"first": 0.9})
    one, other = recognisers(open_models(models), detecting, Species(include=["first", "b"]), Place())
    assert one.rules.thresholds == (0.9, 0.5)
    assert other.rules.thresholds == (0.5, 0.5)
    with pytest.raises(ConfigError, match=r"detection.thresholds names 'third'"):
        recognisers(open_models(models), Detecting(thresholds={"third": 0.9}), Species(), Place())


def test_two_models_of_one_name_cannot_be_told_apart(tmp_path: Path) -> None:
    path = str(write_small(tmp_path / "small.onnx"))
    with pytest.raises(ConfigError, match="each of another name expected, got small, small"):
        open_models([path, path])
    with pytest.raises(ConfigError, match="got none"):
        open_models([])


def test_a_step_longer_than_the_window_of_one_of_the_models_is_refused(tmp_path: Path) -> None:
    classifiers = [Classifier(), Classifier(write_small(tmp_path / "small.onnx"))]
    with pytest.raises(ConfigError, match=r"detection.step_s is 1.5 s.*window of small, 1 s"):
        recognisers(classifiers, Detecting(step_s=1.5), Species(), Place())


# Recordings


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A song of the starter model's great tit, then a high tone and a low one for the stand-in."""
    rate = 48_000
    silence = np.zeros(2 * rate, np.float32)
    sound = np.concatenate([great_tit(rate), silence, tone(rate, 2, 3_200), silence, tone(rate, 2, 900), silence])
    path = tmp_path / "SITE_20260501T040000Z.wav"
    soundfile.write(path, sound, rate)
    return path


def analysed(recording: Path, output: Path, *options: str | Path) -> tuple[list[dict[str, str]], Result]:
    result = dawnchorus("analyze", recording, "-o", output, *options)
    assert result.returncode == 0, result.stderr
    return read_table(output / "detections.csv"), result


def analysed_on(terms: Terms, recording: Path) -> Path:
    """Write the tables of a recording beside it, without the command; what they say of the detections."""
    analysis, results = terms.open(), Results(recording.parent, scores=terms.scores_floor is not None)
    with closing(Journal(recording.parent, terms.signature(), fresh=True)) as journal:
        Season(journal, Alone(analysis), results, analysis.band_hz).analyze(Search([recording]).find()[0])
    return results.tables[0]


def reported(recording: Path, models: list[str]) -> list[dict[str, str]]:
    """What models find in a recording, without the command."""
    return read_table(analysed_on(Terms(tuple(models)), recording))


def of_model(rows: list[dict[str, str]], name: str) -> list[dict[str, str]]:
    return [row for row in rows if row["model"] == name]


def test_two_models_of_other_rates_and_windows_each_give_what_they_give_alone(recording: Path, tmp_path: Path) -> None:
    small, starter = write_small(tmp_path / "small.onnx"), Classifier()
    alone = reported(recording, [str(small)])
    ours = reported(recording, [str(starter.path)])
    both = reported(recording, [str(starter.path), str(small)])
    assert {row["common_name"] for row in alone} == {"Great Tit", "Rook"}
    assert any(row["common_name"] == "Great Tit" for row in ours)
    assert of_model(both, "small") == alone
    assert of_model(both, starter.contract.name) == ours
    assert len(both) == len(alone) + len(ours)
    assert [float(row["onset_s"]) for row in both] == sorted(float(row["onset_s"]) for row in both)


@pytest.mark.parametrize(
    ("species", "names"),
    [
        ({"include": ["rook"]}, {"Rook"}),
        ({"exclude": ["Corvus frugilegus"]}, {"Great Tit"}),
        ({"list_file": "here.txt"}, {"Rook"}),
        ({"geo_model": "geo.onnx", "geo_threshold": 0.5}, {"Great Tit"}),
        ({"geo_model": "geo.onnx", "geo_threshold": 0.5, "week": 40}, {"Great Tit", "Rook"}),
        ({"geo_model": "geo.onnx", "geo_threshold": 0.5, "include": ["Rook"]}, {"Great Tit", "Rook"}),
    ],
)
def test_only_what_the_filter_lets_through_is_reported(
    species: dict[str, Any], names: set[str], recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.txt").write_text("Rook\n", encoding="utf-8")
    write_geo(tmp_path / "geo.onnx", {"Parus major": (0.0, 1.0), "Corvus frugilegus": (0.0, 30.0)})
    models = (str(write_small(tmp_path / "small.onnx")),)
    analysed_on(Terms(models, species=Species(**species), place=Place(48, 11), scores_floor=0.0), recording)
    assert {row["common_name"] for row in read_table(tmp_path / "detections.csv")} == names
    assert {row["common_name"] for row in read_table(tmp_path / "scores.csv")} == names


def test_the_command_takes_a_filter_and_says_what_it_comes_to(recording: Path, tmp_path: Path) -> None:
    small = write_small(tmp_path / "small.onnx")
    geo = write_geo(tmp_path / "geo.onnx", {"Parus major": (0.0, 1.0), "Corvus frugilegus": (0.0, 30.0)})
    words = ("-m", small, "--geo-model", geo, "--at", "48", "11", "--week", "40", "--exclude", "great tit")
    rows, result = analysed(recording, tmp_path / "out", *words)
    assert {row["common_name"] for row in rows} == {"Rook"}
    assert "small: 1 of 2 labels may be reported in week 40 of 48: 0 included by name, 1 excluded" in result.stderr


def test_a_recording_shorter_than_a_models_window_is_reported_for_that_model_and_heard_by_the_other(
    tmp_path: Path,
) -> None:
    long = write_small(tmp_path / "long.onnx")
    write_contract(write_small(tmp_path / "short.onnx"))
    write_contract(long, sample_rate=3_200)  # 16,000 samples are then 5 s
    soundfile.write(tmp_path / "peep.wav", tone(16_000, 1.2, 3_200), 16_000)
    result = dawnchorus(
        "analyze", tmp_path / "peep.wav", "-o", tmp_path, "-m", tmp_path / "short.onnx", "-m", long, "--step", "0.5"
    )
    told = sentence(result, 1)
    assert "1.20 s are too short to judge for long: at least 1.66667 s expected" in told
    assert {row["model"] for row in read_table(tmp_path / "detections.csv")} == {"short"}
    assert "0 of 1 recordings analysed" in result.stdout


def test_a_bad_model_among_several_stops_everything(recording: Path, tmp_path: Path) -> None:
    small = write_small(tmp_path / "small.onnx")
    told = sentence(dawnchorus("analyze", recording, "-m", small, "-m", tmp_path / "none.onnx", "-o", tmp_path), 1)
    assert "none.onnx: no such file" in told
    assert not (tmp_path / "detections.csv").exists()


def test_what_two_models_say_is_printed_side_by_side(tmp_path: Path) -> None:
    first = write_small(tmp_path / "first.onnx", thresholds={"Parus major": 0.7})
    other = write_small(
        tmp_path / "other.onnx", names=[TIT, "Corvus corax_Raven"], input={"kind": "waveform", "peak": 0.25}
    )
    shown = dawnchorus("model", first, other)
    assert shown.returncode == 0, shown.stderr
    lines = {line.lstrip("* ").split("  ")[0]: line for line in shown.stdout.splitlines()}
    assert lines["name"].split() == ["*", "name", "first", "other"]
    assert lines["licence"].split() == ["licence", "CC0-1.0", "CC0-1.0"]
    assert lines["window"].startswith("*")
    assert "peak 0.25" in lines["window"]
    assert "only in" in shown.stdout
    assert "  Corvus frugilegus" in shown.stdout
    assert "  Corvus corax" in shown.stdout
    assert "0.70 -> 0.50" in shown.stdout


def test_a_foreign_model_is_shown_with_what_is_known_of_it(tmp_path: Path) -> None:
    path = write_small(tmp_path / "small.onnx", attribution=["A. Nother"])
    shown = dawnchorus("model", path)
    assert shown.returncode == 0, shown.stderr
    assert all(word in shown.stdout for word in ("small", "CC0-1.0", "16000 Hz", "waveform", "Rook", "A. Nother"))
    assert "parity check passed" not in shown.stdout
    assert ROOK.split("_")[0] in shown.stdout


def test_three_models_are_no_comparison(tmp_path: Path) -> None:
    path = write_small(tmp_path / "small.onnx")
    assert dawnchorus("model", path, path, path).returncode == 2
