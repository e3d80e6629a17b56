"""What the Python clients have in common: how they are driven, and what they answer when a server asks."""

import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from pydantic import BaseModel

# `legacy` and `auto` are words of both clients; only the newest revision is spoken where it is named.
MODE = {"modern": "2026-07-28"}.get(sys.argv[1], sys.argv[1])

FORM = {"name": "Ada", "color": "green", "integer": 7}

ROOT = "file:///home/ada"


def plain(value: Any) -> Any:
    """A value as it would be on the wire."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def say(value: dict[str, Any]) -> None:
    print(json.dumps(plain(value)), flush=True)


def hear(method: str, params: Any) -> None:
    say({"heard": method, "params": params})


async def hear_progress(progress: float, total: float | None, _message: str | None) -> None:
    hear("notifications/progress", {"progress": progress, "total": total})


async def hear_notification(message: Any) -> None:
    # Progress is heard by the call that it belongs to.
    if not isinstance(message, Exception) and message.method != "notifications/progress":
        hear(message.method, message.params or {})


def check_refusal(params: BaseModel) -> None:
    if "refuse" in params.model_dump_json():
        raise RuntimeError("the client refuses")


async def together(call: Callable[..., Awaitable[Any]], calls: list[dict[str, Any]]) -> list[Any]:
    """Makes all calls at once."""
    results: list[Any] = [None] * len(calls)

    async def make(index: int) -> None:
        results[index] = await call(**calls[index])

    async with anyio.create_task_group() as tasks:
        for index in range(len(calls)):
            tasks.start_soon(make, index)
    return results


def filled_in(params: Any) -> dict[str, Any] | None:
    """The answer to an elicitation that is accepted."""
    return None if params.mode == "url" else FORM


def connection(client: Any) -> dict[str, Any]:
    """What a client knows of its server."""
    return {
        "protocol": client.protocol_version,
        "name": client.server_info and client.server_info.name,
        "capabilities": client.server_capabilities,
        "instructions": client.instructions,
    }


async def follow(steps: dict[str, Callable[..., Awaitable[Any]]]) -> None:
    """Takes the steps that standard input names, {"do": "connect", "url": ...}, one after the other.

    Each gets one line, {"answer": ...} or {"error": ...}. What the server says or asks in between comes as
    {"heard": METHOD, "params": ...}.
    """
    async for line in anyio.wrap_file(sys.stdin):
        step = json.loads(line)
        try:
            say({"answer": await steps[step.pop("do")](**step)})
        except Exception as error:
            say({"error": {"code": getattr(error, "code", None), "message": f"{type(error).__name__}: {error}"}})
