"""Ask the gateway through Redis: a search, or a tool where --args is given. The address is read from REDIS_URL.

    pip install redis
    python queue_client.py "what time is it in Tokyo"
    python queue_client.py demo__calculate --args '{"expression": "6 * 7"}'
"""

import argparse
import json
import os
import sys
import time
import uuid

import redis

parser = argparse.ArgumentParser(description="Asks the gateway through Redis.")
parser.add_argument("what", help="what you want, in plain words; with --args: the name of a tool")
parser.add_argument("--args", type=json.loads, help="the arguments of the tool, as JSON")
parser.add_argument("--timeout", type=float, default=30, help="seconds to wait for the answer")
options = parser.parse_args()

request_id = str(uuid.uuid4())
request = {"request_id": request_id, "action": "mcp_search", "payload": {"query": options.what},
           "reply_to": f"mcp_replies:{request_id}", "deadline": time.time() + options.timeout}
if options.args is not None:
    request |= {"action": "mcp_tool_call", "payload": {"tool_name": options.what, "args": options.args}}

with redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://localhost:6379"), socket_timeout=options.timeout + 5) as queue:
    queue.lpush("mcp_requests", json.dumps(request))
    answer = queue.brpop([request["reply_to"]], timeout=options.timeout)
if answer is None:
    sys.exit(f"no answer within {options.timeout:g} seconds; look for it later with HGETALL request:{request_id}")
response = json.loads(answer[1])
if response["status"] == "error":
    sys.exit(f"the gateway answered: {response['error']}")
print(json.dumps(response["result"], indent=2, ensure_ascii=False))
