"""What each command does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import msgspec

from monitor.clock import rfc3339
from monitor.clock.times import Instant
from monitor.contract import Label
from monitor.contract.names import Names
from monitor.delivery.mute import Mute
from monitor.errors import CommandError
from monitor.messages import HealthMessage, StatusMessage
from monitor.messages.commands import CommandMessage, ResponseMessage
from monitor.sinks.orders import Mark, Orders

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Sequential = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class _Arguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a command."""


class AskStatus(_Arguments, frozen=True, tag_field="command", tag="status"):
    """Say how the station is now."""


class SetMark(_Arguments, frozen=True, tag_field="command", tag="mark"):
    """Keep a remark about the deployment with its time."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class Silence(_Arguments, frozen=True, tag_field="command", tag="mute"):
    """Silence alerts for a while; 0 ends it. What is heard is kept and delivered as ever."""

    seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)]
    species: Name | None = None


class SetThreshold(_Arguments, frozen=True, tag_field="command", tag="threshold"):
    """Report a species from this confidence on, at once and over restarts; null: as it is configured."""

    species: Name
    threshold: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None


class Replay(_Arguments, frozen=True, tag_field="command", tag="replay"):
    """Publish again what had these sequence numbers; null: to the last."""

    first: Sequential
    last: Sequential | None = None


Action: TypeAlias = AskStatus | SetMark | Silence | SetThreshold | Replay


@dataclass(frozen=True, slots=True)
class Controls:
    """What of a station can be told something."""

    status: StatusMessage
    labels: Sequence[Label]
    """of all models"""
    orders: Orders
    mute: Mute
    now: Callable[[], Instant]
    health: Callable[[], HealthMessage]
    """as it is at this moment"""
    set_threshold: Callable[[str, float | None], None]
    """of the trackers that run, and of those to come"""
    replay: Callable[[int, int | None], object]


def obey(command: CommandMessage, controls: Controls) -> ResponseMessage:
    """Do what was ordered, and say so. CommandError or another MonitorError where it cannot be done."""
    done = ResponseMessage(id=command.id, station=command.station, ok=True)
    action = _action(command)
    match action:
        case AskStatus():
            return msgspec.structs.replace(done, status=controls.status, health=controls.health())
        case SetMark(text):
            controls.orders.mark(_mark(command, text, controls.now()))
        case Silence(seconds, species):
            controls.mute.silence(seconds, None if species is None else _labels(controls, species, "mute"))
        case SetThreshold(species, threshold):
            _labels(controls, species, "threshold")
            controls.orders.set_threshold(species, threshold)
            controls.set_threshold(species, threshold)
        case Replay(first, last):
            _replay(controls, first, last)
    return done


def _action(command: CommandMessage) -> Action:
    try:
        return msgspec.convert({**command.arguments, "command": command.command}, Action)
    except msgspec.ValidationError as error:
        msg = f"arguments of {command.command}: {error}"
        raise CommandError(msg) from error


def _mark(command: CommandMessage, text: str, now: Instant) -> Mark:
    return Mark(command.id, rfc3339(now.utc), now.quality, command.issued_utc, text)


def _labels(controls: Controls, species: str, where: str) -> list[str]:
    names = Names(controls.labels)
    names.check([species], where)
    return [controls.labels[index].label for index in names.indices(species)]


def _replay(controls: Controls, first: int, last: int | None) -> None:
    if last is not None and last < first:
        msg = f"replay from {first} to {last}: the last is at least the first"
        raise CommandError(msg)
    controls.replay(first, last)
