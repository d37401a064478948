"""python-socketio clients, driven over the same JSON lines as driver.mjs (which says what they are)."""

import asyncio
import base64
import json
import sys

import socketio

clients = {}


def send(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def decode(value):
    if isinstance(value, list):
        return [decode(inner) for inner in value]
    if isinstance(value, dict):
        if isinstance(value.get("$bin"), str):
            return base64.b64decode(value["$bin"])
        return {key: decode(inner) for key, inner in value.items()}
    return value


def encode(value):
    if isinstance(value, (bytes, bytearray)):
        return {"$bin": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [encode(inner) for inner in value]
    if isinstance(value, dict):
        return {key: encode(inner) for key, inner in value.items()}
    return value


class Client:
    def __init__(self, name, namespace, opts):
        self.name = name
        self.namespace = namespace
        self.refusal = None
        # Those of aiohttp's `ws_connect`.
        extra = opts.get("websocket", {})
        verify = not opts.get("insecure", False)
        self.sio = socketio.AsyncClient(
            reconnection=False, ssl_verify=verify, websocket_extra_options=extra
        )
        self.sio.on("connect", self.on_connect, namespace=namespace)
        self.sio.on("connect_error", self.on_connect_error, namespace=namespace)
        self.sio.on("disconnect", self.on_disconnect, namespace=namespace)
        self.sio.on("*", self.on_event, namespace=namespace)

    async def on_connect(self):
        sid = self.sio.get_sid(self.namespace)
        send({"client": self.name, "kind": "connect", "sid": sid, "transport": self.sio.transport()})

    async def on_connect_error(self, data=None):
        self.refusal = data
        text = data.get("message") if isinstance(data, dict) else str(data)
        detail = data.get("data") if isinstance(data, dict) else None
        send({"client": self.name, "kind": "connect_error", "message": text, "data": encode(detail)})

    async def on_disconnect(self, reason=None):
        send({"client": self.name, "kind": "disconnect", "reason": reason})

    async def on_event(self, event, *args):
        send({"client": self.name, "kind": "event", "name": event, "args": encode(args)})


async def connect(command):
    opts = command.get("opts", {})
    namespace = opts.get("namespace", "/")
    client = Client(command["client"], namespace, opts)
    clients[command["client"]] = client
    try:
        await client.sio.connect(
            command["url"],
            auth=opts.get("auth"),
            headers=opts.get("extraHeaders", {}),
            transports=opts.get("transports"),
            namespaces=[namespace],
            socketio_path=opts.get("path", "socket.io"),
            wait_timeout=10,
        )
    except socketio.exceptions.ConnectionError as error:
        refusal = client.refusal
        text = refusal.get("message") if isinstance(refusal, dict) else str(error)
        return {"connected": False, "message": text}
    return {"connected": True, "sid": client.sio.get_sid(namespace), "transport": client.sio.transport()}


async def emit(command):
    client = clients[command["client"]]
    await client.sio.emit(command["event"], tuple(decode(command["args"])), namespace=client.namespace)
    return {}


async def emit_ack(command):
    client = clients[command["client"]]
    try:
        answer = await client.sio.call(
            command["event"],
            tuple(decode(command["args"])),
            namespace=client.namespace,
            timeout=command["timeout"] / 1000,
        )
    except socketio.exceptions.TimeoutError:
        return {"timeout": "the ack did not come in time"}
    # `call` unwraps an answer of one argument.
    return {"args": encode(answer if isinstance(answer, tuple) else (answer,))}


async def state(command):
    client = clients[command["client"]]
    return {"connected": client.sio.connected, "transport": client.sio.transport() if client.sio.connected else None}


async def disconnect(command):
    await clients[command["client"]].sio.disconnect()
    return {}


COMMANDS = {
    "connect": connect,
    "emit": emit,
    "emitAck": emit_ack,
    "state": state,
    "disconnect": disconnect,
}


async def run(command):
    try:
        send({"id": command["id"], "ok": await COMMANDS[command["do"]](command)})
    except Exception as error:  # the test says what it expected; here everything is passed on
        send({"id": command["id"], "error": f"{type(error).__name__}: {error}"})


async def main():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=16 * 1024 * 1024)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks = set()
    while line := await reader.readline():
        task = asyncio.create_task(run(json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    for client in clients.values():
        if client.sio.connected:
            await client.sio.disconnect()


asyncio.run(main())
