"""Whether the model computes what its exporter computed, and fast enough."""

import statistics
import time

import numpy as np

from monitor.classifier import Classifier
from monitor.config.settings import Config
from monitor.doctor.finding import Finding, amber, green, red, sentence
from monitor.errors import MonitorError
from monitor.recogniser import open_models, recognisers

ROUNDS = 9
COMFORTABLE, HOPELESS = 0.5, 0.9
"""share of real time that inference may take, with all else that a daemon has to do"""


def models(config: Config) -> list[Finding]:
    """Load them, which checks parity, hold the configured names against their labels, and time each."""
    try:
        classifiers = open_models(config.model)
        recognisers(classifiers, config.detection, config.species, config.place)
    except MonitorError as error:
        return [
            red("model", sentence(str(error)), "Use another model file, or correct the names in the configuration.")
        ]
    return [finding for classifier in classifiers for finding in _model(classifier, config.detection.step_s)]


def _model(classifier: Classifier, step_s: float) -> list[Finding]:
    contract = classifier.contract
    found = f"{contract.name} gives the scores that its exporter got, for {len(contract.labels)} labels."
    return [green("model", found), _speed(classifier, step_s)]


def _speed(classifier: Classifier, step_s: float) -> Finding:
    window = np.random.default_rng(0).normal(0, 0.1, classifier.contract.window_samples).astype(np.float32)
    seconds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        classifier.scores(window)
        seconds.append(time.perf_counter() - begin)
    window_ms = 1000 * statistics.median(seconds)
    share = window_ms / 1000 / step_s
    found = f"A window takes {window_ms:.1f} ms, and one comes every {step_s:g} s: {100 * share:.1f} % of a core."
    if share < COMFORTABLE:
        return green("speed", found)
    light = red if share >= HOPELESS else amber
    return light("speed", found, "Raise detection.step_s, use a smaller model, or end other programs.")
