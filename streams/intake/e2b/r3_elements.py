"""Elements of the ICH E2B(R3) schema, found by their codes and roots instead of their names."""

from streams.intake.e2b.tree import Element, attribute, find, find_all

__all__ = ["CASE_IDS", "OBSERVATIONS", "coded", "identifier", "is_observation", "is_true"]

CASE_IDS = "2.16.840.1.113883.3.989.2.1.3"
"""Root of the identifiers of messages and cases; the kind of identifier follows it."""

OBSERVATIONS = "2.16.840.1.113883.3.989.2.1.1.19"
"""Code system of observations."""


def coded(parent: Element | None, path: str, system: str) -> dict[str, Element]:
    """Return the elements at a path by their code in a code system; the first of each code."""
    found: dict[str, Element] = {}
    for element in find_all(parent, path):
        code = find(element, "code")
        if code is not None and code.get("codeSystem", system) == system:
            found.setdefault(code.get("code", ""), element)
    return found


def is_observation(element: Element, code: str) -> bool:
    """Return whether an element has a code of the code system of observations."""
    found = find(element, "code")
    return (
        found is not None
        and found.get("code") == code
        and found.get("codeSystem", OBSERVATIONS) == OBSERVATIONS
    )


def is_true(observation: Element | None) -> bool:
    """Return whether an observation states `true`; false, a null flavor and absence do not."""
    return attribute(observation, "value", "value").strip().lower() in {"true", "1"}


def identifier(parent: Element, root: str) -> str:
    """Return the identifier of an element under a root; empty if there is none."""
    for each in find_all(parent, "id"):
        if each.get("root") == root:
            extension: str = each.get("extension", "").strip()
            return extension
    return ""
