"""Recordings from a server that speaks xeno-canto's API: asked for politely, chosen well, and never fetched twice."""

import hashlib
import itertools
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest
import requests
import soundfile
from command import BIN
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import free_port, need_root, until
from test_store import disk, fill, unwritable
from typer.testing import CliRunner, Result
from xenocanto_server import API, BUSY, KEY, PAGE, Fault, Row, XenoCantoServer, mp3, row

from monitor.errors import ConfigError, MonitorError, RecordingError, StoreError
from training import cli
from training.archive import xenocanto
from training.archive.collection import ATTRIBUTION, TABLE, Fetched, opened, read_collection, write_collection
from training.archive.fetch import (
    Box,
    Outcome,
    Region,
    Species,
    Wanted,
    choose,
    fetch,
    licence_code,
    named,
    scientific,
    species_of,
    suitable,
)
from training.archive.xenocanto import ArchiveError, Found, Pace, XenoCanto

modest = settings(derandomize=True, deadline=None, max_examples=100)

TIT, ROBIN, BLACKBIRD = "Parus major", "Erithacus rubecula", "Turdus merula"
VALLEY = Box(48.0, 11.0, 49.0, 12.0)
QUERY = "grp:birds"


@dataclass
class Watch:
    """A clock that only sleeping moves."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[XenoCantoServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XENO_CANTO_KEY", KEY)
    with XenoCantoServer() as running:
        yield running


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def archive(server: XenoCantoServer, watch: Watch) -> XenoCanto:
    return asking(server.address, watch)


def asking(address: str, watch: Watch, key: str = KEY) -> XenoCanto:
    """The client under test, on a clock that does not keep anybody waiting."""
    pace = Pace(clock=lambda: watch.now, sleep=watch.sleep, rng=np.random.default_rng(0))
    return XenoCanto(requests.Session(), key, address, pace)


def ids(found: Sequence[Found]) -> list[int]:
    return [int(one.recording.id.removeprefix("XC")) for one in found]


def only(archive: XenoCanto, query: str = QUERY) -> Found:
    (found,) = archive.recordings(query)
    return found


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def filled(archive: XenoCanto, folder: Path, *names: str, per_species: int = 50) -> Outcome:
    with opened(folder) as collection:
        species = [Species(name, "") for name in names]
        return fetch(archive, species, Wanted(per_species), collection)


def refused(kind: type[MonitorError], call: Callable[[], object]) -> str:
    """What is said: one sentence, and never the key."""
    with pytest.raises(kind) as raised:
        call()
    told = str(raised.value)
    assert len(told.splitlines()) == 1
    assert KEY not in told
    assert raised.value.__cause__ is None or KEY not in str(raised.value.__cause__)
    return told


# Asking


@pytest.mark.parametrize("one_page_too_many", [False, True])
def test_all_pages_come_and_each_recording_once(
    *, one_page_too_many: bool, server: XenoCantoServer, archive: XenoCanto
) -> None:
    server.rows, server.rows_per_page, server.one_page_too_many = [row(n) for n in range(9)], 3, one_page_too_many
    pages: list[tuple[int, int]] = []
    found = list(archive.recordings(QUERY, lambda page, of: pages.append((page, of))))
    assert ids(found) == list(range(9))
    assert pages[:3] == [(page, 3 + one_page_too_many) for page in (1, 2, 3)]
    assert {parameters["per_page"] for _path, parameters in server.asked} == {"500"}


def test_a_recording_that_moves_to_the_next_page_between_two_requests_comes_once(
    server: XenoCantoServer, archive: XenoCanto
) -> None:
    server.rows, server.rows_per_page = [row(n) for n in range(4)], 2
    coming = archive.recordings(QUERY)
    found = [next(coming), next(coming)]
    server.rows.insert(0, row(9))
    assert ids([*found, *coming]) == [0, 1, 2, 3]


def test_a_page_is_asked_for_only_when_the_one_before_is_used_up(server: XenoCantoServer, archive: XenoCanto) -> None:
    server.rows, server.rows_per_page = [row(n) for n in range(4)], 2
    coming = archive.recordings(QUERY)
    next(coming), next(coming)
    assert len(server.asked) == 1


def test_everything_that_a_recordist_said_is_kept(server: XenoCantoServer, archive: XenoCanto) -> None:
    server.rows = [row(694038, ROBIN, rec="Jane\r\n Doe", length="1:02:03", smp=44100, lat="", lon=None)]
    found = only(archive)
    assert found.recording == Fetched(
        file="",
        id="XC694038",
        scientific_name=ROBIN,
        common_name="English rubecula",
        group="birds",
        recordist="Jane Doe",
        licence="https://creativecommons.org/licenses/by-nc-sa/4.0/",
        url="https://xeno-canto.org/694038",
        country="Germany",
        locality="Freising, Bayern",
        latitude=None,
        longitude=None,
        date="2021-05-20",
        time="08:00",
        sound_type="song",
        quality="A",
        length_s=3723.0,
        sample_rate=44_100,
        also=("Turdus merula", "Erithacus rubecula"),
        sha256="",
    )
    assert found.address == f"{server.address}/694038/download"


@pytest.mark.parametrize("nothing", [None, "", [], [""], "?"])
def test_a_field_without_a_value_is_no_failure(nothing: object, server: XenoCantoServer, archive: XenoCanto) -> None:
    fields = ("rec", "en", "cnt", "lat", "lon", "q", "length", "smp", "also", "lic", "time", "date")
    server.rows = [row(1) | dict.fromkeys(fields, nothing)]
    recording = only(archive).recording
    assert (recording.latitude, recording.sample_rate, recording.length_s, recording.also) == (None, None, 0.0, ())


@pytest.mark.parametrize("number", ["../../etc/passwd", "", None, "12a", "٣"])
def test_a_row_without_a_catalogue_number_is_no_recording(
    number: object, server: XenoCantoServer, archive: XenoCanto
) -> None:
    server.rows = [row(1), row(2, id=number), row(3)]
    assert ids(list(archive.recordings(QUERY))) == [1, 3]


def test_no_two_requests_start_within_a_second(server: XenoCantoServer, watch: Watch, archive: XenoCanto) -> None:
    server.rows, server.rows_per_page = [row(n) for n in range(5)], 1
    list(archive.recordings(QUERY))
    assert watch.slept == [1.0] * 4


def test_the_program_says_who_it_is(server: XenoCantoServer, archive: XenoCanto) -> None:
    list(archive.recordings(QUERY))
    assert all(agent.startswith("dawnchorus/") for agent in server.agents)


def test_a_fault_that_passes_is_waited_out_longer_each_time(
    server: XenoCantoServer, watch: Watch, archive: XenoCanto
) -> None:
    server.rows = [row(1)]
    server.fail(API, BUSY, Fault(500), Fault(200, b'{"recordings": []}', keep=0.5))
    assert ids(list(archive.recordings(QUERY))) == [1]
    assert len(server.asked) == 4
    for number, waited in enumerate(watch.slept):
        assert 2.0 * 2**number <= waited <= 3.0 * 2**number
    assert len(set(watch.slept)) == 3


def test_the_server_says_how_long_to_wait(server: XenoCantoServer, watch: Watch, archive: XenoCanto) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    server.fail(API, Fault(429, headers=(("Retry-After", "17"),)), Fault(429, headers=(("Retry-After", later),)))
    assert list(archive.recordings(QUERY)) == []
    assert watch.slept[0] == 17.0
    assert 90 <= watch.slept[1] <= 100


def test_a_server_that_asks_for_hours_is_left_alone(server: XenoCantoServer, watch: Watch, archive: XenoCanto) -> None:
    server.fail(API, Fault(429, headers=(("Retry-After", "7200"),)))
    told = refused(ArchiveError, lambda: list(archive.recordings(QUERY)))
    assert "HTTP 429, and it asks to wait 7200 s" in told
    assert watch.slept == []


def test_a_fault_that_does_not_pass_ends_in_one_sentence(server: XenoCantoServer, archive: XenoCanto) -> None:
    server.fail(API, *[BUSY] * 9)
    told = refused(ArchiveError, lambda: list(archive.recordings(QUERY)))
    assert told == "the query 'grp:birds' failed 5 times: HTTP 503"
    assert len(server.asked) == 5


@pytest.mark.parametrize("answer", [PAGE, Fault(200, b"[1]"), Fault(200, b"{}"), Fault(200, b'{"recordings": []}')])
def test_an_answer_that_is_no_list_of_recordings_is_not_an_empty_one(
    answer: Fault, server: XenoCantoServer, archive: XenoCanto
) -> None:
    server.fail(API, *[answer] * 5)
    assert "no list of recordings came" in refused(ArchiveError, lambda: list(archive.recordings(QUERY)))


def test_a_query_that_is_not_taken_is_told_with_the_servers_words(archive: XenoCanto) -> None:
    told = refused(ArchiveError, lambda: list(archive.recordings("free words")))
    assert told == "xeno-canto did not take the query 'free words': HTTP 400: Queries must use tags"


def test_a_refused_key_is_named_by_its_variable_and_never_shown(server: XenoCantoServer, watch: Watch) -> None:
    mistyped = "not/the key"
    with pytest.raises(
        ConfigError, match=r"refused the key in XENO_CANTO_KEY \(HTTP 401: .*parameter: \*\*\*\)"
    ) as told:
        list(asking(server.address, watch, mistyped).recordings(QUERY))
    assert mistyped not in str(told.value)
    server.fail(API, Fault(403))
    refused(ConfigError, lambda: list(asking(server.address, watch).recordings(QUERY)))
    assert len(server.asked) == 2


def test_without_a_key_nothing_is_asked(server: XenoCantoServer, watch: Watch) -> None:
    told = refused(ConfigError, lambda: asking(server.address, watch, ""))
    assert "set XENO_CANTO_KEY" in told
    assert server.asked == []


def test_no_network_is_told_soon_and_the_key_stays_out_of_it(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    told = refused(ArchiveError, lambda: list(asking(address, watch).recordings(QUERY)))
    assert told == "the query 'grp:birds' failed 2 times: 127.0.0.1 cannot be reached or does not answer"
    assert KEY not in caplog.text
    assert sum(watch.slept) < 5


@pytest.mark.parametrize("keep", [0.0, 0.5])
def test_a_server_that_falls_silent_is_not_waited_for_for_ever(
    keep: float, server: XenoCantoServer, archive: XenoCanto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.rows = [row(7)]
    found, silence = only(archive), threading.Event()
    monkeypatch.setattr(xenocanto, "TIMEOUT_S", (1.0, 0.05))
    server.fail("/7/download", *[Fault(200, mp3(7), keep=keep, hold=silence)] * 5)
    told = refused(ArchiveError, lambda: archive.download(found, tmp_path))
    silence.set()
    assert told == "XC7 failed 5 times: 127.0.0.1 cannot be reached or does not answer"
    assert files(tmp_path) == []


def test_an_address_that_is_none_is_one_sentence(watch: Watch) -> None:
    told = refused(ArchiveError, lambda: list(asking("nonsense", watch).recordings(QUERY)))
    assert "cannot be asked: MissingSchema" in told


# Downloads


def test_a_download_is_complete_and_is_what_its_name_says(
    server: XenoCantoServer, archive: XenoCanto, tmp_path: Path
) -> None:
    server.rows = [row(7)]
    path, sha256 = archive.download(only(archive), tmp_path)
    assert path == tmp_path / "XC7.mp3"
    assert path.read_bytes() == mp3(7)
    assert sha256 == hashlib.sha256(mp3(7)).hexdigest()
    assert soundfile.info(path).samplerate == 48_000
    assert "key" not in server.asked[-1][1]


@pytest.mark.parametrize(
    ("start", "suffix"),
    [
        (b"ID3\x04", ".mp3"),
        (b"\xff\xfb\x90\x00", ".mp3"),
        (b"RIFF\x00\x00\x00\x00WAVE", ".wav"),
        (b"fLaC", ".flac"),
        (b"OggS", ".ogg"),
        (b"FORM", ".aiff"),
        (b"\x00\x00\x00\x20ftypM4A ", ".m4a"),
    ],
)
def test_the_suffix_is_that_of_the_audio(
    start: bytes, suffix: str, server: XenoCantoServer, archive: XenoCanto, tmp_path: Path
) -> None:
    server.rows = [row(7)]
    server.fail("/7/download", Fault(200, start + bytes(100)))
    assert archive.download(only(archive), tmp_path)[0].name == f"XC7{suffix}"


def test_a_download_that_breaks_off_is_tried_again_from_its_start(
    server: XenoCantoServer, archive: XenoCanto, tmp_path: Path
) -> None:
    server.rows = [row(7)]
    server.fail("/7/download", Fault(200, mp3(7), keep=0.5), BUSY)
    path, _sha256 = archive.download(only(archive), tmp_path)
    assert path.read_bytes() == mp3(7)
    assert files(tmp_path) == ["XC7.mp3"]


@pytest.mark.parametrize(
    ("fault", "said", "times"),
    [
        (Fault(200, mp3(7), keep=0.9), "XC7 failed 5 times: the answer broke off", 5),
        (PAGE, "XC7 is no audio, but text/html came", 1),
        (Fault(200, b""), "XC7 is no audio", 1),
        (Fault(404, b'{"message": "Deleted"}'), "XC7 did not come: HTTP 404: Deleted", 1),
        (BUSY, "XC7 failed 5 times: HTTP 503", 5),
    ],
)
def test_audio_that_cannot_be_had_is_one_sentence_and_leaves_nothing(
    fault: Fault, said: str, times: int, server: XenoCantoServer, archive: XenoCanto, tmp_path: Path
) -> None:
    server.rows = [row(7)]
    found = only(archive)
    server.fail("/7/download", *[fault] * 5)
    assert said in refused(ArchiveError, lambda: archive.download(found, tmp_path))
    assert server.downloads["7"] == times
    assert files(tmp_path) == []


def test_a_download_that_trickles_for_ever_is_given_up(server: XenoCantoServer, tmp_path: Path) -> None:
    server.rows = [row(7)]
    hours = itertools.count(step=1000.0)
    archive = XenoCanto(
        requests.Session(), KEY, server.address, Pace(clock=lambda: next(hours), sleep=lambda _seconds: None)
    )
    found = only(archive)
    assert "not complete within 900 s" in refused(ArchiveError, lambda: archive.download(found, tmp_path))
    assert files(tmp_path) == []


def test_a_complete_file_is_taken_as_it_is_and_another_is_replaced(
    server: XenoCantoServer, archive: XenoCanto, tmp_path: Path
) -> None:
    server.rows = [row(7)]
    found = only(archive)
    path = tmp_path / "XC7.mp3"
    path.write_bytes(mp3(7))
    before = path.stat()
    assert archive.download(found, tmp_path) == (path, hashlib.sha256(mp3(7)).hexdigest())
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    path.write_bytes(mp3(7)[:-1])
    archive.download(found, tmp_path)
    assert path.read_bytes() == mp3(7)


# Choosing


def found(number: int, recordist: str = "Jane", quality: str = "A") -> Found:
    recording = Fetched(
        file="",
        id=f"XC{number}",
        scientific_name=TIT,
        common_name="Great Tit",
        group="birds",
        recordist=recordist,
        licence="https://creativecommons.org/licenses/by/4.0/",
        url=f"https://xeno-canto.org/{number}",
        country="Germany",
        locality="Freising",
        latitude=48.1,
        longitude=11.5,
        date="2021-05-20",
        time="08:00",
        sound_type="song",
        quality=quality,
        length_s=20.0,
        sample_rate=48_000,
        also=(),
        sha256="",
    )
    return Found(recording, f"http://127.0.0.1/{number}/download")


def goodness(one: Found) -> tuple[str, int]:
    return one.recording.quality, -int(one.recording.id.removeprefix("XC"))


def taken_in_turns(pool: Sequence[Found], count: int, held: Sequence[Fetched]) -> list[Found]:
    """Give each recordist turns until enough are there: whoever has fewest so far, and then the best, comes next."""
    have = {one.id for one in held}
    rest = [one for one in pool if one.recording.id not in have]
    turns = Counter(one.recordist for one in held)
    chosen: list[Found] = []
    while rest and len(held) + len(chosen) < count:
        own_best = {one.recording.recordist: one for one in sorted(rest, key=goodness, reverse=True)}
        one = min(own_best.values(), key=lambda one: (turns[one.recording.recordist], *goodness(one)))
        turns[one.recording.recordist] += 1
        rest.remove(one)
        chosen.append(one)
    return chosen


pools = st.lists(
    st.builds(found, st.integers(0, 999), st.sampled_from("abcd"), st.sampled_from([*"ABCDE", "no score"])),
    max_size=30,
    unique_by=lambda one: one.recording.id,
)


@modest
@given(pool=pools, count=st.integers(0, 12), held=st.integers(0, 8))
def test_recordists_take_turns_and_bring_their_best(pool: list[Found], count: int, held: int) -> None:
    before = [one.recording for one in pool[:held]]
    assert choose(pool, count, before) == taken_in_turns(pool, count, before)


@modest
@given(pool=pools, first=st.integers(0, 12), more=st.integers(0, 12))
def test_asking_for_more_later_is_asking_for_all_at_once(pool: list[Found], first: int, more: int) -> None:
    at_first = choose(pool, first)
    later = choose(pool, first + more, [one.recording for one in at_first])
    assert at_first + later == choose(pool, first + more)


def test_one_recordist_of_many_recordings_does_not_fill_the_species() -> None:
    pool = [found(n, "Prolific") for n in range(40)] + [found(100 + n, f"Other {n}", "C") for n in range(10)]
    recordists = Counter(one.recording.recordist for one in choose(pool, 20))
    assert recordists["Prolific"] == 10
    assert len(recordists) == 11


@pytest.mark.parametrize(
    ("wanted", "others", "taken"),
    [
        (Wanted(), {}, True),
        (Wanted(), {"q": "C"}, True),
        (Wanted(), {"q": "D"}, False),
        (Wanted(), {"q": ""}, False),
        (Wanted(worst_quality="A"), {"q": "B"}, False),
        (Wanted(worst_quality="E"), {"q": "no score"}, True),
        (Wanted(worst_quality="E"), {"q": ""}, True),
        (Wanted(length_s=(43, 43)), {}, True),
        (Wanted(length_s=(5, 42)), {}, False),
        (Wanted(length_s=(5, 42)), {"length": "0:05"}, True),
        (Wanted(licences=frozenset({"by-nc-sa"})), {}, True),
        (Wanted(licences=frozenset({"by", "cc0"})), {}, False),
        (Wanted(licences=frozenset({"by", "cc0"})), {"lic": "//creativecommons.org/publicdomain/zero/1.0/"}, True),
        (Wanted(), {"lic": ""}, False),
        (Wanted(), {"file": ""}, False),
        (Wanted(origin=Region(VALLEY)), {}, True),
        (Wanted(origin=Region(VALLEY)), {"lat": "47.9"}, False),
        (Wanted(origin=Region(country="germany")), {}, True),
        (Wanted(origin=Region(country="Niger")), {"cnt": "Nigeria"}, False),
        (Wanted(), {"sp": "majorella"}, False),
    ],
)
def test_what_is_not_wanted_is_not_taken(
    *, wanted: Wanted, others: Row, taken: bool, server: XenoCantoServer, archive: XenoCanto
) -> None:
    server.rows = [row(1, TIT, **others)]
    assert ids(suitable(archive, TIT, wanted)) == [1] * taken


def test_pages_that_cannot_better_the_choice_are_not_asked_for(server: XenoCantoServer, archive: XenoCanto) -> None:
    server.rows, server.rows_per_page = [row(n, q="B" if n < 4 else "A") for n in range(40)], 4
    found = suitable(archive, TIT, Wanted(3))
    assert len(server.asked) == 2
    assert ids(choose(found, 3)) == [6, 5, 4]
    # A recordist of whom one is held would come second to all others, so one more page is needed.
    held = [found[-1].recording]
    assert len(choose(suitable(archive, TIT, Wanted(5), held), 5, held)) == 4
    assert len(server.asked) == 5


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("https://creativecommons.org/licenses/by-nc-nd/2.5/", "by-nc-nd"),
        ("https://creativecommons.org/licenses/by/4.0/", "by"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0"),
        ("", ""),
    ],
)
def test_a_licence_is_known_by_its_address(address: str, code: str) -> None:
    assert licence_code(address) == code


# Regions and names


@modest
@given(st.lists(st.floats(-90, 90).map(lambda d: round(d, 4)), min_size=2, max_size=2, unique=True).map(sorted))
def test_a_box_is_read_as_it_is_written_and_widens_no_further_than_the_map(latitudes: list[float]) -> None:
    box = Box.parse(f"{latitudes[0]}, -10.5, {latitudes[1]}, 11.851")
    assert Box.parse(str(box)) == box == Box(latitudes[0], -10.5, latitudes[1], 11.851)
    wide = box.widened(200)
    assert wide == Box(-90, -180, 90, 180)
    assert box.widened(0) == box


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ("48,11.34,48.282", "has 3 numbers: expected the four LAT_MIN,LON_MIN,LAT_MAX,LON_MAX"),
        ("", "has 1 numbers"),
        ("48,x,48.282,11.851", "LON_MIN is 'x', expected degrees from -180 to 180"),
        ("48,11,98,12", "LAT_MAX is '98', expected degrees from -90 to 90"),
        ("nan,11,48,12", "LAT_MIN is 'nan'"),
        ("48,11,49,inf", "LON_MAX is 'inf'"),
        ("49,11,48,12", "LAT_MIN 49 is not below LAT_MAX 48"),
        ("48,12,49,12", "LON_MIN 12 is not below LON_MAX 12"),
    ],
)
def test_a_box_that_is_none_is_refused_with_the_number_that_is_wrong(box: str, said: str) -> None:
    assert said in refused(ConfigError, lambda: Box.parse(box))


def test_the_species_of_a_region_are_counted_and_what_is_no_species_is_not(
    server: XenoCantoServer, archive: XenoCanto
) -> None:
    names = [TIT, ROBIN, TIT, "Mystery mystery", "Sonus naturalis", "Larus sp."]
    server.rows = [row(n, name) for n, name in enumerate(names)]
    server.rows += [row(90, BLACKBIRD, lat="50"), row(91, "Pipistrellus pipistrellus", grp="bats")]
    assert species_of(archive, Region(VALLEY), "birds") == (
        Species(ROBIN, "English rubecula", 1),
        Species(TIT, "English major", 2),
    )
    assert [one.scientific_name for one in species_of(archive, Region(country="germany"), None)] == [
        ROBIN,
        TIT,
        "Pipistrellus pipistrellus",
        BLACKBIRD,
    ]


def test_a_country_is_not_taken_for_one_that_begins_like_it(server: XenoCantoServer, archive: XenoCanto) -> None:
    server.rows = [row(1, TIT, cnt="Nigeria"), row(2, ROBIN, cnt="Niger")]
    assert [one.scientific_name for one in species_of(archive, Region(country="Niger"), None)] == [ROBIN]


def test_a_region_without_recordings_is_one_sentence(archive: XenoCanto) -> None:
    told = refused(ConfigError, lambda: species_of(archive, Region(VALLEY), "frogs"))
    assert told == "xeno-canto has no recordings of frogs in box 48,11,49,12"


@pytest.mark.parametrize("country", ["Germny", "Gremany"])
def test_a_country_that_does_not_exist_is_answered_with_the_nearest(
    country: str, server: XenoCantoServer, archive: XenoCanto
) -> None:
    server.rows = [row(1), row(2, cnt="Greece"), row(3, cnt="France")]
    told = refused(ConfigError, lambda: species_of(archive, Region(country=country), "birds"))
    assert told.endswith(f"in {country} (did you mean Germany?)")


def test_named_species_are_found_whatever_their_case(server: XenoCantoServer, archive: XenoCanto) -> None:
    server.rows = [row(1, TIT), row(2, ROBIN)]
    assert named(archive, ["parus MAJOR", "Erithacus  rubecula", TIT]) == (
        Species(TIT, "English major"),
        Species(ROBIN, "English rubecula"),
    )


def test_every_species_that_does_not_exist_is_answered_with_the_nearest(
    server: XenoCantoServer, archive: XenoCanto
) -> None:
    server.rows = [row(1, TIT), row(2, ROBIN), row(3, "Cyanistes caeruleus"), row(4, "Parus monticolus")]
    told = refused(ConfigError, lambda: named(archive, ["Parus mayor", ROBIN, "Parus caeruleus", "Qqq xxx"]))
    assert told == (
        "there are no recordings on xeno-canto of Parus mayor (did you mean Parus major?); "
        "nor of Parus caeruleus (did you mean Cyanistes caeruleus or Parus monticolus or Parus major?); "
        "nor of Qqq xxx"
    )


def test_a_species_that_does_not_occur_in_the_region_is_answered_with_one_that_does(archive: XenoCanto) -> None:
    region = (Species(TIT, "Great Tit", 3), Species(ROBIN, "European Robin", 1))
    assert named(archive, [TIT], region) == region[:1]
    told = refused(ConfigError, lambda: named(archive, ["Erithacus rubicula"], region))
    assert "no recordings in this region of Erithacus rubicula (did you mean Erithacus rubecula?)" in told


@pytest.mark.parametrize("name", ["Blackbird", "", 'Parus" major', "Parus major major", "Parus 2"])
def test_what_is_no_scientific_name_is_refused(name: str) -> None:
    assert "expected genus and epithet, as in Turdus merula" in refused(ConfigError, lambda: scientific(name))


# The collection

words = st.text(st.characters(exclude_categories=("C", "Z")), max_size=8)
rows_of_tables = st.builds(
    Fetched,
    file=words,
    id=words,
    scientific_name=words,
    common_name=words,
    group=words,
    recordist=words,
    licence=words,
    url=words,
    country=words,
    locality=words,
    latitude=st.none() | st.floats(-90, 90),
    longitude=st.none() | st.floats(-180, 180),
    date=words,
    time=words,
    sound_type=words,
    quality=words,
    length_s=st.floats(0, 1e6),
    sample_rate=st.none() | st.integers(0, 10**6),
    also=st.lists(words.filter(lambda word: word and ";" not in word), max_size=3).map(tuple),
    sha256=words,
)


@settings(modest, max_examples=40)
@given(st.lists(rows_of_tables, max_size=4))
def test_a_table_reads_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, rows: list[Fetched]) -> None:
    folder = tmp_path_factory.getbasetemp()
    write_collection(folder, rows)
    assert read_collection(folder) == tuple(rows)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"file,id\na.mp3,XC1\n", "line 2: Object missing required field"),
        (b"file,id\na.mp3,XC1,more\n", "line 2: "),
        (b"\xff\xfe\x00", "is not a table of recordings"),
        (b'file,id\n"' + b"x" * 200_000 + b'",XC1\n', "is not a table of recordings"),
    ],
)
def test_a_table_that_is_none_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / TABLE).write_bytes(content)
    told = refused(RecordingError, lambda: read_collection(tmp_path))
    assert str(tmp_path / TABLE) in told
    assert said in told


def test_a_folder_is_filled_and_its_table_and_thanks_say_with_what(
    server: XenoCantoServer, archive: XenoCanto, tmp_path: Path
) -> None:
    server.rows = [row(1, TIT), row(2, ROBIN, rec="Jane Doe"), row(3, TIT)]
    outcome = filled(archive, tmp_path, ROBIN, TIT, BLACKBIRD)
    assert (outcome.fetched, outcome.kept, outcome.failures, outcome.without) == (3, 0, [], [BLACKBIRD])
    rows = read_collection(tmp_path)
    assert [one.file for one in rows] == ["erithacus_rubecula/XC2.mp3", "parus_major/XC3.mp3", "parus_major/XC1.mp3"]
    assert files(tmp_path) == sorted([ATTRIBUTION, TABLE, *(one.file for one in rows)])
    for one in rows:
        content = (tmp_path / one.file).read_bytes()
        assert content == mp3(int(one.id.removeprefix("XC")))
        assert one.sha256 == hashlib.sha256(content).hexdigest()
    thanks = (tmp_path / ATTRIBUTION).read_text(encoding="utf-8")
    assert "## Erithacus rubecula (English rubecula)\n" in thanks
    licence = "<https://creativecommons.org/licenses/by-nc-sa/4.0/>"
    assert f"- XC2, Jane Doe, {licence}, <https://xeno-canto.org/2>\n" in thanks
    assert all(one.id in thanks and one.recordist in thanks for one in rows)


def test_nothing_is_fetched_twice_and_more_is_fetched_when_more_is_asked_for(
    server: XenoCantoServer, archive: XenoCanto, tmp_path: Path
) -> None:
    server.rows = [row(n, TIT) for n in range(6)]
    filled(archive, tmp_path, TIT, per_species=3)
    asked = len(server.asked)
    assert filled(archive, tmp_path, TIT, per_species=3) == Outcome(kept=3)
    assert len(server.asked) == asked
    assert filled(archive, tmp_path, TIT, per_species=5) == Outcome(fetched=2, kept=3)
    assert len(server.downloads) == server.downloads.total() == len(read_collection(tmp_path)) == 5


def test_a_recording_that_cannot_be_had_does_not_stop_the_others_and_comes_the_next_time(
    server: XenoCantoServer, archive: XenoCanto, tmp_path: Path
) -> None:
    server.rows = [row(n, TIT) for n in range(3)]
    server.fail("/1/download", Fault(404))
    outcome = filled(archive, tmp_path, TIT)
    assert (outcome.fetched, [str(error) for error in outcome.failures]) == (2, ["XC1 did not come: HTTP 404"])
    assert [one.id for one in read_collection(tmp_path)] == ["XC2", "XC0"]
    assert filled(archive, tmp_path, TIT) == Outcome(fetched=1, kept=2)
    assert files(tmp_path / "parus_major") == ["XC0.mp3", "XC1.mp3", "XC2.mp3"]


def test_it_is_given_up_when_nothing_comes_any_more(
    server: XenoCantoServer, archive: XenoCanto, tmp_path: Path
) -> None:
    server.rows = [row(n, TIT) for n in range(20)]
    for number in range(15):
        server.fail(f"/{number}/download", Fault(410))
    told = refused(ArchiveError, lambda: filled(archive, tmp_path, TIT))
    assert told == "gave up after 5 downloads in a row failed, the last: XC10 did not come: HTTP 410"
    assert len(read_collection(tmp_path)) == 5


def test_failures_between_successes_are_no_reason_to_give_up(
    server: XenoCantoServer, archive: XenoCanto, tmp_path: Path
) -> None:
    server.rows = [row(n, TIT) for n in range(12)]
    for number in range(0, 12, 2):
        server.fail(f"/{number}/download", Fault(410))
    outcome = filled(archive, tmp_path, TIT)
    assert (outcome.fetched, len(outcome.failures)) == (6, 6)


def test_a_file_that_somebody_removed_is_fetched_again(
    server: XenoCantoServer, archive: XenoCanto, tmp_path: Path
) -> None:
    server.rows = [row(n, TIT) for n in range(2)]
    filled(archive, tmp_path, TIT)
    (tmp_path / "parus_major" / "XC1.mp3").unlink()
    assert filled(archive, tmp_path, TIT) == Outcome(fetched=1, kept=1)
    assert sorted(one.id for one in read_collection(tmp_path)) == ["XC0", "XC1"]


def test_what_a_killed_fetch_left_goes_and_what_others_put_there_stays(tmp_path: Path) -> None:
    own = ["parus_major/.XC1.partial", f".{TABLE}.partial", f".{ATTRIBUTION}.partial"]
    others = ["parus_major/XC9.mp3", "parus_major/mine.partial", "notes.partial", ".hidden"]
    (tmp_path / "parus_major").mkdir()
    for name in own + others:
        (tmp_path / name).touch()
    with opened(tmp_path) as collection:
        assert collection.rows == ()
    assert files(tmp_path) == sorted(others)


def test_two_cannot_fill_one_folder_at_once(tmp_path: Path) -> None:
    with opened(tmp_path):
        told = refused(StoreError, lambda: opened(tmp_path).__enter__())
        assert f"another fetch is at work in {tmp_path}" in told
    with opened(tmp_path):
        pass


@pytest.mark.parametrize("below", ["", "new/folder"])
def test_a_folder_that_cannot_be_written_is_one_sentence(below: str) -> None:
    with unwritable() as folder:
        told = refused(StoreError, lambda: opened(folder / below).__enter__())
        assert "cannot be written" in told
        assert str(folder) in told


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    assert "cannot be written: File exists" in refused(StoreError, lambda: opened(tmp_path / "taken").__enter__())


def test_a_full_disk_ends_it_in_one_sentence_and_what_was_there_stays(
    server: XenoCantoServer, archive: XenoCanto
) -> None:
    need_root()
    server.rows = [row(n, TIT) for n in range(3)]
    with disk("size=1m") as mounted:
        folder = mounted / "recordings"
        filled(archive, folder, TIT, per_species=1)
        before = (folder / TABLE).read_bytes(), files(folder)
        fill(mounted / "filler")
        told = refused(StoreError, lambda: filled(archive, folder, TIT))
        assert "No space left on device; all that was fetched before is kept" in told
        assert ((folder / TABLE).read_bytes(), files(folder)) == before
        (mounted / "filler").unlink()
        assert filled(archive, folder, TIT) == Outcome(fetched=2, kept=1)


@pytest.mark.parametrize("spare", range(0, 40, 4))
def test_wherever_the_disk_is_full_no_file_is_without_its_row(
    spare: int, server: XenoCantoServer, archive: XenoCanto
) -> None:
    need_root()
    server.rows = [row(n, TIT) for n in range(3)]
    with disk("size=1m") as mounted:
        folder = mounted / "recordings"
        (mounted / "spare").write_bytes(bytes(1024 * spare))
        filled(archive, folder, TIT, per_species=1)
        fill(mounted / "filler")
        (mounted / "spare").unlink()
        try:
            filled(archive, folder, TIT)
        except StoreError as error:
            assert "No space left" in str(error)  # noqa: PT017
        rows = read_collection(folder)
        assert files(folder / "parus_major") == sorted(Path(one.file).name for one in rows)
        assert [path for path in files(folder) if path.endswith(".partial")] == []


# The command


def command(server: XenoCantoServer, *arguments: str | Path) -> list[str]:
    return ["fetch", "--server", server.address, "--pause", "0", *map(str, arguments)]


def invoked(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


def ended(words: list[str], when: Callable[[], bool], by: signal.Signals) -> tuple[int, str]:
    """Exit code and stderr of the command, ended by a signal in mid-download."""
    with subprocess.Popen([BIN / "dawnchorus-training", *words], stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: when() or process.poll() is not None, "a part of the recording has come")
            process.send_signal(by)
            told = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    return process.returncode, told


def test_the_command_goes_on_after_kill_and_interrupt_and_fetches_nothing_twice(
    server: XenoCantoServer, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    server.rows = [row(n, TIT) for n in range(1, 6)] + [row(9, ROBIN, lat="60")]
    words = command(server, "--box", "48,11,49,12", "--group", "birds", "--out", out)
    half = Fault(200, mp3(3), (("Content-Type", "audio/mpeg"),), keep=0.5, hold=threading.Event())
    server.fail("/3/download", half, half)
    partial = out / "parus_major" / ".XC3.partial"
    assert ended(words, lambda: server.downloads["3"] == 1 and partial.is_file(), signal.SIGKILL)[0] == -signal.SIGKILL
    assert [one.id for one in read_collection(out)] == ["XC5", "XC4"]
    told = ended(words, lambda: server.downloads["3"] == 2 and partial.is_file(), signal.SIGINT)
    assert told == (130, "interrupted: the same command goes on from here\n")
    assert [one.id for one in read_collection(out)] == ["XC5", "XC4"]
    assert not partial.exists()
    result = invoked(*words)
    assert result.exit_code == 0, result.output
    assert f"3 fetched, 2 were there, 0 failed: {out}" in result.output
    assert [one.id for one in read_collection(out)] == ["XC5", "XC4", "XC3", "XC2", "XC1"]
    assert server.downloads == Counter({"5": 1, "4": 1, "3": 3, "2": 1, "1": 1})
    assert (out / "parus_major" / "XC3.mp3").read_bytes() == mp3(3)
    assert files(out / "parus_major") == [f"XC{n}.mp3" for n in range(1, 6)]


def test_a_dry_run_shows_species_and_counts_and_writes_nothing(server: XenoCantoServer, tmp_path: Path) -> None:
    server.rows = [row(n, TIT) for n in range(4)] + [row(9, ROBIN), row(10, TIT, lat="60")]
    words = command(server, "--box", "48,11,49,12", "--per-species", "3", "--out", tmp_path / "out")
    result = invoked(*words, "--dry-run")
    assert result.exit_code == 0, result.output
    counts = {tuple(line.split()[1:3]): line.split()[-6::2] for line in result.output.splitlines() if "English" in line}
    assert counts == {("Erithacus", "rubecula"): ["1", "0", "1"], ("Parus", "major"): ["4", "0", "3"]}
    assert "2 species, 4 recordings to fetch" in result.output
    assert files(tmp_path) == []
    assert server.downloads == Counter()
    invoked(*words)
    assert "2 species, 0 recordings to fetch" in invoked(*words, "--dry-run").output


def test_recordings_come_from_as_far_round_the_box_as_is_asked(server: XenoCantoServer, tmp_path: Path) -> None:
    server.rows = [row(1, TIT), row(2, TIT, lat="49.4"), row(3, TIT, lat="60"), row(4, TIT, lat="", lon="", cnt="Chad")]
    box = ("--box", "48,11,49,12")
    for words, expected in (
        ((*box, "--around", "0"), ["XC1"]),
        ((*box, "--around", "0.5"), ["XC1", "XC2"]),
        ((*box, "--from-country", "Germany"), ["XC1", "XC2", "XC3"]),
        ((*box,), ["XC1", "XC2", "XC3", "XC4"]),
    ):
        assert invoked(*command(server, *words, "--out", tmp_path)).exit_code == 0
        assert sorted(one.id for one in read_collection(tmp_path)) == expected


def test_species_are_read_from_a_file_and_rare_ones_left_out(server: XenoCantoServer, tmp_path: Path) -> None:
    server.rows = [row(1, TIT), row(2, ROBIN), row(3, ROBIN), row(4, BLACKBIRD)]
    names = tmp_path / "species.txt"
    names.write_text(f"# mine\n{TIT}  # great tit\n\nerithacus rubecula\n", encoding="utf-8")
    out = tmp_path / "out"
    words = command(server, "--species-file", names, "--out", out)
    assert "2 fetched" in invoked(*words, "--country", "Germany", "--least", "2").output
    assert {one.scientific_name for one in read_collection(out)} == {ROBIN}
    assert "1 fetched, 2 were there" in invoked(*words).output


def test_what_failed_is_told_and_counted_and_the_exit_code_says_so(server: XenoCantoServer, tmp_path: Path) -> None:
    server.rows = [row(1, TIT), row(2, TIT)]
    server.fail("/2/download", PAGE)
    result = invoked(*command(server, "--species", TIT, "--out", tmp_path))
    assert result.exit_code == 1
    assert "failed: XC2 is no audio, but text/html came from" in result.stderr
    assert "1 fetched, 0 were there, 1 failed" in result.output


def test_species_without_anything_as_wanted_are_named(server: XenoCantoServer, tmp_path: Path) -> None:
    server.rows = [row(1, TIT), row(2, ROBIN, file="")]
    result = invoked(*command(server, "--country", "Germany", "--out", tmp_path))
    assert result.exit_code == 0
    assert "nothing as wanted of Erithacus rubecula" in result.output
    result = invoked(*command(server, "--species", ROBIN, "--out", tmp_path / "other"))
    assert "no recording is as wanted" in str(result.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "neither a region nor a species is given"),
        (("--box", "48,11,49"), "--box '48,11,49' has 3 numbers"),
        (("--box", "-48,11,-47,12", "--country", "Chad"), "a box and the country 'Chad' are both given"),
        (("--country", "Chad", "--around", "1"), "--around 1 is a margin round a box"),
        (("--country", "Chad", "--group", "fish"), "--group 'fish' is not known: expected birds, grasshoppers"),
        (("--country", "Chad", "--quality", "AB"), "--quality 'AB': expected one letter"),
        (("--country", "Chad", "--length", "60-5"), "--length '60-5': expected two numbers of seconds"),
        (("--country", "Chad", "--length", "5"), "--length '5': expected"),
        (("--country", "Chad", "--licence", "by,mine"), "--licence 'mine' is not known: expected some of cc0,by,"),
        (("--country", 'Ch"ad'), "is no name that xeno-canto can be asked for"),
        (("--country", "Chad"), "xeno-canto has no recordings of any species in Chad"),
        (("--country", "Germany", "--least", "2"), "none of the 1 species in Germany was recorded 2 times"),
        (("--species", "Blackbird"), "'Blackbird' is no scientific name"),
        (("--species-file", "/nowhere"), "--species-file /nowhere cannot be read"),
        (("--species-file", os.devnull), "names no species"),
    ],
)
def test_wrong_usage_is_one_sentence_and_nothing_is_fetched(
    words: tuple[str, ...], said: str, server: XenoCantoServer, tmp_path: Path
) -> None:
    server.rows = [row(1)]
    result = invoked(*command(server, *words, "--out", tmp_path))
    assert isinstance(result.exception, ConfigError)
    assert said in str(result.exception)
    assert files(tmp_path) == []


def test_licences_that_forbid_derivatives_can_be_left_out(server: XenoCantoServer, tmp_path: Path) -> None:
    server.rows = [row(1, TIT, lic="//creativecommons.org/licenses/by-nc-nd/4.0/"), row(2, TIT)]
    assert invoked(*command(server, "--species", TIT, "--without-nd", "--out", tmp_path)).exit_code == 0
    assert [one.id for one in read_collection(tmp_path)] == ["XC2"]


def test_a_missing_key_is_one_sentence_before_anything_is_made(
    server: XenoCantoServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("XENO_CANTO_KEY")
    monkeypatch.setattr(
        sys, "argv", ["dawnchorus-training", *command(server, "--species", TIT, "--out", tmp_path / "out")]
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert told.startswith("dawnchorus-training: no key for xeno-canto's API: set XENO_CANTO_KEY")
    assert len(told.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_help_holds_an_example_and_no_way_to_give_the_key() -> None:
    shown = invoked("fetch", "--help").output
    assert "Example: dawnchorus-training fetch --box" in shown
    assert "--key" not in shown
    assert "--server" not in shown
