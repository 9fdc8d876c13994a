"""`dawnchorus discover`: clusters of what has no name, a page to listen to them, and folders of what got one."""

import base64
import csv
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import sync_playwright
from rigs import COMMAND, program
from strange import buzz, calm, placed, whistle, write
from typer.testing import CliRunner, Result

from monitor.cli import app
from monitor.errors import ConfigError
from monitor.sinks.unknown.shelf import Network
from monitor.unknown.clusters import Cluster, Clusters, clustered
from monitor.unknown.collection import Collection, Origin, Windows
from monitor.unknown.labelled import read_names
from monitor.unknown.page import About, write_page
from monitor.unknown.sifting import sifted

KINDS = {"buzz": buzz, "whistle": whistle}


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings, each of one kind of sound, eight times, and a calm one."""
    folder = tmp_path_factory.mktemp("season")
    for number, (name, make) in enumerate(KINDS.items()):
        write(folder / f"{name}.wav", placed([make(seed) for seed in range(8)], 6, 56, number))
    write(folder / "calm.wav", calm(35))
    return folder


@pytest.fixture(scope="module")
def page(season: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What discover makes of it."""
    path = tmp_path_factory.mktemp("page") / "unknown.html"
    made = run("discover", season, "-o", path)
    assert made.exit_code == 0, made.stderr
    return path


def run(*arguments: object) -> Result:
    """The command, in this process: scikit-learn takes its time to be imported."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def rows(path: Path) -> list[dict[str, str]]:
    """A table."""
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def clusters_of(page: Path) -> dict[str, set[str]]:
    """The recordings that each cluster holds windows of."""
    found: dict[str, set[str]] = {}
    for row in rows(page.with_suffix(".csv")):
        found.setdefault(row["cluster"], set()).add(Path(row["file"]).stem)
    found.pop("none", None)
    return found


def test_sounds_that_are_alike_come_together_and_a_calm_place_is_none(page: Path) -> None:
    found = clusters_of(page)
    assert len(found) >= 2
    assert all(len(kinds) == 1 for kinds in found.values()), found
    assert "calm" not in {kind for kinds in found.values() for kind in kinds}


def test_the_page_is_small_and_its_policy_allows_its_own_script_alone(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(text) < 5_000_000
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; script-src 'sha256-{digest}'"
        in text
    )
    assert not re.search(r"""(?:src|href)=["']?https?:""", text)
    assert text.count("<audio") >= len(clusters_of(page))


def test_names_typed_into_the_page_become_folders_that_training_builds_from(
    page: Path, season: Path, tmp_path: Path
) -> None:
    chromium = program("chromium")
    if chromium is None:
        pytest.skip("not on this system: chromium")
    names = {number: next(iter(kinds)) for number, kinds in clusters_of(page).items()}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(accept_downloads=True)
        refused: list[str] = []
        tab.on("console", lambda message: refused.append(message.text))
        tab.goto(page.as_uri())
        for number, name in names.items():
            tab.fill(f"#cluster-{number} input", f'{name}, "odd"')
        with tab.expect_download() as download:
            tab.click("#save")
        download.value.save_as(tmp_path / "labels.csv")
        browser.close()
    assert refused == []
    assert {row["cluster"]: row["label"] for row in rows(tmp_path / "labels.csv")} == {
        number: f'{name}, "odd"' for number, name in names.items()
    }
    made = run("discover", season, "-o", page, "--label", tmp_path / "labels.csv", "--out", tmp_path / "training")
    assert made.exit_code == 0, made.stderr
    counts = {folder.name: len(list(folder.iterdir())) for folder in (tmp_path / "training").iterdir()}
    wanted = [row for row in rows(page.with_suffix(".csv")) if row["cluster"] in names]
    assert set(counts) == {f"{name}_odd" for name in names.values()}
    assert sum(counts.values()) == len(wanted)
    built = _build(tmp_path)
    assert f"{len(wanted)} recordings, 0 left out" in built


def _build(folder: Path) -> str:
    """What `dawnchorus-training build` says of the folders. The windows of one recording are one session."""
    import subprocess  # noqa: PLC0415

    command = [
        COMMAND.with_name("dawnchorus-training"),
        "build",
        folder / "training",
        "-o",
        folder / "m.json",
        "--folds",
        "2",
    ]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stderr
    return " ".join(built.stdout.split())


def test_a_name_may_stand_in_the_table_itself_and_the_sound_is_that_window(
    page: Path, season: Path, tmp_path: Path
) -> None:
    table = tmp_path / "unknown.csv"
    lines = rows(page.with_suffix(".csv"))
    chosen = next(row for row in lines if row["cluster"] != "none")
    chosen["label"] = "Crex crex"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    made = run("discover", season, "-o", tmp_path / "unknown.html", "--label", table, "--out", tmp_path / "out")
    assert made.exit_code == 0, made.stderr
    (file_there,) = (tmp_path / "out" / "crex_crex").iterdir()
    heard, rate = soundfile.read(file_there, dtype="float32")
    whole, _ = soundfile.read(chosen["file"], dtype="float32")
    start = round(float(chosen["start_s"]) * rate)
    np.testing.assert_allclose(heard, whole[start : start + len(heard)], atol=2 / 32_768)


def test_names_of_another_page_are_refused(page: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("cluster,label\n99,Wren\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"names the cluster '99', which .* does not have; is it of another page"):
        read_names(labels, page.with_suffix(".csv"))
    labels.write_text("cluster,label\n1,\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="gives no cluster a name"):
        read_names(labels, page.with_suffix(".csv"))
    labels.write_text("1,Wren\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="has no column cluster"):
        read_names(labels, page.with_suffix(".csv"))


def test_a_named_window_whose_recording_is_gone_is_counted_and_told_of(
    page: Path, season: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("cluster,label\n1,Wren\n2,Rail\n", encoding="utf-8")
    gone = clusters_of(page)["1"]
    left = [path for path in season.glob("*.wav") if path.stem not in gone]
    made = run("discover", *left, "-o", page, "--label", labels, "--out", tmp_path / "out")
    assert made.exit_code == 1
    count = sum(row["cluster"] == "1" for row in rows(page.with_suffix(".csv")))
    assert f"the sound of {count} named windows is there no longer" in made.stderr
    assert [folder.name for folder in (tmp_path / "out").iterdir()] == ["rail"]


def test_label_and_out_go_together(season: Path) -> None:
    assert run("discover", season, "--label", "labels.csv").exit_code == 2


def random_collection(count: int) -> Collection:
    """Windows of noise, one every ten seconds."""
    rng = np.random.default_rng(count)
    zeros = np.zeros(count, np.float32)
    vectors = rng.normal(size=(count, 8)).astype(np.float16)
    windows = Windows(10.0 * np.arange(count), zeros, zeros + 20, zeros, np.zeros(count, np.int64), vectors)
    sound = (0.3 * rng.normal(size=48_000)).astype(np.float32)
    return Collection(
        Network("a", "loud", 24_000), 2.0, ["x"], [Origin("<b>one</b>.wav", None)], np.zeros(count, np.int64),
        windows, np.ones(count, np.int64), lambda rows: ((row, sound) for row in rows.tolist()),
    )  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_windows_make_no_cluster_and_no_error(count: int, tmp_path: Path) -> None:
    collection = random_collection(count)
    found = clustered(collection, np.random.default_rng(0))
    assert (len(found.clusters), len(found.noise)) == (0, count)
    about = About("x", 0, "x.html", "x.csv", datetime(2026, 5, 1, tzinfo=UTC))
    assert write_page(tmp_path / "x.html", collection, found, about) < 5_000_000


def test_a_page_of_very_many_clusters_stays_within_its_bound_and_escapes_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.unknown.page.MOST_BYTES", 400_000)
    collection = random_collection(300)
    found = Clusters([Cluster(np.arange(5 * n, 5 * n + 5), 5, "x", 0.0) for n in range(60)], np.arange(0))
    about = About("x", 7, "x.html", "x.csv", datetime(2026, 5, 1, tzinfo=UTC))
    size = write_page(tmp_path / "x.html", collection, found, about)
    assert 350_000 < size < 500_000, "of sounds no more than that, and what is written about them"
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert text.count("Cluster ") == 60, "each is there, also those without a sound"
    assert "<b>one" not in text
    assert "7 more windows stand out less" in text


def test_of_windows_that_overlap_the_one_that_stands_out_most_is_looked_at() -> None:
    collection = random_collection(4)
    windows = replace(
        collection.windows,
        starts_s=np.array([0.0, 1.0, 2.0, 3.0]),
        standings_db=np.array([12.0, 30.0, 14.0, 5.0], np.float32),
        scores=np.array([0.0, 0.0, 0.0, 0.0], np.float32),
    )
    assert sifted(replace(collection, windows=windows), 10).collection.windows.starts_s.tolist() == [1.0]
    known = replace(windows, scores=np.array([0.0, 0.5, 0.0, 0.0], np.float32))
    assert sifted(replace(collection, windows=known), 10).collection.windows.starts_s.tolist() == [0.0, 2.0]
    assert sifted(replace(collection, windows=known), 1).left_out == 1
