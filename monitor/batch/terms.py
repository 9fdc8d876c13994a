"""All that decides what is found in a recording: what a worker opens, and by what a journal knows its analysis."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from monitor.batch.analysis import Analysis
from monitor.classifier import STARTER, Classifier
from monitor.config.detection import Detecting
from monitor.config.place import Place
from monitor.config.species import Species
from monitor.contract import foreign
from monitor.errors import ConfigError
from monitor.recogniser import open_models, recognisers
from monitor.sources.deployments import Deployments
from monitor.sources.names import read_zone
from monitor.sources.recordings import Reading

Channels = int | Literal["mix", "each"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What the user asked for. Small, and can be sent to another process or machine."""

    models: tuple[str, ...] = ()
    """files; none is the bundled one"""
    detecting: Detecting = field(default_factory=Detecting)
    species: Species = field(default_factory=Species)
    place: Place = field(default_factory=Place)
    zone: str | None = None
    """of times in file names that do not say, as `read_zone` takes it"""
    scores_floor: float | None = None
    channels: Channels = "mix"
    deployments: str | None = None
    """table of places and times"""

    def classifiers(self) -> list[Classifier]:
        """Open the models. ModelError where one is refused, ConfigError where two cannot be told apart."""
        return open_models(self.models or None)

    def analysis(self, classifiers: Sequence[Classifier]) -> Analysis:
        """What is done with these models. ConfigError where something does not fit them."""
        found = recognisers(classifiers, self.detecting, self.species, self.place)
        zone = self.read_zone()
        deployments = None if self.deployments is None else Deployments.read(Path(self.deployments), zone)
        return Analysis(found, Reading(zone, self.channels, deployments), self.scores_floor)

    def read_zone(self) -> tzinfo | None:
        """The time zone that was named. ConfigError where there is none such."""
        return None if self.zone is None else read_zone(self.zone)

    def open(self) -> Analysis:
        """Both. ModelError or ConfigError."""
        return self.analysis(self.classifiers())

    def signature(self) -> dict[str, str]:
        """Each of them by a name for the user; of files, what is in them. ConfigError where one cannot be read."""
        return dict(self._signed())

    def _signed(self) -> Iterator[tuple[str, str]]:
        yield "program", version("dawnchorus")
        yield "models", ", ".join(_model_hash(Path(model)) for model in self.models or (str(STARTER),))
        yield "time zone", str(self.zone)
        yield "scores from", str(self.scores_floor)
        yield "channels", str(self.channels)
        for name, value in (("detection", self.detecting), ("place", self.place), ("species", self.species)):
            for key in value.__struct_fields__:
                yield f"{name}.{key}", str(getattr(value, key))
        for file in filter(None, (self.species.list_file, self.species.geo_model, self.deployments)):
            yield f"content of {file}", _hash(Path(file))


def _model_hash(path: Path) -> str:
    beside = foreign.beside(path)
    return "+".join(_hash(one) for one in (path, beside) if one == path or one.is_file())


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror or error}"
        raise ConfigError(msg) from error
