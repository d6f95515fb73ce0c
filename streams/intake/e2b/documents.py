"""Messages of an ICH E2B document, one at a time, parsed within limits.

Nothing outside the document is read: no DTD, no schema, no entity. Memory is that of one message,
however long the batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from schemas.errors import RejectCode
from schemas.rejected import LONGEST_BEGINNING, Rejected
from schemas.visible_text import visible
from streams.intake.bounded import RECORD_BYTES, BufferedBytes
from streams.intake.e2b.r2 import MESSAGE_R2
from streams.intake.e2b.r3 import MESSAGE_R3
from streams.intake.e2b.tree import Element, local_name

__all__ = [
    "MOST_BETWEEN_BYTES",
    "MOST_MESSAGE_BYTES",
    "ROOTS",
    "Document",
    "IcsrMessage",
    "read_messages",
]

MOST_MESSAGE_BYTES = 4 << 20
"""Maximum length of a message without its attachments."""
MOST_BETWEEN_BYTES = 1 << 20
"""Maximum length of the elements between messages."""

ROOTS = ("ichicsr", "MCCI_IN200100UV01")
"""Local names of the root of a batch, of releases 2 and 3. A message may be a root as well."""

_RELEASES = {MESSAGE_R2: 2, MESSAGE_R3: 3}
_TAGS = [f"{{*}}{name}" for name in (*ROOTS, *_RELEASES)]
_ATTACHMENT, _LEFT_OUT = "B64", "[attachment left out]"
_MOST_SKIPPED_BYTES = 64 << 20  # of a message that is too long; parsing them takes 3 s
_CHECK_BYTES = 1 << 20
_LONGEST_TAG = 8 << 20  # bytes of a tag, or of a comment, that the parser holds at once
_LONGEST_ERROR = 200  # characters of a parser's message


@dataclass
class Document:
    """An XML document while it is read. `root` has what surrounds the messages."""

    where: str
    root: Element | None = None
    n_messages: int = 0


@dataclass
class IcsrMessage:
    """A message: its number in the document from 1, its release, its element.

    `refusal` is the reason, and its code, why it must not be read, however it would read.
    """

    number: int
    release: int
    element: Element
    refusal: tuple[str, RejectCode] | None

    def raw(self) -> bytes:
        """Return the message as XML in UTF-8, without attachments; the beginning of a long one."""
        _drop_attachments(self.element, set())
        raw: bytes = etree.tostring(self.element, encoding="utf-8", with_tail=False)
        return raw if len(raw) <= RECORD_BYTES else raw[:LONGEST_BEGINNING]


def read_messages(stream: BufferedBytes, document: Document) -> Iterator[IcsrMessage | Rejected]:
    """Yield the messages of a document; each is emptied once the next one is asked for.

    A message that is too long, or holds an entity reference, has a refusal. The rest of a document
    from where it is not well-formed is a reject.

    Parameters
    ----------
    document
        Its `where` labels the rejects; the rest is filled in while reading.
    """
    source = _Source(stream)
    events = etree.iterparse(
        source,
        events=("start", "end"),
        tag=_TAGS,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    n_header = 0  # elements before the first message
    try:
        for event, element in events:
            if document.root is None:
                document.root = element
            release = _release(element)
            if release is None:
                continue
            if event == "start":
                source.begin(element)
                parent = element.getparent()
                if not document.n_messages and parent is not None:
                    n_header = parent.index(element)
                continue
            document.n_messages += 1
            refusal = _refusal(element, source)
            yield IcsrMessage(document.n_messages, release, element, refusal)
            source.begin(None)
            _free(element, n_header)
    except etree.XMLSyntaxError as error:
        yield _rest(document, source, error)
        return
    if not document.n_messages:
        reason = f"a document must hold a message, {MESSAGE_R3} or {MESSAGE_R2}; got none"
        yield _reject(document, 1, reason, source.recent)


def _release(element: Element) -> int | None:
    """Return the release of a message; None if the element is none, or not where one belongs."""
    parent = element.getparent()
    if parent is not None and local_name(parent) not in ROOTS:
        return None
    return _RELEASES.get(local_name(element))


def _refusal(message: Element, source: "_Source") -> tuple[str, RejectCode] | None:
    if source.is_too_long:
        limit = f"at most {MOST_MESSAGE_BYTES} bytes without attachments"
        return f"a message must have {limit}; got more", RejectCode.TOO_LONG
    entity = next(message.iter(etree.Entity), None)
    if entity is None:
        return None
    got = _printable(entity.text or "")
    return f"a message must hold no entity reference; got {got}", RejectCode.SCHEMA


def _rest(document: Document, source: "_Source", error: etree.XMLSyntaxError) -> Rejected:
    number = document.n_messages + 1
    reason = (
        f"the document must be well-formed XML within the limits of its parser; got "
        f"{_printable(error.msg or '')}; nothing from message {number} on is read"
    )
    return _reject(document, number, reason, source.recent)


def _reject(document: Document, number: int, reason: str, raw: bytes) -> Rejected:
    code = RejectCode.SCHEMA
    return Rejected(source=document.where, position=number, reason=reason, raw=raw, code=code)


def _printable(text: str) -> str:
    return visible(text)[:_LONGEST_ERROR]


def _free(message: Element, n_header: int) -> None:
    """Empty a message, and remove everything between it and the header."""
    message.clear(keep_tail=True)
    parent = message.getparent()
    if parent is not None:
        del parent[n_header : parent.index(message)]


class _Source:
    """The bytes of a document, counted within each message and between messages.

    A message over the limit loses its complete elements while it is read, so that it is never held.
    """

    def __init__(self, stream: BufferedBytes) -> None:
        self._stream = stream
        self._message: Element | None = None
        self._length = 0  # without dropped attachments
        self._n_read = 0
        self._progress = _Progress()
        self.is_too_long = False
        self.recent = b""

    def begin(self, message: Element | None) -> None:
        """Count a message from here, or what follows one."""
        self._message, self._length, self._n_read, self.is_too_long = message, 0, 0, False
        self._progress = _Progress()

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        most = MOST_BETWEEN_BYTES if self._message is None else MOST_MESSAGE_BYTES
        if self._length > most:
            self._shorten()
        read = self._stream.read(size)
        self.recent = read or self.recent
        self._length += len(read)
        self._n_read += len(read)
        self._progress.require(self._message, self._n_read)
        return read

    def _shorten(self) -> None:
        if self._message is None:
            msg = f"more than {MOST_BETWEEN_BYTES} bytes outside of messages"
            raise _syntax_error(msg)
        if self._n_read > _MOST_SKIPPED_BYTES:
            msg = f"a message of more than {_MOST_SKIPPED_BYTES} bytes"
            raise _syntax_error(msg)
        being_read = _path_being_read(self._message)
        self._length -= _drop_attachments(self._message, set(being_read))
        if being_read[-1].get("representation") == _ATTACHMENT:
            return  # libxml2 limits the length of a text to 10 MB
        self.is_too_long = self.is_too_long or self._length > MOST_MESSAGE_BYTES
        if self.is_too_long:
            for element in being_read:
                del element[:-1]


class _Progress:
    """Check that bytes become elements or text: the parser holds a tag until it is complete."""

    def __init__(self) -> None:
        self._checked = self._moved = 0
        self._last: Element | None = None
        self._size = (0, 0, 0)

    def require(self, message: Element | None, n_read: int) -> None:
        """Refuse a document whose last element has not changed for so many bytes."""
        if n_read - self._checked < _CHECK_BYTES:
            return
        self._checked = n_read
        if message is not None:
            last = _path_being_read(message)[-1]
            size = (len(last), len(last.text or ""), len(last.tail or ""))
            if last is not self._last or size != self._size:
                self._last, self._size, self._moved = last, size, n_read
        if n_read - self._moved > _LONGEST_TAG:
            msg = f"a tag of more than {_LONGEST_TAG} bytes"
            raise _syntax_error(msg)


def _syntax_error(message: str) -> etree.XMLSyntaxError:
    return etree.XMLSyntaxError(message, 0, 0, 0)


def _path_being_read(message: Element) -> list[Element]:
    """Return the elements of a message that may be incomplete: the last of each level.

    The parser holds on to them, so they must not be changed.
    """
    path = [message]
    while len(path[-1]):
        path.append(path[-1][-1])
    return path


def _drop_attachments(message: Element, being_read: set[Element]) -> int:
    """Empty the attachments of a message; return the number of characters dropped."""
    dropped = 0
    for element in message.iter("{*}text", "{*}value"):
        if element.get("representation") == _ATTACHMENT and element not in being_read:
            length = len(element.text or "")
            if length > len(_LEFT_OUT):
                dropped += length
                element.text = _LEFT_OUT
    return dropped
