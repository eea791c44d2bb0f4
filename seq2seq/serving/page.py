"""The page's own files: read once from the package, so that no request names a file of this machine."""

from importlib.resources import files

from fastapi import APIRouter, HTTPException, Response

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FIRST = "index.html"


def page_files() -> dict[str, tuple[bytes, str]]:
    """Content and media type of every file by its name."""
    found = {}
    for file in files("seq2seq.serving").joinpath("static").iterdir():
        ending = file.name[file.name.rfind(".") :]
        if ending in TYPES:
            found[file.name] = (file.read_bytes(), TYPES[ending])
    return found


def page() -> APIRouter:
    """``/`` and ``/static/NAME``, beside the API's description."""
    router, known = APIRouter(include_in_schema=False), page_files()

    def file(name: str) -> Response:
        if name not in known:
            raise HTTPException(404, "there is no such file")
        content, media_type = known[name]
        return Response(content, media_type=media_type)

    router.add_api_route("/", lambda: file(FIRST), methods=["GET"], response_class=Response)
    router.add_api_route("/static/{name}", file, methods=["GET"], response_class=Response)
    return router
