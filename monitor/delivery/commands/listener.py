"""From the topic `command` to the topic `response`."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from monitor.delivery.commands.actions import Controls, obey
from monitor.delivery.commands.admission import Admission
from monitor.delivery.commands.signing import verified
from monitor.delivery.publication import Arrived, Publication
from monitor.errors import MonitorError
from monitor.messages.commands import CommandMessage, ResponseMessage

logger = logging.getLogger(__name__)

COMPLAIN_S = 60.0
"""between two lines of the log about commands that were refused"""


class Commands:
    """A correspondent that obeys; called by one thread.

    Who cannot show that they have the key gets no answer. A retained command is none: it would come again with each
    connection.
    """

    def __init__(
        self,
        topic: str,
        key: bytes,
        admission: Admission,
        controls: Controls,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`topic`: `<prefix>/<station>`."""
        self._topic, self._key, self._admission, self._controls = topic, key, admission, controls
        self._monotonic = monotonic
        self._complained = -COMPLAIN_S
        self._unsaid = 0

    @property
    def topics(self) -> Sequence[str]:
        """Where commands come from."""
        return [f"{self._topic}/command"]

    def connected(self) -> Iterable[Publication]:
        """Nothing."""
        return ()

    def arrived(self, message: Arrived) -> Iterable[Publication]:
        """Obey a command and answer it."""
        if message.topic not in self.topics or message.retained:
            return ()
        try:
            command = verified(self._key, message.payload)
        except MonitorError as error:
            self._complain(error)
            return ()
        answer = msgspec.json.encode(self._obeyed(command))
        return [Publication(f"{self._topic}/response", answer, qos=1)]

    def _obeyed(self, command: CommandMessage) -> ResponseMessage:
        try:
            self._admission.admit(command)
            response = obey(command, self._controls)
        except MonitorError as error:
            self._complain(error)
            return ResponseMessage(id=command.id, station=command.station, ok=False, error=str(error))
        logger.info("obeyed command %s: %s", command.id, command.command)
        return response

    def _complain(self, error: MonitorError) -> None:
        now = self._monotonic()
        if now - self._complained < COMPLAIN_S:
            self._unsaid += 1
            return
        more = f" ({self._unsaid} others were, since the last one that was logged)" if self._unsaid else ""
        logger.warning("a command was refused: %s%s", error, more)
        self._complained, self._unsaid = now, 0
