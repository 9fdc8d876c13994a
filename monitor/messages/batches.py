"""Several messages in one, for links on which every byte is paid for."""

import msgspec

from monitor.messages.delivered import SCHEMA


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """A message of a batch."""

    level: str
    """the last one of the topic that it would have had alone"""
    message: msgspec.Raw
    """as it would have been alone"""


class BatchMessage(msgspec.Struct, frozen=True, kw_only=True):
    """<prefix>/<station>/batches, at QoS 1, from the outbox, in the place of its messages: a zlib stream of this."""

    schema: int = SCHEMA
    messages: list[Packed]
