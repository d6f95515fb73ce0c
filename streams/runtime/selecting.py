"""A selector that does not write out the sockets it is asked for.

kafka-python registers a socket each time it waits for it, and asks first whether it is registered.
Mostly it is not, and Python's selector then names it in an error: twice, by its addresses, which it
asks the kernel for. That is most of what such a wait costs, and a transaction is dozens of them.
"""

import selectors
from typing import Any

__all__ = ["Selector"]


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
