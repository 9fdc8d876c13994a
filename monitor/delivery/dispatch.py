"""Which messages go next, which are on their way, and what becomes of them.

What has come into the outbox since the connection began is live. What was there before, or has waited for LATE_S, is
late and says so (`backfilled`); with it goes what was set aside and is due again, and last what somebody asked to have
once more. Each lane keeps its order, and late messages take at most half of the room in flight: a month of them
does not keep a live one waiting.
"""

import time
from collections import deque
from collections.abc import Callable
from itertools import chain, islice

import msgspec

from monitor.delivery.answers import Answers
from monitor.delivery.budget import Budget
from monitor.delivery.doubts import Doubts
from monitor.delivery.lanes import Lane
from monitor.delivery.link import IN_FLIGHT, NOBODY
from monitor.delivery.packing import Packing, late
from monitor.delivery.publication import Connected, Parcel, Publication
from monitor.delivery.replays import Replays
from monitor.delivery.travels import Travel, Travels
from monitor.sinks.outbox import Outbox, OutboxRow

LATE_S, MARK_S = 600.0, 60.0
POLL_S = 0.5
"""between two looks for what nobody tells of: what is due again, what another process wrote"""
SUSPICION = 3
"""connections in a row that ended without an answer: from then on messages go one by one, and are set aside one by one
if that goes on"""
PACKET_BYTES = 16
"""of MQTT around topic and payload, at most"""


class Dispatch:
    """Decides and keeps account, for one thread. Raises sqlite3.Error where the disk fails; try again later."""

    def __init__(
        self,
        outbox: Outbox,
        replays: Replays,
        publish: Callable[[Publication], int],
        packing: Packing,
        budget: Budget,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`now`: Unix time in seconds."""
        self._outbox, self._replays, self._publish, self._packing = outbox, replays, publish, packing
        self._budget, self._monotonic, self._now = budget, monotonic, now
        self._live, self._late = Lane(outbox), Lane(outbox)
        self._travels, self._doubts = Travels(), Doubts(monotonic)
        self._answers = Answers(outbox, monotonic, now)
        self._line: int | None = None
        """the last sequence number that is late; None: the connection is new"""
        self._marks: deque[tuple[float, int]] = deque()
        """when which was the last sequence number"""
        self._broker = Connected("")
        self._answered, self._fruitless = False, 0
        self._looked_at = -POLL_S

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way, or to be written down, or could be sent."""
        return not self._travels and not self._answers and self._outbox.waiting() == 0

    def connected(self, broker: Connected) -> None:
        """Begin with everything that has not been acknowledged."""
        self._broker, self._line, self._answered = broker, None, False

    def lost(self) -> None:
        """Nothing of what is on its way will be answered."""
        if self._travels and not self._answered:
            self._fruitless += 1
            alone = list(self._travels)
            if self._fruitless > SUSPICION + 1 and len(alone) == 1:
                self._set_aside(alone[0].parcel, alone[0].levels, "each connection ended when it was sent")
        self._travels.clear()

    def acknowledged(self, token: int) -> None:
        """The broker took a publication, with success."""
        travel = self._travels.acknowledged(token)
        if travel is None:
            return
        self._answered, self._fruitless = True, 0
        if travel.unanswered:
            return
        for sequence in travel.parcel.sequences:
            if not self._replays.answered(sequence, taken=True):
                self._answers.taken(sequence)
        if [level for level in travel.levels if self._doubts.taken(level)]:
            self._late.look_again(0)
            self._live.look_again(self._line)

    def refused(self, token: int, reason: str) -> None:
        """The broker took a publication and threw it away."""
        travel = self._travels.refused(token)
        if travel is not None:
            self._answered, self._fruitless = True, 0
            self._set_aside(travel.parcel, travel.levels, reason)

    def look(self) -> None:
        """The outbox got a row."""
        self._live.look_again()

    def replay(self, first: int, last: int | None) -> None:
        """Send once more what is kept of a range of sequence numbers, to the newest without a `last`."""
        self.settle(at_once=True)  # what the broker took a moment ago is kept, and no longer waits
        self._replays.ask(first, last)

    def settle(self, *, at_once: bool = False) -> None:
        """Write down what the broker has said, many answers in one go, or `at_once`."""
        self._answers.settle(at_once=at_once)

    def send(self) -> None:
        """Send what there is room for."""
        self._draw_line()
        if self._monotonic() - self._looked_at >= POLL_S:
            self._look_around()
        room = self._limit - len(self._travels)
        if room > 0:
            self._offer(room)

    @property
    def _limit(self) -> int:
        if self._fruitless >= SUSPICION:
            return 1
        return min(self._broker.most_in_flight or IN_FLIGHT, IN_FLIGHT)

    def _draw_line(self) -> None:
        """Between what is late and what is live."""
        now, before = self._monotonic(), self._line
        if self._line is None:
            self._line = self._outbox.last_sequence()
            self._marks.clear()
            self._late.begin(0)
        while self._marks and now - self._marks[0][0] >= LATE_S:
            self._line = self._marks.popleft()[1]
        if not self._marks or now - self._marks[-1][0] >= MARK_S:
            self._marks.append((now, self._outbox.last_sequence()))
        if self._line != before:
            self._live.begin(self._line)
            self._late.look_again()

    def _look_around(self) -> None:
        """For what nobody tells of."""
        self._looked_at = self._monotonic()
        self._live.look_again()
        self._late.look_again()
        for row in self._outbox.due(self._now(), IN_FLIGHT, self._doubts.levels):
            if not self._busy(row):
                self._late.rows[row.sequence] = row
        for level in self._doubts.due():
            self._try(level)

    def _try(self, level: str) -> None:
        """Send one message of a topic that is in doubt."""
        if any(level in travel.levels for travel in self._travels):
            return
        row = self._outbox.candidate(level, self._now())
        if row is None:
            self._doubts.postpone(level)
        elif not self._busy(row):
            self._send([late(row)], frozenset([row.sequence]))

    def _offer(self, room: int) -> None:
        """Live messages first, then late ones in their share."""
        late_room = min(room, max(self._limit // 2, 1) - self._travels.late)
        doubted = self._doubts.levels
        live, waiting = self._live.rows, self._late.rows
        self._live.fill(self._outbox.last_sequence, max(room, self._packing.lookahead), self._busy, doubted)
        now = list(islice(live.values(), max(room, self._packing.lookahead)))
        then = []
        if late_room > 0:
            count = max(late_room, self._packing.lookahead)
            self._late.fill(lambda: self._line or 0, count, self._busy, doubted)
            asked = (row for row in self._replays.rows() if not self._busy(row) and row.topic not in doubted)
            then = [late(row) for row in islice(chain(waiting.values(), asked), count)]
        self._send([*now, *then], frozenset(row.sequence for row in then))

    def _send(self, rows: list[OutboxRow], late_ones: frozenset[int]) -> None:
        """Send parcels of rows as far as there are room and budget for them."""
        levels = {row.sequence: row.topic for row in rows}
        for parcel in self._packed(rows) if rows else ():
            travel = Travel(
                parcel,
                levels=frozenset(levels[sequence] for sequence in parcel.sequences),
                late=late_ones.issuperset(parcel.sequences),
                unanswered=set(),
            )
            if (said := self._too_large(parcel)) is not None:
                self._set_aside(parcel, frozenset(), said)
            elif not self._sent(travel):
                return
            for sequence in parcel.sequences:
                self._live.rows.pop(sequence, None)
                self._late.rows.pop(sequence, None)

    def _packed(self, rows: list[OutboxRow]) -> list[Parcel]:
        """Parcels of rows; a row that cannot be packed must not hold up the others."""
        try:
            return self._packing.parcels(rows)
        except msgspec.MsgspecError as error:
            if len(rows) > 1:
                return [parcel for row in rows for parcel in self._packed([row])]
            self._set_aside(Parcel((rows[0].sequence,), ()), frozenset(), f"it cannot be read: {error}")
            self._live.rows.pop(rows[0].sequence, None)
            self._late.rows.pop(rows[0].sequence, None)
            return []

    def _sent(self, travel: Travel) -> bool:
        """Send a parcel if there is room; one that is larger than all the room goes alone."""
        publications = travel.parcel.publications
        most = max(self._limit // 2, 1) if travel.late else self._limit
        there = self._travels.late if travel.late else 0
        taken, limit = len(self._travels) + len(publications), self._limit
        if self._travels and (taken > limit or (there and there + len(publications) > most)):
            return False
        if not self._budget.allows(publications):
            return False
        travel.unanswered = {self._publish(publication) for publication in publications}
        if NOBODY in travel.unanswered:
            return False
        self._travels.begin(travel)
        return True

    def _too_large(self, parcel: Parcel) -> str | None:
        """What is wrong with a parcel that the broker would not take."""
        size = PACKET_BYTES + max(len(one.topic.encode()) + len(one.payload) for one in parcel.publications)
        most = self._broker.largest_bytes
        return None if most is None or size <= most else f"a packet of {size} bytes; the broker takes {most}"

    def _set_aside(self, parcel: Parcel, levels: frozenset[str], reason: str) -> None:
        """Offer a parcel again later, and first find out whether its topics are taken at all."""
        for sequence in parcel.sequences:
            if not self._replays.answered(sequence, taken=False):
                self._answers.refused(sequence, reason)
        for level in levels:
            self._doubts.refused(level, parcel.sequences[0], reason)
            for lane in (self._live, self._late):
                lane.rows = {sequence: row for sequence, row in lane.rows.items() if row.topic != level}

    def _busy(self, row: OutboxRow) -> bool:
        """Whether it is on its way, or answered and not yet written down."""
        return row.sequence in self._travels or row.sequence in self._answers
