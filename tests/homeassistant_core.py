"""Home Assistant itself, as far as MQTT needs it: finds what a broker holds, and prints each state as a line of JSON.

Run by the Python of an environment of its own: `python homeassistant_core.py PORT`. It stays until it is ended. Only
the core and the integration `mqtt` are set up: no web server, no frontend, nothing that is fetched. Tried with 2024.3.3
(Python 3.11) and 2025.1.4 (Python 3.12).
"""

import asyncio
import inspect
import json
import sys
import tempfile
from pathlib import Path

from homeassistant import config_entries, core, loader
from homeassistant.bootstrap import async_load_base_functionality
from homeassistant.setup import async_setup_component

NOT_NEEDED = ("http", "file_upload", "camera", "image")
"""what `mqtt` wants to have beside it, and does not use here"""


async def live(port: int, folder: Path) -> None:
    """Start, and print what changes, for ever."""
    (folder / "configuration.yaml").touch()
    hass = core.HomeAssistant(str(folder))
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await async_load_base_functionality(hass)
    hass.config.components.update(NOT_NEEDED)
    hass.bus.async_listen("state_changed", show)
    await hass.config_entries.async_add(entry(port))
    await async_setup_component(hass, "mqtt", {})
    await hass.async_start()
    await asyncio.Event().wait()


def entry(port: int) -> config_entries.ConfigEntry:
    """What a user would have filled in; later versions want to know more of it."""
    fields = {
        "version": 1,
        "minor_version": 1,
        "domain": "mqtt",
        "title": "mqtt",
        "data": {"broker": "127.0.0.1", "port": port},
        "source": "user",
        "discovery_keys": {},
        "options": {},
        "unique_id": None,
    }
    wanted = inspect.signature(config_entries.ConfigEntry.__init__).parameters
    return config_entries.ConfigEntry(**{name: fields[name] for name in fields if name in wanted})


@core.callback
def show(event: core.Event) -> None:
    """Print a state; null for an entity that is gone."""
    new = event.data["new_state"]
    told = [event.data["entity_id"], None if new is None else [new.state, dict(new.attributes)]]
    print(json.dumps(told), flush=True)  # noqa: T201 it is a program of its own


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(live(int(sys.argv[1]), Path(home)))
