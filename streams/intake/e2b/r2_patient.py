"""ICH E2B(R2): patient, reactions and drugs of a `safetyreport`."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from schemas.product import Product, Relatedness
from schemas.report import Patient, Reaction
from schemas.vocabulary import ActionTaken, Outcome, Sex
from streams.intake.countries import country_code
from streams.intake.e2b.codes import (
    ACTIONS_R2,
    AGE_GROUPS,
    DOSE_UNITS_R2,
    OUTCOMES_R2,
    ROLES_R2,
    ROUTES_R2,
    SEXES,
)
from streams.intake.e2b.findings import Findings
from streams.intake.e2b.tree import Children
from streams.intake.e2b.values import age_in_years, stated, weight_in_kg, years_between
from streams.intake.faers.layout import substances_of
from streams.intake.text import clean

__all__ = ["REACTION_TERM", "country_of", "read_drugs", "read_patient", "read_reactions"]

REACTION_TERM = "reactionmeddrapt (B.2.i.2)"
"""The element of a reaction's term."""

_faers_names = substances_of.__wrapped__  # without its cache, which a hostile file could fill
_LONGEST_COUNTRY = 100  # characters
_DAYS = {"804": 1, "803": 7}  # days of a unit of the time to onset
_MOST_DAYS = 6  # digits of a number of days
_RECURRED = {"1": True, "2": False}


def country_of(values: Mapping[str, str], name: str, number: str, findings: Findings) -> str | None:
    """Return the code of a country; one that is no country is counted as unmapped."""
    text = values.get(name, "")
    code = country_code(text[:_LONGEST_COUNTRY])
    if text and code is None:
        findings.skip(f"{name} ({number})", text)
    return code


def read_patient(patient: Children, reactions: tuple[Reaction, ...], findings: Findings) -> Patient:
    """Read the patient; without an age at onset, it is that between birth and first reaction."""
    values = patient.texts
    years = age_in_years(values.get("patientonsetage", ""), values.get("patientonsetageunit", ""))
    birth = stated(values.get("patientbirthdate", ""))
    onset = min((each.onset for each in reactions if each.onset), default=None)
    if years is None and birth is not None and onset is not None:
        years = years_between(birth, onset)
    group, sex = values.get("patientagegroup", ""), values.get("patientsex", "")
    weight = values.get("patientweight", "")
    kilograms = weight_in_kg(weight)
    if weight and kilograms is None:
        findings.skip("patientweight (B.1.3)", weight)
    return Patient(
        age_years=years,
        age_group=findings.mapped("patientagegroup (B.1.2.3)", AGE_GROUPS, group),
        sex=findings.mapped("patientsex (B.1.5)", SEXES, sex) or Sex.UNKNOWN,
        weight_kg=kilograms,
    )


def read_reactions(patient: Children, findings: Findings) -> tuple[Reaction, ...]:
    """Read the reactions by their preferred term, else by their lowest level term."""
    reactions = []
    for number, reaction in enumerate(patient.each("reaction"), start=1):
        values = reaction.texts
        level = "pt" if values.get("reactionmeddrapt") else "llt"
        text = values.get(f"reactionmeddra{level}", "")
        term = clean(text, 500)
        if term is None:
            rule = f"reaction {number} must have a MedDRA term"
            findings.refuse(REACTION_TERM, rule, None)
            continue
        outcome = values.get("reactionoutcome", "")
        code = term if term.isascii() and term.isdigit() else None
        reactions.append(
            Reaction(
                term=term,
                verbatim=clean(values.get("primarysourcereaction", ""), 2000),
                code=clean(code or "", 50),
                dictionary="MedDRA",
                dictionary_version=clean(values.get(f"reactionmeddraversion{level}", ""), 20),
                onset=stated(values.get("reactionstartdate", "")),
                onset_days=_onset_days(values),
                outcome=findings.mapped("reactionoutcome (B.2.i.8)", OUTCOMES_R2, outcome)
                or Outcome.UNKNOWN,
            )
        )
    return tuple(reactions)


def _onset_days(values: Mapping[str, str]) -> int | None:
    number = values.get("reactionfirsttime", "")
    days = _DAYS.get(values.get("reactionfirsttimeunit", ""))
    if days is None or not (number.isascii() and number.isdigit() and len(number) <= _MOST_DAYS):
        return None
    return int(number) * days


def read_drugs(
    patient: Children, findings: Findings, *, of_faers: bool, is_required: bool
) -> tuple[Product, ...]:
    """Read the drugs of a case.

    Parameters
    ----------
    of_faers
        Whether names are FDA's, which joins substances by backslashes.
    is_required
        Whether a case must have a drug, and each drug a role; a nullification need not.
    """
    products: list[Product] = []
    drugs = patient.each("drug")
    for number, drug in enumerate(drugs, start=1):
        values = drug.texts
        code = values.get("drugcharacterization", "")
        role = ROLES_R2.get(code)
        name = clean(values.get("medicinalproduct", ""), 2000)
        substances = _substances(drug, name, of_faers=of_faers)
        if role is None:
            if is_required:
                rule = f"drug {number} must have a role, {', '.join(ROLES_R2)}"
                findings.refuse("drugcharacterization (B.4.k.1)", rule, code)
        elif not substances:
            rule = f"drug {number} must have a name"
            findings.refuse("medicinalproduct (B.4.k.2.1)", rule, None)
        else:
            product = Product(
                verbatim=name,
                substances=substances,
                role=role,
                relatedness=_relatedness(drug),
                **_details(values, findings),
            )
            products.append(product)
    if is_required and not drugs:
        findings.refuse("medicinalproduct (B.4.k.2.1)", "a case must have a drug", None)
    return tuple(products)


def _substances(drug: Children, name: str | None, *, of_faers: bool) -> tuple[str, ...]:
    active = drug.each("activesubstance")
    names = [clean(each.texts.get("activesubstancename", ""), 2000) or "" for each in active]
    if of_faers:
        return _faers_names("\\".join(names), name or "")
    found = tuple(dict.fromkeys(filter(None, names)))
    return found or ((name,) if name else ())


def _details(values: Mapping[str, str], findings: Findings) -> dict[str, Any]:
    route = values.get("drugadministrationroute", "")
    action = values.get("actiondrug", "")
    return {
        "indication": clean(values.get("drugindication", ""), 500),
        "route": clean(ROUTES_R2.get(route, route), 200),
        "dose": _dose(values),
        "first_given": _day(values, "drugstartdate"),
        "last_given": _day(values, "drugenddate"),
        "lot": clean(values.get("drugbatchnumb", ""), 200),
        "manufacturer": clean(values.get("drugauthorizationholder", ""), 500),
        "licence": clean(values.get("drugauthorizationnumb", ""), 200),
        "action_taken": findings.mapped("actiondrug (B.4.k.16)", ACTIONS_R2, action)
        or ActionTaken.UNKNOWN,
        "rechallenge": _RECURRED.get(values.get("drugrecurreadministration", "")),
    }


def _relatedness(drug: Children) -> tuple[Relatedness, ...]:
    found = []
    for assessment in drug.each("drugreactionrelatedness"):
        values = assessment.texts
        reaction = clean(values.get("drugreactionasses", ""), 500)
        if reaction and (result := clean(values.get("drugresult", ""), 200)):
            source = clean(values.get("drugassessmentsource", ""), 200)
            method = clean(values.get("drugassessmentmethod", ""), 200)
            each = Relatedness(reaction=reaction, source=source, method=method, result=result)
            found.append(each)
    return tuple(found)


def _day(values: Mapping[str, str], name: str) -> date | None:
    return stated(values.get(name, ""))


def _dose(values: Mapping[str, str]) -> str | None:
    number, unit = (values.get(f"drugstructuredosage{part}", "") for part in ("numb", "unit"))
    if number:
        return clean(f"{number} {DOSE_UNITS_R2.get(unit, unit)}", 1000)
    return clean(values.get("drugdosagetext", ""), 1000)
