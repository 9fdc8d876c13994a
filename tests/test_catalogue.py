"""Fetching other people's models from a server that resumes, breaks off, lies and is away."""

import hashlib
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from command import dawnchorus, sentence
from standins import write_geo, write_small

from monitor.catalogue import download
from monitor.catalogue.download import PARTIAL, check_address, fetch
from monitor.catalogue.entries import accept, find, is_accepted, names
from monitor.catalogue.get import SUMS, get
from monitor.classifier import Classifier
from monitor.contract.foreign import Remote
from monitor.errors import DownloadError, ModelError, MonitorError
from monitor.species.occurrence import GeoModel

CONTENT = bytes(range(256)) * 4_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """Files by path, and how the server behaves."""

    files: dict[str, bytes]
    resumes: bool = True
    breaks_after: int | None = None
    """bytes, once"""
    shifts: int = 0
    """by which what it sends starts elsewhere than was asked for"""
    states_length: bool = True
    redirect: str | None = None
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """path and Range of each request"""
    port: int = 0

    def url(self, path: str = "/model.onnx") -> str:
        """Address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer as this server does."""
        wanted = request.headers["Range"]
        self.asked.append((request.path, wanted))
        if self.redirect is not None:
            request.send_response(302)
            request.send_header("Location", self.redirect)
            request.end_headers()
            return
        content = self.files.get(request.path)
        if content is None:
            request.send_error(404)
            return
        begin = int(wanted[6:-1]) if wanted and self.resumes else 0
        if wanted and self.resumes and begin >= len(content):
            request.send_error(416)
            return
        if wanted and self.resumes:
            begin -= self.shifts
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        else:
            request.send_response(200)
        if self.states_length:
            request.send_header("Content-Length", str(len(content) - begin))
        request.end_headers()
        end = len(content) if self.breaks_after is None else begin + self.breaks_after
        self.breaks_after = None
        request.wfile.write(content[begin:end])


@pytest.fixture
def server() -> Iterator[Server]:
    """A real server on the loopback."""
    serving = Server({"/model.onnx": CONTENT})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            serving.answer(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401
            """Be quiet."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving.port = listening.server_port
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield serving
    listening.shutdown()
    thread.join()
    listening.server_close()


# One file


def test_a_file_is_fetched_under_its_name_and_nothing_else_is_left(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    path = tmp_path / "new" / "model.onnx"
    assert fetch(Remote(server.url(), SHA256), path, lambda done, size: told.append((done, size))) == SHA256
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert told[-1] == (len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("after", [0, 1, 300_000, len(CONTENT) - 1])
def test_what_broke_off_is_never_under_its_name_and_goes_on_from_there(
    after: int, server: Server, tmp_path: Path
) -> None:
    server.breaks_after = after
    path = tmp_path / "model.onnx"
    with pytest.raises(DownloadError, match=r"broke off after .* of 1\.0 MB: .*the same command goes on from there"):
        fetch(Remote(server.url(), SHA256), path)
    assert not path.exists()
    fetch(Remote(server.url(), SHA256), path)
    assert path.read_bytes() == CONTENT
    assert server.asked[-1][1] == (f"bytes={after}-" if after else None)


def test_a_break_is_seen_by_the_size_that_is_known_where_the_server_states_none(server: Server, tmp_path: Path) -> None:
    server.states_length, server.breaks_after = False, 1000
    with pytest.raises(DownloadError, match="broke off"):
        fetch(Remote(server.url(), None, len(CONTENT)), tmp_path / "model.onnx")


def _cannot_resume(server: Server) -> None:
    server.resumes = False


def _resumes_elsewhere(server: Server) -> None:
    server.shifts = 10


def _has_a_shorter_file(server: Server) -> None:
    server.files["/model.onnx"] = CONTENT[:500]


@pytest.mark.parametrize("behave", [_cannot_resume, _resumes_elsewhere, _has_a_shorter_file])
def test_where_the_server_cannot_go_on_the_file_is_fetched_anew(
    behave: Callable[[Server], None], server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.with_name(path.name + PARTIAL).write_bytes(b"x" * 1000)
    behave(server)
    content = server.files["/model.onnx"]
    assert fetch(Remote(server.url(), hashlib.sha256(content).hexdigest()), path)
    assert path.read_bytes() == content


def test_a_file_that_was_complete_before_the_break_needs_no_network(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.with_name(path.name + PARTIAL).write_bytes(CONTENT)
    fetch(Remote("https://nowhere.invalid/model.onnx", SHA256, len(CONTENT)), path)
    assert path.read_bytes() == CONTENT


def test_another_hash_leaves_nothing_so_that_the_next_call_begins_anew(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.with_name(path.name + PARTIAL).write_bytes(b"y" * 1000)
    with pytest.raises(DownloadError, match=rf"SHA-256 is [0-9a-f]{{64}}, {SHA256} expected; what came was deleted"):
        fetch(Remote(server.url(), SHA256), path)
    assert list(tmp_path.iterdir()) == []
    fetch(Remote(server.url(), SHA256), path)


def test_what_is_not_there_is_said_with_its_address(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=re.escape(f"{server.url('/other')} answers 404 Not Found")):
        fetch(Remote(server.url("/other")), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_away_is_said_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot be reached: .*refused"):
        fetch(Remote("http://127.0.0.1:9/model.onnx"), tmp_path / "model.onnx")
    with pytest.raises(DownloadError, match="cannot be reached: "):
        fetch(Remote("https://nowhere.invalid/model.onnx"), tmp_path / "model.onnx")


def test_a_server_that_falls_silent_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "SILENT_S", 0.3)
    release = threading.Event()
    answer = server.answer

    def hang(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        request.wfile.write(b"abc")
        release.wait(10)

    server.answer = hang  # type: ignore[method-assign]
    with pytest.raises(DownloadError, match=r"broke off after 0\.0 of 0\.0 MB: timed out"):
        fetch(Remote(server.url()), tmp_path / "model.onnx")
    release.set()
    server.answer = answer  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "url", ["http://example.org/a", "ftp://127.0.0.1/a", "file:///etc/passwd", "http://127.0.0.1.example.org/a", "a"]
)
def test_only_a_safe_address_is_asked(url: str, server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="only https is safe enough"):
        check_address(url)
    server.redirect = url
    with pytest.raises(DownloadError):
        fetch(Remote(server.url(), None), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.parametrize(
    "url", ["https://example.org/a", "http://127.0.0.1:80/a", "http://localhost/a", "http://[::1]/a"]
)
def test_https_and_this_machine_are_safe(url: str) -> None:
    check_address(url)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("states_length", [True, False])
def test_a_disk_that_is_too_small_is_left_empty(states_length: bool, server: Server, small_disk: Path) -> None:  # noqa: FBT001
    server.states_length = states_length
    with pytest.raises(DownloadError, match=r"MB are free|cannot be written: No space left on device; what came was"):
        fetch(Remote(server.url(), SHA256), small_disk / "model.onnx")
    assert list(small_disk.iterdir()) == []


def test_a_folder_that_is_none_is_one_sentence(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(DownloadError, match=r"model\.onnx cannot be written: "):
        fetch(Remote(server.url(), SHA256), tmp_path / "taken" / "model.onnx")


# A model


@dataclass(frozen=True)
class Offered:
    """A model on the server, and the YAML file that says where it is."""

    entry: Path
    model: bytes
    labels: bytes


def offer(server: Server, folder: Path, *, vouched: bool = True, geo: bool = False) -> Offered:
    """Put a stand-in on the server."""
    folder.mkdir()
    source = (
        write_geo(folder / "valley.onnx", {"Parus major": (0.0, 1.0)}) if geo else write_small(folder / "valley.onnx")
    )
    entry = source.with_suffix(".yaml")
    contents = {"model": source.read_bytes(), "labels": (folder / "valley.labels.txt").read_bytes()}
    server.files.update({"/valley.onnx": contents["model"], "/valley.labels.txt": contents["labels"]})
    terms = yaml.safe_load(entry.read_text(encoding="utf-8"))
    sums = {
        key: {"sha256": hashlib.sha256(content).hexdigest()} if vouched else {} for key, content in contents.items()
    }
    terms["download"] = {
        "model": {"url": server.url("/valley.onnx"), **sums["model"]},
        "labels": {"url": server.url("/valley.labels.txt"), **sums["labels"]},
        "licence_text": "Do what you like.\n",
    }
    entry.write_text(yaml.safe_dump(terms), encoding="utf-8")
    return Offered(entry, contents["model"], contents["labels"])


def no_progress(_name: str) -> Callable[[int, int | None], None]:
    return lambda _done, _size: None


def test_a_model_is_shown_its_licence_fetched_tried_and_can_be_run(server: Server, tmp_path: Path) -> None:
    offered, folder = offer(server, tmp_path / "source"), tmp_path / "models"
    refused = dawnchorus("model", "get", offered.entry, "--to", folder)
    assert refused.returncode == 1
    assert "Do what you like." in refused.stdout
    assert "the licence of valley is not accepted" in refused.stderr
    assert not folder.exists()
    fetched = dawnchorus("model", "get", offered.entry, "--to", folder, "--accept-licence")
    assert fetched.returncode == 0, fetched.stderr
    assert f"model: {folder / 'valley.onnx'}" in fetched.stdout
    assert (folder / "valley.onnx").read_bytes() == offered.model
    assert Classifier(folder / "valley.onnx").contract.name == "valley"
    again = dawnchorus("model", "get", offered.entry, "--to", folder)
    assert again.returncode == 0, again.stderr
    assert "Do what you like." not in again.stdout
    assert again.stdout.count("is there already") == 3
    checked = subprocess.run(["sha256sum", "--check", SUMS], cwd=folder, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_a_geo_model_is_fetched_and_tried_as_one(server: Server, tmp_path: Path) -> None:
    entry = find(str(offer(server, tmp_path / "source", geo=True).entry))
    assert not entry.hears
    model, _said = get(entry, tmp_path / "models", no_progress)
    assert GeoModel(model, 10, 0, 0.5).names(1) == {"parus major"}


def test_a_break_is_one_sentence_and_the_same_command_goes_on(server: Server, tmp_path: Path) -> None:
    offered, folder = offer(server, tmp_path / "source"), tmp_path / "models"
    accept(find(str(offered.entry)), folder, date(2026, 5, 1))
    server.breaks_after = 20
    told = sentence(dawnchorus("model", "get", offered.entry, "--to", folder), 1)
    assert "goes on from there" in told
    assert not (folder / "valley.onnx").exists()
    assert dawnchorus("model", "get", offered.entry, "--to", folder).returncode == 0


def test_a_mirror_holds_the_files_under_the_names_that_they_have_here(server: Server, tmp_path: Path) -> None:
    entry = find(str(offer(server, tmp_path / "source").entry))
    server.files = {f"/mirror{path}": content for path, content in server.files.items()}
    model, _said = get(entry, tmp_path / "models", no_progress, mirror=server.url("/mirror/"))
    assert Classifier(model).contract.name == "valley"


def test_a_mirror_of_a_known_model_that_holds_another_file_is_refused(server: Server, tmp_path: Path) -> None:
    server.files |= {"/perch-v2.labels.csv": b"inat2024_fsd50k\nParus major\n", "/perch-v2.onnx": CONTENT}
    known = "e4d5c0397d8fb08bf90c6b13a34810af53504faad927e472fcc567793c9de057"
    with pytest.raises(DownloadError, match=f"{known} expected"):
        get(find("perch-v2"), tmp_path, no_progress, mirror=server.url(""))
    assert not list(tmp_path.glob("perch*"))


def test_a_file_of_another_hash_is_never_written_over(server: Server, tmp_path: Path) -> None:
    entry, folder = find(str(offer(server, tmp_path / "source").entry)), tmp_path / "models"
    folder.mkdir()
    (folder / "valley.onnx").write_bytes(b"mine")
    with pytest.raises(ModelError, match=r"valley\.onnx is there already and another file, .*move it away first"):
        get(entry, folder, no_progress)
    assert (folder / "valley.onnx").read_bytes() == b"mine"


def test_a_contract_that_somebody_changed_stays(server: Server, tmp_path: Path) -> None:
    entry, folder = find(str(offer(server, tmp_path / "source").entry)), tmp_path / "models"
    get(entry, folder, no_progress)
    mine = entry.text.replace("name: valley", "name: my-valley")
    (folder / "valley.yaml").write_text(mine, encoding="utf-8")
    _model, said = get(entry, folder, no_progress)
    assert "changed by somebody, and stays as it is" in said[-1]
    assert (folder / "valley.yaml").read_text(encoding="utf-8") == mine


def test_a_file_that_nobody_vouches_for_is_pinned_by_its_first_copy(server: Server, tmp_path: Path) -> None:
    entry, folder = find(str(offer(server, tmp_path / "source", vouched=False).entry)), tmp_path / "models"
    model, said = get(entry, folder, no_progress)
    assert sum("nobody vouches for it" in line for line in said) == 2
    first = model.read_bytes()
    server.files["/valley.onnx"] = first + b"more"
    _model, said = get(entry, folder, no_progress)
    assert not any("nobody vouches" in line for line in said)
    model.unlink()
    with pytest.raises(DownloadError, match="expected; what came was deleted"):
        get(entry, folder, no_progress)


def test_the_user_may_vouch_for_a_file_but_not_against_what_is_known(server: Server, tmp_path: Path) -> None:
    offered = offer(server, tmp_path / "unknown", vouched=False)
    right, wrong = hashlib.sha256(offered.model).hexdigest(), "0" * 64
    entry = find(str(offered.entry))
    with pytest.raises(DownloadError, match=f"{wrong} expected"):
        get(entry, tmp_path / "models", no_progress, sha256=wrong)
    get(entry, tmp_path / "models", no_progress, sha256=right)
    known = find(str(offer(server, tmp_path / "known").entry))
    with pytest.raises(ModelError, match="but this program knows it as"):
        get(known, tmp_path / "others", no_progress, sha256=wrong)


def test_a_model_that_does_not_match_its_contract_is_said_to(server: Server, tmp_path: Path) -> None:
    entry = find(str(offer(server, tmp_path / "source", vouched=False).entry))
    server.files["/valley.labels.txt"] = b"one\ntwo\nthree\n"
    with pytest.raises(ModelError, match="its contract names 3 labels"):
        get(entry, tmp_path / "models", no_progress)


def test_a_licence_is_accepted_once_until_it_reads_otherwise(server: Server, tmp_path: Path) -> None:
    offered = offer(server, tmp_path / "source")
    entry = find(str(offered.entry))
    assert not is_accepted(entry, tmp_path)
    accept(entry, tmp_path, date(2026, 5, 1))
    assert is_accepted(entry, tmp_path)
    changed = offered.entry.read_text(encoding="utf-8").replace("Do what you like", "Pay first")
    offered.entry.write_text(changed, encoding="utf-8")
    assert not is_accepted(find(str(offered.entry)), tmp_path)
    (tmp_path / "taken").touch()
    with pytest.raises(MonitorError, match="cannot be written"):
        accept(entry, tmp_path / "taken", date(2026, 5, 1))


def test_all_known_models_are_listed_with_their_licences() -> None:
    listed = dawnchorus("model", "get")
    assert listed.returncode == 0
    assert {line.split()[0] for line in listed.stdout.splitlines()} == set(names())
    assert {"birdnet-v2.4", "birdnet-v3.0-preview3", "perch-v2", "birdnet-geomodel-v3"} <= set(names())
    assert all(find(name).terms.licence in listed.stdout for name in names())


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("birdnet-2.4", "no model 'birdnet-2.4': did you mean 'birdnet-v2.4'"),
        ("nowhere.yaml", "no model 'nowhere.yaml'"),
    ],
)
def test_a_model_that_nobody_knows_is_refused_with_the_nearest(named: str, said: str) -> None:
    with pytest.raises(ModelError, match=re.escape(said)):
        find(named)


@pytest.mark.parametrize(
    "text", ["", "- a", "version: 2", "a: [", "version: 1\nname: x\nlicence: y\nlabels: {file: z}\n"]
)
def test_a_file_that_says_no_origin_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"contract .*x\.yaml: "):
        find(str(path))


def test_a_name_that_leads_out_of_the_folder_is_refused(server: Server, tmp_path: Path) -> None:
    offered = offer(server, tmp_path / "source")
    text = offered.entry.read_text(encoding="utf-8")
    offered.entry.write_text(text.replace("name: valley", "name: ../valley"), encoding="utf-8")
    with pytest.raises(ModelError, match="name: "):
        find(str(offered.entry))
