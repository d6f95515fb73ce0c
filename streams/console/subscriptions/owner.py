"""Owner of the subscriptions that a page shows: its reader, with what the reader may do."""

from http import HTTPStatus

from streams.console.frame.forms import FormRefused
from streams.console.frame.rendering import Frame
from streams.delivery.api.subscriptions.own_subscriptions import Owner, OwnSubscriptions
from streams.delivery.api.tokens import Scope

__all__ = ["may_subscribe", "own_of"]


def may_subscribe(frame: Frame) -> bool:
    """Return whether the reader may have subscriptions."""
    return Scope.SUBSCRIPTIONS_WRITE in frame.who.scopes


def own_of(frame: Frame) -> OwnSubscriptions:
    """Return the subscriptions of the reader.

    On loopback the reader is the operator. A reader who signed in has a token of the desk, so that
    subscriptions are paused when the reader may no longer have them.

    Raises
    ------
    FormRefused
        If the reader may have none, or states no name.
    """
    who, service = frame.who, frame.desk.service
    if not may_subscribe(frame):
        raise FormRefused(frame, "frame.refused_scope", detail=Scope.SUBSCRIPTIONS_WRITE)
    if not who.reader:
        raise FormRefused(frame, "frame.refused_name", HTTPStatus.UNPROCESSABLE_ENTITY)
    token_id = None
    if frame.desk.gate is not None:
        with service.tokens() as tokens:
            token_id = tokens.of_reader(who.reader, who.tier, who.scopes, service.now())
        if token_id is None:
            raise FormRefused(frame, "subscriptions.refused_revoked")
    may_read = Scope.ALERTS_READ in who.scopes
    return OwnSubscriptions(service, Owner(who.reader, who.tier, may_read, token_id))
