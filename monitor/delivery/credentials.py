"""What a client shows a broker, and what it asks to see: read anew for each connection, for all of it may change."""

import os
import ssl
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from monitor.config.broker import Broker
from monitor.errors import BrokerError


def authorise(client: Client, broker: Broker) -> None:
    """Give a client its user, password and certificates. BrokerError, naming the place, where one cannot be read."""
    user = broker.username or secret(broker.username_credential, broker.username_file, broker.username_variable)
    password = secret(broker.password_credential, broker.password_file, broker.password_variable)
    if user is not None:
        client.username_pw_set(user, password)
    if broker.tls:
        client.tls_set_context(_context(broker))


def check(broker: Broker) -> None:
    """Read all that would be shown to a broker. BrokerError, naming the place, where something cannot be read."""
    authorise(Client(CallbackAPIVersion.VERSION2), broker)


def secret(credential: str | None, file: str | None, variable: str | None) -> str | None:
    """What one of them holds, None where none is named. No error says anything of what is in there."""
    if credential is not None:
        return _first_line(_credentials() / credential)
    if file is not None:
        return _first_line(Path(file))
    if variable is None or variable in os.environ:
        return None if variable is None else os.environ[variable]
    msg = f"mqtt: environment variable {variable} is not set"
    raise BrokerError(msg)


def _credentials() -> Path:
    """The folder of systemd.exec(5), LoadCredential=."""
    if folder := os.environ.get("CREDENTIALS_DIRECTORY"):
        return Path(folder)
    msg = "mqtt: systemd gives no credentials to this process: LoadCredential= in its unit expected"
    raise BrokerError(msg)


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].removesuffix("\r")
    except OSError as error:
        msg = f"mqtt: {path}: {error.strerror or error}"
        raise BrokerError(msg) from error
    except UnicodeDecodeError:
        msg = f"mqtt: {path}: UTF-8 text expected"
        raise BrokerError(msg) from None


def _context(broker: Broker) -> ssl.SSLContext:
    """TLS 1.2 at least, against the named authorities or the system's; the host must be the one of the certificate."""
    try:
        context = ssl.create_default_context(cafile=broker.ca_file)
    except OSError as error:
        raise _unreadable(broker.ca_file, error) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if broker.cert_file is not None:
        try:
            # a password, even of no length, keeps OpenSSL from asking for one at the terminal
            context.load_cert_chain(broker.cert_file, broker.key_file, password="")
        except OSError as error:
            files = " and ".join(file for file in (broker.cert_file, broker.key_file) if file)
            raise _unreadable(files, error) from error
    return context


def _unreadable(files: str | None, error: OSError) -> BrokerError:
    """One sentence about certificate files: OpenSSL names neither the file nor, for some errors, the reason."""
    known = error.errno is not None and not isinstance(error, ssl.SSLError)
    return BrokerError(f"mqtt: {files}: {error.strerror if known else 'unencrypted PEM that fits together expected'}")
