"""What the gate measures, and how good it has to be."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import ModelError


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure, and within which limits it is let through; without limits it is reported."""

    figure: str
    says: str
    """what it is, for people"""
    least: float = -math.inf
    most: float = math.inf

    def met(self, value: float) -> bool:
        """Whether the limits hold. What could not be measured, NaN, meets no limit."""
        return not (math.isfinite(self.least) or math.isfinite(self.most)) or self.least <= value <= self.most

    def line(self, value: float) -> str:
        """The figure and its limit in words."""
        limits = {"at least": self.least, "at most": self.most}
        said = [f"{word} {limit:g}" for word, limit in limits.items() if math.isfinite(limit)]
        return ", ".join([f"{self.says}: {value:.5g}", *said])


AGREEMENT = (
    Bar("average_precision_loss", "INT8 against float, loss of class-mean average precision", most=0.005),
    Bar("top1_agreement", "INT8 against float, top-1 agreement", least=0.99),
    Bar("decision_agreement", "INT8 against float, decisions at the thresholds", least=0.99),
)
BARS = (
    Bar("float_difference", "torch against ONNX, largest difference of a score", most=1e-4),
    Bar("windows", "windows that did not calibrate"),
    Bar("average_precision", "float, class-mean average precision over windows of which it is known what they hold"),
    *AGREEMENT,
    Bar("reports_kept", "INT8 against float, share of the reports that stay"),
    Bar("score_error", "INT8 against float, root mean square difference of a score"),
    Bar("score_difference", "INT8 against float, largest difference of a score"),
    Bar("repeat_difference", "INT8, the same windows once more, largest difference of a score", most=0.0),
    Bar("batch_difference", "INT8, in batches against one at a time, largest difference of a score", most=1e-6),
    Bar("device_difference", "monitor.classifier against ONNX, largest difference of a confidence", most=1e-5),
    Bar("size_mb", "size of the file in MB"),
    Bar("float_ms_1_thread", "float, milliseconds a window on one thread here"),
    Bar("int8_ms_1_thread", "INT8, milliseconds a window on one thread here"),
    Bar("speed_1_thread", "INT8, times as fast as float on one thread"),
    Bar("speed_2_threads", "INT8, times as fast as float on two threads"),
)
MOST_MB = {"nano": 1.5, "small": 4.0}
"""of a file, by the size of its network; others have no limit"""


def bars_of(size: str) -> list[Bar]:
    """The bars for a network of that size."""
    file = Bar("size_mb", "size of the file in MB", most=MOST_MB.get(size, math.inf))
    return [file if bar.figure == file.figure else bar for bar in BARS]


def check(path: Path, figures: Mapping[str, float], bars: Sequence[Bar]) -> None:
    """Raise ModelError, naming each bar that is missed."""
    if missed := [bar.line(figures[bar.figure]) for bar in bars if not bar.met(figures[bar.figure])]:
        msg = f"{path} is refused: {'; '.join(missed)}"
        raise ModelError(msg)
