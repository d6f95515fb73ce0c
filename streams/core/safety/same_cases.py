"""One alert for the clusters of the same cases: two reports that name 1,000 lots are one finding.

A cluster whose alert is open keeps it, so that an identity never changes while its alert is open.
The others of the same cases are named by one alert: the first open one, else that of the first
unit by name. So the alert of a unit that begins to differ begins then, and ends by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from streams.core.safety.safety_finding import SafetyFinding

__all__ = ["MOST_UNITS", "one_alert_for_same_cases"]

MOST_UNITS = 20
"""Most other units that an alert names; it states the number of all of them."""


def one_alert_for_same_cases(
    found: Mapping[str, SafetyFinding], is_open: Callable[[str], bool]
) -> dict[str, SafetyFinding]:
    """Return the findings to alert on, each cluster with the other units of the same cases.

    Parameters
    ----------
    found
        Findings of a day, by signal key.
    is_open
        Whether the alert of a signal key is published and has not ended.
    """
    groups: dict[tuple[object, ...], list[str]] = {}
    kept: dict[str, SafetyFinding] = {}
    for key, finding in found.items():
        if finding.rule is None:
            kept[key] = finding
        else:
            *cluster_of, _ = finding.subject
            group = (finding.category, *cluster_of, finding.case_ids)
            groups.setdefault(group, []).append(key)
    for keys in groups.values():
        units = sorted(found[key].subject[-1] for key in keys)
        alerted = [key for key in keys if is_open(key)]
        for key in alerted or [min(keys, key=lambda key: found[key].subject[-1])]:
            own = found[key].subject[-1]
            others = [unit for unit in units[: MOST_UNITS + 1] if unit != own][:MOST_UNITS]
            kept[key] = replace(found[key], same_cases=tuple(others), n_same_cases=len(units) - 1)
    return kept
