"""The installed command: what it prints, what it refuses, and the exit code it says so with."""

import json
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
import soundfile
import typer
import yaml
from command import COMMAND, dawnchorus, run, sentence
from synthetic import RATE, great_tit, read_table

from monitor import cli
from monitor.classifier import STARTER, Classifier
from monitor.config.mqtt import Mqtt
from monitor.config.reading import parse
from monitor.config.settings import Config
from monitor.config.template import TEMPLATE
from monitor.contract import KEY, VERSION

USAGE, CONFIGURATION = 2, 78


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:  # noqa: ANN401
    """Every command of the program, as the words that call it."""
    if not hasattr(command, "commands"):
        yield path
        return
    for name, below in command.commands.items():
        yield from commands(below, (*path, name))


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "garden.wav"
    soundfile.write(path, great_tit(), RATE)
    return path


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Write a configuration."""

    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def with_contract(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The bundled model with another contract."""
    model = onnx.load(STARTER)
    contract = json.loads(next(entry.value for entry in model.metadata_props if entry.key == KEY))
    change(contract)
    onnx.helper.set_model_props(model, {KEY: json.dumps(contract)})
    onnx.save(model, path)
    return path


# Help and versions


@pytest.mark.parametrize("words", list(commands(typer.main.get_command(cli.app))), ids=" ".join)
def test_the_help_of_every_command_holds_an_example(words: tuple[str, ...]) -> None:
    result = dawnchorus(*words, "--help")
    assert result.returncode == 0
    assert not result.stderr
    assert "Example" in result.stdout
    assert f"dawnchorus {' '.join(words)}" in " ".join(result.stdout.partition("Example")[2].split())


def test_the_program_and_its_groups_list_their_commands() -> None:
    everything = dawnchorus("--help")
    below = dawnchorus("config", "--help")
    assert everything.returncode == below.returncode == 0
    assert all(f" {name} " in everything.stdout for name in ("run", "analyze", "demo", "devices", "model", "config"))
    assert all(f" {name} " in below.stdout for name in ("init", "check", "schema"))


def test_python_m_monitor_is_the_same_program() -> None:
    by_module = run(sys.executable, "-m", "monitor", "--version")
    assert by_module.returncode == 0
    assert by_module.stdout == dawnchorus("--version").stdout == f"dawnchorus {version('dawnchorus')}\n"


# Wrong usage


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--loudly",), "--loudly"),
        (("--step", "0"), "--step"),
        (("--step", "5"), "--step"),
        (("--step", "nan"), "--step"),
        (("--step", "soon"), "--step"),
        (("--threshold", "2"), "--threshold"),
        (("--threshold", "nan"), "--threshold"),
        (("--scores", "-0.1"), "--scores"),
        (("--format", "xml"), "--format"),
    ],
    ids=" ".join,
)
def test_an_option_that_is_not_allowed_is_wrong_usage_and_writes_nothing(
    words: tuple[str, ...], named: str, wav: Path, tmp_path: Path
) -> None:
    result = dawnchorus("analyze", wav, "-o", tmp_path / "out", *words)
    assert result.returncode == USAGE
    assert named in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [("analyze",), ("sing",), ("demo", "--mic", "--audio", "x.wav")], ids=" ".join)
def test_a_call_that_makes_no_sense_is_wrong_usage(words: tuple[str, ...]) -> None:
    result = dawnchorus(*words)
    assert result.returncode == USAGE
    assert "Usage:" in result.stderr
    assert "Traceback" not in result.stderr


# Configuration


def test_init_writes_a_configuration_that_is_valid_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.yaml"
    assert dawnchorus("config", "init", path).returncode == 0
    assert parse(path.read_text(encoding="utf-8")) == Config()


def test_init_refuses_to_overwrite(written: Callable[[str], Path]) -> None:
    path = written("station: mine\n")
    told = sentence(dawnchorus("config", "init", path), 1)
    assert str(path) in told
    assert "exists" in told
    assert path.read_text(encoding="utf-8") == "station: mine\n"


def test_check_prints_what_is_in_force_and_that_is_a_configuration(written: Callable[[str], Path]) -> None:
    result = dawnchorus("config", "check", "-c", written("station: pond\nmqtt: {port: 8883, tls: true}\n"))
    assert result.returncode == 0
    in_force = yaml.safe_load(result.stdout)
    assert (in_force["station"], in_force["mqtt"]["port"], in_force["mqtt"]["tls"]) == ("pond", 8883, True)
    assert in_force["mqtt"]["keepalive_s"] == Mqtt().keepalive_s
    assert dawnchorus("config", "check", "-c", written(result.stdout)).stdout == result.stdout


def test_check_prints_names_as_they_are_written(written: Callable[[str], Path]) -> None:
    device = "hw:100:0 [/x] [red] :bird: a\\[b]"
    result = dawnchorus(
        "config", "check", "-c", written(yaml.safe_dump({"source": {"kind": "microphone"} | {"device": device}}))
    )
    assert result.returncode == 0
    assert yaml.safe_load(result.stdout)["source"]["device"] == device


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("statoin: pond\n", ("statoin", "station")),
        ("mqtt: {prot: 1883}\n", ("mqtt.prot", "port")),
        ("mqtt: {port: 99999}\n", ("mqtt.port", "99999")),
        ("detection: {threshold: 2}\n", ("detection.threshold", "2")),
        ("log: loud\n", ("log", "loud", "warning")),
        ("source: {kind: gramophone}\n", ("source.kind", "gramophone", "microphone")),
        ("- a\n- list\n", ("expected keys and values",)),
        ("a: [\n", ("not YAML",)),
    ],
)
@pytest.mark.parametrize("command", [("config", "check"), ("run",)], ids=" ".join)
def test_a_wrong_configuration_is_one_sentence_that_names_key_and_value(
    command: tuple[str, ...], text: str, named: tuple[str, ...], written: Callable[[str], Path]
) -> None:
    path = written(text)
    told = sentence(dawnchorus(*command, "--config", path), CONFIGURATION)
    assert all(word in told for word in (str(path), *named))


@pytest.mark.parametrize("command", [("config", "check"), ("run",)], ids=" ".join)
def test_a_missing_configuration_file_is_a_wrong_configuration(command: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "nowhere.yaml"
    assert str(path) in sentence(dawnchorus(*command, "--config", path), CONFIGURATION)


@pytest.mark.parametrize("zone", ["Nowhere/Atall", "+25:00", "../../etc/passwd", "summer"])
def test_an_unknown_time_zone_is_a_wrong_configuration(zone: str, wav: Path, tmp_path: Path) -> None:
    told = sentence(dawnchorus("analyze", wav, "-o", tmp_path / "out", "--timezone", zone), CONFIGURATION)
    assert zone in told
    assert not (tmp_path / "out").exists()


def test_the_schema_is_a_json_schema_that_takes_the_template_and_refuses_nonsense() -> None:
    result = dawnchorus("config", "schema")
    assert result.returncode == 0
    schema = json.loads(result.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(yaml.safe_load(TEMPLATE))
    assert not validator.is_valid({"mqtt": {"port": 0}})
    assert not validator.is_valid({"source": {"kind": "gramophone"}})


# The model


def test_the_bundled_model_says_what_its_contract_says() -> None:
    result = dawnchorus("model")
    contract = Classifier().contract
    assert result.returncode == 0
    assert not result.stderr
    assert contract.name in result.stdout
    assert contract.provenance.licence in result.stdout
    for label in contract.labels:
        line = next(line for line in result.stdout.splitlines() if label.scientific_name in line)
        assert label.common_name in line
        assert f"{label.threshold:.2f}" in line
    assert all(source in result.stdout for source in contract.provenance.attribution)


def test_names_in_a_foreign_model_are_printed_as_they_are(tmp_path: Path, wav: Path) -> None:
    def rename(contract: dict[str, Any]) -> None:
        contract["name"] = "valley [/x] :bird:"
        for label in contract["labels"]:
            label["common_name"] = f"{label['common_name']} [red]"

    path = with_contract(tmp_path / "[bold] valley.onnx", rename)
    shown = dawnchorus("model", path)
    assert shown.returncode == 0, shown.stderr
    assert f"valley [/x] :bird:  {path}" in shown.stdout
    assert "Great Tit [red]" in shown.stdout
    assert "Great Tit [red]" in dawnchorus("analyze", wav, "-m", path, "-o", tmp_path).stdout


def _missing(path: Path) -> Path:
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _empty(path: Path) -> Path:
    path.touch()
    return path


def _text(path: Path) -> Path:
    path.write_text("this is no model\n", encoding="utf-8")
    return path


def _truncated(path: Path) -> Path:
    content = STARTER.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def _without_contract(path: Path) -> Path:
    model = onnx.load(STARTER)
    onnx.helper.set_model_props(model, {})
    onnx.save(model, path)
    return path


def _without_its_weights(path: Path) -> Path:
    onnx.save(onnx.load(STARTER), path, save_as_external_data=True, location="weights", size_threshold=0)
    (path.parent / "weights").unlink()
    return path


def _other_scores(path: Path) -> Path:
    return with_contract(path, lambda c: c["parity"].update(scores=[1 - score for score in c["parity"]["scores"]]))


def _one_label_less(path: Path) -> Path:
    return with_contract(path, lambda c: (c["labels"].pop(), c["parity"]["scores"].pop()))


def _one_score_less(path: Path) -> Path:
    return with_contract(path, lambda c: c["parity"]["scores"].pop())


def _newer(path: Path) -> Path:
    return with_contract(path, lambda c: c.update(version=VERSION + 1))


def _other_window(path: Path) -> Path:
    return with_contract(path, lambda c: c.update(window_samples=c["window_samples"] * 2))


def _damaged_sound(path: Path) -> Path:
    return with_contract(path, lambda c: c["parity"].update(samples=c["parity"]["samples"][:5]))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_missing, "no such file"),
        (_folder, "no such file"),
        (_empty, "not an ONNX file"),
        (_text, "not an ONNX file"),
        (_truncated, "not an ONNX file"),
        (_without_its_weights, "not an ONNX file that this runtime can run"),
        (_without_contract, f"no key {KEY}"),
        (_other_scores, "parity check failed"),
        (_one_label_less, "labels"),
        (_one_score_less, "labels but a parity check for"),
        (_newer, f"contract version {VERSION + 1}"),
        (_other_window, "but its contract says"),
        (_damaged_sound, "parity sound"),
    ],
)
def test_a_bad_model_is_refused_in_one_sentence(make: Callable[[Path], Path], said: str, tmp_path: Path) -> None:
    path = make(tmp_path / "valley.onnx")
    told = sentence(dawnchorus("model", path), 1)
    assert str(path) in told
    assert said in told


def test_nothing_is_written_with_a_bad_model(wav: Path, tmp_path: Path) -> None:
    told = sentence(dawnchorus("analyze", wav, "-m", _text(tmp_path / "valley.onnx"), "-o", tmp_path / "out"), 1)
    assert "valley.onnx" in told
    assert not (tmp_path / "out").exists()


# The device


BLOCKER = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "onnx", "training", "export", "pandas", "matplotlib"}:
            raise ImportError(f"{name} is not on a device")

sys.meta_path.insert(0, Refuse())
for name in ("torch", "onnx", "training", "export"):
    try:
        __import__(name)
    except ImportError:
        continue
    sys.exit(f"{name} could be imported")
sys.argv[0] = "dawnchorus"
from monitor.cli import main
main()
"""


def test_the_device_needs_neither_torch_nor_onnx_nor_training_nor_export(wav: Path, tmp_path: Path) -> None:
    result = run(sys.executable, "-c", BLOCKER, "analyze", wav, "-o", tmp_path, folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "Great Tit" in {row["common_name"] for row in read_table(tmp_path / "detections.csv")}


def test_devices_are_listed_or_a_sentence_says_that_there_are_none() -> None:
    result = dawnchorus("devices")
    if result.returncode:
        assert "no " in sentence(result, 1)
    else:
        assert "source: {kind: microphone, device: " in result.stdout


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    result = run("sh", "-c", f"{COMMAND} model | head -n 1", folder=tmp_path)
    assert result.stdout.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_silence_is_heard_and_nothing_is_found_in_it(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "night.wav", np.zeros(5 * RATE), RATE)
    result = dawnchorus("analyze", "night.wav", folder=tmp_path)
    assert result.returncode == 0
    assert "1 of 1 recordings" in result.stdout
    assert "5.0 s heard" in result.stdout
    assert read_table(tmp_path / "detections.csv") == []
