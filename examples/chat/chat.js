// A chat that knows nothing of Sluice: the official client, and the denials that every Sluice answers with.
import { io } from "./node_modules/socket.io-client/dist/socket.io.esm.min.js";

const EVERYONE = ""; // no room: the event `message` goes to all
const $ = (id) => document.getElementById(id);

/** @type {import("socket.io-client").Socket | undefined} */
let socket;
let me = "";
let current = EVERYONE;
/** What was said, by room. */
const said = new Map([[EVERYONE, []]]);
/** Who is typing, and the timer after which we forget it. */
const typing = new Map();

// === signing in ===

const query = new URLSearchParams(location.search);
const fragment = new URLSearchParams(location.hash.slice(1));
$("broker").value = brokerUrl(query.get("broker") ?? "3000");
$("token").value = fragment.get("token") ?? "";
if ($("token").value) connect();

/** A port alone means this page's own host. */
function brokerUrl(given) {
  return /^\d+$/.test(given) ? `http://${location.hostname || "localhost"}:${given}` : given;
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  connect();
});

$("leave").addEventListener("click", () => socket?.disconnect());

function connect() {
  socket?.disconnect();
  refusal("");
  const token = $("token").value.trim();
  me = userOf(token);
  socket = io($("broker").value, { auth: { token } });
  socket.on("connect", () => {
    status("on", me ? `connected as ${me}` : "connected");
    show(true);
    // Rooms are the connection's: after a reconnection they have to be entered again.
    for (const room of said.keys()) if (room !== EVERYONE) socket.emit("join", room);
  });
  socket.on("connect_error", (error) => {
    // `active`: the transport failed, and the client tries again by itself. Otherwise the broker said no.
    if (socket.active) {
      status("off", "the broker is out of reach, trying again…");
      refusal(`No connection to ${$("broker").value}: ${error.message}`);
    } else {
      status("refused", "refused");
      refusal(`Refused: ${error.message}`);
      show(false);
    }
  });
  socket.on("disconnect", (reason) => {
    status("off", socket.active ? "connection lost, trying again…" : `disconnected (${reason})`);
    if (reason === "io client disconnect") show(false);
    if (reason === "io server disconnect") setTimeout(() => socket.connect(), 1000);
  });
  // Everything arrives in the envelope of the policy `validate`: `from` is who the broker says it is.
  socket.on("message", ({ from, text, timestamp }) => receive(EVERYONE, from, text, timestamp));
  socket.on("room message", ({ from, text: { room, text }, timestamp }) => receive(room, from, text, timestamp));
  socket.on("typing", ({ from }) => isTyping(from));
  socket.on("error", deny);
}

/** The name that the page shows as its own; the broker takes it from the token itself, which it has checked. */
function userOf(token) {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(claims), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)).sub ?? "";
  } catch {
    return "";
  }
}

function status(state, text) {
  $("status").dataset.state = state;
  $("status").textContent = text;
}

function refusal(text) {
  $("refusal").textContent = text;
  $("refusal").hidden = !text;
}

function show(chat) {
  $("door").hidden = chat;
  $("chat").hidden = !chat;
  $("leave").hidden = !chat;
  if (chat) {
    draw();
    $("text").focus();
  }
}

// === saying ===

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value;
  $("text").value = "";
  say(text);
});

$("flood").addEventListener("click", () => {
  for (let n = 1; n <= 120; n++) say(`message ${n} of a flood`);
});

function say(text) {
  const args = current === EVERYONE ? ["message", text] : ["room message", { room: current, text }];
  // The ack is `{ok: true}`, or the denial.
  socket.emit(...args, (answer) => answer?.error && deny(answer.error));
}

let lastTyping = -Infinity;
$("text").addEventListener("input", () => {
  if (performance.now() - lastTyping < 1000) return;
  lastTyping = performance.now();
  socket.emit("typing", true);
});

/** What the broker's policies did not let through: code, message, and when to try again. */
let denialTimer;
function deny({ code, message, policy, retry_after_ms: wait }) {
  clearInterval(denialTimer);
  const until = performance.now() + (wait ?? 4000);
  const tell = () => {
    const left = Math.ceil((until - performance.now()) / 1000);
    $("denial").hidden = left <= 0;
    if (left <= 0) return clearInterval(denialTimer);
    const by = policy ? ` by ${policy}` : "";
    const again = wait ? ` Try again in ${left} s.` : "";
    $("denial").textContent = `Denied${by}: ${message} (${code}).${again}`;
  };
  tell();
  // The line takes room from the messages.
  $("messages").lastElementChild?.scrollIntoView({ block: "end" });
  denialTimer = setInterval(tell, 250);
}

// === hearing ===

function receive(room, from, text, timestamp) {
  if (!said.has(room)) return;
  said.get(room).push({ from, text: unescape(text), at: new Date(timestamp) });
  quiet(from);
  if (room === current) append(said.get(room).at(-1));
}

/** The broker escapes HTML for pages that write it as it comes. This one writes text, so it undoes that. */
function unescape(text) {
  const marks = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'", "#x2F": "/", "#x5C": "\\", "#96": "`" };
  return String(text).replace(/&(amp|lt|gt|quot|#x27|#x2F|#x5C|#96);/g, (_, mark) => marks[mark]);
}

function isTyping(name) {
  clearTimeout(typing.get(name));
  typing.set(name, setTimeout(quiet, 3000, name));
  drawTyping();
}

function quiet(name) {
  clearTimeout(typing.get(name));
  typing.delete(name);
  drawTyping();
}

function drawTyping() {
  const names = [...typing.keys()].slice(0, 3);
  $("typing").textContent = names.length ? `${names.join(", ")} typing…` : "";
}

// === rooms ===

$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const room = $("room").value.trim();
  $("room").value = "";
  if (!room) return;
  socket.emit("join", room, (answer) => {
    if (answer?.error) return deny(answer.error);
    if (!said.has(room)) said.set(room, []);
    current = room;
    draw();
  });
});

function leave(room) {
  socket.emit("leave", room);
  said.delete(room);
  if (current === room) current = EVERYONE;
  draw();
}

function draw() {
  $("rooms").replaceChildren(
    ...[...said.keys()].map((room) => {
      const item = document.createElement("li");
      item.ariaCurrent = String(room === current);
      const open = button(room === EVERYONE ? "Everyone" : room, () => {
        current = room;
        draw();
      });
      item.append(open);
      if (room !== EVERYONE) {
        const close = button("×", () => leave(room));
        close.ariaLabel = `Leave ${room}`;
        item.append(close);
      }
      return item;
    }),
  );
  $("messages").replaceChildren();
  said.get(current).forEach(append);
}

function button(text, act) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = text;
  element.addEventListener("click", act);
  return element;
}

function append({ from, text, at }) {
  const item = document.createElement("li");
  if (from === me) item.className = "mine";
  const by = document.createElement("span");
  by.className = "by";
  by.textContent = `${from ?? "somebody"}, ${at.toLocaleTimeString()}`;
  item.append(by, text);
  $("messages").append(item);
  item.scrollIntoView({ block: "end" });
}
