"""An MCP server for the tests, as odd as its arguments say. Methods are commands to itself."""

import json
import os
import random
import signal
import subprocess
import sys
import time

FLAGS = {flag.split("=", 1)[0]: flag.split("=", 1)[-1] for flag in sys.argv[1:]}
INFO = {"name": "odd", "version": "1"}
out = sys.stdout.buffer
heard, shuffled, asking = [], [], {}


def say(text):
    out.write(text.encode() + b"\n")
    out.flush()


def answer(request, result):
    say('{"jsonrpc":"2.0","id":%s,"result":%s}' % (json.dumps(request["id"]), result))


def refuse(request, code, message):
    error = {"code": code, "message": message, "data": {"kept": 1}}
    say(json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}))


def discover(request):
    if "exit-on-discover" in FLAGS:
        sys.exit(3)
    if "mute-on-unknown" in FLAGS:
        return
    if "modern" not in FLAGS:
        return refuse(request, -32601, "no such method")
    answer(request, json.dumps({
        "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "resultType": "complete",
        "_meta": {"io.modelcontextprotocol/serverInfo": INFO}, "ttlMs": 0, "cacheScope": "private"}))


def initialize(request):
    if "refuse-all" in FLAGS or "modern" in FLAGS:
        print("complaint about", os.environ.get("TOKEN"), file=sys.stderr, flush=True)
        return refuse(request, -32600, "not me")
    version = request["params"]["protocolVersion"]
    answer(request, json.dumps({"protocolVersion": version, "capabilities": {}, "serverInfo": INFO}))


def call(method, params, request):
    if method == "echo":
        answer(request, json.dumps(params))
    elif method == "raw":
        answer(request, params["text"])
    elif method == "fail":
        refuse(request, params["code"], "as you wish")
    elif method == "big":
        answer(request, '{"text":"%s"}' % ("x" * params["bytes"]))
    elif method == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif method == "exit":
        print(params.get("words", ""), file=sys.stderr, flush=True)
        os._exit(params["code"])
    elif method == "look":
        answer(request, json.dumps({"env": dict(os.environ), "cwd": os.getcwd()}))
    elif method == "shuffle":
        shuffled.append((request, json.dumps(params)))
        if len(shuffled) == params["of"]:
            random.shuffle(shuffled)
            for each in shuffled:
                answer(*each)
            shuffled.clear()
    elif method == "heard":
        answer(request, json.dumps({"heard": heard}))
    elif method == "noise":
        for _ in range(params["lines"]):
            say(params["text"])
        answer(request, "{}")
    elif method == "batch":
        note = '{"jsonrpc":"2.0","method":"notifications/one"}'
        say('[%s,5,{"jsonrpc":"2.0","id":%d,"result":{}}]' % (note, request["id"]))
    elif method == "progress":
        token = json.dumps(params["_meta"]["progressToken"])
        for step in range(params["steps"]):
            say('{"jsonrpc":"2.0","method":"notifications/progress","params":'
                '{"progressToken":%s,"progress":%d}}' % (token, step))
        say('{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}')
        answer(request, "{}")
    elif method == "ask":
        asking["of-mine"] = request
        say(json.dumps({"jsonrpc": "2.0", "id": "of-mine", "method": params["method"], "params": {"a": 1}}))
    elif method == "close-output":
        os.close(1)
    elif method == "leave-helper":
        subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL)
        os._exit(7)
    elif method == "stop-reading":
        answer(request, "{}")
        time.sleep(600)
    elif method != "hang":
        refuse(request, -32601, "no such method")


def main():
    if "starts" in FLAGS:
        with open(FLAGS["starts"], "a") as file:
            file.write("%d\n" % os.getpid())
    if "helper" in FLAGS:
        subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 600 & wait"], stdin=subprocess.DEVNULL)
    if "stubborn" in FLAGS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "banner" in FLAGS:
        print("Welcome to the odd server!\n\n{not json", flush=True)
    if "crash" in FLAGS:
        print("warming up", file=sys.stderr)
        raise ValueError("bad token " + os.environ.get("TOKEN", ""))
    for line in sys.stdin.buffer:
        if "silent" in FLAGS:
            continue
        message = json.loads(line)
        method, params = message.get("method"), message.get("params")
        if method is None:
            answer(asking.pop(message["id"]), json.dumps(message))
        elif "id" not in message:
            heard.append(message)
        elif method == "server/discover":
            discover(message)
        elif method == "initialize":
            initialize(message)
        else:
            call(method, params, message)
    while "stubborn" in FLAGS:
        time.sleep(600)


main()
