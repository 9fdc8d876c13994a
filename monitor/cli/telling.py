"""How far an analysis is: a bar on a terminal, JSON lines for a program, or nothing."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bar

from monitor.cli.options import err, out, plain

if TYPE_CHECKING:
    from monitor.batch.found import Failure
    from monitor.batch.progress import Progress
    from monitor.batch.sheets import Summary

Told = Literal["auto", "json", "none"]
JSON_S = 0.5
"""between two lines for a program at least"""


@contextmanager
def telling(told: Told) -> Iterator[Callable[["Progress"], None]]:
    """Call it with the progress as often as one likes."""
    if told == "json":
        yield _JsonLines().tell
    elif told == "auto" and err.is_terminal:
        with _bar(err) as bar:
            yield bar
    else:
        yield lambda _progress: None


def tell_end(told: Told, summary: "Summary", tables: Sequence[Path]) -> None:
    """What came of it, and of what failed the reasons."""
    for failure in summary.failures:
        _tell_failure(told, failure)
    if summary.zoneless:
        err.print(f"{summary.zoneless} recordings do not say in which zone their times are: --timezone would")
    if told == "json":
        _say(
            event="summary",
            recordings=summary.recordings,
            analysed=summary.analysed,
            failed=len(summary.failures),
            heard_s=round(summary.heard_s, 3),
            lost_s=round(summary.lost_s, 3),
            detections=dict(summary.detections.most_common()),
            clips=summary.clips,
            withheld=summary.withheld,
            tables=[str(table) for table in tables],
        )
        return
    out.print(
        f"{summary.analysed} of {summary.recordings} recordings analysed, {summary.heard_s:.1f} s heard, "
        f"{summary.lost_s:.1f} s not; {summary.detections.total()} detections of {len(summary.detections)} species "
        f"in {', '.join(plain(table) for table in tables)}"
    )
    if summary.clips or summary.withheld:
        withheld = f"; {summary.withheld} withheld, because somebody speaks in them" if summary.withheld else ""
        out.print(f"{summary.clips} clips{withheld}")
    for name, count in summary.detections.most_common():
        out.print(f"  {count:6d}  {plain(name)}")


def _tell_failure(told: Told, failure: "Failure") -> None:
    if told == "json":
        _say(event="failure", file=failure.path, reason=failure.reason)
    else:
        err.print(f"[red]error:[/] {plain(failure)}")


def _say(**line: object) -> None:
    """A line of ASCII JSON: a file name need not be UTF-8."""
    print(json.dumps(line), flush=True)  # noqa: T201


class _JsonLines:
    def __init__(self) -> None:
        self._next_s = 0.0

    def tell(self, progress: "Progress") -> None:
        now = time.monotonic()
        if now < self._next_s and progress.done < progress.total:
            return
        self._next_s = now + JSON_S
        _say(
            event="progress",
            done=progress.done,
            total=progress.total,
            failed=progress.failed,
            audio_s=round(progress.audio_s, 3),
            elapsed_s=round(progress.elapsed_s, 3),
            speed=round(progress.speed, 1),
            eta_s=None if progress.eta_s is None else round(progress.eta_s, 1),
        )


@contextmanager
def _bar(console: Console) -> Iterator[Callable[["Progress"], None]]:
    columns = (
        TextColumn("{task.completed} of {task.total}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.description}"),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(progress: "Progress") -> None:
            bar.update(task, completed=progress.done, total=progress.total, description=_described(progress))

        yield tell


def _described(progress: "Progress") -> str:
    parts = [f"{progress.speed:,.0f} x real time"] if progress.audio_s else []
    if progress.eta_s is not None and progress.done < progress.total:
        minutes, seconds = divmod(round(progress.eta_s), 60)
        parts.append(f"{minutes // 60:d}:{minutes % 60:02d}:{seconds:02d} left")
    if progress.failed:
        parts.append(f"[red]{progress.failed} with errors[/]")
    return ", ".join(parts)
