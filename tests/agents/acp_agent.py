"""An ACP agent for tests: does what the prompt's first line says, in the folder it was given."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

session, cwd, asked = "", "", 1000


def send(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def update(told, **fields):
    send({"method": "session/update", "params": {"sessionId": session, "update": {"sessionUpdate": told, **fields}}})


def say(text, kind="agent_message_chunk"):
    for piece in (text[:3], text[3:]):
        update(kind, content={"type": "text", "text": piece})


def shell(key, command):
    update("tool_call", toolCallId=key, kind="execute", title=command, status="pending", rawInput={"command": command})
    options = [{"optionId": "no", "kind": "reject_once"}, {"optionId": "yes", "kind": "allow_once"}]
    send(
        {
            "id": 77,
            "method": "session/request_permission",
            "params": {"toolCall": {"toolCallId": key}, "options": options},
        }
    )
    allowed = json.loads(sys.stdin.readline())["result"]["outcome"] == {"outcome": "selected", "optionId": "yes"}
    done = subprocess.run(["bash", "-c", command], cwd=cwd, capture_output=True, text=True) if allowed else None
    said = [{"type": "content", "content": {"type": "text", "text": done.stdout if done else "refused"}}]
    over = {"status": "completed" if done else "failed", "rawOutput": {"exitCode": done.returncode if done else 1}}
    update("tool_call_update", toolCallId=key, content=said, status="in_progress")
    update("tool_call_update", toolCallId=key, content=said, **over)


def ask(messages):
    """The text and the command that a model answers with."""
    body = json.dumps({"model": "scripted", "messages": messages, "stream": True}).encode()
    request = urllib.request.Request(os.environ["FUMEHOOD_MODEL_URL"] + "/chat/completions", body)
    request.add_header("Authorization", "Bearer " + os.environ.get("MODEL_KEY", ""))
    text, arguments = "", ""
    with urllib.request.urlopen(request) as answer:
        for line in answer:
            if line.startswith(b"data: {"):
                delta = next(iter(json.loads(line[6:])["choices"]), {}).get("delta", {})
                text += delta.get("content") or ""
                for call in delta.get("tool_calls", ()):
                    arguments += call["function"].get("arguments", "")
            if line.startswith(b"data: [DONE]"):
                return text, json.loads(arguments)["command"] if arguments else ""
    raise OSError("the answer of the model was cut off")


def work(number, text):
    """Ask the model and do what it says, as an agent does; a model that is busy is asked once more."""
    messages, tried = [{"role": "user", "content": text}], 0
    while True:
        try:
            said, command = ask(messages)
        except urllib.error.HTTPError as fault:
            if fault.code == 429 and not tried:
                tried = 1
                time.sleep(float(fault.headers.get("retry-after", 0)))
                continue
            return send({"id": number, "error": {"code": -32603, "message": f"HTTP {fault.code} {fault.reason}"}})
        except OSError as fault:
            return send({"id": number, "error": {"code": -32603, "message": str(fault)}})
        say(said)
        if not command:
            return send({"id": number, "result": {"stopReason": "end_turn"}})
        shell(f"c{len(messages)}", command)
        messages.append({"role": "assistant", "content": command})


def prompt(number, text):
    word, _, rest = text.partition("\n")[0].partition(" ")
    if word == "sleep":
        subprocess.Popen(["sleep", "1000"])
        while True:
            message = json.loads(sys.stdin.readline())
            if message["method"] == "session/cancel" and rest != "stubborn":
                return send({"id": number, "result": {"stopReason": "cancelled"}})
            time.sleep(0.1)
    if word == "work":
        return work(number, text)
    if word == "run":
        shell("own", rest)
        return send({"id": number, "result": {"stopReason": "end_turn"}})
    if word == "die":
        print("no JSON at all", file=sys.stderr, flush=True)
        sys.exit(7)
    say("I think.", "agent_thought_chunk")
    update("plan", entries=[{"content": "do it", "status": "in_progress"}])
    say("I begin.")
    shell("one", "cat told 2>/dev/null; printf '%s' \"$MODEL_KEY\"; exit 3")
    shell("two", "echo made > made")
    update(
        "tool_call", toolCallId="e", kind="edit", title="edit", status="completed", locations=[{"path": f"{cwd}/made"}]
    )
    update("tool_call", toolCallId="r", kind="read", title="read it", status="completed")
    update("something_new", content=5)
    say("Done with: " + text.replace("\n", " ") if word == "echo" else "Done.")
    return send({"id": number, "result": {"stopReason": "end_turn"}})


for line in sys.stdin:
    message = json.loads(line)
    number, params = message.get("id"), message.get("params", {})
    if message["method"] == "initialize":
        send(
            {
                "id": number,
                "result": {
                    "protocolVersion": 1,
                    "agentCapabilities": {"loadSession": True},
                    "agentInfo": {"version": "9"},
                },
            }
        )
    elif message["method"] in ("session/new", "session/load"):
        session, cwd = params.get("sessionId", "s-new"), params["cwd"]
        if message["method"] == "session/load":
            say("an old message")
        send({"id": number, "result": {"sessionId": session}})
    elif message["method"] == "session/prompt":
        prompt(number, params["prompt"][0]["text"])
    elif "method" in message and number is not None:
        send({"id": number, "error": {"code": -32601, "message": "unknown"}})
