"""Files written together: all of them, or none."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from monitor.errors import ConfigError


def put(contents: Mapping[Path, bytes]) -> None:
    """Write files beside each other. ConfigError where the disk refuses; what lay there before then still does."""
    partials = {path: path.with_name(f".{path.name}.partial") for path in contents}
    path = Path()
    try:
        for path, partial in partials.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(contents[path])
        for path, partial in partials.items():
            partial.replace(path)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}"
        raise ConfigError(msg) from error
    finally:
        for partial in partials.values():
            with suppress(OSError):
                partial.unlink()
