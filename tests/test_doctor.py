"""The commissioning check with real parts: a sound server, a broker, full and slow disks, a tree of /sys."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from rich.console import Console
from rigs import RATE, Broker, SoundServer, answers, configure, free_port, need_root, required, run, song, until

from monitor.cli.meter import Meter, bar
from monitor.config.reading import parse
from monitor.config.settings import Config
from monitor.config.source import PipeSource, RecordingsSource
from monitor.doctor import disk, machine, model, sound
from monitor.doctor.broker import broker as broker_check
from monitor.doctor.examine import Check, bounded
from monitor.doctor.finding import Finding, Light, Report, worst
from monitor.doctor.listening import source
from monitor.levels import OctaveMeter
from monitor.pictures.terminal import COLUMNS, ROWS, drawn, spectrogram
from monitor.records import Block, Samples
from monitor.soundscape import soundscape, wind

MICROPHONE = {"kind": "microphone", "device": "mic", "sample_rate": RATE}


def said(*arguments: object, environment: dict[str, str] | None = None) -> tuple[int, dict[str, list[Finding]]]:
    """Exit code and findings by check, of the command as it is installed."""
    finished = run("doctor", "--json", *arguments, environment=environment)
    report = msgspec.json.decode(finished.stdout, type=Report)
    assert report.light == worst(report.findings)
    found: dict[str, list[Finding]] = {}
    for finding in report.findings:
        found.setdefault(finding.check, []).append(finding)
    return finished.returncode, found


def unheard(rate: int, block: Block) -> None:
    """Show nothing."""


def light(found: dict[str, list[Finding]], check: str) -> Light:
    """The light of the only finding of a check."""
    (finding,) = found[check]
    assert bool(finding.advice) == (finding.light is not Light.GREEN)
    return finding.light


def judged(samples: Samples) -> dict[str, Finding]:
    """What is found in some sound, by check."""
    meter = OctaveMeter(RATE)
    meter.add(samples.astype(np.float32))
    levels = meter.take()
    assert levels is not None
    return {finding.check: finding for finding in sound.findings(levels)}


@pytest.fixture
def playing(sound_server: SoundServer, tmp_path: Path) -> Iterator[Callable[[Samples], None]]:
    """Play sound against the wall until the test ends."""
    started: list[subprocess.Popen[bytes]] = []

    def play(samples: Samples) -> None:
        soundfile.write(tmp_path / "played.wav", samples, RATE, subtype="PCM_16")
        started.append(sound_server.play(tmp_path / "played.wav"))

    yield play
    for process in started:
        process.kill()
        process.wait()


def test_a_station_in_order_has_no_red_light(
    sound_server: SoundServer, playing: Callable[[Samples], None], broker: Broker, tmp_path: Path
) -> None:
    config = configure(tmp_path, MICROPHONE, broker.port)
    playing(np.tile(soundscape(RATE), 2))
    code, found = said("--config", config, "--seconds", 2, environment=sound_server.environment)
    assert code == 0, found
    green = {check for check, findings in found.items() if all(one.light is Light.GREEN for one in findings)}
    assert green >= {"configuration", "source", "rate", "level", "clipping", "offset", "hum", "access", "privacy"}
    assert green >= {"disk space", "model", "speed", "broker", "topics"}


def test_a_muted_microphone_is_red_and_all_other_checks_go_on(sound_server: SoundServer, tmp_path: Path) -> None:
    config = configure(tmp_path, MICROPHONE, free_port())
    code, found = said("--config", config, "--seconds", 1, environment=sound_server.environment)
    assert code == 1
    assert light(found, "level") is Light.RED
    assert "exactly zero" in found["level"][0].found
    assert light(found, "model") is Light.GREEN
    assert light(found, "broker") is Light.RED
    assert "Connection refused" in found["broker"][0].found


def test_without_the_microphone_a_person_reads_which_there_are(sound_server: SoundServer, tmp_path: Path) -> None:
    config = configure(tmp_path, MICROPHONE | {"device": "parabola"}, free_port())
    finished = run("doctor", "--config", config, environment=sound_server.environment)
    assert finished.returncode == 1
    lines = finished.stdout.splitlines()
    (missing,) = (line for line in lines if line.startswith("red    source "))
    assert "Microphone 'parabola': no input fits; there are: " in missing
    assert "'mic'" in missing
    assert "See `dawnchorus devices`, plug it in" in lines[lines.index(missing) + 1]
    assert any(line.startswith("green  model ") for line in lines)
    assert any(line.startswith("red    broker ") for line in lines)
    assert lines[-1] == "red: this station will not do its work; mend what is red."


def test_a_frozen_sound_server_is_told_within_seconds(sound_server: SoundServer, tmp_path: Path) -> None:
    config = configure(tmp_path, MICROPHONE, free_port())
    sound_server.freeze()
    code, found = said("--config", config, "--seconds", 1, environment=sound_server.environment)
    assert (code, light(found, "source")) == (1, Light.RED)
    assert "does not answer" in found["source"][0].found
    assert light(found, "model") is Light.GREEN


def test_recordings_as_a_source_are_counted_and_missed(tmp_path: Path) -> None:
    played = RecordingsSource(paths=[str(song(tmp_path / "a.wav"))])
    (there,) = source(played, 1, unheard)
    assert (there.light, there.found[:1]) == (Light.GREEN, "1")
    (tmp_path / "a.wav").unlink()
    (missing,) = source(played, 1, unheard)
    assert missing.light is Light.RED


def test_what_comes_through_a_pipe_is_left_to_the_service() -> None:
    (found,) = source(PipeSource(), 1, unheard)
    assert (found.light, found.found[:15]) == (Light.AMBER, "Could not look:")


def test_a_wrong_configuration_is_one_sentence_and_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("sation: valley\n", encoding="utf-8")
    finished = run("doctor", "--json", "--config", tmp_path / "config.yaml")
    assert finished.returncode == 78
    assert finished.stderr.count("\n") == 1
    assert "unknown key 'sation': did you mean 'station'?" in finished.stderr
    assert run("doctor", "--seconds", "0").returncode == 2


def sine(hz: float, amplitude: float) -> Samples:
    """Ten seconds."""
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(10 * RATE) / RATE)).astype(np.float32)


BREEZE = 0.003 * wind(RATE, 10, np.random.default_rng(5))


@pytest.mark.parametrize(
    ("samples", "check", "expected"),
    [
        (BREEZE, None, None),
        (BREEZE * 0.01, "level", Light.AMBER),
        (np.round(BREEZE * 0.02 * 32_768) / 32_768, "level", Light.AMBER),
        (np.zeros(RATE), "level", Light.RED),
        (sine(300, 0.9), "level", Light.AMBER),
        (np.clip(sine(300, 1.5), -1, 1), "clipping", Light.RED),
        (BREEZE + np.eye(1, 10 * RATE, 700)[0], "clipping", Light.AMBER),
        (BREEZE + 0.03, "offset", Light.AMBER),
        (BREEZE - 0.3, "offset", Light.RED),
        (BREEZE + sine(50, 0.01) + sine(100, 0.005) + sine(150, 0.005), "hum", Light.AMBER),
        (BREEZE + sine(60, 0.01) + sine(180, 0.005), "hum", Light.AMBER),
        (BREEZE[: RATE // 4], "hum", Light.AMBER),
    ],
)
def test_each_fault_of_the_sound_lights_its_own_lamp(
    samples: Samples, check: str | None, expected: Light | None
) -> None:
    found = judged(samples)
    assert {name: one.light for name, one in found.items() if one.light is not Light.GREEN} | {check: expected} == (
        {check: expected} if check is None else {name: found[name].light for name in found if found[name].advice}
    )
    if check is not None:
        assert found[check].light is expected


def sys_tree(root: Path, temperatures: list[str], throttled: str | None = None) -> Path:
    """A tree as the kernel of a small computer shows it."""
    for index, text in enumerate(temperatures):
        zone = root / "sys/class/thermal" / f"thermal_zone{index}"
        zone.mkdir(parents=True)
        (zone / "temp").write_text(f"{text}\n", encoding="ascii")
    if throttled is not None:
        firmware = root / "sys/devices/platform/soc/soc:firmware"
        firmware.mkdir(parents=True)
        (firmware / "get_throttled").write_text(f"{throttled}\n", encoding="ascii")
    return root


@pytest.mark.parametrize(
    ("temperatures", "throttled", "lights"),
    [
        (["48000", "51000"], "0", "green green"),
        (["48000", "74000"], None, "amber"),
        (["83500"], "0", "red green"),
        ([], "0", "amber green"),
        (["asleep", "41000"], None, "green"),
        (["41000"], "50005", "green red"),
        (["41000"], "50000", "green amber"),
        (["41000"], "broken", "green amber"),
    ],
)
def test_heat_and_a_weak_supply_are_seen(
    tmp_path: Path, temperatures: list[str], throttled: str | None, lights: str
) -> None:
    found = machine.temperature(sys_tree(tmp_path, temperatures, throttled))
    assert " ".join(finding.light for finding in found) == lights


def test_what_slows_the_processor_down_is_named(tmp_path: Path) -> None:
    _, found = machine.temperature(sys_tree(tmp_path, ["41000"], "50005"))
    assert found.found == "The processor is slowed down by too low a supply voltage and throttling."


def test_the_clock_says_as_much_as_the_kernel_does() -> None:
    (found,) = machine.clock()
    synchronised = "synchronised, at most" in found.found
    assert (found.light is Light.GREEN) == synchronised
    assert f"{time.gmtime().tm_year}-" in found.found


def at(folder: Path, **others: Any) -> Config:  # noqa: ANN401
    """A configuration whose store lies in a folder."""
    return parse(json.dumps({"store": {"directory": str(folder)}} | others))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte."""
    need_root()
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)], check=True)
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_red(small_disk: Path) -> None:
    assert [one.light for one in disk.storage(at(small_disk)) if one.check == "disk space"] == [Light.RED]
    (small_disk / "ballast").write_bytes(bytes((1 << 20) - 8192))
    with (small_disk / "rest").open("wb", buffering=0) as rest:
        for _ in range(2):
            rest.write(bytes(4096))
    (found,) = disk.storage(at(small_disk))
    assert found.light is Light.RED
    assert found.found == f"{small_disk} cannot be written: No space left on device."
    assert {path.name for path in small_disk.iterdir()} == {"ballast", "rest"}


def test_a_folder_that_is_yet_to_be_made_is_not_made_by_the_doctor(tmp_path: Path) -> None:
    found = disk.storage(at(tmp_path / "a" / "store", clips={"directory": str(tmp_path / "b")}))
    assert {finding.check for finding in found} == {"disk speed", "disk space"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("mode", "expected"), [(0o600, Light.GREEN), (0o640, Light.GREEN), (0o644, Light.AMBER)])
def test_a_password_that_everybody_may_read_is_amber(tmp_path: Path, mode: int, expected: Light) -> None:
    password = tmp_path / "password"
    password.write_text("wren song\n", encoding="utf-8")
    password.chmod(mode)
    found = disk.access(at(tmp_path, mqtt={"username": "station", "password_file": str(password)}), None)
    assert found[-1].light is expected


def test_what_everybody_may_change_is_amber_and_what_is_missing_red(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.touch()
    config.chmod(0o666)
    missing = str(tmp_path / "password")
    found = disk.access(at(tmp_path, mqtt={"username": "station", "password_file": missing}), config)
    assert [one.light for one in found] == [Light.GREEN, Light.AMBER, Light.RED]
    assert "Could not look: password file" in found[2].found


def test_the_privacy_statement_says_what_is_kept(tmp_path: Path) -> None:
    (nothing,) = disk.privacy(at(tmp_path))
    assert nothing.found == "No sound is kept or sent: only detections and levels leave the memory."
    clips = tmp_path / "clips"
    clips.mkdir()
    for mode, expected in ((0o750, Light.GREEN), (0o755, Light.AMBER)):
        clips.chmod(mode)
        (found,) = disk.privacy(at(tmp_path, clips={"directory": str(clips)}))
        assert found.light is expected
        assert "except where a voice detector finds speech" in found.found


def test_a_damaged_model_or_an_unknown_species_is_red_and_a_slow_model_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    (found,) = model.models(at(tmp_path, model=str(tmp_path / "bad.onnx")))
    assert (found.check, found.light) == ("model", Light.RED)
    (found,) = model.models(at(tmp_path, species={"include": ["Parus majr"]}))
    assert "Parus majr" in found.found
    _, speed = model.models(at(tmp_path, detection={"step_s": 0.0001}))
    assert (speed.check, speed.light) == ("speed", Light.RED)


def guarded(new_broker: Callable[..., Broker], folder: Path, *settings: str) -> Broker:
    """A broker that lets in a user named station, whose password is `wren song`."""
    passwords = folder / "passwords"
    subprocess.run([required("mosquitto_passwd"), "-b", "-c", str(passwords), "station", "wren song"], check=True)
    return new_broker("allow_anonymous false", f"password_file {passwords}", *settings)


@pytest.mark.parametrize(("password", "expected"), [("wren song", Light.GREEN), ("robin song", Light.RED)])
def test_a_broker_refuses_a_wrong_password(
    new_broker: Callable[..., Broker], tmp_path: Path, password: str, expected: Light
) -> None:
    broker = guarded(new_broker, tmp_path)
    (tmp_path / "password").write_text(password, encoding="utf-8")
    mqtt = {"host": "127.0.0.1", "port": broker.port, "username": "station"}
    found = broker_check(at(tmp_path, mqtt=mqtt | {"password_file": str(tmp_path / "password")}))
    assert found[0].light is expected
    if expected is Light.RED:
        assert found[0].found.endswith("it refuses these credentials: Not authorized.")


def test_a_topic_that_may_not_be_written_is_named(new_broker: Callable[..., Broker], tmp_path: Path) -> None:
    rules = tmp_path / "acl"
    levels = ("status", "effort", "corrections", "health", "verdicts")
    rules.write_text("".join(f"topic write dawnchorus/station/{level}\n" for level in levels), encoding="utf-8")
    broker = new_broker(f"acl_file {rules}")
    reached, refused = broker_check(at(tmp_path, mqtt={"host": "127.0.0.1", "port": broker.port}))
    assert reached.light is Light.GREEN
    assert refused.light is Light.RED
    refusals = "dawnchorus/station/detections (Not authorized), dawnchorus/station/dropped (Not authorized)"
    assert refused.found == f"The broker refuses {refusals}."


def test_the_check_leaves_the_status_that_is_retained_alone(broker: Broker, tmp_path: Path) -> None:
    ask = ["-h", "127.0.0.1", "-p", str(broker.port), "-t", "dawnchorus/station/status"]
    subprocess.run([required("mosquitto_pub"), *ask, "-r", "-m", "online"], check=True)
    broker_check(at(tmp_path, mqtt={"host": "127.0.0.1", "port": broker.port}))
    heard = subprocess.run(
        [required("mosquitto_sub"), *ask, "-C", "1", "-W", "5"], capture_output=True, text=True, check=True
    )
    assert heard.stdout == "online\n"


def test_where_messages_are_packed_only_their_topic_is_asked_for(
    new_broker: Callable[..., Broker], tmp_path: Path
) -> None:
    rules = tmp_path / "acl"
    levels = ("status", "health", "batches")
    rules.write_text("".join(f"topic write dawnchorus/station/{level}\n" for level in levels), encoding="utf-8")
    mqtt = {"host": "127.0.0.1", "port": new_broker(f"acl_file {rules}").port, "batch": {}}
    found = broker_check(at(tmp_path, mqtt=mqtt))
    assert [one.light for one in found] == [Light.GREEN, Light.GREEN]


def test_of_several_brokers_each_is_told_and_one_that_is_there_will_do(broker: Broker, tmp_path: Path) -> None:
    dead, alive = {"host": "127.0.0.1", "port": free_port()}, {"host": "127.0.0.1", "port": broker.port}
    gone, there, topics = broker_check(at(tmp_path, mqtt={"brokers": [dead, alive]}))
    assert [gone.light, there.light, topics.light] == [Light.AMBER, Light.GREEN, Light.GREEN]
    assert f"No connection to 127.0.0.1:{dead['port']}: it cannot be reached: Connection refused." in gone.found
    assert {one.light for one in broker_check(at(tmp_path, mqtt={"brokers": [dead, dead]}))} == {Light.RED}


def test_a_broker_that_speaks_through_websockets_is_examined(new_broker: Callable[..., Broker], tmp_path: Path) -> None:
    port = free_port()
    new_broker(f"listener {port} 127.0.0.1", "protocol websockets")
    until(lambda: answers(port), "the broker listens")
    found = broker_check(at(tmp_path, mqtt={"host": "127.0.0.1", "port": port, "websocket_path": "/mqtt"}))
    assert [one.light for one in found] == [Light.GREEN, Light.GREEN]


def test_a_password_file_that_is_not_there_is_named(broker: Broker, tmp_path: Path) -> None:
    mqtt = {"host": "127.0.0.1", "port": broker.port, "username": "x", "password_file": str(tmp_path / "none")}
    (found,) = broker_check(at(tmp_path, mqtt=mqtt))
    assert found.light is Light.RED
    assert "No such file or directory" in found.found


def test_a_check_that_hangs_or_breaks_could_not_look_and_the_next_goes_on() -> None:
    release = threading.Event()

    def hang() -> list[Finding]:
        release.wait(20)
        return []

    (found,) = bounded(Check("hanging", hang, limit_s=0.1))
    release.set()
    assert (found.light, found.found) == (Light.RED, "Could not look: no answer within 0.1 s.")

    def refuse() -> list[Finding]:
        msg = "nobody there"
        raise OSError(msg)

    (found,) = bounded(Check("broken", refuse))
    assert found.found == "Could not look: nobody there."


def test_a_check_with_a_fault_of_its_own_is_no_green_light(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda told_of: told.append(told_of.exc_type))

    def fail() -> list[Finding]:
        raise ZeroDivisionError

    (found,) = bounded(Check("faulty", fail))
    assert found.light is Light.RED
    until(lambda: told == [ZeroDivisionError], "the fault is reported")


def test_the_picture_shows_a_tone_at_its_pitch_and_time() -> None:
    samples = np.zeros(4 * RATE, np.float32)
    samples[2 * RATE : 3 * RATE] = sine(4000, 0.5)[:RATE]
    picture = spectrogram(samples + BREEZE[: 4 * RATE].astype(np.float32) * 0.1, RATE)
    assert picture.shape == (ROWS, COLUMNS)
    row, column = np.unravel_index(picture.argmax(), picture.shape)
    assert 2 / 4 <= column / COLUMNS <= 3 / 4
    low, high = (60 * (RATE / 2 / 60) ** (edge / ROWS) for edge in (row, row + 1))
    assert low * 0.95 <= 4000 <= high * 1.05
    lines = drawn(picture, RATE).plain.splitlines()
    assert len(lines) == ROWS // 2
    assert lines[0].startswith("  20 kHz ▀")


@pytest.mark.parametrize("rate", [8000, 48_000, 384_000])
@pytest.mark.parametrize("count", [1, 100, 30_000])
def test_a_picture_can_be_made_of_any_sound(rate: int, count: int) -> None:
    for samples in (np.zeros(count, np.float32), np.ones(count, np.float32)):
        assert drawn(spectrogram(samples, rate), rate).plain.count("\n") == ROWS // 2


def test_the_meter_shows_the_level_while_it_listens_and_the_picture_afterwards() -> None:
    console = Console(force_terminal=True, color_system="truecolor", width=120, record=True, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    meter = Meter(console, visible=True)
    for start in range(0, RATE, 4800):
        meter.show(RATE, Block(start, sine(1000, 0.1)[start : start + 4800]))
    meter.close()
    meter.close()
    text = console.export_text()
    assert text.count("20 kHz") == 1
    hidden = Meter(console, visible=False)
    hidden.show(RATE, Block(0, sine(1000, 0.1)[:4800]))
    hidden.close()
    assert console.export_text().strip() in {"", text.strip()}


def test_the_bar_is_as_long_as_the_level_is_high_and_says_when_it_clips() -> None:
    soft, loud = bar(-60, -50, clipped=False).plain, bar(-20, 0, clipped=True).plain
    assert soft.count("█") == 20
    assert loud.count("█") == 47
    assert loud.endswith("CLIPPED")
    assert bar(-200, -200, clipped=False).plain.count("█") == 0
