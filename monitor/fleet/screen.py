"""A fleet in a terminal: trouble first, and no more lines than there are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from monitor.fleet.stations import Station
from monitor.fleet.subscription import State
from monitor.fleet.troubles import Grade, Trouble, troubles
from monitor.messages import DetectionMessage, HealthMessage

COLOURS = {Grade.BAD: "bold red", Grade.DOUBTFUL: "yellow"}
LEAST_ROWS = 3
AROUND = 3
"""further lines that are no station's: the names of the columns, what is left out, and one for the cursor"""

NARROW = 110
"""columns of the terminal, below which only the most important are shown"""

Row = tuple[Station, list[Trouble]]


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table."""

    name: str
    cell: Callable[[Station, list[Trouble], datetime], RenderableType]
    number: bool = False
    narrow: bool = True
    """it is shown in a narrow terminal as well"""
    ratio: int | None = None
    """of the room that is left, so many parts"""


def screen(
    stations: Sequence[Station], broker: State, now: datetime, size: tuple[int, int | None], remark: str = ""
) -> RenderableType:
    """What is known of stations. `size` in columns and lines, None: as many as there are; `remark` is said above."""
    width, height = size
    rows = sorted(((one, troubles(one, now)) for one in stations), key=_urgency)
    head = [_head(rows, now), _broker(broker), *([_line(remark)] if remark else [])]
    if len(rows) == 1:
        station, found = rows[0]
        return Group(*head, _table(rows, now, width), *_details(station, found))
    most = len(rows) if height is None else max(LEAST_ROWS, height - len(head) - AROUND)
    shown, left = rows[:most], rows[most:]
    return Group(*head, _table(shown, now, width), *([_left(left)] if left else []))


def _urgency(row: Row) -> tuple[int, str]:
    station, found = row
    return (min((trouble.grade for trouble in found), default=len(Grade)), station.name)


def _head(rows: Sequence[Row], now: datetime) -> Text:
    """How many there are, and how they fare."""
    online = sum(one.status is not None and one.status.state == "online" for one, _ in rows)
    worst = [min(trouble.grade for trouble in found) for _, found in rows if found]
    bad, doubtful = worst.count(Grade.BAD), worst.count(Grade.DOUBTFUL)
    count = f"{len(rows)} {'station' if len(rows) == 1 else 'stations'}, {online} online, "
    head = _line(f"{now:%Y-%m-%d %H:%M:%S} UTC  {count}")
    head.append(f"{bad} in trouble", COLOURS[Grade.BAD] if bad else "")
    head.append(", ").append(f"{doubtful} to be looked at", COLOURS[Grade.DOUBTFUL] if doubtful else "")
    return head


def _broker(broker: State) -> Text:
    if broker.connected:
        return _line(f"broker {broker.about}", "green")
    return _line(f"no broker, this is what was last heard; it is tried again: {broker.about}", COLOURS[Grade.BAD])


def _line(text: str, style: str = "") -> Text:
    """Never more than a line of the terminal."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _table(rows: Sequence[Row], now: datetime, width: int) -> Table:
    """A line each; a narrow terminal has room for less."""
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    columns = [column for column in _COLUMNS if width >= NARROW or column.narrow]
    for column in columns:
        end: Literal["left", "right"] = "right" if column.number else "left"
        table.add_column(column.name, justify=end, no_wrap=True, overflow="ellipsis", ratio=column.ratio)
    for station, found in rows:
        table.add_row(*(column.cell(station, found, now) for column in columns))
    return table


def _state(station: Station, now: datetime) -> Text:
    if station.status is None:
        return Text("?", "dim")
    online = station.status.state == "online"
    since = f" {_ago(station.since, now)}" if station.since else ""
    return Text(f"{station.status.state}{since}", "green" if online else COLOURS[Grade.BAD])


def _ago(time: datetime | None, now: datetime) -> str:
    """How long ago, in two or three characters and a unit."""
    if time is None:
        return ""
    seconds = (now - time).total_seconds()
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _today(station: Station) -> str:
    """Detections, as the station counts them, or as they came."""
    told = station.health.detections_today if station.health else None
    return str(station.detections if told is None else told)


def _noise(station: Station) -> str:
    """The loudest source."""
    levels = [source.level_dbfs for source in station.health.sources] if station.health else []
    known = [level for level in levels if level is not None]
    return f"{max(known):.0f} dB" if known else ""


def _share(station: Station) -> str:
    return "" if station.heard_share is None else f"{100 * station.heard_share:.0f} %"


def _missing(station: Station) -> Text:
    return Text(str(station.missing), COLOURS[Grade.DOUBTFUL] if station.missing else "dim")


def _last(station: Station) -> Text:
    return _detection(station.last[-1]) if station.last else Text()


def _detection(message: DetectionMessage) -> Text:
    when = message.onset_utc[11:16] if message.onset_utc else "?"
    return Text.assemble((f"{when} ", "dim"), message.common_name, (f" {message.confidence:.2f}", "dim"))


def _told(found: Sequence[Trouble]) -> Text:
    text = Text()
    for trouble in found:
        text.append("; " if text else "").append(trouble.what, COLOURS[trouble.grade])
    return text


def _left(rows: Sequence[Row]) -> Text:
    """What there is no room for."""
    troubled = sum(bool(found) for _, found in rows)
    well = f"{len(rows) - troubled} of them well" if troubled else "all well"
    return Text(f"and {len(rows)} more stations, {well}; --station shows one", "dim")


def _details(station: Station, found: Sequence[Trouble]) -> list[Text]:
    """Of a single station, all that is known."""
    lines = [Text(trouble.what, COLOURS[trouble.grade]) for trouble in found]
    if station.status is not None:
        about = f"version {station.status.version}, started {station.status.started_utc}, model {station.status.model}"
        lines.append(Text(about, "dim"))
    if station.numbers.missing:
        spans = ", ".join(f"{first}-{last}" for first, last in station.numbers.missing[:LEAST_ROWS])
        lines.append(Text(f"missing: {spans}", COLOURS[Grade.DOUBTFUL]))
    if station.health is not None:
        lines += [Text(line, "dim") for line in _health(station.health)]
    return [*lines, *(_detection(message) for message in reversed(station.last))]


def _health(health: HealthMessage) -> Iterator[str]:
    for source in health.sources:
        level = "" if source.level_dbfs is None else f", {source.level_dbfs:.0f} dBFS"
        yield f"{source.name}: {source.state}{level}, lost {source.outages} times"
    outbox, parts = health.outbox, [f"clock {health.clock_quality}"]
    parts += [] if outbox is None else [f"{outbox.rows} messages in the outbox"]
    parts += [] if health.free_disk_bytes is None else [f"{health.free_disk_bytes / 1e9:.1f} GB of disk left"]
    parts += [] if health.memory_bytes is None else [f"{health.memory_bytes / 1e6:.0f} MB of memory"]
    parts += [] if health.cpu_share is None else [f"{100 * health.cpu_share:.0f} % of a core"]
    parts += [] if health.temperature_c is None else [f"{health.temperature_c:.0f} °C"]
    yield ", ".join(parts)


_COLUMNS = (
    _Column("station", lambda station, _found, _now: Text(station.name)),
    _Column("state", lambda station, _found, now: _state(station, now)),
    _Column("said", lambda station, _found, now: _ago(station.heard_at, now)),
    _Column("today", lambda station, _found, _now: _today(station), number=True),
    _Column("heard", lambda station, _found, _now: _share(station), number=True),
    _Column("noise", lambda station, _found, _now: _noise(station), number=True, narrow=False),
    _Column("missing", lambda station, _found, _now: _missing(station), number=True, narrow=False),
    _Column("last detection", lambda station, _found, _now: _last(station), narrow=False, ratio=2),
    _Column("trouble", lambda _station, found, _now: _told(found), ratio=3),
)
