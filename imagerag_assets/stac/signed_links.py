"""Read documents by the links of others, of which some are signed and may have ended by then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from imagerag_assets.errors import SourceError
from imagerag_assets.objects.signed import requested
from imagerag_assets.settings import Settings
from imagerag_assets.stac.documents import Document, read_document, read_documents

_RELATIONS = ("item", "items", "child", "next")


class SignedLinks:
    """The signed links of a walk through documents, each with the document that signs it.

    A long walk outlasts signatures, and some servers accept the newest one only.  So a link that fails is signed anew,
    by reading the document that it came from again.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._signed_by: dict[str, str] = {}

    def note(self, document: Document, hrefs: Iterable[str]) -> None:
        """Note links that a document has."""
        for href in hrefs:
            if requested(href) != href and href != document.href:
                self._signed_by.setdefault(href, document.href)

    def read(self, href: str) -> Document:
        """Read one document.

        Raises:
            SourceError: as :func:`imagerag_assets.stac.documents.read_document`.
        """
        used = requested(href)
        try:
            return read_document(href, self._settings)
        except SourceError as error:
            return self._again(href, used, error)

    def read_many(
        self, hrefs: Sequence[str], until: Callable[[], bool] = lambda: False
    ) -> Iterator[tuple[str, Document | SourceError]]:
        """Read many documents, in order, several at a time; yield an error in place of a failed one.

        `until` is asked after some of them whether to stop.
        """
        used = {href: requested(href) for href in hrefs if href in self._signed_by}
        for href, result in read_documents(hrefs, self._settings, until):
            if isinstance(result, SourceError) and href in used:
                try:
                    yield href, self._again(href, used[href], result)
                except SourceError as error:
                    yield href, error
            else:
                yield href, result

    def _again(self, href: str, used: str, error: SourceError) -> Document:
        """Read a document by a newer signature than the one that was used, if there is one."""
        signer = self._signed_by.get(href)
        if signer is None or error.transient:
            raise error
        if requested(href) == used:
            try:
                self.read(signer).links(*_RELATIONS)  # which keeps their signatures
            except SourceError:
                raise error from None
            if requested(href) == used:
                raise error
        return read_document(href, self._settings)
