"""The web application: the API, the files of the page, and the status codes of errors."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files

from fastapi import APIRouter, FastAPI, HTTPException, Response
from fastapi import Request as HttpRequest
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from seq2seq import __version__
from seq2seq.errors import Seq2SeqError
from seq2seq.serving.api import Api
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.executor import TranslationExecutor
from seq2seq.serving.limits import TooLargeError
from seq2seq.serving.middleware import SecurityMiddleware
from seq2seq.serving.responses import DisconnectedError, TimeLimitError
from seq2seq.serving.scheduler import BusyError
from seq2seq.translation.translator import Translator

STATUS: dict[type[Exception], int] = {
    Seq2SeqError: 422,
    TooLargeError: 413,
    BusyError: 503,
    TimeLimitError: 503,
    DisconnectedError: 499,
}
"""Status codes of errors whose message is sent to the client."""

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

UNREADABLE = "the body cannot be read: send JSON in UTF-8, without deep nesting or huge numbers"

DESCRIPTION = "Translation with LSTM encoder-decoders: batches, streams, alternative words, and model traces."


def create_app(translators: Mapping[str, Translator], limits: LimitsConfig, hosts: frozenset[str] | None) -> FastAPI:
    """Build the application. Its threads start and end with it.

    Args:
        translators: by name; requests without a name use the first.
        limits: limits of requests.
        hosts: allowed host names; None: any.
    """
    executor = TranslationExecutor(translators, limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with executor:
            yield

    # FastAPI's documentation pages load scripts from other sites; /openapi.json has the same content.
    app = FastAPI(
        title="seq2seq", version=__version__, description=DESCRIPTION, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    for kind in STATUS:
        app.add_exception_handler(kind, _error_response)
    app.add_exception_handler(RequestValidationError, _validation_response)
    app.add_exception_handler(400, _unreadable_response)
    app.include_router(Api(executor, limits).router())
    app.include_router(page_router())
    app.add_middleware(SecurityMiddleware, limits=limits, hosts=hosts)
    app.state.close = executor.close
    return app


def page_files() -> dict[str, tuple[bytes, str]]:
    """Read all files of the page; return content and media type by name. So no request can name another file."""
    contents = {}
    for file in files("seq2seq.serving").joinpath("static").iterdir():
        suffix = file.name[file.name.rfind(".") :]
        if suffix in MEDIA_TYPES:
            contents[file.name] = (file.read_bytes(), MEDIA_TYPES[suffix])
    common = files("seq2seq.portable").joinpath("web", "common.css").read_bytes()
    own, media_type = contents["style.css"]
    return contents | {"style.css": (common + own, media_type)}


def page_router() -> APIRouter:
    """Return the routes ``/`` and ``/static/NAME``, which are not part of the API description."""
    router, contents = APIRouter(include_in_schema=False), page_files()

    def file(name: str) -> Response:
        if name not in contents:
            raise HTTPException(404, "there is no such file")
        content, media_type = contents[name]
        return Response(content, media_type=media_type)

    router.add_api_route("/", lambda: file("index.html"), methods=["GET"], response_class=Response)
    router.add_api_route("/static/{name}", file, methods=["GET"], response_class=Response)
    return router


async def _error_response(_: HttpRequest, error: Exception) -> JSONResponse:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"detail": str(error)}, status, headers)


async def _validation_response(request: HttpRequest, error: Exception) -> JSONResponse:
    """Name the first invalid field and its error, without the content of the request."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if first["loc"] == ("body",) and content_type != "application/json":  # so the body has not been parsed
        return JSONResponse({"detail": "the body must be JSON: send the header Content-Type: application/json"}, 422)
    field = ".".join(str(part) for part in first["loc"][1:] if "[" not in str(part))  # pydantic names its validators
    return JSONResponse({"detail": f"{field}: {first['msg']}" if field else str(first["msg"])}, 422)


async def _unreadable_response(_: HttpRequest, error: Exception) -> JSONResponse:
    """Replace FastAPI's answer to a body whose parser fails: other bytes, deep nesting, numbers with many digits."""
    return JSONResponse({"detail": UNREADABLE}, 422)
