"""Signals, as events."""

import subprocess
import sys

ASKED_IN_THE_MIDDLE = """
import os, signal, sys, threading
from monitor.signals import told

event = threading.Event()
told((signal.SIGTERM, signal.SIGHUP), event)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTERM):
    with event._cond:  # as where `wait` begins and ends, in this very thread
        os.kill(os.getpid(), number)
    if not event.wait(10):
        sys.exit("nobody told it")
    event.clear()
"""


def test_a_signal_that_comes_while_the_main_thread_is_in_the_event_is_told_each_time() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ASKED_IN_THE_MIDDLE], check=False, capture_output=True, text=True, timeout=20
    )
    assert ended.returncode == 0, ended.stderr
