"""Which of two versions holds, whether one changes a count, and in what form a case counts."""

from datetime import date
from typing import Any

import pytest

from schemas.report import Link, Patient
from schemas.vocabulary import LinkKind, Seriousness
from streams.core.cases.from_report import link_version
from streams.core.cases.versions import (
    CaseVersion,
    as_counted,
    as_released,
    bare,
    joined,
    release_key,
    removal_of,
)
from tests.support.reports import DAY, NULLIFIED
from tests.support.versions import closing, make_link, make_release, make_version

ASCENDING = [
    {"version": 1, "latest_received": date(2024, 6, 1), "revision": NULLIFIED, "message_id": "z"},
    {"version": 2, "latest_received": DAY, "revision": NULLIFIED, "message_id": "z"},
    {"version": 2, "latest_received": date(2024, 3, 1), "message_id": "z"},
    {"version": 2, "latest_received": date(2024, 3, 1), "revision": NULLIFIED, "message_id": "a"},
    {"version": 2, "latest_received": date(2024, 3, 1), "revision": NULLIFIED, "message_id": "b"},
    {"version": 2, "latest_received": DAY, "release": make_release(1), "message_id": "z"},
    {"version": 2, "latest_received": DAY, "release": make_release(2), "message_id": "a"},
    {"version": 10, "latest_received": DAY},
]


def test_versions_are_ordered_by_number_release_day_nullification_and_message() -> None:
    versions = [make_version(**changes) for changes in ASCENDING]
    assert sorted(reversed(versions)) == versions
    assert len(set(versions)) == len(versions)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"drugs": ["iron"]}, True),
        ({"version": 2}, False),
        ({"latest_received": date(2024, 3, 1)}, False),
        ({"release": make_release(1)}, False),
        ({"revision": NULLIFIED}, False),
        ({"message_id": "m"}, False),
    ],
)
def test_a_message_is_known_by_number_day_nullification_and_id(
    changes: dict[str, Any], same: bool
) -> None:
    assert make_version().same_message(make_version(**changes)) is same


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"version": 2, "message_id": "m", "latest_received": date(2024, 3, 1)}, True),
        ({"drugs": ["iron"]}, False),
        ({"events": ["Fever"]}, False),
        ({"first_received": date(2024, 2, 28)}, False),
        ({"seriousness": (Seriousness.DEATH,)}, False),
        ({"occurrence_country": "JP"}, False),
        ({"patient": Patient(age_years=40.0)}, False),
        ({"occurrence_subdivision": "US-CA"}, False),
        ({"release": make_release(3)}, True),
    ],
)
def test_a_follow_up_that_states_the_same_changes_no_count(
    changes: dict[str, Any], same: bool
) -> None:
    assert make_version().counts_as(make_version(**changes)) is same


APPLIED, REVERSED = link_version(make_link()), link_version(make_link("reversed", decision=2))
LINKED = joined(APPLIED, make_version())


def test_what_was_joined_can_be_stripped_to_what_the_sender_said() -> None:
    assert make_version() != LINKED
    assert bare(LINKED) == make_version()
    void = make_version(version=2, revision=NULLIFIED)
    assert joined(void, make_version()).voided == (make_version(),)
    assert bare(joined(void, make_version())) == void


def test_a_linked_case_counts_as_its_links_let_it() -> None:
    assert as_counted(APPLIED) is None, "no report of it came yet"
    assert as_counted(make_version()) == make_version()
    linked = as_counted(LINKED)
    assert linked is not None
    assert linked.excluded == "duplicate"
    apart = as_counted(joined(REVERSED, LINKED))
    assert apart is not None
    assert apart.excluded == ""


OWN = make_version(links=(Link(kind=LinkKind.DUPLICATE_OF, case_id="M"),))
VOID = make_version(version=2, revision=NULLIFIED)


@pytest.mark.parametrize(
    ("version", "removed"),
    [
        (None, None),
        (make_version(), None),
        (APPLIED, None),
        (LINKED, (make_version(), "duplicate")),
        (OWN, None),  # its own report says so: nobody removed it
        (joined(APPLIED, OWN), None),
        (joined(VOID, make_version()), (make_version(), "nullified")),
        (VOID, None),  # nothing was ever stated
    ],
)
def test_a_removed_case_is_one_that_would_count(
    version: CaseVersion | None, removed: tuple[CaseVersion, str] | None
) -> None:
    assert removal_of(version) == removed


IN_MARCH = make_version(release=make_release(3))
WITHDRAWN = as_released(IN_MARCH, closing(4))


@pytest.mark.parametrize(
    ("version", "marker", "withdrawn"),
    [
        (IN_MARCH, None, False),
        (IN_MARCH, closing(2), False),
        (IN_MARCH, closing(3), False),
        (IN_MARCH, closing(4), True),
        (WITHDRAWN, closing(5), True),
        (WITHDRAWN, closing(3), False),
        (WITHDRAWN, None, False),
    ],
)
def test_a_case_is_withdrawn_by_a_newer_release_alone(
    version: CaseVersion, marker: CaseVersion | None, withdrawn: bool
) -> None:
    found = as_released(version, marker)
    assert bool(found.withdrawn) is withdrawn
    assert bare(found) == IN_MARCH
    counted = as_counted(found)
    assert counted is not None
    assert counted.excluded == ("withdrawn" if withdrawn else "")


def test_a_marker_has_a_key_that_no_case_id_is_mistaken_for() -> None:
    marker = closing(4)
    assert marker.case_id == release_key("vaers/2024") == "\x1fvaers/2024"
    assert as_counted(marker) is None
    assert marker.latest_received == -1, "it moves no clock"
    assert marker > closing(3)


def test_a_withdrawal_is_kept_when_versions_are_joined() -> None:
    link = link_version(make_link())
    assert joined(link, WITHDRAWN) == joined(WITHDRAWN, link)
    assert joined(link, WITHDRAWN).withdrawn == WITHDRAWN.withdrawn


NULLIFIED_IN_MARCH = joined(
    make_version(version=2, revision=NULLIFIED, release=make_release(3)), IN_MARCH
)


@pytest.mark.parametrize(
    ("version", "excluded", "removed"),
    [
        (WITHDRAWN, "withdrawn", (IN_MARCH, "withdrawn")),
        (joined(APPLIED, WITHDRAWN), "duplicate", (IN_MARCH, "duplicate")),
        (joined(REVERSED, WITHDRAWN), "withdrawn", (IN_MARCH, "withdrawn")),
        (as_released(NULLIFIED_IN_MARCH, closing(4)), "nullified", (IN_MARCH, "nullified")),
        (
            as_released(make_version(events=(), release=make_release(3)), closing(4)),
            "withdrawn",
            None,  # it never counted
        ),
    ],
)
def test_a_case_that_is_withdrawn_and_more_has_one_reason(
    version: CaseVersion, excluded: str, removed: tuple[CaseVersion, str] | None
) -> None:
    counted = as_counted(version)
    assert counted is not None
    assert counted.excluded == excluded
    assert removal_of(version) == removed
