"""Exceptions raised by Tocsin, with the remedy for each.

::

    TocsinError
    ├── InputError         a file, setting or argument is wrong; the user mends it (exit code 2)
    │   ├── IcsrError      one report cannot be read or contradicts itself; it goes to the rejects
    │   ├── CountsError    a counts frame breaks its contract
    │   └── RuleError      a signal rule or rule file is malformed
    ├── FitError           a model could not be fitted to the counts it was given
    ├── StateError         stored state is missing, foreign, torn or from another version
    └── BrokerError        Kafka refused, or could not be reached safely

A message reads ``{where}: {rule}; got {what}[, first {row}]`` and never holds narrative text.
"""

from enum import StrEnum

__all__ = [
    "BrokerError",
    "CountsError",
    "FitError",
    "IcsrError",
    "InputError",
    "RefusedValue",
    "RejectCode",
    "RuleError",
    "StateError",
    "TocsinError",
]


class RejectCode(StrEnum):
    """Reason code of a rejected message, for metrics and the log.

    It is set where the error is raised. The reason in words may change, the code does not.
    """

    KEY = "key"  # it was published with another key than its case id
    PARTITION = "partition"  # it was re-routed, and is not on the partition of its case
    FUTURE_DATE = "future_date"
    DATES_OUT_OF_ORDER = "dates_out_of_order"
    TOO_LONG = "too_long"  # the message, or the delta it causes
    EMPTY = "empty"
    COMPRESSION = "compression"  # a whole batch that cannot be unpacked
    NOT_JSON = "not_json"  # no JSON, or no object
    DUPLICATE_FIELD = "duplicate_field"  # an object of the JSON holds a field twice
    SCHEMA = "schema"  # no valid report, link, notice or row


class TocsinError(Exception):
    """Base of all exceptions raised by Tocsin; the command line prints them as one line."""


class InputError(TocsinError):
    """A file, a setting or an argument is wrong. Mend what the message names, then run again."""


class IcsrError(InputError):
    """One individual case safety report cannot be read, or contradicts itself.

    The report goes to the rejects with this text; the stream goes on. Mend the report at its
    source, or redrive it once the reader understands it.
    """

    def __init__(self, text: str, code: RejectCode) -> None:
        super().__init__(text)
        self.code = code


class RefusedValue(ValueError):
    """A validator's rule that has a `RejectCode` of its own; pydantic wants a `ValueError`."""

    def __init__(self, text: str, code: RejectCode) -> None:
        super().__init__(text)
        self.code = code


class CountsError(InputError):
    """A counts frame breaks its contract (`schemas.counts`); the message names the first row."""


class RuleError(InputError):
    """A signal rule, or the file it came from, is malformed. The message names the rule and key."""


class FitError(TocsinError):
    """A model could not be fitted: too few pairs, or no start converged. Do not use its output."""


class StateError(TocsinError):
    """Stored state is missing, foreign, torn, or written by another version.

    Do not delete it at once: copy the folder away, read the message, then rebuild from the topic.
    """


class BrokerError(TocsinError):
    """Kafka refused, could not be reached, or would have been reached without encryption.

    Check `bootstrap`, `security_protocol` and the credentials in the settings the message names.
    """
