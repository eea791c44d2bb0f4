"""The application: the API, the page, and how errors are answered."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from seq2seq import __version__
from seq2seq.errors import Seq2SeqError
from seq2seq.serving.api import Api
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.gate import Gate
from seq2seq.serving.limits import GoneError, SlowError, TooLargeError
from seq2seq.serving.page import page
from seq2seq.serving.turns import BusyError
from seq2seq.serving.worker import Worker
from seq2seq.translation.translator import Translator

STATUS: dict[type[Exception], int] = {
    Seq2SeqError: 422,
    TooLargeError: 413,
    BusyError: 503,
    SlowError: 503,
    GoneError: 499,
}
"""Of errors whose message is the answer."""

TOLD = "Translate with LSTM encoder-decoders: at once, growing, with alternatives, and seen from inside."


def create_app(translators: Mapping[str, Translator], limits: LimitsConfig, hosts: frozenset[str] | None) -> FastAPI:
    """Everything behind a server; its threads live as long as it does.

    Args:
        translators: what translates, by name; a question that names none goes to the first.
        limits: what is refused.
        hosts: host names that a request may ask for; None: any.
    """
    worker = Worker(translators, limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with worker:
            yield

    # The usual pages of documentation load scripts from elsewhere; /openapi.json is what they show.
    app = FastAPI(
        title="seq2seq", version=__version__, description=TOLD, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    for kind in STATUS:
        app.add_exception_handler(kind, _told)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.include_router(Api(worker, limits).router())
    app.include_router(page())
    app.add_middleware(Gate, limits=limits, hosts=hosts)
    app.state.close = worker.close
    return app


async def _told(_: Request, error: Exception) -> JSONResponse:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    headers = {"Retry-After": "1"} if status == 503 else None
    return JSONResponse({"detail": str(error)}, status, headers)


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    """Where a question is not as described, and why; what was sent is not sent back."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse({"detail": f"{place}: {first['msg']}" if place else str(first["msg"])}, 422)
