"""Find a tool through the gateway's REST API, pick it, run it, show what it says.

    pip install httpx2
    python client_http.py "what time is it in Tokyo"
    python client_http.py "evaluate an expression" --args '{"expression": "6 * 7"}'
"""

import argparse
import json
import os
import sys

import httpx2


def main() -> int:
    parser = argparse.ArgumentParser(description="Finds a tool, and runs it.")
    parser.add_argument("query", help="what you want, in plain words")
    parser.add_argument("--gateway", default="http://localhost:8000", help="its key is read from GATEWAY_API_KEY")
    parser.add_argument("--args", type=json.loads, help="the arguments of the best tool, as JSON; else you are asked")
    options = parser.parse_args()

    headers = {"X-API-Key": os.environ["GATEWAY_API_KEY"]} if "GATEWAY_API_KEY" in os.environ else {}
    # A tool may take its time.
    timeout = httpx2.Timeout(10, read=None)
    with httpx2.Client(base_url=options.gateway, headers=headers, timeout=timeout) as gateway:
        found = ask(gateway, "/mcp/search", {"query": options.query, "limit": 5})["result"]
        if not found:
            sys.exit("no tool fits; try other words")
        for place, tool in enumerate(found, 1):
            print(f"  {place}  {tool['match_score']:.2f}  {tool['qualified_name']}")
        tool = found[0] if options.args is not None else found[int(input("which one? [1] ") or 1) - 1]
        args = options.args if options.args is not None else fill(tool["input_schema"])
        return run(gateway, tool["qualified_name"], args)


def ask(gateway: httpx2.Client, path: str, body: dict) -> dict:
    response = gateway.post(path, json=body)
    if response.is_error:
        sys.exit(f"the gateway answered {response.status_code}: {response.json()['error']}")
    return response.json()


def fill(schema: dict) -> dict:
    """Asks for each argument; an empty line leaves it out. What need not be a text is written as JSON."""
    filled = {}
    for name, about in schema.get("properties", {}).items():
        hint = "required" if name in schema.get("required", []) else "optional"
        kind = about.get("type", "anything")
        if answer := input(f"{name} ({kind}, {hint}; {about.get('description', '')}): "):
            filled[name] = answer if "string" in kind else json.loads(answer)
    return filled


def run(gateway: httpx2.Client, name: str, args: dict) -> int:
    """Runs a tool. Its progress comes as events, and the last event is its result."""
    call = {"tool_name": name, "args": args}
    with gateway.stream("POST", "/mcp/execute", json=call, headers={"Accept": "text/event-stream"}) as response:
        if response.is_error:
            response.read()
            sys.exit(f"the gateway answered {response.status_code}: {response.json()['error']}")
        for event in httpx2.EventSource(response):
            data = json.loads(event.data) if event.data else {}
            match event.event:
                case "progress":
                    print(f"  … {data['progress']:g} {data.get('message', '')}")
                case "log":
                    print(f"  [{data['level']}] {data['data']}")
                case "error":
                    sys.exit(f"{name} could not be run: {data['error']}")
                case "result":
                    result = data["result"]
                    print(result["content"])
                    # All that the server sent is there, too.
                    structured = result["call_tool_result"].get("structuredContent")
                    if structured is not None:
                        print(json.dumps(structured, indent=2, ensure_ascii=False))
                    return 0 if result["success"] else 1
    sys.exit("the gateway ended the call without a result")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except httpx2.HTTPError as error:
        sys.exit(f"the gateway cannot be asked: {error}")
