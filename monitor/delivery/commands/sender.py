"""The other side of the commands: who has the key sends one, and waits for the answer."""

import queue
import time
from collections.abc import Callable, Mapping
from contextlib import closing

import msgspec

from monitor.config.mqtt import Mqtt
from monitor.delivery.commands.signing import sign
from monitor.delivery.connection import Caller, Connection, connect
from monitor.delivery.publication import Arrived, Event, Lost, Publication, Refused
from monitor.errors import UNDECODABLE, BrokerError, CommandError
from monitor.messages.commands import Argument, CommandMessage, ResponseMessage


def new_command(
    station: str, command: str, arguments: Mapping[str, Argument], *, command_id: str, issued_utc: str, expires_s: int
) -> CommandMessage:
    """A command that has not been signed yet. CommandError where there is none of that name."""
    fields = {
        "station": station,
        "command": command,
        "arguments": dict(arguments),
        "id": command_id,
        "issued_utc": issued_utc,
        "expires_s": expires_s,
    }
    try:
        return msgspec.convert(fields, CommandMessage)
    except msgspec.ValidationError as error:
        msg = f"no command: {error}"
        raise CommandError(msg) from error


def ask(
    settings: Mqtt,
    key: bytes,
    command: CommandMessage,
    patience_s: float,
    monotonic: Callable[[], float] = time.monotonic,
) -> ResponseMessage:
    """Send a command and return the station's answer, whether it obeyed or not.

    BrokerError where no broker lets us in or takes the command; CommandError where no answer comes in time.
    """
    topic = f"{settings.prefix}/{command.station}"
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    caller = Caller("", settings.keepalive_s, topics=[f"{topic}/response"])
    with closing(_connected(settings, caller, events.put)) as connection:
        token = connection.publish(Publication(f"{topic}/command", sign(key, command), qos=1))
        deadline = monotonic() + patience_s
        while (left_s := deadline - monotonic()) > 0:
            try:
                event = events.get(timeout=left_s)
            except queue.Empty:
                break
            if (answer := _answer(event, command, token)) is not None:
                return answer
    msg = (
        f"no answer of {command.station} within {patience_s:g} s: it may be offline, listen to no commands, "
        "or have another key, of which its log would tell"
    )
    raise CommandError(msg)


def _answer(event: Event, command: CommandMessage, token: int) -> ResponseMessage | None:
    """The answer to a command, if it is that. BrokerError where there will be none."""
    match event:
        case Lost(reason):
            msg = f"the connection broke before an answer came: {reason}"
            raise BrokerError(msg)
        case Refused(refused, reason) if refused == token:
            msg = f"the broker refuses the command: {reason}"
            raise BrokerError(msg)
        case Arrived(payload=payload):
            try:
                response = msgspec.json.decode(payload, type=ResponseMessage)
            except UNDECODABLE:
                return None  # somebody else's, of another version
            return response if response.id == command.id else None
    return None


def _connected(settings: Mqtt, caller: Caller, tell: Callable[[Event], None]) -> Connection:
    refusals = []
    for broker in settings.servers:
        try:
            return connect(broker, caller, lambda _connection: None, tell)
        except BrokerError as error:
            refusals.append(f"{broker.address}: {error}")
    msg = f"mqtt: {'; '.join(refusals)}"
    raise BrokerError(msg)
