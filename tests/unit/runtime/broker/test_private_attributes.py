"""The private attributes of kafka-python that this package needs, all of them, still exist."""

import ast
import functools
import importlib
import inspect
import pkgutil
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import kafka
import pytest
from kafka.consumer.fetcher import Fetcher
from kafka.coordinator.base import BaseCoordinator
from kafka.net import KafkaConnectionManager
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport
from kafka.producer.sender import Sender
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecords

from streams.runtime import broker

FOLDER = Path(broker.__file__).parent


class Needed(NamedTuple):
    """An attribute of a class of kafka-python, and what is lost without it."""

    owner: type[Any]
    name: str
    used_for: str


PRIVATE = (
    Needed(kafka.KafkaConsumer, "_fetcher", "a poll with a bound in bytes"),
    Needed(kafka.KafkaConsumer, "_client", "a poll with a bound in bytes"),
    Needed(kafka.KafkaConsumer, "_subscription", "a poll with a bound in bytes"),
    Needed(Fetcher, "_append", "a poll with a bound in bytes"),
    Needed(DefaultRecordBatch, "_buffer", "bounded decompression, unreadable headers"),
    Needed(DefaultRecordBatch, "_pos", "bounded decompression, unreadable headers"),
    Needed(DefaultRecordBatch, "_decompressed", "bounded decompression"),
    Needed(DefaultRecordBatch, "_next_record_index", "unreadable headers"),
    Needed(KafkaConnectionManager, "_build_transport", "the answer to a wrong password"),
    Needed(KafkaTCPTransport, "_sock_recv", "the answer to a wrong password"),
    Needed(KafkaSSLTransport, "_sock_recv", "the answer to a wrong password"),
    Needed(kafka.KafkaProducer, "_sender", "the end of a producer whose broker is gone"),
    Needed(kafka.KafkaConsumer, "_coordinator", "noticing that another took our static name"),
    Needed(BaseCoordinator, "_heartbeat_enabled", "noticing that another took our static name"),
)
UNDOCUMENTED = (
    Needed(Fetcher, "PartitionRecords", "a poll with a bound in bytes"),
    Needed(Fetcher, "fetched_records", "a poll with a bound in bytes"),
    Needed(Fetcher.PartitionRecords, "record_iterator", "a poll with a bound in bytes"),
    Needed(Fetcher.PartitionRecords, "bytes_read", "a poll with a bound in bytes"),
    Needed(MemoryRecords, "next_batch", "bounded decompression, unreadable headers"),
    Needed(Sender, "force_close", "the end of a producer whose broker is gone"),
)
"""Without an underscore, but in no documentation of kafka-python."""


@pytest.mark.parametrize("needed", [*PRIVATE, *UNDOCUMENTED], ids=lambda needed: needed.name)
def test_what_is_needed_of_the_library_is_there(needed: Needed) -> None:
    version = f"kafka-python {kafka.__version__}"
    assert needed.name in attributes_of(needed.owner), (
        f"{version}: {needed.owner.__qualname__} has no {needed.name} any more, which is needed "
        f"for {needed.used_for}: adapt streams/runtime/broker"
    )


def test_no_other_private_attribute_of_the_library_is_used() -> None:
    used: set[str] = set()
    for module in pkgutil.iter_modules([str(FOLDER)]):
        tree = ast.parse((FOLDER / f"{module.name}.py").read_text())
        loaded = importlib.import_module(f"{broker.__name__}.{module.name}")
        accessed = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        ours: set[str] = set()
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                made, inherited = names_made(node), attributes_of(getattr(loaded, node.name))
                used |= made & inherited
                ours |= made - inherited
        used |= accessed - ours
    assert {name for name in used if is_private(name)} == {needed.name for needed in PRIVATE}


@functools.cache
def attributes_of(owner: type[Any]) -> set[str]:
    """Return what the library's part of a class defines, and what its methods set on `self`."""
    found = set()
    for one in owner.__mro__:
        if one.__module__.startswith("kafka."):
            tree = ast.parse(textwrap.dedent(inspect.getsource(one)))
            found |= names_made(tree) | set(vars(one))
    return found


def names_made(tree: ast.AST) -> set[str]:
    """Return the names that are set on `self` or defined anywhere below."""
    made = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                made.add(node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            made.add(node.name)
    return made


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")
