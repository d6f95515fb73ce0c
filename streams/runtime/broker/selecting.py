"""The loop of a client, without what costs it time or misleads a reader of its log.

What this changes in kafka-python, read and measured in version 3.0.12:

- It registers a socket each time it waits for it, and asks first whether it is registered. Mostly
  it is not, and Python's selector then names it in an error: twice, by its addresses, which it asks
  the kernel for. That is most of what such a wait costs, and a transaction is dozens of them.
- It warns of a step that took more than 0.1 s. While a worker counts, a step waits for the
  interpreter, and no connection is in trouble.
"""

import selectors
from typing import Any

from kafka.net.compat import KafkaNetClient

__all__ = ["NetClient", "Selector"]


class NetClient(KafkaNetClient):  # type: ignore[misc]
    """A client's way to the brokers, with the selector of this module."""

    def __init__(self, **configs: Any) -> None:
        super().__init__(**{**configs, "selector": Selector, "slow_task_threshold_secs": 0})


class Selector(selectors.DefaultSelector):
    """The default selector of the platform, whose `get_key` says no more than that it has none."""

    def get_key(self: Any, fileobj: Any) -> selectors.SelectorKey:
        """Return the key of a registered socket.

        Raises
        ------
        KeyError
            If it is not registered.
        RuntimeError
            If the selector is closed.
        """
        if self.get_map() is None:
            return super().get_key(fileobj)
        key: selectors.SelectorKey = self._fd_to_key[self._fileobj_lookup(fileobj)]
        return key
