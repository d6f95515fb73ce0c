"""Why messages are rejected, as few classes: what a counter can have as a label.

The reason in full stands with the reject itself; it names a place and a rule, and is of no bounded
number.
"""

__all__ = ["REJECT_CLASSES", "reject_class"]

_BEGINNINGS = (
    ("key: ", "key"),
    ("latest_received: must not lie in the future", "future_date"),
    ("report: latest_received must not be before first_received", "dates_out_of_order"),
    ("report: at most ", "too_long"),
    ("report: the change of a case must fit", "too_long"),
    ("received: must not lie in the future", "future_date"),
    ("notice: at most ", "too_long"),
    ("notice: Invalid JSON", "not_json"),
    ("notice: Input should be ", "not_json"),
    ("value: ", "empty"),
    ("batch of offsets ", "compression"),
    ("report: Invalid JSON", "not_json"),
    ("link: Invalid JSON", "not_json"),
    ("report: Input should be ", "not_json"),  # JSON, but no object
)

REJECT_CLASSES = (
    "key",
    "future_date",
    "dates_out_of_order",
    "too_long",
    "empty",
    "compression",
    "not_json",
    "schema",
)
"""Every class there is. `schema`: an object that is no valid report, link or notice."""


def reject_class(reason: str) -> str:
    """Return the class of a reason.

    >>> reject_class("key: must be the case_id of the report; got another one")
    'key'
    >>> reject_class("products.0.role: Input should be 'suspect' or 'concomitant'")
    'schema'
    """
    return next((name for words, name in _BEGINNINGS if reason.startswith(words)), "schema")
