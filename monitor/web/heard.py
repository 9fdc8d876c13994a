"""What a broker tells of a station, for a page that is served where its store is not: all of it in memory, bounded."""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from monitor.config.mqtt import Mqtt
from monitor.delivery.batches import unpack
from monitor.delivery.link import Link
from monitor.delivery.publication import Arrived, Connected, Event, Lost
from monitor.errors import UNDECODABLE, MessageError
from monitor.messages import DetectionMessage, EffortMessage, HealthMessage, LiveMessage, VerdictMessage
from monitor.web.knowing import Asked, Change, Found, Hour, Judgement, Sheet

KEPT = 500
LEVELS = ("detections", "effort", "verdicts", "health", "live", "batches")
LOOK_S = 0.2

_COMMON = tuple(name for name in Found.__struct_fields__ if name not in {"verdict", "clip"})


class Heard:
    """Listens from threads of its own, and remembers the last detections.

    Raises BrokerError where the settings can never work: a password or certificate file that is not there.
    """

    def __init__(self, settings: Mqtt, station: str) -> None:
        self._base = f"{settings.prefix}/{station}"
        self._lock = threading.Lock()
        self._found: deque[Found] = deque(maxlen=KEPT)
        self._verdicts: dict[str, Judgement] = {}
        self._hours: deque[Hour] = deque(maxlen=KEPT)
        self._count = 0
        self._judged: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self._lines: queue.Queue[bytes] = queue.Queue(KEPT)
        self._state = msgspec.json.encode({"kind": "gone", "reason": "no broker has answered yet"})
        self._health: bytes | None = None
        own = msgspec.structs.replace(settings, client_id=None)
        self._link = Link(own, None, [f"{self._base}/{level}" for level in LEVELS], self._tell)

    def start(self) -> None:
        """Connect in the background; a broker that is not there is tried again for ever."""
        self._link.start()

    def close(self) -> None:
        """Listen no more."""
        self._link.close()

    def sheet(self, before: int | None, limit: int, species: str, asked: Asked) -> Sheet:
        """Detections before a sequence number."""
        with self._lock:
            known = [self._judged_now(one) for one in reversed(self._found)]
        wanted = [
            one
            for one in known
            if (before is None or one.sequence < before)
            and (not species or species in {one.label, one.scientific_name})
            and asked in {"any", "open" if one.verdict is None else one.verdict.verdict}
        ]
        return Sheet(wanted[:limit], wanted[limit - 1].sequence if len(wanted) > limit else None)

    def one(self, detection: str) -> Found | None:
        """A detection by its id."""
        with self._lock:
            return next((self._judged_now(one) for one in reversed(self._found) if one.id == detection), None)

    def effort(self, hours: int) -> list[Hour]:
        """The last accounts, the newest first."""
        with self._lock:
            return list(self._hours)[::-1][:hours]

    def since(self, last: int | None) -> Change:
        """What came after the `last` arrival; these are counted here, for numbers may come out of order."""
        with self._lock:
            if last is None:
                return Change(self._count, [], [])
            fresh = min(self._count - last, len(self._found))
            judged = [detection for at, detection in self._judged if at > last]
            found = [self._judged_now(one) for one in list(self._found)[len(self._found) - fresh :]] if fresh else []
            return Change(self._count, found, judged)

    async def lines(self) -> AsyncIterator[bytes]:
        """What the broker tells, and whether it is there."""
        with suppress(queue.Empty):
            while True:  # of when nobody looked
                self._lines.get_nowait()
        told = b""
        if self._health is not None:
            yield self._health
        while True:
            if self._state != told:
                yield (told := self._state)
            with suppress(queue.Empty):
                while True:
                    yield self._lines.get_nowait()
            await asyncio.sleep(LOOK_S)

    def _judged_now(self, one: Found) -> Found:
        return msgspec.structs.replace(one, verdict=self._verdicts.get(one.id))

    def _tell(self, event: Event) -> None:
        match event:
            case Connected():
                self._state = msgspec.json.encode({"kind": "there"})
            case Lost(reason):
                self._state = msgspec.json.encode({"kind": "gone", "reason": f"no broker: {reason}"})
            case Arrived(topic, payload) if payload:
                with suppress(MessageError, *UNDECODABLE):
                    self._arrived(topic.rpartition("/")[2], payload)
            case _:
                pass

    def _arrived(self, level: str, payload: bytes) -> None:
        decode = msgspec.json.decode
        match level:
            case "batches":
                for inner, message in unpack(payload):
                    if inner != level:
                        self._arrived(inner, message)
            case "detections":
                self._add(decode(payload, type=DetectionMessage))
            case "effort":
                self._account(decode(payload, type=EffortMessage))
            case "verdicts":
                self._judge(decode(payload, type=VerdictMessage))
            case "health":
                health = decode(payload, type=HealthMessage)
                self._health = msgspec.json.encode({"kind": "health", "health": health})
                self._pass_on(self._health)
            case "live":
                self._pass_on(_scores(decode(payload, type=LiveMessage)))
            case _:
                pass

    def _add(self, message: DetectionMessage) -> None:
        with self._lock:
            if all(one.id != message.id for one in self._found):
                self._found.append(Found(*(getattr(message, name) for name in _COMMON)))
                self._count += 1

    def _account(self, message: EffortMessage) -> None:
        with self._lock:
            self._hours.append(Hour(*(getattr(message, name) for name in Hour.__struct_fields__)))

    def _judge(self, message: VerdictMessage) -> None:
        with self._lock:
            said = Judgement(message.verdict, message.scientific_name, message.who, message.at_utc, message.note)
            self._verdicts[message.detection] = said
            while len(self._verdicts) > KEPT:
                del self._verdicts[next(iter(self._verdicts))]
            self._judged.append((self._count + 1, message.detection))

    def _pass_on(self, line: bytes) -> None:
        with suppress(queue.Full):
            self._lines.put_nowait(line)


def _scores(message: LiveMessage) -> bytes:
    best = sorted(message.scores.items(), key=lambda one: -one[1])
    return msgspec.json.encode(
        {
            "kind": "scores",
            "source": message.recording,
            "model": message.model,
            "start_s": message.start_s,
            "end_s": message.end_s,
            "scores": [[label, label.replace("_", " "), score] for label, score in best],
        }
    )
