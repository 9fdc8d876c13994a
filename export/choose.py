"""Which ranges, and what stays float: tried on windows that did not calibrate, the smallest error wins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from export.agreement import Agreement, agreement
from export.bars import AGREEMENT
from export.quantize import FLOAT, METHODS, PARTS, Method, prepare, write_int8, write_ranges
from export.runtime import logits_of
from export.windows import Judged
from monitor.contract import Label
from monitor.features import Floats


@dataclass(frozen=True, slots=True)
class Choice:
    """A way to quantize, and how near it comes to float."""

    method: Method
    kept: tuple[str, ...]
    """of PARTS, in float"""
    found: Agreement

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.method.name}, {' and '.join(self.kept)} in float"

    @property
    def good(self) -> bool:
        """Whether it would pass the gate."""
        return all(bar.met(getattr(self.found, bar.figure)) for bar in AGREEMENT)


def write_best_int8(
    float_path: Path,
    path: Path,
    calibration: Sequence[Floats],
    judged: Judged,
    labels: Sequence[Label],
    methods: Sequence[Method] = METHODS,
) -> list[Choice]:
    """Write the INT8 file with the smallest `score_error`; return all that was tried, the one that was kept first."""
    with TemporaryDirectory() as folder:
        workbench = _Workbench(Path(folder), judged, labels)
        prepare(float_path, workbench.prepared)
        for method in methods:
            write_ranges(workbench.prepared, workbench.ranges(method), calibration, method)
        tried = sorted(_tried(workbench, methods), key=lambda choice: choice.found.score_error)
        workbench.write(tried[0].method, tried[0].kept, path)
    return tried


def _tried(workbench: "_Workbench", methods: Sequence[Method]) -> Iterator[Choice]:
    """Every method with FLOAT in float; where the best of them misses, another part in float, the best one first."""
    choices = [workbench.choice(method, FLOAT) for method in methods]
    yield from choices
    best = min(choices, key=lambda choice: choice.found.score_error)
    while not best.good and (left := [part for part in PARTS if part not in best.kept]):
        choices = [workbench.choice(best.method, (*best.kept, part)) for part in left]
        yield from choices
        best = min(choices, key=lambda choice: choice.found.score_error)


@dataclass(frozen=True, slots=True)
class _Workbench:
    folder: Path
    judged: Judged
    labels: Sequence[Label]

    @property
    def prepared(self) -> Path:
        return self.folder / "prepared.onnx"

    def ranges(self, method: Method) -> Path:
        return self.folder / f"{method.name}.json"

    def write(self, method: Method, kept: tuple[str, ...], path: Path) -> None:
        write_int8(self.prepared, path, self.ranges(method), method, kept)

    def choice(self, method: Method, kept: tuple[str, ...]) -> Choice:
        path = self.folder / "tried.onnx"
        self.write(method, kept, path)
        return Choice(method, kept, agreement(self.judged, logits_of(path, self.judged.pictures), self.labels))
