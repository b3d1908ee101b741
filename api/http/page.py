"""The web page: the built files of web/, under a strict content security policy."""

from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

# In the wheel the built page lies in this package; in a checkout it is where Vite writes it.
_PLACES = (Path(__file__).parents[1] / "dist", Path(__file__).parents[2] / "web" / "dist")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'; require-trusted-types-for 'script'; trusted-types lit-html"
)
_API_PATHS = ("v1", "problems", "openapi.json", "healthz", "readyz", "metrics")  # never a route of the page


class PageRoute:
    """What answers when no route does.

    A file of the page, the page itself for its own addresses, else 404.
    """

    def __init__(self) -> None:
        found = next((place for place in _PLACES if (place / "index.html").is_file()), None)
        self._files = StaticFiles(directory=found) if found else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of a browser."""
        if scope["type"] != "http":
            return
        path = scope["path"].lstrip("/")
        if self._files is None or path.split("/", 1)[0] in _API_PATHS:
            raise HTTPException(404, f"nothing is at {scope['path']:.200}")
        response = await self._file(self._files, path, scope)
        response.headers["Content-Security-Policy"] = _POLICY
        await response(scope, receive, send)

    async def _file(self, files: StaticFiles, path: str, scope: Scope) -> Response:
        is_address = "." not in path.rsplit("/", 1)[-1]
        response = await files.get_response("index.html" if is_address else path, scope)
        # Vite puts the hash of a file's content into its name, below assets/.
        response.headers["Cache-Control"] = (
            "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
        )
        return response
