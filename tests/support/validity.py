"""Validation of alerts that were built without their schema's checks."""

from schemas.alert import Alert

__all__ = ["require_valid"]


def require_valid(alert: Alert) -> None:
    """Read an alert back by every rule of its schema: it is the same, its fields in their order."""
    assert Alert.model_validate_json(alert.model_dump_json()) == alert
    assert list(vars(alert)) == list(Alert.model_fields)
