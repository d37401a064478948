// A client that knows nothing of Sluice: the official library, and what it prints is the same with both servers.
//
//     node client.mjs http://localhost:5000 TOKEN TOKEN TOKEN      # of alice, bob and carol
//
// Each line is a step and what came of it.
import { io } from "socket.io-client";

const [url, ...tokens] = process.argv.slice(2);
if (tokens.length !== 3) {
  console.error("usage: node client.mjs URL TOKEN TOKEN TOKEN");
  process.exit(2);
}
const say = (step, what) => console.log(JSON.stringify({ step, ...what }));
const next = (socket, event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)));
// A text from one server, an object that has one from the other.
const textOf = (error) => error.message ?? error;

// Nothing of this takes long, unless it fails.
const watchdog = setTimeout(() => {
  console.error("no answer");
  process.exit(1);
}, 60_000);

const open = (namespace, auth) => io(url + namespace, { transports: ["websocket"], forceNew: true, auth });

async function enter(namespace, token) {
  const socket = open(namespace, { token });
  await next(socket, "connect");
  return socket;
}

async function refused(auth) {
  const socket = open("/", auth);
  const [error] = await next(socket, "connect_error");
  socket.disconnect();
  return error.message;
}

// === Who are you? ===

say("without a token", { refused: await refused({}) });
say("with a bad one", { refused: await refused({ token: `${tokens[0]}x` }) });
const [alice, bob, carol] = await Promise.all(tokens.map((token) => enter("/", token)));
say("with a good one", { transport: alice.io.engine.transport.name });

// === What may be said? ===

const heard = [alice, bob].map((socket) => next(socket, "message"));
alice.emit("message", "<b>hello</b> & \"goodbye\"");
for (const [message] of await Promise.all(heard)) {
  const { from, text, timestamp, ...rest } = message;
  say("a message", { from, text, dated: new Date(timestamp).toISOString() === timestamp, rest });
}
for (const wrong of [42, "", { text: "hi" }, "x".repeat(501), "<".repeat(126)]) {
  const told = next(alice, "error");
  alice.emit("message", wrong);
  say("not a message", { error: textOf((await told)[0]) });
}
const longest = next(bob, "message");
alice.emit("message", "x".repeat(500));
say("the longest", { length: (await longest)[0].text.length });

// === How often? ===

const positions = [];
const last = new Promise((resolve) =>
  bob.on("cursorMoved", (position) => {
    positions.push(position.x);
    if (position.x === 199) resolve();
  }),
);
for (let x = 0; x < 200; x++) alice.emit("cursorMove", { x, y: 2 * x });
await last;
const rises = positions.every((x, n) => n === 0 || positions[n - 1] < x);
say("a cursor", { first: positions[0], last: positions.at(-1), rises, thinned: positions.length < 20 });

// The client's own part: whoever types says so, and that it is over when nothing was typed for two seconds.
let debounceTimer;
function sendTypingIndicator() {
  clearTimeout(debounceTimer);
  alice.emit("typing");
  debounceTimer = setTimeout(() => alice.emit("stopTyping"), 2000);
}
const typed = [];
for (const event of ["typing", "stopTyping"]) bob.on(event, () => typed.push(event));
const stopped = next(bob, "stopTyping");
for (let key = 0; key < 3; key++) sendTypingIndicator();
await stopped;
say("typing", { typed });

// === Together ===

const [speaker, listener] = await Promise.all(tokens.slice(0, 2).map((token) => enter("/feed", token)));
const batches = [];
const all = new Promise((resolve) =>
  listener.on("messageBatch", (batch) => {
    batches.push(batch);
    if (batches.flat().length === 40) resolve();
  }),
);
for (let n = 0; n < 40; n++) speaker.emit("message", `news ${n}`);
await all;
say("a feed", {
  inOrder: batches.flat().every((text, n) => text === `news ${n}`),
  together: batches.length < 10,
});

// === How much? ===

let got = 0;
carol.on("message", ({ from }) => (got += from === "carol" ? 1 : 0));
const limited = next(carol, "error");
for (let n = 0; n < 101; n++) carol.emit("message", `flood ${n}`);
say("too much", { error: textOf((await limited)[0]) });
// What was let through before has come before.
say("what was let through", { got });

for (const socket of [alice, bob, carol, speaker, listener]) socket.disconnect();
clearTimeout(watchdog);
