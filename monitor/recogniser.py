"""One model with all that it takes to report a species: when one counts as heard, and which may be reported."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from monitor.classifier import STARTER, Classifier
from monitor.clock import Clock
from monitor.config.detection import Detecting
from monitor.config.place import Place
from monitor.config.species import Species
from monitor.contract import Label
from monitor.contract.names import Names
from monitor.errors import ConfigError
from monitor.pipeline import Chain, Mask, Sink
from monitor.records import Window
from monitor.species.filter import SpeciesFilter
from monitor.species.occurrence import GeoModel, Occurrence, SpeciesList
from monitor.tracker import Rules, Thresholds, Tracker


@dataclass(slots=True, eq=False)
class Recogniser:
    """A model, its rules and its filter. Thresholds and filter may change while chains of it run, from any thread."""

    classifier: Classifier
    rules: Rules
    step: int
    """samples at the model's rate"""
    species: SpeciesFilter | None
    """None: whatever the model knows may be reported"""
    thresholds: Thresholds = field(init=False)
    """of all its trackers: those of the rules until they are changed"""

    def __post_init__(self) -> None:
        """Begin with the thresholds of the rules."""
        self.thresholds = Thresholds(self.rules.thresholds)

    @property
    def name(self) -> str:
        """Of the model, as detections name it."""
        return self.classifier.contract.name

    @property
    def sample_rate(self) -> int:
        """Hz, at which its detections count samples."""
        return self.classifier.contract.sample_rate

    def chain(self, stream_id: uuid.UUID, clock: Clock, sinks: Sequence[Sink]) -> Chain:
        """Its way through the pipeline for one stream, whose time `clock` tells at the model's rate.

        Two models may find the same label at the same sample: the model's name is part of what a detection's id is
        made from.
        """
        stream_and_model = uuid.uuid5(stream_id, self.name)
        tracker = Tracker(self.classifier.contract.labels, self.rules, stream_and_model, self.thresholds)
        return Chain(self.classifier, tracker, self.step, sinks, lambda window: self._allowed(window, clock))

    def adopt(self, other: "Recogniser") -> None:
        """Take over thresholds and filter from another of the same model, at once; what was ordered stays so."""
        self.thresholds.configure(other.rules.thresholds)
        self.species = other.species

    def set_threshold(self, species: str, threshold: float | None) -> bool:
        """Report a species from another threshold on, at once; None: from the configured one.

        False where the model knows none of that name.
        """
        indices = Names(self.classifier.contract.labels).indices(species)
        self.thresholds.change(indices, threshold)
        return bool(indices)

    def _allowed(self, window: Window, clock: Clock) -> Mask | None:
        species = self.species
        return None if species is None else species.at(clock.at(window.start_sample))

    def said(self, week: int | None) -> str | None:
        """What its filter comes to, for the log; None where it has none."""
        return None if self.species is None else f"{self.name}: {self.species.said(week)}"


def open_models(named: str | Sequence[str] | None) -> list[Classifier]:
    """Open the models that are named; None is the bundled one.

    ModelError where one is refused; ConfigError where none is named, or two that cannot be told apart.
    """
    paths = [STARTER] if named is None else [Path(named)] if isinstance(named, str) else [Path(one) for one in named]
    classifiers = [Classifier(path) for path in paths]
    names = [classifier.contract.name for classifier in classifiers]
    if not names or len(set(names)) < len(names):
        msg = f"model: at least one and each of another name expected, got {', '.join(names) or 'none'}"
        raise ConfigError(msg)
    return classifiers


def recognisers(
    classifiers: Sequence[Classifier], detecting: Detecting, species: Species, place: Place
) -> list[Recogniser]:
    """One for each model. ConfigError where a step is too long, or a name is known to none of the models."""
    labels = [label for classifier in classifiers for label in classifier.contract.labels]
    names = Names(labels)
    names.check(detecting.thresholds, "detection.thresholds")
    names.check(species.include, "species.include")
    names.check(species.exclude, "species.exclude")
    occurrence = _occurrence(species, place)
    found = [_recogniser(classifier, detecting, species, occurrence) for classifier in classifiers]
    if not any(one.species is None or one.species.in_week(None).any() for one in found):
        msg = f"species: none of the {len(labels)} labels may be reported at any time of the year, so nothing would be"
        raise ConfigError(msg)
    return found


def _recogniser(
    classifier: Classifier, detecting: Detecting, species: Species, occurrence: Occurrence | None
) -> Recogniser:
    contract = classifier.contract
    step = round(detecting.step_s * contract.sample_rate)
    if not 1 <= step <= contract.window_samples:
        msg = (
            f"detection.step_s is {detecting.step_s:g} s: more than 0 and at most the window of {contract.name}, "
            f"{contract.window_s:g} s, expected"
        )
        raise ConfigError(msg)
    known = Names(contract.labels)
    rules = Rules.of(
        contract.labels,
        threshold=detecting.threshold,
        own={name: one for name, one in detecting.thresholds.items() if name in known},
        hysteresis=detecting.hysteresis,
        max_samples=round(detecting.max_duration_s * contract.sample_rate),
    )
    return Recogniser(classifier, rules, step, _filter(contract.labels, species, occurrence))


def _filter(labels: Sequence[Label], species: Species, occurrence: Occurrence | None) -> SpeciesFilter | None:
    if not (species.include or species.exclude or occurrence):
        return None
    return SpeciesFilter(labels, species.include, species.exclude, occurrence, species.week)


def _occurrence(species: Species, place: Place) -> Occurrence | None:
    if species.list_file is not None and species.geo_model is not None:
        msg = "species.list_file and species.geo_model exclude each other: one of them expected"
        raise ConfigError(msg)
    if species.list_file is not None:
        return SpeciesList.read(Path(species.list_file))
    if species.geo_model is None:
        return None
    if place.latitude is None or place.longitude is None:
        msg = f"species.geo_model is {species.geo_model}, which needs place.latitude and place.longitude"
        raise ConfigError(msg)
    return GeoModel(Path(species.geo_model), place.latitude, place.longitude, species.geo_threshold)
