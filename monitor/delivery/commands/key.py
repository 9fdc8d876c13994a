"""The key that a station and those who may command it share."""

from monitor.config.commands import Commands
from monitor.delivery.credentials import secret
from monitor.errors import BrokerError

SHORTEST = 32
"""characters: 128 bits, even where they are hexadecimal"""


def read_key(settings: Commands) -> bytes:
    """The key. BrokerError, which says nothing of it, where it cannot be read or is too short to be one."""
    key = secret(settings.key_credential, settings.key_file, settings.key_variable)
    if key is None or len(key) < SHORTEST:
        where = settings.key_credential or settings.key_file or settings.key_variable
        msg = f"mqtt.commands: the key in {where} has {len(key or '')} characters: at least {SHORTEST} expected"
        raise BrokerError(msg)
    return key.encode()
