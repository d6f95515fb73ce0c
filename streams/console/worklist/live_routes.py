"""Live line of the worklist: how many newer revisions there are, as server-sent events."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

import anyio
from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from sse_starlette import EventSourceResponse, ServerSentEvent

from schemas.subscription import Tier
from streams.console.desk import Desk
from streams.console.frame.rendering import TheFrame
from streams.console.frame.texts import Texts, texts_in

__all__ = ["Newer", "router"]

router = APIRouter()
POLL_SECONDS = 1.0
"""Between two messages at least."""
_PING_SECONDS = 15
_MOST_KEYS = 1_000  # signals that one message names; a reader has fewer rows on screen


@dataclass(slots=True)
class Newer:
    """Counts the revisions that are newer than a page.

    Attributes
    ----------
    position
        Position up to which they are counted.
    changed
        Number of them so far.
    """

    desk: Desk
    tier: Tier
    position: int
    changed: int = 0
    keys: list[str] = field(default_factory=list)

    def read(self) -> bool:
        """Count what was stored since; return whether there was anything."""
        with self.desk.service.model() as model:
            found = model.changed_after(self.tier, self.position)
        if not found:
            return False
        self.position = found[-1][0]
        self.changed += len(found)
        self.keys = list(dict.fromkeys(key for _, key in found))[-_MOST_KEYS:]
        return True

    def message(self, t: Texts) -> str:
        """Return the message as JSON; the public gets no count."""
        if self.tier is Tier.PUBLIC:
            return json.dumps({"changed": None, "text": t("worklist.newer_public")})
        return json.dumps(
            {
                "changed": self.changed,
                "until": self.position,
                "keys": self.keys,
                "text": t("worklist.newer", n=self.changed),
            }
        )


@router.get("/live")
async def live_line(
    frame: TheFrame, position: Annotated[int, Query(ge=0)] = 0
) -> EventSourceResponse:
    """Stream what is newer than a position, a message a second at most."""
    await run_in_threadpool(frame.note_view)
    newer, t = Newer(frame.desk, frame.tier, position), texts_in(frame.language)

    async def messages() -> AsyncIterator[ServerSentEvent]:
        while True:
            if await run_in_threadpool(newer.read):
                yield ServerSentEvent(data=newer.message(t))
            await anyio.sleep(POLL_SECONDS)

    return EventSourceResponse(messages(), ping=_PING_SECONDS)
