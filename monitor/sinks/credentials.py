"""What a client shows a broker, and what it asks to see."""

from pathlib import Path

from paho.mqtt.client import Client

from monitor.config.mqtt import Mqtt
from monitor.errors import BrokerError


def authorise(client: Client, settings: Mqtt) -> None:
    """Give a client its user, password and certificates. BrokerError, naming the file, where one cannot be read."""
    try:
        if settings.username is not None:
            client.username_pw_set(settings.username, _password(settings))
        if settings.tls:
            client.tls_set(ca_certs=settings.ca_file)
    except OSError as error:
        msg = f"mqtt: {error.filename or settings.ca_file or settings.password_file}: {error.strerror or error}"
        raise BrokerError(msg) from error


def _password(settings: Mqtt) -> str | None:
    if settings.password_file is None:
        return None
    return Path(settings.password_file).read_text(encoding="utf-8").partition("\n")[0]
