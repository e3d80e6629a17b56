"""The official Python client, driven line by line (see lines.py): python sdk.py MODE"""

from contextlib import AsyncExitStack
from typing import Any

import anyio
import mcp_types as types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from lines import MODE, ROOT, check_refusal, connection, filled_in, follow, hear, hear_notification, hear_progress, together


async def sample(_context: Any, params: types.CreateMessageRequestParams) -> Any:
    hear("sampling/createMessage", params)
    try:
        check_refusal(params)
    except RuntimeError as refusal:
        return types.ErrorData(code=types.INTERNAL_ERROR, message=str(refusal))
    text = types.TextContent(type="text", text="the answer of sdk.py")
    return types.CreateMessageResult(role="assistant", content=text, model="no-model", stop_reason="endTurn")


async def elicit(_context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
    hear("elicitation/create", params)
    return types.ElicitResult(action="accept", content=filled_in(params))


async def list_roots(_context: Any) -> types.ListRootsResult:
    hear("roots/list", {})
    return types.ListRootsResult(roots=[types.Root(uri=ROOT, name="the root of sdk.py")])


async def every_page(pages: Any, entries: str) -> dict[str, Any]:
    """A list of which this client gets only one page at a time."""
    cursor, found = None, []
    while True:
        page = await pages(cursor=cursor)
        found += getattr(page, entries)
        if not (cursor := page.next_cursor):
            return {entries: found}


class Steps:
    """What can be asked of the client."""

    client: Client
    stack: AsyncExitStack

    async def connect(self, url: str, headers: dict[str, str]) -> Any:
        self.stack = AsyncExitStack()
        http = await self.stack.enter_async_context(create_mcp_http_client(headers=headers))
        client = Client(
            streamable_http_client(url, http_client=http),
            mode=MODE,
            sampling_callback=sample,
            elicitation_callback=elicit,
            list_roots_callback=list_roots,
            message_handler=hear_notification,
        )
        self.client = await self.stack.enter_async_context(client)
        return connection(client)

    async def tools(self) -> Any:
        return await every_page(self.client.list_tools, "tools")

    async def prompts(self) -> Any:
        return await every_page(self.client.list_prompts, "prompts")

    async def resources(self) -> Any:
        return await every_page(self.client.list_resources, "resources")

    async def templates(self) -> Any:
        listed = await every_page(self.client.list_resource_templates, "resource_templates")
        return {"resourceTemplates": listed["resource_templates"]}

    async def call(self, name: str, args: Any, timeout_ms: int | None = None, level: str | None = None) -> Any:
        meta: Any = {"io.modelcontextprotocol/logLevel": level} if level else None
        timeout = timeout_ms / 1000 if timeout_ms else None
        return await self.client.call_tool(name, args, timeout, hear_progress, meta=meta)

    async def together(self, calls: list[Any]) -> Any:
        return await together(self.call, calls)

    async def prompt(self, name: str, args: dict[str, str]) -> Any:
        return await self.client.get_prompt(name, args)

    async def read(self, uri: str) -> Any:
        return await self.client.read_resource(uri)

    async def complete(self, ref: dict[str, str], name: str, value: str) -> Any:
        kind = types.PromptReference if ref["type"] == "ref/prompt" else types.ResourceTemplateReference
        return await self.client.complete(kind(**ref), {"name": name, "value": value})

    async def level(self, level: types.LoggingLevel) -> Any:
        return await self.client.set_logging_level(level)

    async def listen(self, uri: str) -> Any:
        # Since 2026-07-28 a client asks to hear of changes; before, they come by themselves, updates excepted.
        if self.client.protocol_version < "2026-07-28":
            return await self.client.subscribe_resource(uri)
        lists = {"tools_list_changed": True, "prompts_list_changed": True, "resources_list_changed": True}
        subscription = self.client.listen(**lists, resource_subscriptions=[uri])
        return (await self.stack.enter_async_context(subscription)).honored

    async def leave(self) -> Any:
        await self.stack.aclose()
        return {}


steps = Steps()
anyio.run(follow, {name: getattr(steps, name) for name in vars(Steps) if not name.startswith("_")})
