"""Something that is done again and again, in a thread of its own, as long as the daemon lives."""

import threading
from collections.abc import Callable


class Regular:
    """Does it for the first time at once, or when the first pause is over."""

    def __init__(self, name: str, pause_s: float, do: Callable[[], object], *, at_once: bool = False) -> None:
        """`name`: of the thread. Nothing happens before `start`."""
        self._pause_s, self._do, self._at_once = pause_s, do, at_once
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Do it no more; what is being done is waited for."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        if self._at_once:
            self._do()
        while not self._stop.wait(self._pause_s):
            self._do()
