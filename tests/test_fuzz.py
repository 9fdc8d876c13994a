"""Some thousand damaged inputs for every parser of foreign bytes, as `benchmarks/fuzz.py` tries a million."""

import subprocess
import sys
from pathlib import Path

import pytest
from rigs import ROOT

from monitor.config.reading import parse
from monitor.errors import ConfigError

FUZZ = ROOT / "benchmarks" / "fuzz.py"


def test_five_thousand_damaged_inputs_are_read_or_refused_in_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, str(FUZZ), "5000", "--seed", "7", "--keep", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    tried = int(done.stdout.splitlines()[-1].split()[0])
    assert tried >= 5000


@pytest.mark.parametrize("before", ["log: ", "source: {kind: ", "station: "])
def test_a_little_yaml_that_stands_for_very_much_is_refused_in_a_short_sentence(before: str) -> None:
    lists = [f"&a{n} [{', '.join([f'*a{n - 1}'] * 9 if n else ['x'] * 9)}]" for n in range(12)]
    with pytest.raises(ConfigError) as refused:
        parse(f"{before}[{', '.join(lists)}]{'}' if '{' in before else ''}\n")
    assert len(str(refused.value)) < 1000


def test_a_number_of_more_digits_than_can_be_written_is_refused() -> None:
    with pytest.raises(ConfigError, match="a number of very many digits"):
        parse(f"station: 0x{'f' * 10_000}\n")
