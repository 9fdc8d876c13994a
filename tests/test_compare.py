"""Results against annotations and against each other, as other programs write them."""

import csv
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from command import dawnchorus, sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from synthetic import great_tit, read_table
from test_batch import write

from monitor.comparison.difference import differences
from monitor.comparison.matching import Rule
from monitor.comparison.measures import ALL, judge
from monitor.comparison.occurrences import Occurrence, same_names
from monitor.comparison.reading import read
from monitor.errors import RecordingError
from monitor.sinks.tables import NAMES, Format

modest = settings(derandomize=True, deadline=None, max_examples=100)
TIT, ROOK = "Parus major", "Corvus frugilegus"
spans = st.tuples(st.integers(0, 30), st.integers(1, 6), st.sampled_from([0.1, 0.4, 0.4, 0.8, 1.0]))


def occurrence(onset_s: float, offset_s: float, species: str = TIT, confidence: float = 1.0) -> Occurrence:
    return Occurrence("garden.wav", onset_s, offset_s, species, "", confidence)


def occurrences(drawn: Sequence[tuple[int, int, float]], species: str = TIT) -> list[Occurrence]:
    return [occurrence(onset, onset + length, species, confidence) for onset, length, confidence in drawn]


# Measures


def test_precision_recall_and_f1_are_those_counted_by_hand() -> None:
    found = [occurrence(0, 5, confidence=0.9), occurrence(10, 12, confidence=0.8), occurrence(20, 22, ROOK, 0.7)]
    wanted = [occurrence(1, 2), occurrence(3, 4), occurrence(30, 31)]
    species = judge(Rule(), found, wanted)
    assert list(species) == [ROOK, TIT, ALL]
    tit = species[TIT]
    assert (tit.precision, tit.recall, tit.f1) == pytest.approx((1 / 2, 2 / 3, 4 / 7))
    assert tit.average_precision == pytest.approx(2 / 3)
    assert (species[ROOK].precision, species[ROOK].recall, species[ROOK].average_precision) == (0.0, None, None)
    assert species[ROOK].f1 is None
    assert (species[ALL].precision, species[ALL].recall) == pytest.approx((1 / 3, 2 / 3))


def test_an_annotation_that_counts_once_goes_to_the_most_confident_detection() -> None:
    found = [occurrence(0, 2, confidence=0.5), occurrence(1, 3, confidence=0.9), occurrence(2, 4, confidence=0.2)]
    wanted = [occurrence(0, 4)]
    assert judge(Rule(), found, wanted)[TIT].precision == 1
    once = judge(Rule(once=True), found, wanted)[TIT]
    assert once.right.tolist() == [False, True, False]
    assert once.found_at.tolist() == [0.9]


@modest
@given(drawn=st.lists(spans, min_size=1, max_size=12))
def test_average_precision_of_windows_is_that_of_scikit_learn(drawn: list[tuple[int, int, float]]) -> None:
    # Windows that do not overlap, each an annotation or not: then detections and annotations are one to one.
    found = [occurrence(10.0 * i, 10.0 * i + 3, confidence=c) for i, (_, _, c) in enumerate(drawn)]
    relevant = [length > 3 for _, length, _ in drawn]
    wanted = [one for one, is_one in zip(found, relevant, strict=True) if is_one]
    told = judge(Rule(), found, wanted)[TIT].average_precision
    if not wanted:
        assert told is None
    else:
        assert told == pytest.approx(average_precision_score(relevant, [one.confidence for one in found]))


@modest
@given(
    found=st.lists(spans, max_size=8).map(occurrences),
    wanted=st.lists(spans, max_size=8).map(occurrences),
    least_s=st.sampled_from([0.1, 1.0, 2.5]),
    least_iou=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_overlaps_are_those_that_are_counted_one_by_one(
    found: list[Occurrence], wanted: list[Occurrence], least_s: float, least_iou: float
) -> None:
    matching = Rule(least_s, least_iou).matches(found, wanted)
    assert matching.shape == (len(found), len(wanted))
    for row, one in enumerate(found):
        for column, other in enumerate(wanted):
            inside = min(one.offset_s, other.offset_s) - max(one.onset_s, other.onset_s)
            union = max(one.offset_s, other.offset_s) - min(one.onset_s, other.onset_s)
            lengths = (one.offset_s - one.onset_s, other.offset_s - other.onset_s)
            expected = inside >= min(least_s, *lengths) and inside / union >= least_iou
            assert matching[row, column] == expected


@modest
@given(drawn=st.lists(spans, min_size=1, max_size=10))
def test_a_result_is_right_about_itself_and_not_different(drawn: list[tuple[int, int, float]]) -> None:
    found = occurrences(drawn)
    own = judge(Rule(), found, found)[TIT]
    assert (own.precision, own.recall, own.f1, own.average_precision) == pytest.approx((1, 1, 1, 1))
    difference = differences(Rule(0.1, 1.0), found, found)[TIT]
    assert (difference.in_both, difference.only_first, difference.only_second) == (len(found), [], [])


def test_a_species_is_known_by_either_name_in_any_case() -> None:
    ours = [Occurrence("a.wav", 0, 1, TIT, "Great Tit", 0.9)]
    (_, theirs) = same_names(
        ours,
        [occurrence(0, 1, "great tit"), occurrence(0, 1, "PARUS MAJOR"), Occurrence("a.wav", 0, 1, "X", "x", 0.9)],
    )
    assert [one.species for one in theirs] == [TIT, TIT, "X"]


# Tables


RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies\n"
    "1\tWaveform 1\t1\t1.5\t2.5\t0\t9000\tGreat Tit\n"
    "1\tSpectrogram 1\t1\t1.5\t2.5\t0\t9000\tGreat Tit\n"
)
WORDS = {
    "garden.Table.1.selections.txt": RAVEN,
    "garden.txt": "1.5\t2.5\tGreat Tit\n\\\t2000.0\t9000.0\n",
    "garden.labels.txt": "1.500000\t2.500000\tGreat Tit 0.7500\n",
    "garden.BirdNET.results.csv": "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
    "1.5,2.5,Parus major,Great Tit,0.75,C:\\card\\garden.wav\n",
    "all.csv": "file,begin_s,end_s,low_hz,high_hz,label\nbirds/garden.ogg,1.5,2.5,1,2,Great Tit\n",
    "all.jsonl": '{"file": "garden.wav", "onset_s": 1.5, "offset_s": 2.5, "scientific_name": "Parus major"}\n',
}


@pytest.mark.parametrize("name", WORDS)
def test_the_tables_of_other_programs_are_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(WORDS[name], encoding="utf-8")
    (one,) = read(tmp_path / name).occurrences
    assert (one.recording, one.onset_s, one.offset_s) == ("garden", 1.5, 2.5)
    assert one.species in {"Great Tit", "Parus major"}
    assert one.confidence == (0.75 if "0.75" in WORDS[name] else 1.0)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "file,when\na.wav,1\n", "no column onset_s"),
        ("a.csv", "file,onset_s,offset_s,label\na.wav,2,1,x\n", "line 2 of a.csv is no occurrence"),
        ("a.csv", "file,onset_s,offset_s,label\na.wav,2,soon,x\n", "line 2: could not convert"),
        ("a.csv", "file,onset_s,offset_s,label\na.wav,nan,1,x\n", "line 2"),
        ("a.txt", "1\t2\ttit\n1 2 tit\n", "line 2 is '1 2 tit'"),
        ("a.jsonl", "[1]\n", "line 1"),
        ("a.jsonl", "what\n", "Expecting value"),
        ("a.jsonl", "[" * 100_000, "recursion"),
    ],
)
def test_a_table_that_makes_no_sense_is_one_sentence(name: str, text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(RecordingError, match=told) as refused:
        read(tmp_path / name)
    assert name in str(refused.value)


def test_two_recordings_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,onset_s,offset_s,label\nx/a.wav,1,2,tit\ny/a.wav,1,2,tit\n")
    with pytest.raises(RecordingError, match=r"x/a\.wav and y/a\.wav have the same name"):
        read(tmp_path / "a.csv").checked("detections")


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A song in every format that says when."""
    folder = tmp_path_factory.mktemp("analysed")
    write(folder / "0 quiet.wav", np.zeros(5 * 48_000, np.float32))
    write(folder / "garden.wav", great_tit())
    forms = [word for form in (*FORMS, Format.CSV) for word in ("-f", form)]
    assert dawnchorus("analyze", folder, "-o", folder / "out", *forms).returncode == 0
    return folder / "out"


FORMS = (Format.JSONL, Format.RAVEN, Format.RAVEN_EACH, Format.AUDACITY, Format.BIRDNET)


@pytest.mark.parametrize("form", FORMS)
def test_each_of_our_own_formats_says_the_same_as_the_csv(form: Format, analysed: Path, tmp_path: Path) -> None:
    words = (analysed / NAMES[Format.CSV], analysed / NAMES[form], "-o", tmp_path / "e.csv", "--iou", "0.99")
    assert dawnchorus("evaluate", *words).returncode == 0
    tit, everything = read_table(tmp_path / "e.csv")
    assert (tit["species"], tit["precision"], tit["recall"], tit["f1"]) == (TIT, "1.000", "1.000", "1.000")
    assert everything["detections"] == str(len(read_table(analysed / NAMES[Format.CSV])))


# The commands


def test_evaluate_tells_what_it_leaves_out_and_draws_the_curves(tmp_path: Path) -> None:
    with (tmp_path / "found.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ("file", "onset_s", "offset_s", "scientific_name", "common_name", "confidence"),
                ("x/garden.wav", 1, 3, TIT, "Great Tit", 0.9),
                ("x/garden.wav", 9, 11, "A <b>", "A", 0.5),
                ("x/moor.wav", 1, 3, TIT, "Great Tit", 0.8),
            ]
        )
    (tmp_path / "garden.txt").write_text("1.5\t2.5\tgreat tit\n5\t6\tgreat tit\n", encoding="utf-8")
    words = ("evaluate", tmp_path / "found.csv", tmp_path / "garden.txt", "-o", tmp_path / "e.csv")
    result = dawnchorus(*words, "--plot", tmp_path / "curve.svg")
    assert result.returncode == 0
    assert result.stderr.startswith("1 detections are left out: nobody annotated their recordings")
    (other, tit, everything) = read_table(tmp_path / "e.csv")
    assert (other["species"], other["precision"], other["recall"], other["average_precision"]) == (
        "A <b>",
        "0.000",
        "",
        "",
    )
    assert (tit["precision"], tit["recall"], tit["average_precision"]) == ("1.000", "0.500", "0.500")
    assert (everything["detections"], everything["annotations"]) == ("2", "2")
    assert "Parus major" in result.stdout
    picture = ET.fromstring((tmp_path / "curve.svg").read_text(encoding="utf-8"))  # noqa: S314 - our own
    assert len(picture.findall("{http://www.w3.org/2000/svg}polyline")) == 2
    assert dawnchorus(*words, "--all-files").stderr == ""
    assert read_table(tmp_path / "e.csv")[1]["precision"] == "0.500"


def test_an_empty_table_beside_a_recording_says_that_nothing_is_in_there(tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "garden.txt").write_text("", encoding="utf-8")
    (tmp_path / "found.csv").write_text(f"file,onset_s,offset_s,species,confidence\ngarden.wav,1,3,{TIT},0.9\n")
    result = dawnchorus("evaluate", tmp_path / "found.csv", tmp_path / "truth", "-o", tmp_path / "e.csv")
    assert result.stderr == ""
    assert read_table(tmp_path / "e.csv")[0]["precision"] == "0.000"


def test_diff_says_what_only_one_holds(tmp_path: Path) -> None:
    header = "file,onset_s,offset_s,scientific_name,confidence\n"
    (tmp_path / "a.csv").write_text(header + f"g.wav,1,3,{TIT},0.5\ng.wav,9,11,{ROOK},0.5\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text(header + f"g.wav,2,4,{TIT},0.75\ng.wav,7,8,{TIT},0.5\n", encoding="utf-8")
    result = dawnchorus("diff", tmp_path / "a.csv", tmp_path / "b.csv", "-o", tmp_path / "rows.csv")
    assert result.returncode == 0
    rook, tit = (line.split() for line in result.stdout.splitlines()[1:])
    assert rook[2:] == ["0", "1", "0", "-"]
    assert tit[2:] == ["1", "0", "1", "+0.250"]
    assert [(row["only_in"], row["species"], row["onset_s"]) for row in read_table(tmp_path / "rows.csv")] == [
        ("A", ROOK, "9.0"),
        ("B", TIT, "7.0"),
    ]


def test_what_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    told = sentence(dawnchorus("evaluate", tmp_path / "none.csv", tmp_path), 1)
    assert "none.csv" in told
    told = sentence(dawnchorus("diff", tmp_path, tmp_path), 1)
    assert "no tables in this folder" in told
