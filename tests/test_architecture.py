"""What holds for the repository as a whole."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from export.card import card
from monitor.classifier import STARTER, Classifier

ROOT = Path(__file__).parent.parent


def test_the_rooms_import_only_what_they_may() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports")]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout


def test_the_device_imports_neither_torch_nor_training_nor_export() -> None:
    code = (
        "import sys, monitor.cli, monitor.service.serve, monitor.batch, monitor.demo\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(finished.stdout.split())
    assert not loaded & {"torch", "onnx", "training", "export", "librosa", "matplotlib", "pandas"}
    assert "onnxruntime" in loaded


@pytest.mark.parametrize(("lock", "extras"), [("device", {"demo"}), ("all", {"demo", "training", "export", "dev"})])
def test_the_lock_pins_every_dependency_once(lock: str, extras: set[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    wanted = {_name(line) for lines in [project["dependencies"], *(optional[e] for e in extras)] for line in lines}
    pins = [line.split("==") for line in (ROOT / "locks" / f"{lock}.txt").read_text(encoding="utf-8").split()]
    names = [_name(name) for name, _version in pins]
    assert len(set(names)) == len(names)
    assert wanted - {"dawnchorus"} <= set(names)


def test_both_locks_agree() -> None:
    device, everything = (
        set((ROOT / "locks" / f"{n}.txt").read_text(encoding="utf-8").split()) for n in ("device", "all")
    )
    assert device <= everything


def test_the_card_of_the_bundled_model_says_what_its_contract_says() -> None:
    assert STARTER.with_suffix(".md").read_text(encoding="utf-8") == card(Classifier().contract)


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9_.-]", requirement)[0].lower().replace("_", "-")
