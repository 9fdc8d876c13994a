"""What the system asks of a process, as events that its threads wait for."""

import signal
from collections.abc import Iterable
from queue import SimpleQueue
from threading import Event, Thread


def told(numbers: Iterable[int], event: Event) -> None:
    """Set `event` whenever one of these signals comes. To be called in the main thread.

    A thread sets it, not the handler: that runs between any two steps of the main thread, also while `Event.wait` holds
    the lock that `Event.set` would then wait for, for ever. `SimpleQueue.put` is made to be called there.
    """
    came: SimpleQueue[int] = SimpleQueue()

    def hand_on() -> None:
        while came.get():
            event.set()

    for number in numbers:
        signal.signal(number, lambda number, _frame: came.put(number))
    Thread(target=hand_on, name="signals", daemon=True).start()
