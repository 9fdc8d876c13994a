"""The AsyncAPI document (3.0): which topics there are, what is published to them and how.

https://www.asyncapi.com/docs/reference/specification/v3.0.0, and its MQTT bindings, version 0.2.0.
"""

import inspect
from collections.abc import Sequence
from typing import Any

from monitor.messages.channels import Channel
from monitor.messages.delivered import SCHEMA
from monitor.messages.schemas import components

Object = dict[str, Any]

BINDING = "0.2.0"
PARAMETERS = {
    "prefix": {"description": "first levels of every topic, as configured", "default": "dawnchorus"},
    "station": {"description": "the station's name, as configured"},
}


def document(channels: Sequence[Channel]) -> Object:
    """All of it, as JSON knows it."""
    return {
        "asyncapi": "3.0.0",
        "info": _info(),
        "defaultContentType": "application/json",
        "servers": {"broker": _server()},
        "channels": {channel.level: _channel(channel) for channel in channels},
        "operations": {f"{_action(channel)}_{channel.level}": _operation(channel) for channel in channels},
        "components": {
            "messages": {channel.message.__name__: _message(channel) for channel in channels},
            "schemas": components([channel.message for channel in channels], "#/components/schemas"),
        },
    }


def _info() -> Object:
    return {
        "title": "Dawn Chorus station",
        "version": str(SCHEMA),
        "description": (
            "What a station publishes and hears over MQTT. The version counts incompatible changes: a consumer must "
            "ignore fields that it does not know. A message with `sequence` is sent until a broker has acknowledged "
            "it; the numbers count from 1 without a hole for each store."
        ),
        "license": {"name": "Apache-2.0"},
    }


def _server() -> Object:
    return {
        "host": "{host}:{port}",
        "protocol": "mqtt",
        "protocolVersion": "5.0",
        "description": "any broker of MQTT 5 or 3.1.1; it publishes `offline` where a station falls silent",
        "variables": {"host": {"default": "localhost"}, "port": {"default": "1883"}},
        "bindings": {
            "mqtt": {
                "lastWill": {
                    "topic": "{prefix}/{station}/status",
                    "qos": 1,
                    "message": "a StatusMessage whose state is offline",
                    "retain": True,
                },
                "bindingVersion": BINDING,
            }
        },
    }


def _channel(channel: Channel) -> Object:
    name = channel.message.__name__
    return {
        "address": f"{{prefix}}/{{station}}/{channel.level}",
        "parameters": PARAMETERS,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
    }


def _action(channel: Channel) -> str:
    """What the station does."""
    return "receive" if channel.heard else "send"


def _operation(channel: Channel) -> Object:
    place = f"#/channels/{channel.level}"
    return {
        "action": _action(channel),
        "channel": {"$ref": place},
        "messages": [{"$ref": f"{place}/messages/{channel.message.__name__}"}],
        "bindings": {"mqtt": {"qos": channel.qos, "retain": channel.retained, "bindingVersion": BINDING}},
    }


def _message(channel: Channel) -> Object:
    name = channel.message.__name__
    summary, _, _ = (inspect.getdoc(channel.message) or "").partition("\n")
    return {
        "name": name,
        "summary": summary,
        "contentType": channel.content_type,
        "payload": {"$ref": f"#/components/schemas/{name}"},
    }
