"""Find a tool through the gateway's MCP endpoint, pick it, run it, show what it says.

    pip install "mcp>=2.3"
    python client_mcp.py "what time is it in Tokyo"
    python client_mcp.py "evaluate an expression" --args '{"expression": "6 * 7"}'
"""

import argparse
import asyncio
import json
import os
import sys

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client


async def main() -> int:
    parser = argparse.ArgumentParser(description="Finds a tool, and runs it.")
    parser.add_argument("query", help="what you want, in plain words")
    parser.add_argument("--gateway", default="http://localhost:8000/mcp", help="its key is read from GATEWAY_API_KEY")
    parser.add_argument("--args", type=json.loads, help="the arguments of the best tool, as JSON; else you are asked")
    parser.add_argument("--mode", default="auto", help="`legacy` begins with initialize, as before 2026-07-28")
    options = parser.parse_args()

    headers = {"X-API-Key": os.environ["GATEWAY_API_KEY"]} if "GATEWAY_API_KEY" in os.environ else {}
    # A tool may take its time.
    http = httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(10, read=None))
    transport = streamable_http_client(options.gateway, http_client=http)
    async with http, Client(transport, mode=options.mode, log_level="info", logging_callback=log) as gateway:
        search = await gateway.call_tool("search_tools", {"query": options.query, "limit": 5})
        found = (search.structured_content or {}).get("tools", [])
        if not found:
            print(text_of(search), file=sys.stderr)
            return 1
        for place, tool in enumerate(found, 1):
            print(f"  {place}  {tool['score']:.2f}  {tool['name']}")
        tool = found[0] if options.args is not None else found[int(input("which one? [1] ") or 1) - 1]
        args = options.args if options.args is not None else fill(tool["input_schema"])
        call = {"tool_name": tool["name"], "args": args}
        result = await gateway.call_tool("execute_tool", call, progress_callback=progress)
        print(text_of(result))
        if result.structured_content is not None:
            print(json.dumps(result.structured_content, indent=2, ensure_ascii=False))
        return 1 if result.is_error else 0


def fill(schema: dict) -> dict:
    """Asks for each argument; an empty line leaves it out. What need not be a text is written as JSON."""
    filled = {}
    for name, about in schema.get("properties", {}).items():
        hint = "required" if name in schema.get("required", []) else "optional"
        kind = about.get("type", "anything")
        if answer := input(f"{name} ({kind}, {hint}; {about.get('description', '')}): "):
            filled[name] = answer if "string" in kind else json.loads(answer)
    return filled


def text_of(result) -> str:
    return "\n".join(part.text if part.type == "text" else f"[{part.type}]" for part in result.content)


async def progress(progress: float, total: float | None, message: str | None) -> None:
    print(f"  … {progress:g} {message or ''}")


async def log(params) -> None:
    print(f"  [{params.level}] {params.data}")


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except* (MCPError, httpx2.HTTPError) as group:
        error = group
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        sys.exit(f"the gateway refused, or cannot be asked: {error}")
