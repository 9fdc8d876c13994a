"""`dawnchorus service install` into the root of another system."""

import stat
import subprocess
from pathlib import Path

import pytest
from command import BIN, dawnchorus, run, sentence
from rigs import required

from monitor import installation
from monitor.errors import MonitorError

PROGRAM = Path("/usr/bin/true")


def test_what_is_installed_is_what_systemd_takes(tmp_path: Path) -> None:
    written = installation.install(tmp_path, PROGRAM)
    assert all(path.is_relative_to(tmp_path) for path in written)
    for name in installation.STATIONS:
        unit = tmp_path / installation.UNITS / name
        assert f"ExecStart={PROGRAM} run" in unit.read_text(encoding="utf-8")
        assert (unit.with_name(f"{name}.d") / "10-station.conf").exists()
    for name in installation.UPKEEP:
        unit = tmp_path / installation.UNITS / name
        assert f"ExecStart={PROGRAM} upkeep" in unit.read_text(encoding="utf-8")
        assert (unit.with_name(f"{name}.d") / "10-upkeep.conf").exists()
    units = [str(tmp_path / installation.UNITS / name) for name in ("dawnchorus.service", "dawnchorus@meadow.service")]
    verified = subprocess.run(
        [required("systemd-analyze"), "verify", "--recursive-errors=yes", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_configuration_is_the_templates_and_a_present_one_is_kept(tmp_path: Path) -> None:
    config = tmp_path / "etc/dawnchorus/config.yaml"
    installation.install(tmp_path, PROGRAM)
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert run(BIN / "dawnchorus", "config", "check", "--config", config).returncode == 0
    config.write_text("station: valley\n", encoding="utf-8")
    installation.install(tmp_path, PROGRAM)
    assert config.read_text(encoding="utf-8") == "station: valley\n"


def test_removal_takes_the_units_and_leaves_the_configuration(tmp_path: Path) -> None:
    installation.install(tmp_path, PROGRAM)
    installation.remove(tmp_path)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == [tmp_path / "etc/dawnchorus/config.yaml"]


def test_a_program_where_the_service_may_not_go_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "dawnchorus"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    with pytest.raises(MonitorError, match="which the service may not enter: install it into /opt or /usr/local"):
        installation.install(tmp_path / "root", program)


def test_a_root_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises(MonitorError, match=r"etc/systemd/system/dawnchorus\.service cannot be written"):
        installation.install(tmp_path, PROGRAM)


def test_the_command_says_what_it_wrote_or_why_it_does_not(tmp_path: Path) -> None:
    result = dawnchorus("service", "install", "--root", tmp_path)
    if result.returncode:
        assert "which the service may not enter" in sentence(result, 1)
    else:
        assert f"wrote {tmp_path}/etc/systemd/system/dawnchorus.service" in result.stdout
    assert dawnchorus("service", "remove", "--root", tmp_path).returncode == 0
