"""What a path needs of a request's token, as a dependency of FastAPI."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request

from imagerag_assets.serve.guard import Right, require


def may(right: Right) -> Callable[[Request], None]:
    """Return a dependency that refuses requests whose token does not allow `right`."""

    def check(request: Request) -> None:
        require(request.scope, right)

    return check
