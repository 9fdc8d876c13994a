"""The page's server as it is installed: what it shows, whom it lets in, what it keeps, and what it never reads."""

import json
import os
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from command import dawnchorus, sentence
from rigs import Broker, Daemon, Subscriber, configure, free_port, kept, recordings, song, until
from web_page import TOKEN, Page, clip, configured, filled, policy

from monitor.config.settings import Config
from monitor.errors import MonitorError
from monitor.sinks.database import FILE
from monitor.web.access import TRIES
from monitor.web.files import ClipFolder
from monitor.web.serve import Service, serve
from monitor.web.stored import Stored

VERDICT = {"verdict": "confirmed", "who": "Ada", "note": "clear"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 120 detections, the first with a clip."""
    folder = tmp_path_factory.mktemp("web")
    detections = filled(folder / "store", 120)
    clip(folder, detections[0])
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[Page]:
    """Somebody who has shown the token."""
    with Page(configured(folder)) as page:
        yield page.enter()


@pytest.fixture(scope="module")
def detections(page: Page) -> list[str]:
    """Their ids, the newest first."""
    return [one["id"] for one in page.ask("/api/detections?limit=200").content["detections"]]


def verdicts(folder: Path) -> int:
    """How many were kept."""
    with closing(sqlite3.connect(folder / "store" / FILE)) as connection:
        return int(connection.execute("SELECT count(*) FROM verdicts").fetchone()[0])


def test_pages_of_detections_follow_each_other_without_a_hole_and_end(page: Page) -> None:
    seen: list[int] = []
    before = ""
    while True:
        sheet = page.ask(f"/api/detections?limit=50{before}").content
        seen += [one["sequence"] for one in sheet["detections"]]
        if sheet["next"] is None:
            break
        before = f"&before={sheet['next']}"
    assert seen == list(range(120, 0, -1))


def test_only_what_is_asked_for_is_on_a_sheet(page: Page, detections: list[str]) -> None:
    judged = detections[7]
    assert page.ask("/api/verdicts", VERDICT | {"detection": judged}).status == 201
    confirmed = page.ask("/api/detections?verdict=confirmed").content["detections"]
    assert [one["id"] for one in confirmed] == [judged]
    assert confirmed[0]["verdict"] | {"at_utc": ""} == {
        "verdict": "confirmed",
        "scientific_name": "Parus major",
        "who": "Ada",
        "at_utc": "",
        "note": "clear",
    }
    assert judged not in [one["id"] for one in page.ask("/api/detections?verdict=open&limit=200").content["detections"]]
    assert page.ask("/api/detections?species=athene_noctua").content == {"detections": [], "next": None}
    assert len(page.ask("/api/detections?species=Parus%20major&limit=200").content["detections"]) == 120


def test_of_several_verdicts_the_last_counts_and_all_are_kept(page: Page, folder: Path, detections: list[str]) -> None:
    before = verdicts(folder)
    said = {"detection": detections[3], "verdict": "rejected"}
    assert page.ask("/api/verdicts", said).content["scientific_name"] == ""
    assert page.ask("/api/verdicts", said | {"verdict": "other", "scientific_name": " Parus  ater"}).status == 201
    judged = page.ask(f"/api/detections/{detections[3]}").content["verdict"]
    assert (judged["verdict"], judged["scientific_name"]) == ("other", "Parus ater")
    assert verdicts(folder) == before + 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"[1]", 422),
        (b"\xff", 422),
        (b'{"detection": "\\ud800"}', 422),
        (b"[" * 4000, 422),
        ({"verdict": "confirmed"}, 422),
        ({"detection": "x" * 36, "verdict": "confirmed"}, 404),
        ({"detection": "00000000-0000-5000-8000-000000000000", "verdict": "confirmed"}, 404),
        (VERDICT | {"detection": "FIRST", "verdict": "perhaps"}, 422),
        (VERDICT | {"detection": "FIRST", "verdict": "other"}, 422),
        (VERDICT | {"detection": "FIRST", "scientific_name": "Parus ater"}, 422),
        (VERDICT | {"detection": "FIRST", "note": "two\nlines"}, 422),
        (VERDICT | {"detection": "FIRST", "note": "x" * 501}, 422),
        (VERDICT | {"detection": "FIRST", "admin": True}, 422),
        (b'{"note": "' + b"x" * 5000 + b'"}', 413),
    ],
)
def test_what_is_no_verdict_is_refused_in_one_sentence_and_nothing_is_kept(
    page: Page, folder: Path, detections: list[str], body: object, status: int
) -> None:
    before = verdicts(folder)
    if isinstance(body, dict) and body.get("detection") == "FIRST":
        body = body | {"detection": detections[0]}
    answer = page.ask("/api/verdicts", body)
    assert (answer.status, list(answer.content)) == (status, ["error"])
    assert verdicts(folder) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Cookie": ""}, 401),
        ({"Cookie": "dawnchorus=1.2"}, 401),
        ({"Cookie": f"dawnchorus={int(time.time()) + 9999}.{'0' * 64}"}, 401),
        ({"Cookie": "dawnchorus=9999999999999."}, 401),
        ({"Cookie": f"dawnchorus={TOKEN}"}, 401),
        ({"Origin": ""}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://[broken"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 421),
    ],
)
def test_nothing_is_written_without_the_token_and_from_another_page(
    page: Page, folder: Path, detections: list[str], headers: dict[str, str], status: int
) -> None:
    before = verdicts(folder)
    assert page.ask("/api/verdicts", VERDICT | {"detection": detections[0]}, **headers).status == status
    assert verdicts(folder) == before


def test_without_a_token_everybody_on_this_device_may_look_and_nobody_may_write(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(configured(folder).read_text(encoding="utf-8"), encoding="utf-8")
    before = verdicts(folder)
    with Page(config, token=False) as page:
        found = page.ask("/api/detections?limit=1").content["detections"][0]["id"]
        for cookie in ("", "dawnchorus=1.2"):
            assert page.ask("/api/verdicts", VERDICT | {"detection": found}, Cookie=cookie).status == 403
        assert page.ask("/api/login", {"token": ""}).status == 403
        told = page.ask("/api/station").content
        assert (told["may_look"], told["may_write"]) == (True, False)
    assert verdicts(folder) == before


def test_with_a_token_nobody_looks_without_it(page: Page, detections: list[str]) -> None:
    for path in ("detections", f"detections/{detections[0]}", f"detections/{detections[0]}/sound", "effort", "check"):
        assert page.ask(f"/api/{path}", Cookie="").status == 401
    assert page.ask("/api/events", Cookie="").status == 401
    assert "station" not in page.ask("/api/station", Cookie="").content


def test_the_token_cannot_be_tried_for_long(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(configured(folder).read_text(encoding="utf-8"), encoding="utf-8")
    with Page(config) as page:
        wrong = [page.ask("/api/login", {"token": f"guess {number}"}).status for number in range(TRIES + 2)]
        assert wrong == [401] * TRIES + [429] * 2
        assert page.ask("/api/login", {"token": TOKEN}).status == 429


def test_the_cookie_is_for_this_page_alone(page: Page) -> None:
    cookie = page.ask("/api/login", {"token": TOKEN}).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert 'dawnchorus=""' in page.ask("/api/logout", {}).headers["set-cookie"]


def test_every_answer_has_the_strict_headers_and_the_page_takes_nothing_from_elsewhere(page: Page) -> None:
    for path in ("/", "/page.js", "/style.css", "/api/station", "/nothing", "/api/verdicts"):
        answer = page.ask(path)
        assert policy(answer)["default-src"] == "'none'"
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert policy(answer)["frame-ancestors"] == "'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
    html = page.ask("/").body.decode()
    assert "//" not in html.replace("<!doctype html>", "")
    assert "<style" not in html
    assert "style=" not in html
    assert "<script>" not in html


def test_a_page_of_another_name_reaches_nothing_even_if_it_points_here(page: Page) -> None:
    for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1", "127.0.0.1@evil.example"):
        answer = page.ask("/api/detections", Host=host)
        assert (answer.status, list(answer.content)) == (421, ["error"])


def test_the_sound_of_a_detection_is_sent_whole_or_in_the_parts_a_player_asks_for(
    page: Page, detections: list[str]
) -> None:
    path = f"/api/detections/{detections[-1]}/sound"
    whole = page.ask(path)
    assert (whole.status, whole.body, whole.headers["content-type"]) == (200, b"fLaC sound", "audio/flac")
    for asked, status, body in [
        ("bytes=0-3", 206, b"fLaC"),
        ("bytes=5-", 206, b"sound"),
        ("bytes=-2", 206, b"nd"),
        ("bytes=9-99", 206, b"d"),
        ("bytes=10-", 416, b""),
        ("bytes=3-1", 416, b""),
        ("bytes=0-1,3-4", 200, b"fLaC sound"),
        ("bytes=", 200, b"fLaC sound"),
        ("bytes=٣-", 200, b"fLaC sound"),
        ("lines=1-2", 200, b"fLaC sound"),
        (f"bytes={'9' * 400}-", 200, b"fLaC sound"),
    ]:
        answer = page.ask(path, Range=asked.encode().decode("latin-1"))
        assert (answer.status, answer.body) == (status, body), asked
    assert [one["clip"] for one in page.ask("/api/detections?limit=200").content["detections"]].count(True) == 1
    assert page.ask(f"/api/detections/{detections[-1]}/picture").status == 404


TRAVERSALS = (
    "/../config.yaml",
    "/..%2fconfig.yaml",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%252f..%252fetc/passwd",
    "/..\\..\\etc\\passwd",
    "/.%00/etc/passwd",
    "//etc/passwd",
    "/style.css/../../config.yaml",
    "/pages/page.js",
    "/api/detections/../../config.yaml",
    "/api/detections/..%2f..%2fclips/sound",
    "/api/detections/%2e%2e/sound",
    "/api/detections/%2fetc%2fpasswd/sound",
    "/api/detections/{id}%00/sound",
    "/api/detections/{id}/../{id}/sound",
    "/api/detections/{ID}/sound",
    "/api/detections/{urn}/sound",
    "/api/detections/{{{id}}}/sound",
    "/api/detections/{nohyphens}/sound",
    "/api/detections/*/sound",
    "/api/detections/%/sound",
    "/api/detections/%e2%80%ae/sound",
    "/api/detections/{id}/sound/",
    "/api/detections/{id}/sound?file=../../token",
    "/api/detections/{id}/sound.flac",
    "/static/..%c0%af..%c0%afetc/passwd",
    "file:///etc/passwd",
    "http://evil.example/etc/passwd",
)


@pytest.mark.parametrize("path", TRAVERSALS)
@pytest.mark.parametrize("cookie", ["", None])
def test_no_path_reads_a_file_outside_of_the_folder_of_clips(
    page: Page, detections: list[str], path: str, cookie: str | None
) -> None:
    found = detections[-1]
    names = {"id": found, "ID": found.upper(), "urn": f"urn:uuid:{found}", "nohyphens": found.replace("-", "")}
    headers = {} if cookie is None else {"Cookie": cookie}
    answer = page.ask(path.format(**names), **headers)
    if answer.status == 200:  # a query that means nothing
        assert "?" in path
        assert answer.body == b"fLaC sound"
        return
    assert answer.status in {400, 401, 404}
    for secret in (TOKEN.encode(), b"root:", b"mqtt", b"fLaC"):
        assert secret not in answer.body


@pytest.mark.parametrize("trap", ["file link", "folder link", "pipe", "folder", "huge"])
def test_what_is_no_plain_file_in_its_folder_is_not_sent(tmp_path: Path, trap: str) -> None:
    (found,) = filled(tmp_path / "store", 1)
    path = clip(tmp_path, found)
    secret = tmp_path / "secret.flac"
    secret.write_bytes(b"secret")
    path.unlink()
    if trap == "file link":
        path.symlink_to(secret)
    elif trap == "folder link":
        path.parent.rmdir()
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / path.name).write_bytes(b"secret")
        path.parent.symlink_to(elsewhere)
    elif trap == "pipe":
        os.mkfifo(path)
    elif trap == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(17_000_000)
    clips = ClipFolder(tmp_path / "clips")
    known = Stored(tmp_path / "store", clips).one(found)
    assert known is not None
    assert clips.read(known, "sound") is None


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=-1", "limit=1e3", "limit=", "before=x", "before=" + "9" * 40, "verdict=x"]
)
def test_a_query_that_makes_no_sense_is_told_so(page: Page, query: str) -> None:
    answer = page.ask(f"/api/detections?{query}")
    assert answer.status == 400
    assert "expected" in answer.content["error"]


def test_a_store_that_is_not_there_is_told_of_and_is_not_empty(tmp_path: Path) -> None:
    with Page(configured(tmp_path), token=False) as page:
        answer = page.ask("/api/detections")
        assert answer.status == 503
        assert "no store in this folder" in answer.content["error"]


def test_a_damaged_store_is_told_of(tmp_path: Path) -> None:
    filled(tmp_path / "store", 3)
    (tmp_path / "store" / FILE).write_bytes(b"no database" * 1000)
    with Page(configured(tmp_path), token=False) as page:
        answer = page.ask("/api/detections")
        assert answer.status == 503
        assert "cannot be read" in answer.content["error"]


def test_a_wrong_configuration_is_found_by_the_check_while_the_page_goes_on(tmp_path: Path) -> None:
    filled(tmp_path / "store", 1)
    config = configured(tmp_path)
    with Page(config, token=False) as page:
        config.write_text("statoin: x", encoding="utf-8")
        findings = page.ask("/api/check").content["findings"]
        assert [(one["check"], one["light"]) for one in findings] == [("configuration", "red")]
        assert "statoin" in findings[0]["found"]
        assert page.ask("/api/detections").status == 200


def test_garbage_on_the_port_ends_nothing(page: Page) -> None:
    for garbage in (
        b"\x16\x03\x01\x02",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 50,
        b"GET " + b"/" * 70_000,
        b"\x00" * 999,
    ):
        with closing(socket.create_connection(("127.0.0.1", page.port))) as raw:
            raw.settimeout(5)
            raw.sendall(garbage)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(4096):
                pass
    assert page.ask("/api/station").status == 200
    assert "Traceback" not in page.said()


@pytest.mark.parametrize(
    ("service", "said"),
    [
        (Service(host="0.0.0.0"), "without --token-file"),  # noqa: S104
        (Service(certificate=Path("x.pem")), "--certificate and --key belong together"),
        (Service(port=0, certificate=Path("x.pem"), key=Path("y.pem")), "certificate x.pem: No such file"),
        (Service(token_file=Path("missing")), "token file missing cannot be read: No such file"),
        (Service(token_file=Path("short")), "token file short: its first line has 5 characters: at least 16 expected"),
        (Service(token_file=Path("bytes")), "token file bytes cannot be read: UTF-8 text expected"),
        (Service(host="nowhere.invalid", token_file=Path("good")), "nowhere.invalid port 8737 cannot be served"),
        (Service(port=99_999), "127.0.0.1 port 99999 cannot be served"),
    ],
)
def test_what_can_never_work_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: Service, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short").write_text("short", encoding="utf-8")
    (tmp_path / "bytes").write_bytes(b"\xff" * 40)
    (tmp_path / "good").write_text(TOKEN, encoding="utf-8")
    with pytest.raises(MonitorError, match=said):
        serve(Config(), None, service, pytest.fail)


def test_a_port_that_is_taken_is_one_sentence(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        ended = dawnchorus("web", "--config", configured(tmp_path), "--port", str(taken.getsockname()[1]))
    assert "cannot be served: Address already in use; choose another with --host and --port" in sentence(ended, 1)


def test_a_verdict_is_published_by_the_daemon_that_runs_beside_the_page(
    broker: Broker, subscriber: Subscriber, tmp_path: Path
) -> None:
    source = {"kind": "network", "url": f"http://127.0.0.1:{free_port()}/none"}
    (found,) = filled(tmp_path / "store", 1)
    config = configure(tmp_path, source, broker.port)
    with Daemon(config), Page(config) as page:
        until(subscriber.records, "the detection that was there")
        assert page.enter().ask("/api/verdicts", {"detection": found, "verdict": "confirmed"}).status == 201
        heard = until(lambda: [m.content for m in subscriber.received() if m.level == "verdicts"], "a verdict", 60)
    assert (heard[0]["detection"], heard[0]["verdict"]) == (found, "confirmed")
    assert [row["detection"] for row in kept(tmp_path / "store")["verdicts"]] == [found]


def test_a_page_of_a_broker_shows_what_it_tells_and_says_what_it_cannot(broker: Broker, tmp_path: Path) -> None:
    config = configure(tmp_path, recordings(song(tmp_path / "song.wav")), broker.port)
    with Page(config, "--broker") as page:
        page.enter()
        told = page.ask("/api/station").content
        assert (told["may_write"], told["clips"], len(told["missing"])) == (False, False, 2)
        until(lambda: "connected" in page.said() or page.ask("/api/detections").status == 200, "the broker")
        time.sleep(1)
        with Daemon(config) as daemon:
            daemon.ended()
        sheet = until(lambda: page.ask("/api/detections").content["detections"], "what the broker told")
        assert [one["label"] for one in sheet] == ["parus_major"]
        assert page.ask(f"/api/detections/{sheet[0]['id']}/sound").status == 404
        assert page.ask("/api/verdicts", {"detection": sheet[0]["id"], "verdict": "confirmed"}).status == 403
        assert page.ask("/api/effort").content["hours"]


def test_the_document_is_served(page: Page) -> None:
    assert page.ask("/api/openapi.json").content["openapi"] == "3.1.0"
    assert json.dumps(page.ask("/api/openapi.json").content).count("$ref") > 10
