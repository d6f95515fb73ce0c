"""Resources that FHIR adverse events refer to: patients, products, and who gives them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from schemas.errors import InputError

__all__ = ["Referenced", "References", "concept_name"]

_MOST = 200_000  # resources that are held, about 100 MB
_PRODUCTS = (
    *("Medication", "Substance", "Immunization", "MedicationAdministration"),
    *("MedicationStatement", "MedicationUsage", "MedicationRequest", "Procedure", "Device"),
    *("BiologicallyDerivedProduct", "MedicationDispense"),
)
_KEPT = {"Patient", *_PRODUCTS}

Json = Mapping[str, Any]


class Referenced(NamedTuple):
    """Used elements of a resource; blank if it has none. `product` refers to another resource."""

    name: str = ""
    lot: str = ""
    manufacturer: str = ""
    given: str = ""
    route: str = ""
    dose: str = ""
    product: str = ""
    gender: str = ""
    birth: str = ""


class References:
    """The resources of a document, by their type and id, and by their address."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._found: dict[str, Referenced] = {}

    def add(self, resource: Json, full_url: str = "") -> None:
        """Keep the used elements of a resource.

        Raises
        ------
        InputError
            A document has more of them than are held.
        """
        kind = resource.get("resourceType")
        if kind not in _KEPT:
            return
        if len(self._found) >= _MOST:
            msg = f"{self._where}: at most {_MOST} patients and products are held; got more"
            raise InputError(msg)
        found = _referenced(resource)
        for key in (full_url, f"{kind}/{_text(resource, 'id')}"):
            if key and not key.endswith("/"):
                self._found[key] = found

    def of(self, reference: Any, contained: Iterable[Json] = ()) -> Referenced | None:
        """Return what a reference leads to; a product in a product is resolved.

        Parameters
        ----------
        contained
            Resources within the one that refers.
        """
        found = self._one(reference, contained)
        if found is not None and found.product and not found.name:
            inner = self._one({"reference": found.product}, contained)
            if inner is not None:
                found = found._replace(
                    name=inner.name,
                    lot=found.lot or inner.lot,
                    manufacturer=found.manufacturer or inner.manufacturer,
                )
        return found

    def _one(self, reference: Any, contained: Iterable[Json]) -> Referenced | None:
        target = _text(reference, "reference")
        if target.startswith("#"):
            inner = (one for one in contained if _text(one, "id") == target[1:])
            resource = next(inner, None)
            return None if resource is None else _referenced(resource)
        parts = target.partition("/_history/")[0].split("/")
        return self._found.get(target) or self._found.get("/".join(parts[-2:]))


def concept_name(concept: Any) -> str:
    """Return the name of a coded concept: the first display, else its text, else a code.

    >>> concept_name({"coding": [{"code": "1"}, {"display": "Rash"}], "text": "a rash"})
    'Rash'
    """
    codings = list(_dicts(concept, "coding"))
    displays = [_text(coding, "display") for coding in codings]
    codes = [_text(coding, "code") for coding in codings]
    return next(filter(None, [*displays, _text(concept, "text"), *codes]), "")


def _referenced(resource: Json) -> Referenced:
    if resource.get("resourceType") == "Patient":
        return Referenced(gender=_text(resource, "gender"), birth=_text(resource, "birthDate"))
    medication = resource.get("medication")  # release 5: a concept or a reference
    of_release_5 = medication if isinstance(medication, dict) else {}
    concepts = (
        resource.get("code"),
        resource.get("vaccineCode"),
        resource.get("medicationCodeableConcept"),
        of_release_5.get("concept"),
        resource.get("productCode"),
        resource.get("type"),
    )
    dosage = next(_dicts(resource, "dosage"), resource.get("dosage") or {})
    batch = resource.get("batch")
    return Referenced(
        name=next(filter(None, map(concept_name, concepts)), ""),
        lot=_text(resource, "lotNumber") or _text(batch, "lotNumber"),
        manufacturer=_text(resource.get("manufacturer"), "display")
        or _text(resource, "manufacturer"),
        given=_text(resource, "occurrenceDateTime") or _text(resource, "effectiveDateTime"),
        route=concept_name(resource.get("route")) or concept_name(_part(dosage, "route")),
        dose=_text(dosage, "text"),
        product=_text(resource.get("medicationReference"), "reference")
        or _text(of_release_5.get("reference"), "reference"),
    )


def _part(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _text(value: Any, key: str) -> str:
    found = _part(value, key)
    return found.strip() if isinstance(found, str) else ""


def _dicts(value: Any, key: str) -> Iterator[Json]:
    found = _part(value, key)
    if isinstance(found, list):
        yield from (one for one in found if isinstance(one, dict))
