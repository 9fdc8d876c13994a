"""What holds for the repository as a whole."""

import os
import subprocess
import sys
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


def test_the_card_of_the_bundled_model_says_what_its_contract_says() -> None:
    assert STARTER.with_suffix(".md").read_text(encoding="utf-8") == card(Classifier().contract)


@pytest.mark.parametrize("program", ["monitor.cli", "training.cli", "export.cli"])
def test_onnx_runtime_is_told_to_call_nobody_before_it_is_imported(program: str, tmp_path: Path) -> None:
    """It would keep a file about the session where temporary files are, and send it to its maker."""
    code = (
        "import os, sys, importlib\n"
        "class Watch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'onnxruntime':\n"
        "            print(os.environ.get('ORT_DISABLE_TELEMETRY'))\n"
        "sys.meta_path.insert(0, Watch())\n"
        f"importlib.import_module({program!r})\n"
        "from monitor.classifier import Classifier\n"
        "Classifier()"
    )
    place = {**os.environ, "TMPDIR": str(tmp_path)}
    place.pop("ORT_DISABLE_TELEMETRY", None)
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=place)
    assert finished.stdout.split() == ["1"]
    assert list(tmp_path.iterdir()) == []
