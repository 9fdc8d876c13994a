"""SIGHUP: the configuration is read again, and what can change while audio passes through does.

At once: thresholds, which species may be reported, the schedule, the rules of clips, the log's level. All else is named
in the log as waiting for a restart, models among it. A configuration or a model that would be refused at the start is
refused here too, and whatever was in force stays so, all of it.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from monitor.config.settings import Config
from monitor.contract import foreign
from monitor.errors import MonitorError
from monitor.recogniser import Recogniser, open_models, recognisers
from monitor.schedule import Schedule
from monitor.service.session import Session
from monitor.service.streams import Streams
from monitor.service.systemd import notify
from monitor.sources.names import read_zone

logger = logging.getLogger(__name__)

AT_ONCE = ("detection.threshold", "detection.thresholds", "species", "schedule", "place", "clips", "log")
"""keys, and sections; the place as far as schedule and species ask for it"""
OF_MODELS = ("detection", "species")
"""which wait together with a model that does: they were checked with that"""

Stamp = tuple[Path, int, int]
"""a file, its size, and when it was written"""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a configuration comes to, before anything of it is in force."""

    config: Config
    schedule: Schedule
    recognisers: list[Recogniser] | None
    """of the models that run; None where it names others"""


class Reload:
    """Reads the configuration again whenever `asked` is set, in a thread of its own."""

    def __init__(
        self, session: Session, read: Callable[[], Config], asked: threading.Event, ready: Callable[[], bool]
    ) -> None:
        """`ready`: whether systemd was told that the service is, which it is told again after a reload."""
        self._session, self._read, self._asked, self._ready = session, read, asked, ready
        self._last = session.config
        self._models = _stamps(session.recognisers)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def __enter__(self) -> Self:
        """Wait for it from now on."""
        self._thread.start()
        return self

    def __exit__(self, *_reason: object) -> None:
        """Wait no more."""
        self._stop.set()
        self._asked.set()
        self._thread.join()

    def look(self) -> None:
        """Read the configuration again, and do what it says, or say why not."""
        try:
            found = self._found()
            if found.config.clips is not None and self._session.clips is not None:
                self._session.clips.revise(found.config.clips)
        except MonitorError as error:
            logger.error("not reloaded, all stays as it was: %s", error)  # noqa: TRY400 - it is its own explanation
            return
        self._apply(found)
        self._tell(found)
        self._last = found.config

    def _run(self) -> None:
        while self._asked.wait() and not self._stop.is_set():
            self._asked.clear()
            if self._ready():
                notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
            self.look()
            if self._ready():
                notify("READY=1")

    def _found(self) -> _Found:
        """All of it, as at a start. MonitorError where a start would refuse it."""
        config = self._read()
        Streams.of(config)
        schedule = Schedule.of(config.schedule, config.place, read_zone(config.place.timezone))
        running = [one.classifier for one in self._session.recognisers]
        changed = config.model != self._session.config.model or _stamps(self._session.recognisers) != self._models
        classifiers = open_models(config.model) if changed else running
        found = recognisers(classifiers, config.detection, config.species, config.place)
        return _Found(config, schedule, None if changed else found)

    def _apply(self, found: _Found) -> None:
        """Let it be in force; nothing here can fail."""
        self._session.schedule.plan = found.schedule
        logging.getLogger().setLevel(found.config.log.upper())
        for running, other in zip(self._session.recognisers, found.recognisers or (), strict=False):
            running.adopt(other)

    def _tell(self, found: _Found) -> None:
        """What changed since the last time, and all that differs from what is in force."""
        held = () if found.recognisers else OF_MODELS
        waiting = [key for key in _differences(self._session.config, found.config) if not _at_once(key, held)]
        if found.recognisers is None and "model" not in waiting:
            waiting.append("the file of a model")
        if waiting:
            logger.warning("these wait for a restart: %s", ", ".join(waiting))
        now = [key for key in _differences(self._last, found.config) if _at_once(key, held)]
        logger.info("reloaded; from now on: %s", ", ".join(now) or "as before")


def _stamps(running: Sequence[Recogniser]) -> list[Stamp]:
    """What tells whether the files of models are still those that were opened."""
    paths = [path for one in running for path in (one.classifier.path, foreign.beside(one.classifier.path))]
    known = []
    for path in paths:
        try:
            status = path.stat()
        except OSError:  # gone: opening it says so, and most models have nothing beside them
            continue
        known.append((path, status.st_size, status.st_mtime_ns))
    return known


def _differences(old: msgspec.Struct, new: msgspec.Struct, path: str = "") -> Iterator[str]:
    """Keys whose values differ, each with its section."""
    for name in new.__struct_fields__:
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, msgspec.Struct) and type(before) is type(after):
            yield from _differences(before, after, f"{path}{name}.")
        elif before != after:
            yield f"{path}{name}"


def _at_once(key: str, held: Sequence[str]) -> bool:
    """Whether it changes now. Clips that come or go as a whole do not: nobody cuts them."""
    return key != "clips" and _below(key, AT_ONCE) and not _below(key, held)


def _below(key: str, sections: Sequence[str]) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in sections)
