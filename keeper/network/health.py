"""What a supervisor, an operator and Prometheus ask every process: is it alive, is it ready, how is it."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse

Status = Callable[[], dict[str, Any]]


def add_health(app: FastAPI, status: Status, live: Callable[[], str] | None = None) -> None:
    """`/live`, `/ready`, `/status`.

    Args:
        status: with `ready` and, where it is false, the `reason`; and `checks`, by name.
        live: what is wrong with the process itself, empty if nothing: it should be started again.
    """

    @app.get("/live")
    async def alive(response: Response) -> dict[str, str]:
        reason = live() if live is not None else ""
        if reason:
            response.status_code = 503
            return {"status": "silent", "reason": reason}
        return {"status": "live"}

    @app.get("/ready")
    def ready(response: Response) -> dict[str, Any]:
        found = status()
        if not found.get("ready"):
            response.status_code = 503
        return {
            "ready": bool(found.get("ready")),
            "reason": found.get("reason", ""),
            "checks": found.get("checks", {}),
        }

    @app.get("/status")
    def full() -> dict[str, Any]:
        return status()


def add_metrics(app: FastAPI, metrics: Callable[[], str]) -> None:
    """`/metrics`, in Prometheus' text format."""

    @app.get("/metrics", response_class=PlainTextResponse)
    def text() -> str:
        return metrics()


def health_app(status: Status, live: Callable[[], str], metrics: Callable[[], str]) -> FastAPI:
    """The application of a process that serves nothing else."""
    app = FastAPI(title="Plimsoll canary", version="1", docs_url=None, redoc_url=None)
    add_health(app, status, live)
    add_metrics(app, metrics)
    return app
