"""ICH E2B(R3): the drugs of a message (G.k), with the roles that other elements give them."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

from schemas.product import Product, Relatedness, normalise_lot
from schemas.vocabulary import ActionTaken, ProductRole
from streams.intake.dates import stated_day
from streams.intake.e2b.codes import ACTIONS_R3, ROLES_R3
from streams.intake.e2b.findings import MessageFindings
from streams.intake.e2b.r3_elements import is_observation
from streams.intake.e2b.tree import Element, attribute, find, find_all, text_of, texts
from streams.intake.e2b.values import stated_range
from streams.intake.text import clean

__all__ = ["Roles", "onset_days", "read_drugs", "relatedness_of", "roles_of"]

Roles = dict[str, ProductRole]
"""Roles of the drugs of a message, by the identifiers of their elements."""

_ASSESSMENTS = "component/adverseEventAssessment/component/causalityAssessment"
_ROLE, _CAUSALITY, _INDICATION, _RECURRENCE = "20", "39", "19", "31"  # codes of observations
_DRUG_INFORMATION = "2.16.840.1.113883.3.989.2.1.1.20", "4"
_ACTIONS = "2.16.840.1.113883.3.989.2.1.1.15"
_AFTER_START = "SAS"  # type of a relation: the reaction starts after the start of the drug
_DAYS = {"d": 1, "wk": 7}
_WHOLE = re.compile("[0-9]{1,6}")
_RECURRED = {"1": True, "2": False}  # G.k.9.i.4; of other codes the answer is not known
_FIRST_ROLE = (  # of a drug that was given several
    ProductRole.SUSPECT,
    ProductRole.INTERACTING,
    ProductRole.CONCOMITANT,
    ProductRole.NOT_ADMINISTERED,
)


def read_drugs(
    role: Element | None,
    roles: Roles,
    relatedness: Mapping[str, Sequence[Relatedness]],
    findings: MessageFindings,
    *,
    is_required: bool,
) -> tuple[Product, ...]:
    """Read the drugs of a case, one product a drug and lot.

    Parameters
    ----------
    is_required
        Whether a case must have a drug, and each drug a role; a nullification need not.
    """
    products: list[Product] = []
    n_drugs = 0
    for drug in _drugs(role):
        n_drugs += 1
        given = roles.get(_uuid(drug))
        if given is None:
            if not is_required:
                continue
            findings.refuse("G.k.1", f"drug {n_drugs} must have a role", None)
            given = ProductRole.SUSPECT
        assessed = tuple(relatedness.get(_uuid(drug), ()))
        products.extend(_products(drug, given, assessed, n_drugs, findings))
    if is_required and not n_drugs:
        findings.refuse("G.k.2.2", "a case must have a drug", None)
    return tuple(products)


def onset_days(role: Element | None, roles: Roles) -> dict[str, int]:
    """Return the days from the first suspect dose to each reaction (G.k.9.i.3.1), by its id."""
    found: dict[str, int] = {}
    for drug in _drugs(role):
        if roles.get(_uuid(drug)) not in (ProductRole.SUSPECT, ProductRole.INTERACTING):
            continue
        for relation in find_all(drug, "outboundRelationship1"):
            quantity = find(relation, "pauseQuantity")
            days = _DAYS.get(attribute(quantity, "", "unit"))
            number = attribute(quantity, "", "value")
            if relation.get("typeCode") == _AFTER_START and days and _WHOLE.fullmatch(number):
                reaction = _uuid(find(relation, "actReference"))
                found[reaction] = max(found.get(reaction, 0), int(number) * days)
    return found


def relatedness_of(event: Element, terms: Mapping[str, str]) -> dict[str, list[Relatedness]]:
    """Return the assessments of each drug by its identifier (G.k.9.i.2).

    Parameters
    ----------
    terms
        Terms of the reactions by their identifiers; an assessment of another one is left out.
    """
    found = defaultdict(list)
    for assessment in find_all(event, _ASSESSMENTS):
        if not is_observation(assessment, _CAUSALITY):
            continue
        reaction = terms.get(_uuid(find(assessment, "subject1/adverseEffectReference")))
        value = find(assessment, "value")
        result = clean(text_of(value) or attribute(value, "", "code"), 200)
        if reaction and result:
            author = "author/assignedEntity/code/originalText"
            found[_uuid(find(assessment, "subject2/productUseReference"))].append(
                Relatedness(
                    reaction=reaction,
                    source=clean(text_of(assessment, author), 200),
                    method=clean(text_of(assessment, "methodCode/originalText"), 200),
                    result=result,
                )
            )
    return found


def _drugs(role: Element | None) -> Iterator[Element]:
    system, code = _DRUG_INFORMATION
    for organizer in find_all(role, "subjectOf2/organizer"):
        found = find(organizer, "code")
        if found is None or found.get("code") != code:
            continue
        if found.get("codeSystem", system) == system:
            yield from find_all(organizer, "component/substanceAdministration")


def _uuid(element: Element | None) -> str:
    return attribute(element, "id", "root").strip().lower()


def roles_of(event: Element, findings: MessageFindings) -> Roles:
    """Return the role of each drug by its identifier; the most suspicious of several."""
    given = defaultdict(set)
    for assessment in find_all(event, _ASSESSMENTS):
        if not is_observation(assessment, _ROLE):
            continue
        role = findings.mapped("G.k.1", ROLES_R3, attribute(assessment, "value", "code"))
        if role is not None:
            given[_uuid(find(assessment, "subject2/productUseReference"))].add(role)
    return {drug: min(roles, key=_FIRST_ROLE.index) for drug, roles in given.items()}


def _products(
    drug: Element,
    role: ProductRole,
    relatedness: tuple[Relatedness, ...],
    number: int,
    findings: MessageFindings,
) -> Iterator[Product]:
    kind = find(drug, "consumable/instanceOfKind/kindOfProduct")
    name = clean(text_of(kind, "name"), 2000)
    substances = tuple(dict.fromkeys(texts(kind, "ingredient/ingredientSubstance/name")))
    if name is None and not substances:
        findings.refuse("G.k.2.2", f"drug {number} must have a name", None)
        return
    approval = find(kind, "asManufacturedProduct/subjectOf/approval")
    action = find(drug, "inboundRelationship/act/code")
    action_code = attribute(action, "", "code") if _is_action(action) else ""
    indication, indication_verbatim = _indication(drug)
    for dosages in _by_lot(drug):
        first, last = _period(dosages)
        yield Product(
            verbatim=name,
            substances=substances or ((name,) if name else ()),
            role=role,
            indication=indication,
            indication_verbatim=indication_verbatim,
            route=_first(dosages, _route, 200),
            dose=_first(dosages, _dose, 1000),
            first_given=first,
            last_given=last,
            lot=_first(dosages, _lot, 200),
            manufacturer=clean(text_of(approval, "holder/role/playingOrganization/name"), 500),
            licence=clean(attribute(approval, "id", "extension"), 200),
            action_taken=findings.mapped("G.k.8", ACTIONS_R3, action_code) or ActionTaken.UNKNOWN,
            rechallenge=_rechallenge(drug),
            relatedness=relatedness,
        )


def _is_action(code: Element | None) -> bool:
    return code is not None and code.get("codeSystem", _ACTIONS) == _ACTIONS


def _by_lot(drug: Element) -> list[list[Element]]:
    """Return the dosages of a drug, parted by lot; those without a lot belong to the first."""
    parted: dict[str | None, list[Element]] = {}
    unknown: list[Element] = []
    for dosage in find_all(drug, "outboundRelationship2/substanceAdministration"):
        lot = normalise_lot(_lot(dosage))
        (unknown if lot is None else parted.setdefault(lot, [])).append(dosage)
    if not parted:
        return [unknown]
    first, *others = parted.values()
    return [[*first, *unknown], *others]


def _first(dosages: list[Element], value: Callable[[Element], str], limit: int) -> str | None:
    found = (clean(value(dosage), limit) for dosage in dosages)
    return next((text for text in found if text), None)


def _lot(dosage: Element) -> str:
    path = "consumable/instanceOfKind/productInstanceInstance/lotNumberText"
    return text_of(dosage, path).strip()


def _route(dosage: Element) -> str:
    route = find(dosage, "routeCode")
    return text_of(route, "originalText").strip() or attribute(route, "", "code")


def _dose(dosage: Element) -> str:
    quantity = find(dosage, "doseQuantity")
    number = attribute(quantity, "", "value").strip()
    unit = attribute(quantity, "", "unit").strip()
    return f"{number} {unit}".strip() if number else text_of(dosage, "text")


def _period(dosages: list[Element]) -> tuple[date | None, date | None]:
    """Return the first start and the last end that are stated to the day."""
    starts, ends = [], []
    for dosage in dosages:
        for time in find_all(dosage, "effectiveTime"):
            starts += [stated_range(each.get("value", "")) for each in time.iter("{*}low")]
            ends += [stated_range(each.get("value", "")) for each in time.iter("{*}high")]
    start = min(filter(None, starts), default=None)
    end = max(filter(None, ends), key=lambda each: each[::-1], default=None)
    return stated_day(start), stated_day(end)


def _indication(drug: Element) -> tuple[str | None, str | None]:
    """Return the first coded indication and the first one in words."""
    term = verbatim = None
    for observation in find_all(drug, "inboundRelationship/observation"):
        if is_observation(observation, _INDICATION):
            value = find(observation, "value")
            term = term or clean(attribute(value, "", "code"), 500)
            verbatim = verbatim or clean(text_of(value, "originalText"), 2000)
    return term, verbatim


def _rechallenge(drug: Element) -> bool | None:
    """Return whether any reaction came back on restarting (G.k.9.i.4)."""
    answers = {
        _RECURRED.get(attribute(observation, "value", "code"))
        for observation in find_all(drug, "outboundRelationship2/observation")
        if is_observation(observation, _RECURRENCE)
    }
    if True in answers:
        return True
    return False if False in answers else None
