"""The client of FastMCP, driven line by line (see lines.py): python fast.py MODE"""

from typing import Any

import anyio
import mcp_types as types
from fastmcp.client import Client
from fastmcp.client.transports import StreamableHttpTransport

from lines import MODE, ROOT, check_refusal, connection, filled_in, follow, hear, hear_notification, hear_progress, together


async def sample(_messages: Any, params: types.CreateMessageRequestParams, _context: Any) -> str:
    hear("sampling/createMessage", params)
    check_refusal(params)
    return "the answer of fast.py"


async def elicit(_message: str, _kind: Any, params: types.ElicitRequestParams, _context: Any) -> types.ElicitResult:
    hear("elicitation/create", params)
    return types.ElicitResult(action="accept", content=filled_in(params))


async def list_roots(_context: Any) -> list[types.Root]:
    hear("roots/list", {})
    return [types.Root(uri=ROOT, name="the root of fast.py")]


class Steps:
    """What can be asked of the client."""

    client: Client

    async def connect(self, url: str, headers: dict[str, str]) -> Any:
        self.client = Client(
            StreamableHttpTransport(url, headers=headers),
            mode=MODE,
            sampling_handler=sample,
            elicitation_handler=elicit,
            roots=list_roots,
            message_handler=hear_notification,
            progress_handler=hear_progress,
        )
        await self.client.__aenter__()
        return connection(self.client)

    async def tools(self) -> Any:
        return {"tools": await self.client.list_tools()}

    async def prompts(self) -> Any:
        return {"prompts": await self.client.list_prompts()}

    async def resources(self) -> Any:
        return {"resources": await self.client.list_resources()}

    async def templates(self) -> Any:
        return {"resourceTemplates": await self.client.list_resource_templates()}

    async def call(self, name: str, args: Any, timeout_ms: int | None = None, level: str | None = None) -> Any:
        # This client asks for the log messages of every call by itself, whatever their level.
        timeout = timeout_ms / 1000 if timeout_ms else None
        result = await self.client.call_tool(name, args, timeout=timeout, raise_on_error=False)
        structured = result.structured_content
        return {"content": result.content, "structuredContent": structured, "isError": result.is_error}

    async def together(self, calls: list[Any]) -> Any:
        return await together(self.call, calls)

    async def prompt(self, name: str, args: dict[str, str]) -> Any:
        return await self.client.get_prompt(name, args)

    async def read(self, uri: str) -> Any:
        return {"contents": await self.client.read_resource(uri)}

    async def complete(self, ref: dict[str, str], name: str, value: str) -> Any:
        kind = types.PromptReference if ref["type"] == "ref/prompt" else types.ResourceTemplateReference
        return {"completion": await self.client.complete(kind(**ref), {"name": name, "value": value})}

    async def level(self, level: types.LoggingLevel) -> Any:
        await self.client.set_logging_level(level)
        return {}

    async def listen(self, uri: str) -> Any:
        return await self.client.session.subscribe_resource(uri)

    async def leave(self) -> Any:
        await self.client.close()
        return {}


steps = Steps()
anyio.run(follow, {name: getattr(steps, name) for name in vars(Steps) if not name.startswith("_")})
