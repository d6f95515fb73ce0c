"""A column can fill every field that one text can state, with the type of the schema."""

from datetime import date

from schemas.vocabulary import ProductRole, RevisionKind, Seriousness, Sex
from streams.intake.mapped.fields import FIELDS


def test_fields_are_those_of_the_schema_that_a_text_can_state() -> None:
    assert FIELDS["report"]["case_id"] is str
    assert FIELDS["report"]["first_received"] is date
    assert FIELDS["report"]["version"] is int
    assert FIELDS["report"]["seriousness"] is Seriousness
    assert FIELDS["report"]["revision"] is RevisionKind
    assert (FIELDS["patient"]["age_years"], FIELDS["patient"]["sex"]) == (float, Sex)
    assert FIELDS["products"]["role"] is ProductRole
    assert FIELDS["products"]["dechallenge"] is bool
    assert FIELDS["reactions"]["onset_days"] is int


def test_parts_and_lists_are_no_fields() -> None:
    for section, name in (("report", "products"), ("report", "links"), ("products", "facility")):
        assert name not in FIELDS[section]
