// Official Socket.IO clients, driven over JSON lines: a command a line on stdin, answers and notices on stdout.
//
//   → {"id":1,"do":"connect","client":"a","url":"http://…/","opts":{…}}
//   ← {"id":1,"ok":{…}}  or  {"id":1,"error":"why"}
//   ← {"client":"a","kind":"event","name":"message","args":[…]}      whenever something happens to a client
//
// Bytes are written {"$bin":"base64"} in both directions. Commands run side by side: an answer carries its `id`.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import { close, echo, relay, serve } from "./reference.mjs";

const clients = new Map();
const send = (message) => process.stdout.write(JSON.stringify(message) + "\n");

/** JSON as it came → what the client is given: `{"$bin"}` becomes a Buffer. */
function decode(value) {
  if (Array.isArray(value)) return value.map(decode);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$bin === "string") return Buffer.from(value.$bin, "base64");
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, decode(inner)]));
}

/** What a client received → JSON. */
function encode(value) {
  if (value === undefined) return { $undefined: true };
  if (Buffer.isBuffer(value)) return { $bin: value.toString("base64") };
  if (value instanceof ArrayBuffer) return { $bin: Buffer.from(value).toString("base64") };
  if (ArrayBuffer.isView(value)) {
    return { $bin: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64") };
  }
  if (Array.isArray(value)) return value.map(encode);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, encode(inner)]));
}

const message = (error) => (error instanceof Error ? error.message : String(error));
const transportOf = (socket) => socket.io.engine?.transport?.name ?? null;

function find(name) {
  const client = clients.get(name);
  if (!client) throw new Error(`no client is called ${name}`);
  return client;
}

/** `parser: "msgpack"` is npm's socket.io-msgpack-parser. */
async function parserOf({ parser }) {
  if (parser !== "msgpack") return {};
  return { parser: (await import("socket.io-msgpack-parser")).default };
}

/** `fetch: true`: polls as browsers that have it do, which is also the one way on Node that reads compressed answers. */
async function transportsOf({ fetch }) {
  if (!fetch) return {};
  return { transports: [(await import("engine.io-client")).Fetch] };
}

async function connect({ client: name, url, opts = {}, quiet = false }) {
  if (clients.has(name)) throw new Error(`client ${name} exists already`);
  const parser = await parserOf(opts);
  const transports = await transportsOf(opts);
  // A manager for each client, unless a test asks for several namespaces over one connection.
  const socket = io(url, { forceNew: true, reconnection: false, autoConnect: false, ...decode(opts), ...parser, ...transports });
  const client = { socket, quiet, received: [], answers: new Map() };
  clients.set(name, client);
  socket.onAny((event, ...args) => {
    const answer = client.answers.get(event);
    if (answer && typeof args.at(-1) === "function") args.at(-1)(...answer);
    if (client.quiet) client.received.push([event, ...args]);
    else send({ client: name, kind: "event", name: event, args: args.map(strip).map(encode) });
  });
  socket.on("disconnect", (reason) => send({ client: name, kind: "disconnect", reason }));
  // The engine is a new one after every reconnection, and may upgrade before the namespace has answered.
  socket.io.on("open", () =>
    socket.io.engine.on("upgrade", (transport) => send({ client: name, kind: "upgrade", transport: transport.name })),
  );
  socket.on("connect", () => send({ client: name, kind: "connect", sid: socket.id, transport: transportOf(socket) }));
  socket.on("connect_error", (error) =>
    send({ client: name, kind: "connect_error", message: message(error), data: encode(error.data ?? null) }),
  );
  return new Promise((resolve) => {
    socket.once("connect", () => resolve({ connected: true, sid: socket.id, transport: transportOf(socket) }));
    socket.once("connect_error", (error) =>
      resolve({
        connected: false,
        message: message(error),
        data: encode(error.data ?? null),
        // An error of the transport, unlike a refusal by the server, says what came back.
        status: error.context?.status ?? error.context?.statusCode ?? null,
      }),
    );
    socket.connect();
  });
}

/** A function in the arguments is the ack that a server asks for: answered where a test says how (`answer`). */
const strip = (arg) => (typeof arg === "function" ? "ack" : arg);

async function emitAck(socket, event, args, timeout) {
  try {
    // `emitWithAck` gives the first argument only; the test wants them all.
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the ack did not come in time")), timeout);
      socket.emit(event, ...args, (...answer) => {
        clearTimeout(timer);
        resolve({ args: answer.map(encode) });
      });
    });
  } catch (error) {
    return { timeout: message(error) };
  }
}

/**
 * Sends `count` events at `rate` a second, or until `calm` is said, and answers when all of them are answered: the
 * first argument is the sequence number (or `{...template, seq}` with a template), and each entry is
 * `[seq, ack, milliseconds since the start]`.
 */
async function flood({ client: name, event, count, rate, ack = true, template, timeout = 30000, first = 0 }) {
  const client = find(name);
  const { socket } = client;
  const start = performance.now();
  const answers = [];
  const pending = [];
  client.calm = false;
  for (let sent = 0; sent < count && !client.calm; sent++) {
    const due = start + (sent * 1000) / rate;
    const wait = due - performance.now();
    if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
    const seq = first + sent;
    const arg = template === undefined ? seq : fill(template, seq);
    if (!ack) socket.emit(event, arg);
    else {
      pending.push(
        emitAck(socket, event, [arg], timeout).then((answer) => {
          answers.push([seq, answer.timeout ? { timeout: answer.timeout } : answer.args[0], performance.now() - start]);
        }),
      );
    }
  }
  await Promise.all(pending);
  return { answers, elapsed_ms: performance.now() - start };
}

/** The template with `seq` in it: an object gets a field, a text gets it where `{seq}` stands. */
const fill = (template, seq) =>
  typeof template === "string" ? template.replace("{seq}", String(seq)) : { ...template, seq };

const commands = {
  connect,
  /** Node's own server with the routes of a broker without a configuration: what "drop-in" is measured against. */
  async reference() {
    return { port: await serve(relay) };
  },
  /** The same server with options of a test's own, which answers what it is sent. */
  async echo({ opts }) {
    return { port: await serve(echo, opts) };
  },
  closeEcho({ port }) {
    // It answers when the last client is gone, which may be after the test.
    void close(port);
    return {};
  },
  flood,
  /** Ends a flood after the event that is being sent. */
  calm({ client }) {
    find(client).calm = true;
    return {};
  },
  emit({ client, event, args }) {
    find(client).socket.emit(event, ...decode(args));
    return {};
  },
  emitAck({ client, event, args, timeout }) {
    return emitAck(find(client).socket, event, decode(args), timeout);
  },
  /** Everything that a quiet client has received, oldest first. */
  collect({ client }) {
    const found = find(client);
    const received = found.received.map((args) => args.map(strip).map(encode));
    found.received = [];
    return { received };
  },
  /** Waits until a quiet client has received `count` events, and says how many there are at the latest in time. */
  async received({ client, count, timeout }) {
    const found = find(client);
    const deadline = performance.now() + timeout;
    while (found.received.length < count && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return { count: found.received.length };
  },
  state({ client }) {
    const { socket } = find(client);
    const { active, connected, id } = socket;
    const engine = socket.io.engine?.id ?? null;
    return { active, connected, sid: id ?? null, engine, transport: transportOf(socket) };
  },
  /** What is agreed on the compression of the client's WebSocket, and how many bytes have come over it. */
  wire({ client }) {
    const { ws } = find(client).socket.io.engine.transport;
    const deflate = ws._extensions["permessage-deflate"];
    return { compression: deflate?.params ?? null, received: ws._socket.bytesRead };
  },
  reconnect({ client }) {
    const { socket } = find(client);
    return new Promise((resolve) => {
      socket.once("connect", () => resolve({ connected: true, sid: socket.id }));
      socket.once("connect_error", (error) => resolve({ connected: false, message: message(error) }));
      socket.connect();
    });
  },
  disconnect({ client }) {
    find(client).socket.disconnect();
    return {};
  },
  /** Text past all encoders. */
  write({ client, text }) {
    const { transport } = find(client).socket.io.engine;
    if (transport.ws) transport.ws.send(text);
    else transport.doWrite(text, () => {});
    return {};
  },
  /** Answers heartbeats no more. */
  answer({ client, event, args }) {
    find(client).answers.set(event, decode(args));
    return {};
  },
  mute({ client }) {
    const { engine } = find(client).socket.io;
    const send = engine._sendPacket.bind(engine);
    engine._sendPacket = (type, ...rest) => type === "pong" || send(type, ...rest);
    return {};
  },
  /** Cuts the transport without saying goodbye, as a lost network does. */
  cut({ client }) {
    const engine = find(client).socket.io.engine;
    const transport = engine.transport;
    if (transport.ws?.terminate) transport.ws.terminate();
    else engine.close();
    return {};
  },
};

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const command = JSON.parse(line);
    try {
      const run = commands[command.do];
      if (!run) throw new Error(`unknown command ${command.do}`);
      send({ id: command.id, ok: await run(command) });
    } catch (error) {
      send({ id: command.id, error: message(error) });
    }
  })
  .on("close", () => process.exit(0));
