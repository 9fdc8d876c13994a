"""What a folder of recordings holds, and what somebody should look at: from the sound itself to the page."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from command import BIN, run, sentence
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import CALL_RATE, RATE, great_tit, write_data, write_table
from typer.testing import CliRunner, Result

from monitor.errors import RecordingError
from monitor.features import Floats
from monitor.resample import resample
from monitor.soundscape import wind
from training import cli
from training.archive.collection import Fetched, write_collection
from training.corpus.build import Order, build
from training.corpus.manifest import write_manifest
from training.drawing.spectra import SPEC
from training.survey import fingerprint
from training.survey.findings import Finding, findings
from training.survey.fingerprint import LEAST_PRINTS, Prints, matches
from training.survey.listing import NEGATIVE, Entry, Listing, read_listing
from training.survey.measure import SILENCE_DBFS, Measured, Unreadable, loudest_dbfs, measure, measure_all, most_active
from training.survey.tally import (
    background_species,
    by_species,
    counted,
    hours,
    licence_name,
    months,
    sample_rates,
    shown_in_gallery,
)

modest = settings(derandomize=True, deadline=None, max_examples=60)
few = settings(derandomize=True, deadline=None, max_examples=10)
PRINT_S = fingerprint.SPEC.hop / fingerprint.SPEC.sample_rate


def entry(name: str = "XC1", **said: object) -> Entry:
    return replace(Entry(Path(name), name, "Parus major", id=name), **said)  # type: ignore[arg-type]


def measured(name: str = "XC1", prints: Prints | None = None, **said: object) -> Measured:
    """A good recording, but for what is said."""
    facts = {key: said.pop(key) for key in ("length_s", "sample_rate", "clipped", "loudest_dbfs") if key in said}
    good = Measured(
        entry(name, **said), 20.0, 48_000, 0.0, -20.0, np.zeros(0, np.uint32) if prints is None else prints, None
    )
    return replace(good, **facts)  # type: ignore[arg-type]


def found(
    recordings: Sequence[Measured], listing: Listing | None = None, unreadable: Sequence[Unreadable] = ()
) -> dict[str, Finding]:
    """Findings by their title, without those of few recordings."""
    everything = findings(listing or Listing(()), recordings, unreadable)
    return {one.title: one for one in everything if one.title != "Few recordings"}


def fetched(file: str, **said: object) -> Fetched:
    row = Fetched(
        file=file,
        id=Path(file).stem,
        scientific_name="Parus major",
        common_name="Great Tit",
        group="birds",
        recordist="Ana",
        licence="https://creativecommons.org/licenses/by-nc-sa/4.0/",
        url="https://example.org/1",
        country="Spain",
        locality="Wood",
        latitude=40.0,
        longitude=-3.0,
        date="2021-05-02",
        time="06:30",
        sound_type="song",
        quality="A",
        length_s=5.0,
        sample_rate=CALL_RATE,
        also=("Turdus merula",),
        sha256="0" * 64,
    )
    return msgspec.structs.replace(row, **said)


def song(seed: int, seconds: float = 5.0) -> Floats:
    """Notes of random pitch in a little noise, (n,) at CALL_RATE: another seed, another song."""
    rng = np.random.default_rng(seed)
    notes: list[npt.NDArray[np.float64]] = []
    while sum(len(note) for note in notes) < seconds * CALL_RATE:
        time_s = np.arange(int(rng.uniform(0.05, 0.3) * CALL_RATE)) / CALL_RATE
        sweep_hz = rng.uniform(1500, 7000) + rng.uniform(-2000, 2000) * time_s
        notes += [0.3 * np.sin(2 * np.pi * sweep_hz * time_s), np.zeros(int(rng.uniform(0.02, 0.2) * CALL_RATE))]
    samples = np.concatenate(notes)[: int(seconds * CALL_RATE)]
    return (samples + rng.normal(0, 0.01, len(samples))).astype(np.float32)


def write_sound(path: Path, samples: Floats, rate: int = CALL_RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate)
    return path


# Fingerprints


def test_a_recording_that_was_cut_made_softer_and_coded_with_loss_is_found_and_where(tmp_path: Path) -> None:
    whole = great_tit(CALL_RATE)
    cut_at = 41_234
    path = tmp_path / "cut.mp3"
    soundfile.write(path, 0.25 * resample(whole[cut_at:], CALL_RATE, 44_100), 44_100)
    again, rate = soundfile.read(path, dtype="float32")
    prints = [fingerprint.fingerprint(one) for one in (whole, song(1), resample(again, rate, CALL_RATE))]
    (match,) = matches(prints)
    assert (match.first, match.second) == (0, 2)
    assert match.lead_s == pytest.approx(cut_at / CALL_RATE, abs=0.06)
    assert match.errors < 0.25
    assert match.shared_s == pytest.approx(8.0 - cut_at / CALL_RATE - 0.4, abs=0.1)


@few
@given(st.integers(0, 2**32 - 1), st.integers(0, 2 * CALL_RATE), st.floats(0.05, 3.0))
def test_a_cut_anywhere_at_any_gain_is_found_within_a_print(seed: int, cut_at: int, gain: float) -> None:
    whole = song(seed)
    rng = np.random.default_rng(seed)
    cut = gain * whole[cut_at:] + rng.normal(0, 0.001 * gain, len(whole) - cut_at)
    (match,) = matches([fingerprint.fingerprint(np.float32(0.3) * one.astype(np.float32)) for one in (whole, cut)])
    assert match.lead_s == pytest.approx(cut_at / CALL_RATE, abs=PRINT_S)


@few
@given(st.integers(1, 8), st.integers(0, 100))
def test_a_softer_recording_has_the_same_prints(halvings: int, seed: int) -> None:
    samples = song(seed, 1.5)
    assert np.array_equal(fingerprint.fingerprint(samples), fingerprint.fingerprint(samples * 0.5**halvings))


def test_different_songs_in_different_noise_do_not_match() -> None:
    assert matches([fingerprint.fingerprint(song(seed)) for seed in range(12)]) == []


def test_silence_matches_nothing_and_a_print_takes_half_a_second() -> None:
    silence = fingerprint.fingerprint(np.zeros(5 * CALL_RATE, np.float32))
    assert not silence.any()
    assert matches([silence, silence, np.zeros(0, np.uint32)]) == []
    assert len(fingerprint.fingerprint(song(0, 0.4))) == 0
    assert len(fingerprint.fingerprint(song(0, 0.5))) > 0
    assert matches([]) == []


def _every_offset(prints: Sequence[Prints]) -> set[tuple[int, int]]:
    """The pairs that match, found by trying each offset of each pair."""
    pairs = set()
    for first, one in enumerate(prints):
        for second, other in enumerate(prints[first + 1 :], start=first + 1):
            for lead in range(-len(other) + LEAST_PRINTS, len(one) - LEAST_PRINTS + 1):
                a, b = one[max(lead, 0) :], other[max(-lead, 0) :]
                length = min(len(a), len(b))
                if np.unpackbits((a[:length] ^ b[:length]).view(np.uint8)).mean() <= fingerprint.MOST_ERRORS:
                    pairs.add((first, second))
    return pairs


@few
@given(st.data())
def test_the_index_finds_what_trying_every_offset_finds(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    lengths = data.draw(st.lists(st.integers(100, 220), min_size=2, max_size=4))
    prints = [rng.integers(1, 2**32, size=length, dtype=np.uint32) for length in lengths]
    flips = rng.random((len(prints[0]), 32)) < data.draw(st.floats(0, 0.08))
    noisy = prints[0] ^ np.packbits(flips, axis=1).view(np.uint32)[:, 0]
    prints.append(noisy[data.draw(st.integers(0, len(noisy) - 1)) :])
    assert {(match.first, match.second) for match in matches(prints)} == _every_offset(prints)


def test_the_same_sound_twice_among_the_real_negatives_is_found_and_nothing_else(real_recordings: Path) -> None:
    folder = real_recordings / "negatives"
    paths = sorted((folder / "baby_cry").glob("*")) + sorted((folder / "fire").glob("*"))
    recordings = [measure(Entry(path, path.name, ""), SPEC, with_excerpt=False) for path in paths[:60]]
    pairs = matches([one.prints for one in recordings])
    assert all(match.errors < 0.3 for match in pairs)
    assert {frozenset((paths[match.first].name, paths[match.second].name)) for match in pairs} <= {
        frozenset(("ESC_3-151080-A.ogg", "ESC_5-151085-A.ogg")),
        frozenset(("ESC_2-28314-A.ogg", "ESC_2-30322-A.ogg")),
    }
    assert pairs


# Listing


def test_what_was_fetched_is_listed_with_all_that_is_said_of_it(tmp_path: Path) -> None:
    rows = [
        fetched("a/XC1.wav", id="XC1"),
        fetched("a/XC2.wav", id="XC2", time="19:00"),
        fetched("a/XC3.wav", id="XC3", date="2021-05-03"),
        fetched("a/XC4.wav", id="XC4", recordist="", locality="", latitude=None, longitude=None),
        fetched("a/XC5.wav", id="XC5"),
    ]
    for row in rows[:4]:
        write_sound(tmp_path / row.file, song(0, 0.1))
    write_sound(tmp_path / "a" / "forgotten.flac", song(0, 0.1))
    (tmp_path / "a" / "video.m4a").touch()
    write_collection(tmp_path, rows)
    listing = read_listing(tmp_path)
    assert [one.name for one in listing.entries] == ["XC1", "XC2", "XC3", "XC4"]
    assert listing.absent == ("a/XC5.wav",)
    assert listing.unlisted == ("a/forgotten.flac",)
    assert len(listing.passed_over) == 1
    assert listing.passed_over[0].startswith("video.m4a ")
    first, second, third, fourth = (one.session for one in listing.entries)
    assert first == second != third
    assert fourth == ""
    one = listing.entries[0]
    assert (one.species, one.common_name, one.also, one.sample_rate) == (
        "Parus major",
        "Great Tit",
        ("Turdus merula",),
        CALL_RATE,
    )


def test_a_data_folder_is_listed_by_its_table_of_birds(tmp_path: Path) -> None:
    listing = read_listing(write_data(tmp_path))
    assert {one.species for one in listing.entries} == {"athene_noctua", "corvus_frugilegus", "parus_major"}
    assert len(listing.entries) == 12
    assert all(one.session for one in listing.entries)
    assert listing.absent == listing.unlisted == ()


def test_a_manifest_is_listed_with_its_folds_and_what_is_no_species(tmp_path: Path) -> None:
    for index, name in enumerate(("rook/a.wav", "rook/b.wav", "owl/c.wav", "noise/d.wav")):
        write_sound(tmp_path / "in" / name, song(index))
    order = Order((str(tmp_path / "in"),), tmp_path / "spool", folds=2)
    write_manifest(build(order).manifest, tmp_path / "manifest.json")
    listing = read_listing(tmp_path / "manifest.json")
    assert Counter(one.species for one in listing.entries) == {"Rook": 2, "Owl": 1, NEGATIVE: 1}
    assert {one.fold for one in listing.entries} == {0, 1}
    assert {one.name for one in listing.entries} == {"a.wav", "b.wav", "c.wav", "d.wav"}
    with pytest.raises(RecordingError, match=r"manifest .*gone\.json cannot be read: No such file"):
        read_listing(tmp_path / "gone.json")


def test_a_table_of_few_columns_will_do(tmp_path: Path) -> None:
    for name in ("a.wav", "owl/b.wav"):
        write_sound(tmp_path / name, song(0, 0.1))
    write_table(tmp_path / "recordings.csv", [{"file": "a.wav", "label": "rook"}, {"file": "owl/b.wav", "label": ""}])
    assert [one.species for one in read_listing(tmp_path).entries] == ["rook", "owl"]


def test_folders_of_audio_are_named_for_what_they_hold(tmp_path: Path) -> None:
    for name in ("rook/2020/one.wav", "owl/two.flac", "owl/.partial.wav"):
        write_sound(tmp_path / name, song(0, 0.1))
    (tmp_path / "owl" / "notes.txt").write_text("heard at dusk", encoding="utf-8")
    assert [(one.species, one.file) for one in read_listing(tmp_path).entries] == [
        ("owl", "owl/two.flac"),
        ("rook", "rook/2020/one.wav"),
    ]


def test_a_recording_that_lies_in_no_folder_of_its_own_is_named_for_the_one_surveyed(tmp_path: Path) -> None:
    write_sound(tmp_path / "rook" / "one.wav", song(0, 0.1))
    assert [one.species for one in read_listing(tmp_path / "rook").entries] == ["rook"]


# Measuring


def test_levels_and_clipping_are_those_of_the_sound(tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(3 * CALL_RATE) / CALL_RATE).astype(np.float32)
    tone[:CALL_RATE] *= 0.01
    tone[CALL_RATE:] *= 0.5
    assert loudest_dbfs(tone, CALL_RATE) == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)
    assert loudest_dbfs(tone[:100], CALL_RATE) == pytest.approx(20 * np.log10(0.01 / np.sqrt(2)), abs=0.3)
    assert loudest_dbfs(np.zeros(10, np.float32), CALL_RATE) == SILENCE_DBFS
    loud = np.clip(np.concatenate([tone, np.full(3 * CALL_RATE // 9, 2.0, np.float32)]), -1, 1)
    path = write_sound(tmp_path / "loud.wav", loud)
    one = measure(Entry(path, "loud.wav", "tone"), SPEC, with_excerpt=False)
    assert one.clipped == pytest.approx(0.1, abs=0.001)
    assert one.length_s == pytest.approx(len(loud) / CALL_RATE)
    assert one.excerpt is None


def test_the_excerpt_is_where_somebody_sings() -> None:
    rng = np.random.default_rng(0)
    samples = np.float32(0.02) * wind(CALL_RATE, 30.0, rng)
    samples[17 * CALL_RATE : 22 * CALL_RATE] += song(3)
    excerpt = most_active(samples, SPEC)
    assert 15.5 <= excerpt.start_s <= 17.5
    assert excerpt.power.shape == (SPEC.n_mels, SPEC.n_frames(6 * CALL_RATE))


@pytest.mark.parametrize("count", [1, 100, 799, 801, 5000])
def test_the_excerpt_of_a_short_recording_is_all_of_it(count: int) -> None:
    excerpt = most_active(song(0, 1.0)[:count], SPEC)
    assert excerpt.start_s == 0
    assert excerpt.power.shape == (SPEC.n_mels, max(1, SPEC.n_frames(count)))


def test_a_long_recording_is_looked_at_in_part_and_its_length_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.survey.measure.LONGEST_S", 2)
    path = write_sound(tmp_path / "long.flac", song(0, 5.0))
    one = measure(Entry(path, path.name, "tone"), SPEC, with_excerpt=True)
    assert one.length_s == 5.0
    assert one.excerpt is not None
    assert one.excerpt.power.shape[1] == SPEC.n_frames(2 * CALL_RATE)


def test_what_cannot_be_decoded_is_told_in_its_place_and_the_others_are_measured(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound", encoding="utf-8")
    write_sound(tmp_path / "none.wav", np.zeros(0, np.float32))
    holed = song(0, 1.0)
    holed[::100] = np.nan
    soundfile.write(tmp_path / "holed.wav", holed, CALL_RATE, subtype="FLOAT")
    names = ("text.wav", "holed.wav", "none.wav")
    text, good, none = measure_all([Entry(tmp_path / name, name, "") for name in names], (), SPEC)
    assert isinstance(text, Unreadable)
    assert text.reason.startswith("text.wav cannot be decoded: ")
    assert isinstance(none, Unreadable)
    assert none.reason == "none.wav holds no sound: it has no sample"
    assert isinstance(good, Measured)
    assert np.isfinite(good.loudest_dbfs)


# Counting


def test_recordings_are_counted_by_what_is_said_of_them() -> None:
    recordings = [
        measured("XC1", country="Spain", date="2020-05-01", time="6:05", also=("Turdus merula",)),
        measured("XC2", country="Spain", date="2020-05-00", time="?", also=("Turdus merula", "Corvus corax")),
        measured("XC3", date="2020-00-00", time="23:59", sample_rate=44_100),
        measured("XC4", date="", time="dawn", species="Corvus corax"),
    ]
    corvus, parus = by_species(recordings)
    assert (corvus.name, len(corvus.recordings), len(parus.recordings)) == ("Corvus corax", 1, 3)
    assert parus.minutes == 1.0
    assert parus.countries == {"Spain"}
    assert counted(recordings, lambda one: one.country) == {"Spain": 2, "not stated": 2}
    assert counted(recordings, lambda one: one.recordist) == {}
    assert background_species(recordings) == {"Turdus merula": 2, "Corvus corax": 1}
    assert list(sample_rates(recordings).items()) == [("44.1 kHz", 1), ("48 kHz", 3)]
    assert months(parus) == [0, 0, 0, 0, 2, *[0] * 7]
    assert [hour for hour, count in enumerate(hours(parus)) if count] == [6, 23]


@modest
@given(st.text(max_size=12), st.text(max_size=12))
def test_whatever_a_recordist_wrote_as_date_and_time_counts_at_most_once(date: str, time: str) -> None:
    (species,) = by_species([measured(date=date, time=time)])
    assert sum(months(species)) <= 1
    assert sum(hours(species)) <= 1


@pytest.mark.parametrize(("date", "time"), [("2020-13-01", "24:30"), ("2020-00-01", "99:99"), ("20-5-1", "6h30")])
def test_a_month_or_hour_that_does_not_exist_is_not_counted(date: str, time: str) -> None:
    (species,) = by_species([measured(date=date, time=time)])
    assert sum(months(species)) == sum(hours(species)) == 0


def test_licences_are_called_by_their_names() -> None:
    assert licence_name("https://creativecommons.org/licenses/by-nc-sa/4.0/") == "CC BY-NC-SA 4.0"
    assert licence_name("//creativecommons.org/licenses/by/3.0/") == "CC BY 3.0"
    assert licence_name("https://creativecommons.org/publicdomain/zero/1.0/") == "CC0 1.0"
    assert licence_name("ask me") == "ask me"


def test_the_gallery_shows_every_recordist_before_anybody_twice_and_the_best_first() -> None:
    entries = [
        entry("XC1", recordist="Ana", quality="A"),
        entry("XC2", recordist="Ana", quality="A"),
        entry("XC3", recordist="Bo", quality="no score"),
        entry("XC4", recordist="Cy", quality="B"),
        entry("XC5", species="Corvus corax"),
    ]
    assert [one.id for one in shown_in_gallery(entries, 3)] == ["XC1", "XC4", "XC3", "XC5"]
    assert [one.id for one in shown_in_gallery(entries, 9)] == ["XC1", "XC4", "XC3", "XC2", "XC5"]
    assert shown_in_gallery(entries, 0) == ()


# Findings


def test_good_recordings_give_nothing_to_look_at() -> None:
    recordings = [measured(f"XC{index}", recordist=f"{index % 5}", session=f"{index}") for index in range(10)]
    assert findings(Listing(()), recordings, ()) == []


def test_one_recording_alone_is_few_and_nothing_else() -> None:
    (only,) = findings(Listing(()), [measured("XC1", recordist="Ana", session="1")], ())
    assert (only.title, only.recordings) == ("Few recordings", ("XC1",))


@pytest.mark.parametrize(("by_ana", "told"), [(7, False), (8, True), (10, True)])
def test_a_recordist_who_holds_four_fifths_of_a_species_is_named(by_ana: int, told: bool) -> None:  # noqa: FBT001
    recordings = [measured(f"XC{index}", recordist="Ana" if index < by_ana else "Bo") for index in range(10)]
    one = found(recordings).get("One recordist")
    assert (one is not None) == told
    if one:
        assert "by Ana" in one.text
        assert len(one.recordings) == by_ana


def test_recordings_of_one_visit_only_are_named_but_not_where_the_visit_is_not_known() -> None:
    assert found([measured("XC1", session="1"), measured("XC2", session="1")])["One session"].recordings == (
        "XC1",
        "XC2",
    )
    assert "One session" not in found([measured("XC1"), measured("XC2")])
    assert "One session" not in found([measured("XC1", session="1"), measured("XC2")])


def test_poor_sound_is_named_with_how_poor() -> None:
    recordings = [
        measured("XC1", sample_rate=8000),
        measured("XC2", sample_rate=48_000),
        replace(measured("XC3"), entry=entry("XC3", sample_rate=11_025)),
        measured("XC4", clipped=0.02),
        measured("XC5", loudest_dbfs=-75.0),
        measured("XC6", length_s=1200.0),
    ]
    low = [one for one in findings(Listing(()), recordings, ()) if one.title == "Low sample rate"]
    assert [one.recordings for one in low] == [("XC1",), ("XC3",)]
    assert "8 kHz: nothing above 4 kHz" in low[0].text
    by_title = found(recordings)
    assert by_title["Clipped"].recordings == ("XC4 (2.0%)",)
    assert by_title["Nearly silent"].recordings == ("XC5 (-75 dBFS)",)
    assert by_title["Long"].recordings == ("XC6 (20 min)",)


def test_a_chain_of_the_same_sound_is_one_finding_and_says_where_the_species_differ() -> None:
    rng = np.random.default_rng(0)
    sound, other = (rng.integers(1, 2**32, size=500, dtype=np.uint32) for _ in range(2))
    recordings = [
        measured("XC1", sound[:300]),
        measured("XC2", other),
        measured("XC3", sound[150:]),
        measured("XC4", sound[320:]),
    ]
    assert found(recordings)["Same sound twice"].recordings == ("XC1", "XC3", "XC4")
    recordings[2] = measured("XC3", sound[150:], species="Corvus corax")
    assert found(recordings)["Same sound, different species"].recordings[1] == "XC3 (Corvus corax)"


@pytest.mark.parametrize(
    ("folds", "title", "told"),
    [
        ((None, None), "Same sound twice", "In two folds it would be learned from and tested on at once."),
        ((2, 2), "Same sound twice", "They lie in one fold."),
        ((0, 2), "Same sound twice, different folds", "It is learned from and tested on at once."),
    ],
)
def test_the_same_sound_is_told_by_the_folds_it_lies_in(folds: tuple[int | None, ...], title: str, told: str) -> None:
    sound = np.random.default_rng(0).integers(1, 2**32, size=500, dtype=np.uint32)
    recordings = [measured(f"XC{index}", sound, fold=fold) for index, fold in enumerate(folds)]
    assert found(recordings)[title].text.endswith(told)


def test_what_was_not_looked_at_comes_first() -> None:
    listing = Listing((), absent=("gone.mp3",), unlisted=("extra.mp3",), passed_over=("film.m4a cannot be decoded",))
    everything = findings(listing, [measured()], [Unreadable(entry("bad"), "bad.mp3 cannot be decoded: no header")])
    assert [(one.title, one.recordings) for one in everything[:3]] == [
        ("Cannot be read", ("bad.mp3 cannot be decoded: no header", "film.m4a cannot be decoded")),
        ("Missing", ("gone.mp3",)),
        ("Not in the table", ("extra.mp3",)),
    ]


# The command


def survey(*words: str | Path) -> Result:
    """Run the command inside this process, which has loaded everything already."""
    return CliRunner().invoke(cli.app, ["survey", *map(str, words)])


@pytest.fixture(scope="module")
def fetched_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two species: a cut of another recording, a clipped one, a broken one, a name that is markup."""
    folder = tmp_path_factory.mktemp("fetched")
    rows = []
    for index in range(4):
        rows.append(fetched(f"parus/XC{index}.wav", id=f"XC{index}", recordist=["Ana", "<b>Bo & $x$</b>"][index % 2]))
        write_sound(folder / rows[-1].file, song(index))
    rows.append(fetched("corvus/XC8.flac", id="XC8", scientific_name="Corvus corax", url="javascript:alert(1)"))
    write_sound(folder / rows[-1].file, 0.3 * song(2)[CALL_RATE + 7 :])
    rows.append(fetched("corvus/XC9.wav", id="XC9", scientific_name="Corvus corax"))
    write_sound(folder / rows[-1].file, np.clip(50 * song(9), -1, 1))
    rows.append(fetched("corvus/XC10.ogg", id="XC10", scientific_name="Corvus corax"))
    (folder / rows[-1].file).write_bytes(b"OggS, but not for long")
    write_collection(folder, rows)
    return folder


def test_the_command_writes_one_page_with_pictures_and_warnings_and_counts_what_it_left_out(
    fetched_folder: Path, tmp_path: Path
) -> None:
    result = survey(fetched_folder, "-o", tmp_path / "page.html", "--gallery", "3")
    assert result.exit_code == 0, result.stderr
    assert "6 recordings of 2 species, 1 left out" in result.stdout
    assert [line for line in result.stderr.splitlines() if line.startswith("left out: corvus/XC10.ogg cannot be ")]
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("data:image/webp;base64,") == 3 + 2
    assert page.count("data:image/svg+xml;base64,") >= 9
    assert "Same sound, different species" in page
    assert "XC2 (Parus major), XC8 (Corvus corax)" in page
    assert "Clipped" in page
    assert "<b>Bo" not in page
    assert "&lt;b&gt;Bo &amp; $x$&lt;/b&gt;" in page
    assert "javascript:" not in page
    assert 'href="https://example.org/1"' in page
    assert str(fetched_folder) not in page
    assert len(page) < 500_000


def test_the_same_folder_gives_the_same_page_and_one_recording_is_enough(tmp_path: Path) -> None:
    write_sound(tmp_path / "rook" / "one.wav", resample(great_tit(), RATE, CALL_RATE))
    pages = []
    for name in ("first.html", "second.html"):
        assert survey(tmp_path / "rook", "-o", tmp_path / name).exit_code == 0
        pages.append((tmp_path / name).read_text(encoding="utf-8"))
    assert pages[0] == pages[1]
    assert "1 recording of rook" in pages[0]


def test_a_folder_that_holds_nothing_to_survey_is_one_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(RecordingError, match=r"nowhere cannot be read: No such file"):
        read_listing(tmp_path / "nowhere")
    with pytest.raises(RecordingError, match=r"no recording in .*empty: expected are recordings\.csv or audio files"):
        read_listing(empty)
    write_table(empty / "recordings.csv", [{"file": "gone.wav"}])
    with pytest.raises(RecordingError, match=r"none of the 1 recordings that .*recordings\.csv names is there"):
        read_listing(empty)
    (empty / "gone.wav").write_text("no sound", encoding="utf-8")
    told = survey(empty, "-o", tmp_path / "page.html")
    assert isinstance(told.exception, RecordingError)
    assert str(told.exception).startswith("none of the 1 recordings in ")
    assert not (tmp_path / "page.html").exists()
    assert "cannot be read" in sentence(run(BIN / "dawnchorus-training", "survey", tmp_path / "nowhere"), 1)
