"""All checks, one after the other; what one does to another is nothing."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from monitor.config.settings import Config
from monitor.doctor import broker, disk, machine, model
from monitor.doctor.finding import Finding, green, red
from monitor.doctor.listening import Show, source
from monitor.errors import MonitorError

LIMIT_S = 15.0
"""for a check that does not listen"""
OPENING_S = 20.0
"""for finding and opening a source, besides listening to it"""


@dataclass(frozen=True, slots=True)
class Check:
    """A question and how long it may take."""

    name: str
    ask: Callable[[], list[Finding]]
    limit_s: float = LIMIT_S


def checks(config: Config, path: Path | None, seconds: float, show: Show, root: Path = Path("/")) -> list[Check]:
    """All of them. `show` hears with us; `root` is where sys/ lies."""
    return [
        *(Check("source", partial(source, one, seconds, show), seconds + OPENING_S) for one in config.listening),
        Check("clock", machine.clock),
        Check("temperature", partial(machine.temperature, root)),
        Check("disk", partial(disk.storage, config)),
        Check("access", partial(disk.access, config, path)),
        Check("privacy", partial(disk.privacy, config)),
        Check("model", partial(model.models, config)),
        Check("broker", partial(broker.broker, config)),
    ]


def examine(wanted: list[Check], path: Path | None) -> Iterator[Finding]:
    """The findings of all checks, as they come."""
    yield green("configuration", f"{path or 'defaults, no file'} can be read and all keys are known.")
    for check in wanted:
        yield from bounded(check)


def bounded(check: Check) -> list[Finding]:
    """What a check finds. One that fails, or does not come back, could not look, and the next one goes on."""
    answer: Future[list[Finding]] = Future()

    def ask() -> None:
        try:
            answer.set_result(check.ask())
        except (MonitorError, OSError) as error:
            answer.set_exception(error)
        finally:
            answer.cancel()  # where anything else was raised, which this thread reports

    threading.Thread(target=ask, name=f"doctor {check.name}", daemon=True).start()
    try:
        return answer.result(check.limit_s)
    except TimeoutError:
        reason = f"no answer within {check.limit_s:g} s"
    except CancelledError:
        reason = "the check itself failed, as told above"
    except (MonitorError, OSError) as error:
        reason = str(error)
    return [red(check.name, f"Could not look: {reason}.", "Remove the cause and run the doctor again.")]
