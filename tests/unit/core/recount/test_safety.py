"""A safety alert is recomputed from its input; another input or alert gives differences."""

from datetime import date

import pytest

from schemas.alert import InputOffset
from schemas.errors import InputError
from schemas.notice import Notice, NoticeKind, Patients
from schemas.report import Link
from schemas.safety_alert import SafetyAlert
from schemas.vocabulary import LinkKind
from streams.core.cases.transitions import CaseVersion
from streams.core.recount.safety import RecountedSafety, recount_safety
from streams.core.safety.monitor import SafetyMonitor
from streams.runtime.embedded.case_stage import Incoming, read_batch
from tests.support.versions import make_marker, make_release
from tests.support.work import HORIZON, watched

TOPICS = ("pv.reports", "pv.notices")
DAY = date(2024, 5, 1)


def versions(*values: bytes) -> list[tuple[tuple[int, int], CaseVersion]]:
    messages = [Incoming(offset, value) for offset, value in enumerate(values)]
    found, rejected = read_batch(messages, source="x", horizon=HORIZON)
    assert not rejected
    return [((0, offset), version) for offset, version in found]


def series(number: int, patients: int) -> tuple[tuple[int, int], Notice]:
    notice = Notice(
        notice_id=f"S-{number}",
        subject_id="S",
        kind=NoticeKind.AGGREGATE,
        received=date(2024, 4, number),
        source="press",
        patients=Patients(at_least=patients),
    )
    return (1, number - 1), notice


PART = {"links": [Link(kind=LinkKind.PART_OF, case_id="S").model_dump(mode="json")]}
REPORTS = versions(
    watched(1, **PART),
    watched(2, **PART),
    watched(2, version=2, revision={"kind": "nullification", "reason": "wrong"}, **PART),
)
NOTICES = [series(1, 2), series(2, 4)]


def at(reports: int, notices: int) -> tuple[InputOffset, ...]:
    ends = ((TOPICS[0], 0, reports), (TOPICS[1], 1, notices))
    return tuple(
        InputOffset(topic=topic, partition=number, next_offset=end)
        for topic, number, end in ends
        if end
    )


def told() -> list[SafetyAlert]:
    """Return three revisions, as a watch gives them that hears one thing after another."""
    watch = SafetyMonitor()
    watch.apply_notice(NOTICES[0][1])
    found = watch.evaluate(DAY, at(0, 1))
    watch.count((REPORTS[number][1].watched, 1) for number in (0, 1))
    found += watch.evaluate(DAY, at(2, 1))
    watch.count([(REPORTS[1][1].watched, -1)])
    watch.apply_notice(NOTICES[1][1])
    found += watch.evaluate(DAY, at(3, 2))
    return found


def recounted(
    *alerts: SafetyAlert, known: list[SafetyAlert] | None = None
) -> list[RecountedSafety]:
    before = {(one.signal_key, one.revision): one for one in (told() if known is None else known)}
    return list(recount_safety(alerts, before, REPORTS[::-1], NOTICES[::-1], topics=TOPICS))


def test_every_revision_comes_out_as_it_was_published() -> None:
    alerts = told()
    assert [(alert.revision, alert.n_verified) for alert in alerts] == [(1, 0), (2, 2), (3, 1)]
    results = recounted(*alerts)
    assert [result.differences for result in results] == [()] * 3
    assert [result.messages for result in results] == [1, 3, 5]
    assert {result.compared for result in results} == {len(SafetyAlert.model_fields) - 2}


@pytest.mark.parametrize(
    "changed",
    [
        {"n_verified": 2},
        {"as_of": at(2, 2)},
        {"as_of": at(3, 1)},
        {"reason": "because"},
        {"signal_key": "CASE_SERIES|T", "revision": 1},
    ],
)
def test_what_was_changed_is_found_out(changed: dict[str, object]) -> None:
    (result,) = recounted(told()[-1].model_copy(update=changed))
    assert result.differences


def test_what_it_cannot_be_held_against_is_refused() -> None:
    last = told()[-1]
    with pytest.raises(InputError, match="revision 2 of its signal must be among the alerts"):
        recounted(last, known=[])
    other = (InputOffset(topic="x.reports", partition=0, next_offset=1),)
    with pytest.raises(InputError, match=r"must be of pv.reports and pv.notices; got x.reports"):
        recounted(last.model_copy(update={"as_of": other}))


def test_a_withdrawn_case_is_not_of_a_series() -> None:
    release = make_release(1).model_dump(mode="json")
    reports = versions(
        watched(1, release=release, **PART),
        watched(2, **PART),
        make_marker(2).model_dump_json().encode(),
    )
    elsewhere = [((1, offset), version) for (_, offset), version in reports[2:]]
    watch = SafetyMonitor()
    watch.apply_notice(NOTICES[0][1])
    watch.count([(reports[1][1].watched, 1)])
    (alert,) = watch.evaluate(DAY, at(3, 1))
    (same,) = recount_safety([alert], {}, reports, NOTICES, topics=TOPICS)
    assert same.differences == ()
    (other,) = recount_safety([alert], {}, reports[:2] + elsewhere, NOTICES, topics=TOPICS)
    assert "n_verified" in {difference.name for difference in other.differences}
