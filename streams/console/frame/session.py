"""Who reads, as a signed cookie, and the token that a form must return.

On loopback a reader states a name once. The cookie is signed with a key of the process, so that a
page of another origin can neither make one nor read the token of its forms.
"""

import hmac
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256

from streams.core.wording.catalogue import Language

__all__ = ["COOKIE", "Session", "Sessions"]

COOKIE = "tocsin_desk"


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's session.

    Attributes
    ----------
    session_id
        Random id, which the token of forms is derived from.
    reader
        Name that the reader stated; empty before.
    language
        Language of the pages that the reader chose last.
    """

    session_id: str
    reader: str = ""
    language: Language = Language.ENGLISH


class Sessions:
    """Signs and reads the cookies of sessions.

    Parameters
    ----------
    key
        Secret of the process.
    """

    def __init__(self, key: bytes) -> None:
        self._key = sha256(b"desk sessions\x00" + key).digest()

    def new(self) -> Session:
        """Return a session of a reader who has not stated a name."""
        return Session(secrets.token_urlsafe(18))

    def cookie(self, session: Session) -> str:
        """Return the value of a session's cookie."""
        content = json.dumps([session.session_id, session.reader, session.language]).encode()
        return f"{urlsafe_b64encode(content).decode()}.{self._mac(b'cookie', content)}"

    def read(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie; None if it is absent or not ours."""
        content, _, mac = (cookie or "").partition(".")
        try:
            decoded = urlsafe_b64decode(content.encode())
        except ValueError:
            return None
        if not mac or not hmac.compare_digest(self._mac(b"cookie", decoded), mac):
            return None
        session_id, reader, language = json.loads(decoded)
        return Session(session_id, reader, Language(language))

    def form_token(self, session: Session) -> str:
        """Return the token that a form of a session must return."""
        return self._mac(b"form", session.session_id.encode())

    def accepts(self, session: Session, token: str) -> bool:
        """Return whether a form's token is of its session."""
        return hmac.compare_digest(self.form_token(session).encode(), token.encode())

    def seal(self, session: Session, purpose: str, content: str) -> str:
        """Return a proof that a page of the session showed a content, for its form to return."""
        parts = json.dumps([purpose, session.session_id, content])
        return self._mac(b"seal", parts.encode())

    def sealed(self, session: Session, purpose: str, content: str, seal: str) -> bool:
        """Return whether a proof is of a content that a page of the session showed."""
        return hmac.compare_digest(self.seal(session, purpose, content).encode(), seal.encode())

    def _mac(self, purpose: bytes, content: bytes) -> str:
        return hmac.new(self._key, purpose + b"\x00" + content, sha256).hexdigest()
