"""What a reader notes of a message: problems by element, and values without a place."""

from streams.intake.e2b.codes import SEXES
from streams.intake.e2b.findings import MessageFindings


def test_problems_name_element_rule_and_value() -> None:
    findings = MessageFindings()
    findings.refuse("C.1.4", "must be a day", "tomorrow, or on the day after that")
    findings.refuse("C.1.5", "must be a day", " ")
    assert findings.reason == (
        "C.1.4: must be a day; got 'tomorrow, or on the '; C.1.5: must be a day; got nothing"
    )


def test_of_many_problems_the_first_are_named() -> None:
    findings = MessageFindings()
    for number in range(100_000):
        findings.refuse("E.i.2.1b", f"reaction {number} must have a code", None)
    assert findings.reason.endswith("reaction 19 must have a code; got nothing (and 99980 more)")
    assert len(findings.problems) == 20


def test_an_unknown_code_is_counted_and_a_blank_one_is_not() -> None:
    findings = MessageFindings()
    assert [findings.mapped("D.5", SEXES, code) for code in ("1", " 2 ", "", "x", "x")] == [
        *("male", "female", None, None, None),
    ]
    assert findings.unmapped == {"D.5 'x'": 2}


def test_different_values_of_one_message_are_counted_apart_up_to_a_limit() -> None:
    findings = MessageFindings()
    for number in range(3_000):
        findings.skip("D.5", str(number))
    assert (len(findings.unmapped), findings.unmapped["D.5 (other values)"]) == (1_001, 2_000)


def test_what_is_not_printable_is_escaped() -> None:
    findings = MessageFindings()
    findings.skip("D.5", "\x1b[31m")
    findings.refuse("D.5", "must be a code", "\x1b[31m")
    assert list(findings.unmapped) == [r"D.5 '\x1b[31m'"]
    assert "\x1b" not in findings.reason
