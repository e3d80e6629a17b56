"""A client made with the official SDK: PROGRAM URL everything|reference MODE."""

import sys
import time

import anyio
import mcp_types as types
from mcp import Client, MCPError, StdioServerParameters

PROGRAM, URL, WHAT, MODE = sys.argv[1:]


async def sample(context, params):
    prompt = params.messages[0].content.text
    return types.CreateMessageResult(
        role="assistant", model="test", content=types.TextContent(type="text", text=f"sampled: {prompt}")
    )


async def elicit(context, params):
    return types.ElicitResult(action="decline")


def text(result):
    assert not result.is_error, result
    return result.content[0].text


async def everything(client):
    assert client.protocol_version == "2025-11-25", client.protocol_version
    names = {tool.name for tool in (await client.list_tools()).tools}
    assert {"get-sum", "trigger-sampling-request", "trigger-elicitation-request"} <= names, names
    assert text(await client.call_tool("get-sum", {"a": 2, "b": 3})) == "The sum of 2 and 3 is 5."
    structured = await client.call_tool("get-structured-content", {"location": "Chicago"})
    assert structured.structured_content["temperature"], structured
    image = await client.call_tool("get-tiny-image", {})
    assert any(part.type == "image" for part in image.content), image
    assert "sampled: " in text(await client.call_tool("trigger-sampling-request", {"prompt": "x", "maxTokens": 5}))
    assert "decline" in str(await client.call_tool("trigger-elicitation-request", {}))
    prompts = (await client.list_prompts()).prompts
    assert prompts and (await client.get_prompt(prompts[0].name, {})).messages
    resource = (await client.list_resources()).resources[0]
    assert (await client.read_resource(resource.uri)).contents

    steps = []

    async def progress(progress, total, message):
        steps.append(progress)

    operation = {"duration": 0.3, "steps": 3}
    await client.call_tool("trigger-long-running-operation", operation, progress_callback=progress)
    assert steps == [1, 2, 3], steps
    # A call that is given up leaves the others alone.
    with anyio.move_on_after(0.3) as scope:
        await client.call_tool("trigger-long-running-operation", {"duration": 60, "steps": 60})
    assert scope.cancelled_caught
    assert len(text(await client.call_tool("echo", {"message": "x" * 1_000_000}))) > 1_000_000


async def reference(client):
    assert client.protocol_version == "2026-07-28", client.protocol_version
    names = {tool.name for tool in (await client.list_tools()).tools}
    assert {"echo", "hang"} <= names, names
    assert text(await client.call_tool("echo", {"text": "caf\u00e9"})) == "caf\u00e9"

    steps = []

    async def progress(progress, total, message):
        steps.append(progress)

    await client.call_tool("progress", {"steps": 3}, progress_callback=progress)
    assert steps == [1, 2, 3], steps
    try:
        await client.call_tool("rpc_error", {"code": -7, "message": "no"})
        raise AssertionError("it should fail")
    except MCPError as error:
        assert error.code == -7, error
    with anyio.move_on_after(0.3) as scope:
        await client.call_tool("hang", {})
    assert scope.cancelled_caught
    with anyio.fail_after(20):
        while '"by_disconnect":1' not in text(await client.call_tool("cancelled", {})):
            await anyio.sleep(0.01)

    async def call(number):
        assert text(await client.call_tool("echo", {"text": str(number), "ms": 300})) == str(number)

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(call, number)


async def main():
    server = StdioServerParameters(command=PROGRAM, args=["--stdio", "--gateway-url", URL])
    async with Client(server, mode=MODE, sampling_callback=sample, elicitation_callback=elicit) as client:
        await {"everything": everything, "reference": reference}[WHAT](client)
        begin = time.monotonic()
    # The SDK gives a server two seconds before it kills it.
    assert time.monotonic() - begin < 2, "the program does not end with its input"
    print("all is well")


anyio.run(main)
