"""What is installed is what was chosen: each pinned file by its hash, and from nowhere in particular."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ROOT / "locks"
HASHED = ("device", "all", "tools")


def pins(name: str) -> dict[str, tuple[str, list[str]]]:
    """Package -> its version, and the hashes of its files."""
    text = (LOCKS / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        package, version = re.match(r"([\w.-]+)==([^\s;]+)", line).groups()  # type: ignore[union-attr]
        found[re.sub(r"[-_.]+", "-", package).lower()] = (version, re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
    return found


@pytest.mark.parametrize("name", HASHED)
def test_every_pinned_package_has_hashes_and_no_index_is_named(name: str) -> None:
    found = pins(name)
    assert [package for package, (_, hashes) in found.items() if not hashes] == []
    assert len(found) > 20
    assert "://" not in (LOCKS / f"{name}.txt").read_text(encoding="utf-8")


def test_a_device_gets_the_versions_that_the_tests_ran_with() -> None:
    everything = pins("all")
    assert {name: one for name, one in pins("device").items() if everything.get(name) != one} == {}


@pytest.mark.parametrize(
    ("lock", "extras"), [("device", {"demo", "web"}), ("all", {"demo", "training", "export", "dev"})]
)
def test_the_lock_pins_every_dependency(lock: str, extras: set[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    wanted = {_name(line) for lines in [project["dependencies"], *(optional[e] for e in extras)] for line in lines}
    assert wanted - {"dawnchorus", "torch"} <= set(pins(lock))


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9_.-]", requirement)[0].lower().replace("_", "-")
