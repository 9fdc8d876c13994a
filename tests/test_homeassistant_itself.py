"""Home Assistant itself finds the station, and shows it right whoever starts again."""

import json
import os
import subprocess
from pathlib import Path
from typing import Self

import pytest
from rigs import ROOT, Broker, Daemon, configure, recordings, until
from singer import in_turns

HOME_ASSISTANT = Path(os.environ.get("DAWNCHORUS_HOMEASSISTANT") or ROOT / "build" / "homeassistant")
"""an environment that has Home Assistant itself, which wants other versions of libraries than ours"""


class RealHouse:
    """Home Assistant itself, without its web server."""

    def __init__(self, port: int, folder: Path) -> None:
        folder.mkdir()
        self._notes = folder / "house.states"
        program = Path(__file__).with_name("homeassistant_core.py")
        command = [HOME_ASSISTANT / "bin" / "python", program, str(port)]
        with self._notes.open("wb") as notes, (folder / "house.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=notes, stderr=log)

    def states(self) -> dict[str, str]:
        """All entities and their states."""
        told = [json.loads(line) for line in self._notes.read_text(encoding="utf-8").split("\n")[:-1]]
        return {name: state[0] for name, state in dict(told).items() if state is not None}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self._process.kill()
        self._process.wait()


def shown(house: RealHouse) -> dict[str, str]:
    """The station's entities."""
    return {name: state for name, state in house.states().items() if ".valley_" in name}


def test_home_assistant_itself_shows_the_station_after_a_restart_of_either_side(broker: Broker, tmp_path: Path) -> None:
    if not HOME_ASSISTANT.is_dir():
        pytest.skip(f"not on this system: Home Assistant in {HOME_ASSISTANT}")
    played = in_turns(tmp_path)

    def station(*species: str) -> Daemon:
        mqtt = {"host": "127.0.0.1", "port": broker.port, "homeassistant": {"species": list(species)}}
        return Daemon(configure(tmp_path, recordings(played, speed=2), broker.port, mqtt=mqtt))

    tit, owl, last = "binary_sensor.valley_great_tit", "binary_sensor.valley_little_owl", "sensor.valley_last_species"
    with RealHouse(broker.port, tmp_path / "first") as house, station("Parus major", "Little Owl") as daemon:
        until(lambda: house.states().get(tit) == "on", "the great tit is on")
        until(lambda: house.states().get(last) == "Great Tit", "it was the last species")
        assert house.states()[owl] == "off"
        assert len(shown(house)) == 11
        with RealHouse(broker.port, tmp_path / "second") as second:
            until(lambda: second.states().get(last) == "Great Tit", "a house that starts later knows it")
        daemon.stop(10)
        until(lambda: set(shown(house).values()) == {"unavailable"}, "the station is away")
        with station("Parus major"):
            until(lambda: house.states().get(last) == "Great Tit", "the station is back")
            until(lambda: owl not in house.states(), "the owl is gone")
            assert tit in house.states()
