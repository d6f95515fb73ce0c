"""AsyncAPI 3.0 document of the topics, generated from the models and from `topics.TOPICS`.

References
----------
.. [1] AsyncAPI Specification 3.0.0, and its Kafka bindings 0.5.0.
"""

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from schemas.alert import Alert, SignalGrade
from schemas.cloud_event import (
    EXTENSIONS,
    LEVELS,
    RULES_CHANGED,
    cloud_event_headers,
    event_types,
)
from schemas.contracts import CONTRACTS, Contract, contract_of, json_schema
from schemas.rules_change import RulesChange
from schemas.safety_alert import SafetyAlert
from streams.demo.examples import contract_example
from streams.runtime.broker.topics import TOPICS, Topic
from streams.runtime.wire.alerts import decode_alert

__all__ = ["asyncapi_document"]

_BINDING = "0.5.0"
_CARRIES = {
    "reports": ("report", "link"),
    "notices": ("notice",),
    "alerts": ("alert", "safety-alert", "rules-change"),
    "signals": ("alert", "safety-alert"),
    "priors": ("prior",),
    "rules": ("rules-change",),
    "audit": ("audit-anchor",),
}
"""Contracts on each public topic; other topics are internal, or hold bytes without a contract."""
_RECEIVED = ("reports", "notices")
_KEYED = {"kafka": {"key": {"type": "string"}, "bindingVersion": _BINDING}}
_RETENTION = {"retention.ms", "retention.bytes", "delete.retention.ms", "max.message.bytes"}


def asyncapi_document(prefix: str = "pv.") -> dict[str, Any]:
    """Return the AsyncAPI document of every public topic: messages, headers, keys and settings.

    Parameters
    ----------
    prefix
        Prefix of the topic names.

    Returns
    -------
    dict
        JSON values; an AsyncAPI document of version 3.0.0 without references to other files.
    """
    topics = [topic for topic in TOPICS if topic.name in {*_CARRIES, "rejected"}]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tocsin",
            "version": version("tocsin"),
            "description": "Adverse-event reports in; explained, correctable alerts out. Alerts "
            "are CloudEvents 1.0 in binary mode. Within a major number schemas change by addition "
            "only: ignore fields and codes you do not know. Read with "
            "isolation.level=read_committed.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic, prefix) for topic in topics},
        "operations": {
            f"{'receive' if topic.name in _RECEIVED else 'send'}-{topic.name}": _operation(topic)
            for topic in topics
        },
        "components": {
            "messages": {
                **{name: _message(CONTRACTS[name]) for name in sorted(_contracts_carried())},
                **_OF_REJECTS,
            },
            "schemas": {
                name: _draft_7(json_schema(CONTRACTS[name]))
                for name in sorted(_contracts_carried())
            },
        },
    }


def _contracts_carried() -> set[str]:
    return {name for names in _CARRIES.values() for name in names}


def _channel(topic: Topic, prefix: str) -> dict[str, Any]:
    messages = _CARRIES.get(topic.name, tuple(_OF_REJECTS))
    binding: dict[str, Any] = {"bindingVersion": _BINDING, "topicConfiguration": _config(topic)}
    if topic.partitions is not None:
        binding["partitions"] = topic.partitions
    return {
        "address": f"{prefix}{topic.name}",
        "title": topic.holds,
        "description": f"Holds {topic.holds}. Key: {topic.key}; records with one key keep their "
        "order.",
        "messages": {
            name: {"$ref": f"#/components/messages/{_pointer(name)}"} for name in messages
        },
        "bindings": {"kafka": binding},
    }


def _config(topic: Topic) -> dict[str, Any]:
    """Return the topic settings that the binding defines, in its types."""
    known: dict[str, Any] = {
        name: int(value) for name, value in topic.config.items() if name in _RETENTION
    }
    return {"cleanup.policy": topic.config["cleanup.policy"].split(","), **known}


def _operation(topic: Topic) -> dict[str, Any]:
    messages = _CARRIES.get(topic.name, tuple(_OF_REJECTS))
    channel = f"#/channels/{topic.name}"
    return {
        "action": "receive" if topic.name in _RECEIVED else "send",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{_pointer(name)}"} for name in messages],
    }


def _message(contract: Contract) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": contract.name,
        "title": (contract.model.__doc__ or "").partition("\n")[0],
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{_pointer(contract.name)}"},
        "bindings": _KEYED,
    }
    if contract.name in _EXAMPLES:
        message["examples"] = [_example(contract, name) for name in _EXAMPLES[contract.name]]
    if contract.model in (Alert, SafetyAlert):
        message["headers"] = _event_headers(contract.model)
        message["correlationId"] = {
            "description": "The alert's id: the idempotency key, the same for ever.",
            "location": "$message.header#/ce_id",
        }
    if contract.model is RulesChange:
        message["headers"] = _headers(
            {
                "ce_type": f"`{RULES_CHANGED}`.",
                "ce_id": "`change_id`.",
                "ce_source": "`/tocsin/` and the topic of the alerts.",
                "ce_subject": "`rules`.",
                "ce_time": "Start of `changed_on`, UTC; absent if nothing was counted.",
                "ce_dataschema": f"`{contract.uri}`.",
                "ce_revision": "`number`.",
            },
            ("ce_type", "ce_id", "ce_source", "ce_subject", "ce_dataschema", "ce_revision"),
        )
    return message


_EXAMPLES = {
    "report": {
        "report": "A first version of a case.",
        "follow_up": "The whole case again, with a higher version.",
        "nullification": "A version that takes the case out of every count.",
    },
    "alert": {
        "alert": "The first revision of a signal.",
        "retraction": "A revision that withdraws the signal, after cases were nullified.",
    },
    "safety-alert": {"safety_alert": "A first revision."},
}
"""Examples of each contract and what they show; `streams.demo.examples` has them."""


def _example(contract: Contract, name: str) -> dict[str, Any]:
    payload = contract_example(name)
    example = {
        "name": name,
        "summary": _EXAMPLES[contract.name][name],
        "payload": payload,
    }
    if contract.model in (Alert, SafetyAlert):
        alert = decode_alert(json.dumps(payload).encode())
        headers = cloud_event_headers(alert, source="/tocsin/pv.alerts")
        example["headers"] = {key: value.decode() for key, value in headers.items()}
    return example


def _headers(described: Mapping[str, str], required: Iterable[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", "description": text} for name, text in described.items()
        },
        "required": sorted(required),
    }


_OF_REJECTS = {
    "rejected": {
        "name": "rejected",
        "title": "The original bytes of what could not be read, with the reason in its headers.",
        "contentType": "application/octet-stream",
        "headers": _headers(
            {
                "source": "File, archive member, or `topic[partition]` it came from.",
                "position": "Line number in a file from 1, or offset in a topic.",
                "reason": "The rule that was broken and what was got, in one line.",
                "key": "Key of the message, if it had one.",
                "first": "Where it was rejected first, if it was redriven since.",
                "attempts": "How often it was redriven.",
                "size": "Its length in bytes, if it was too long and is cut here.",
            },
            ("source", "position", "reason"),
        ),
        "bindings": _KEYED,
    },
    "redriven": {
        "name": "redriven",
        "title": "A mark that a reject was put back onto the reports or notices; it has no value.",
        "headers": _headers(
            {
                "redriven": "`as it was` or `mended`.",
                "digest": "SHA-256 of the bytes of the reject, whose key is this one.",
            },
            ("redriven", "digest"),
        ),
        "payload": {"type": "null"},
        "bindings": _KEYED,
    },
}


def _event_headers(model: type[Alert | SafetyAlert]) -> dict[str, Any]:
    """Describe the headers that `schemas.cloud_event.cloud_event_headers` returns."""
    always: dict[str, dict[str, Any]] = {
        "content-type": {"const": "application/json"},
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"description": "`alert_id`."},
        "ce_source": {
            "description": "`/tocsin/` and the topic of the alerts.",
            "format": "uri-reference",
        },
        "ce_type": {"description": "What happened to what.", "enum": list(event_types(model))},
        "ce_subject": {"description": "`signal_key`, as in the record's key."},
        "ce_time": {
            "description": "Start of the event-time day of the evaluation, UTC; no clock reading.",
            "format": "date-time",
        },
        "ce_dataschema": {"const": contract_of(model).uri},
    }
    of_ours: Mapping[str, dict[str, Any]] = {
        "urgent": {"enum": ["true", "false"]},
        "level": {"enum": list(LEVELS)},
        "grade": {"enum": [grade.value for grade in SignalGrade]},
        "revision": {"pattern": "^[1-9][0-9]*$"},
    }
    ours: dict[str, dict[str, Any]] = {
        f"ce_{name}": {"description": text, **of_ours.get(name, {})}
        for name, text in EXTENSIONS.items()
        if name != "grade" or model is Alert
    }
    may_be_absent = {"ce_productclasses", "ce_jurisdictions"}
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", **about}
            for name, about in {
                **always,
                **ours,
                "traceparent": {"description": "W3C trace context, where tracing is on."},
            }.items()
        },
        "required": sorted({*always, *ours} - may_be_absent),
    }


def _draft_7(schema: Mapping[str, Any]) -> Any:
    """Rewrite a JSON schema in draft 7, as AsyncAPI requires.

    `$defs` becomes `definitions`; references point into `components`.
    """
    name = schema["$id"].split(":")[3]
    whole = {key: value for key, value in schema.items() if key not in ("$schema", "$id")}
    return {**_moved(whole, name), "x-dataschema": schema["$id"]}


def _moved(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {
            "definitions" if key == "$defs" else key: _moved(part, name)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [_moved(part, name) for part in value]
    if isinstance(value, str) and value.startswith("#/$defs/"):
        return f"#/components/schemas/{_pointer(name)}/definitions/{value.removeprefix('#/$defs/')}"
    return value


def _pointer(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
