"""What a line of the log looks like: for people, or for journald, which takes its level from the beginning of a line.

Sources: sd-daemon(3) for the levels, `JOURNAL_STREAM` in systemd.exec(5).
"""

import logging
import os

_LEVELS = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.NOTSET, 7))
"""of logging, from which on; of syslog"""


class JournalFormatter(logging.Formatter):
    """Puts the level before each line, as all lines of a message are entries of their own."""

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """As `<4>monitor.sinks.store: the message`."""
        level = next(syslog for least, syslog in _LEVELS if record.levelno >= least)
        return "\n".join(f"<{level}>{line}" for line in super().format(record).split("\n"))


def formatter(descriptor: int) -> logging.Formatter:
    """For what is written to a file descriptor. Times are left out: journald adds them."""
    if is_journal(descriptor):
        return JournalFormatter()
    return logging.Formatter("%(levelname)s %(name)s: %(message)s")


def is_journal(descriptor: int) -> bool:
    """Whether journald reads it; also where the environment says so, it may have been redirected since."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))
