"""What can go wrong, named by what the user can do about it. The message says the rest."""

import msgspec

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""what msgspec raises for bytes that are not the JSON expected: of another shape, no UTF-8, nested too deeply"""


class MonitorError(Exception):
    """Anything this program says of its own accord. The text is one sentence for the user."""

    def __str__(self) -> str:
        """On one line, whatever it quotes: a name from somebody's file must not begin a line of the log."""
        return " ".join(super().__str__().splitlines())


class ConfigError(MonitorError):
    """Correct the configuration or the command line."""


class ModelError(MonitorError):
    """Use another model file: this one is missing, damaged or contradicts itself."""


class DownloadError(MonitorError):
    """Look at the network, or at the place that a model is fetched from."""


class RecordingError(MonitorError):
    """Look at this recording: it cannot be read as audio."""


class MicrophoneError(MonitorError):
    """Look at the microphone, the sound card or the sound server."""


class StoreError(MonitorError):
    """Look at the disk and the folder that hold the store."""


class BrokerError(MonitorError):
    """Look at the MQTT broker, its address or the credentials."""


class MessageError(MonitorError):
    """Look at who published this message: it is not what a station says."""


class CommandError(MonitorError):
    """Send another command: this one was not understood or may not be obeyed."""
