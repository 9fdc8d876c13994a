"""Looking for recordings on a real disk."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.errors import RecordingError
from monitor.sources.finding import find_recordings, listed, search
from monitor.sources.recordings import open_recording


def touch(folder: Path, *names: str) -> list[Path]:
    """Empty files, in this order."""
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_a_pattern_stands_for_what_matches_it_in_order(tmp_path: Path) -> None:
    a, b, deep = touch(tmp_path, "a.wav", "b.wav", "x/y/c.wav")
    touch(tmp_path, "notes.txt")
    (tmp_path / "folder.wav").mkdir()
    assert search([tmp_path / "*.wav"]).recordings == [a, b]
    assert search([tmp_path / "**" / "*.wav"]).recordings == [a, b, deep]
    assert search([tmp_path / "[b-z].wav"]).recordings == [b]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    odd, _other = touch(tmp_path, "a[1].wav", "a1.wav")
    assert search([odd]).recordings == [odd]


def test_a_pattern_that_nothing_matches_is_told(tmp_path: Path) -> None:
    found = search([tmp_path / "*.wav"])
    assert [str(error) for error in found.troubles] == [f"{tmp_path}/*.wav: no such file or folder"]


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\0"])
def test_a_list_holds_a_path_a_line_or_between_zero_bytes(separator: bytes) -> None:
    names = [b"card/a.wav", b"#1.wav", b" blank.wav", b"h\xe4her.wav", "鳥.wav".encode()]
    found = listed(io.BytesIO(separator.join(names) + separator))
    assert [os.fsencode(path) for path in found] == names


def test_what_find_prints_is_a_list(tmp_path: Path) -> None:
    paths = touch(tmp_path, "a.wav", "new\nline.wav")
    printed = subprocess.run(["find", tmp_path, "-name", "*.wav", "-print0"], capture_output=True, check=True).stdout
    assert sorted(listed(io.BytesIO(printed))) == paths


def test_a_file_that_is_named_twice_by_whatever_name_is_one(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "a.wav")
    (tmp_path / "link.wav").symlink_to(path)
    twice = [path, tmp_path / "x" / ".." / "a.wav", tmp_path / "link.wav", tmp_path]
    (tmp_path / "x").mkdir()
    assert search(twice).recordings == [path]


def test_files_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    both = touch(tmp_path, "A/20260501_041200.WAV", "B/20260501_041200.WAV")
    assert search([tmp_path]).recordings == both


def test_links_in_a_circle_are_followed_once(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "a/b/x.wav")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    assert search([tmp_path]).recordings == [path]


def test_a_link_that_leads_nowhere_is_told_when_it_is_opened(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "a.wav")
    for name, target in (("b.wav", tmp_path / "gone.wav"), ("c.wav", tmp_path / "c.wav")):
        (tmp_path / name).symlink_to(target)
    found = search([tmp_path]).recordings
    assert found == [path, tmp_path / "b.wav", tmp_path / "c.wav"]
    for broken in found[1:]:
        with pytest.raises(RecordingError, match="cannot be read as audio"):
            open_recording(broken)


def test_a_link_to_a_folder_elsewhere_is_followed(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "card/x.wav")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "card").symlink_to(tmp_path / "card")
    assert search([tmp_path / "here"]).recordings == [tmp_path / "here" / "card" / "x.wav"]
    assert path.exists()


def test_a_folder_that_cannot_be_looked_into_is_told_and_the_others_are_searched(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.wav", "secret/y.wav", "z/z.wav")
    (tmp_path / "secret").chmod(0)
    script = (
        "import sys; from pathlib import Path; from monitor.sources.finding import search\n"
        "found = search([Path(sys.argv[1])]); print(*(p.name for p in found.recordings), sep=';')\n"
        "print(*found.troubles)"
    )
    found = as_nobody(script, tmp_path)
    assert found.splitlines() == ["x.wav;z.wav", f"{tmp_path / 'secret'}: cannot be looked into: Permission denied"]


def test_a_file_that_may_not_be_read_is_one_sentence(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "secret.wav")
    path.chmod(0)
    script = (
        "import sys; from pathlib import Path; from monitor.sources.recordings import open_recording\n"
        "try: open_recording(Path(sys.argv[1]) / 'secret.wav')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    found = as_nobody(script, tmp_path)
    assert found.strip() == f"RecordingError {path}: cannot be read as audio: Permission denied"


def as_nobody(script: str, folder: Path) -> str:
    """Run a script as a user who may read nothing that is not for everybody: root may read all."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody who may not read a file")
    for parent in [folder, *folder.parents]:
        if str(parent).startswith("/tmp/pytest"):  # noqa: S108
            parent.chmod(0o755)
    code = (
        "import os, sys, monitor.sources.recordings, monitor.sources.finding\n"
        f"os.setgid(65534); os.setuid(65534); exec({script!r})"
    )
    finished = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_what_macos_leaves_on_a_card_is_no_recording(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "20260501_041200.WAV")
    touch(tmp_path, "._20260501_041200.WAV")
    assert search([tmp_path]).recordings == [path]


def test_a_pipe_or_a_device_is_no_recording_and_is_not_waited_for(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "a.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    assert search([tmp_path]).recordings == [path]
    for odd in (tmp_path / "pipe.wav", Path("/dev/zero")):
        with pytest.raises(RecordingError, match="cannot be read as audio: not a file"):
            open_recording(odd)


def test_a_file_that_vanishes_is_one_sentence(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "a.wav")
    (found,) = search([tmp_path]).recordings
    path.unlink()
    with pytest.raises(RecordingError, match=r"a.wav: cannot be read as audio: No such file or directory"):
        open_recording(found)


def test_the_first_trouble_is_raised_where_all_must_be_there(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    with pytest.raises(RecordingError, match=r"gone.wav: no such file or folder"):
        find_recordings([tmp_path, tmp_path / "gone.wav"])
