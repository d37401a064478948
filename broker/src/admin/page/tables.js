// Nodes, policies and rooms, and what is wrong with any of them.
import { roll, sever } from "./actions.js";
import { get } from "./api.js";
import { Pages, by, bytes, count, day, el, lasting, name, number, rate, rows, seconds, tag, td, writes } from "./dom.js";

let earlier = { at: 0, nodes: new Map(), rates: new Map() };

export function nodes(cluster, at) {
  by("cluster").textContent = cluster.name === null ? "alone"
    : `of the cluster ${cluster.name}, ${cluster.connected ? "connected to NATS" : "NOT connected to NATS"}`;
  const rates = ratesOf(cluster, at);
  rows(by("node-rows"), cluster.nodes, (it) => it.node, (it) => [
    name(it.node + (it.self ? " (this one)" : "")),
    td(it.draining ? tag("draining", "warn") : it.heard_seconds > 3 ? tag(`silent for ${lasting(it.heard_seconds)}`, "bad")
      : tag("serving", "good")),
    number(count(it.connections)),
    number(count(it.rooms)),
    number(rate(rates.get(it.node)?.events)),
    number(rate(rates.get(it.node)?.deliveries)),
    td(day(it.started)),
    td(it.version),
    td(`clients ${it.listen}, admin ${it.admin}`),
  ]);
}

/** A second's worth of what other nodes count since they said so last; they do not say so every second. */
function ratesOf(cluster, at) {
  const told = new Map();
  const rates = new Map();
  for (const it of cluster.nodes) {
    const before = earlier.nodes.get(it.node);
    const isNew = !before || before.events !== it.events || before.deliveries !== it.deliveries || at - before.at > 5000;
    told.set(it.node, isNew ? { at, events: it.events, deliveries: it.deliveries } : before);
    if (!before || !isNew) {
      rates.set(it.node, earlier.rates.get(it.node));
      continue;
    }
    const a = (now, then) => (Math.max(0, now - then) * 1000) / (at - before.at);
    rates.set(it.node, { events: a(it.events, before.events), deliveries: a(it.deliveries, before.deliveries) });
  }
  earlier = { nodes: told, rates };
  return rates;
}

export function policies(all) {
  const none = "No policy is loaded: everything passes.";
  rows(by("policy-rows"), all, (it) => it.name, policy, none);
}

function policy(it) {
  const { verdicts, slowest } = calls(it.calls ?? {});
  const said = Object.entries(verdicts).sort((a, b) => b[1] - a[1]);
  const past = (it.history ?? []).filter((past) => past.generation !== it.generation);
  return [
    name(it.name),
    el("td", { class: "wide" }, ...health(it)),
    number(it.generation === undefined ? "–" : count(it.generation)),
    td(it.version ?? "–"),
    td(said.length ? said.map(([what, total]) => `${what} ${count(total)}`).join(", ") : "none yet"),
    number(seconds(slowest?.p50_seconds)),
    number(seconds(slowest?.p99_seconds)),
    number(it.memory_bytes === undefined ? "–" : bytes(it.memory_bytes)),
    rollBack(it, past),
  ];
}

/** Made anew only when there is something else to roll back to, so that a click is not lost between two moments. */
const buttons = new Map();

function rollBack(it, past) {
  const to = past.map((past) => past.generation).join();
  if (buttons.get(it.name)?.to !== to) {
    const button = el("button", { type: "button", disabled: past.length === 0, "aria-label": `Roll back ${it.name}`,
      title: past.length ? undefined : "there is no earlier generation", onclick: () => roll(it.name, past) },
    "Roll back…");
    buttons.set(it.name, { to, cell: td(past.length ? writes(button) : button) });
  }
  return buttons.get(it.name).cell;
}

/** Verdicts of all hooks, failures among them, and the hook that takes longest. */
function calls(hooks) {
  const verdicts = {};
  let slowest;
  for (const hook of Object.values(hooks)) {
    const failed = Object.entries(hook.traps).map(([what, total]) => [`failed (${what})`, total]);
    for (const [what, total] of [...Object.entries(hook.verdicts), ...failed]) verdicts[what] = (verdicts[what] ?? 0) + total;
    if (hook.p99_seconds !== undefined && !(slowest?.p99_seconds >= hook.p99_seconds)) slowest = hook;
  }
  return { verdicts, slowest };
}

function health(it) {
  const tags = [];
  if (it.failed) tags.push(tag(`does not load: ${it.failed.reason}`, "bad"));
  if (it.breaker && it.breaker.state !== "closed") {
    const why = it.breaker.last_fault ? `: ${it.breaker.last_fault}` : "";
    tags.push(tag(`keeps failing, breaker ${it.breaker.state}${why}`, "bad"));
  }
  if (it.candidate) {
    const share = it.candidate.percent === undefined ? "" : ` ${it.candidate.percent} %`;
    tags.push(tag(`${it.candidate.mode}${share}: version ${it.candidate.version} on trial`, "warn"));
  }
  if (it.mode === "shadow") tags.push(tag("shadow: not followed", "warn"));
  if (tags.length === 0) tags.push(tag("well", "good"));
  return tags;
}

/** Namespaces to choose from, wherever one is. */
export function namespaces(paths) {
  const all = paths.includes("/") ? paths : ["/", ...paths];
  for (const [id, extra] of [["room-namespace", []], ["look-namespace", [["", "all"]]], ["emit-namespace", []]]) {
    const select = by(id);
    const options = [...extra, ...all.map((path) => [path, path])];
    if (select.dataset.paths === JSON.stringify(options)) continue;
    select.dataset.paths = JSON.stringify(options);
    const chosen = select.value;
    select.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
    if (options.some(([value]) => value === chosen)) select.value = chosen;
  }
}

/** How many rooms are listed. */
const LIMIT = 50;

let look = () => {};
let listing = null;

const pages = new Pages("room-first", "room-next", () => rooms());

/** From the beginning, after other rooms have been asked for. */
export const otherRooms = () => pages.go("", rooms);

export function onLook(watch) {
  look = watch;
}

/** Rooms of all nodes: asked for by itself, because every node is asked. */
export async function rooms() {
  // What is asked for may be another page by now.
  await listing;
  if (listing) return listing;
  const namespace = by("room-namespace").value || "/";
  listing = (async () => {
    try {
      const query = { namespace, prefix: by("room-prefix").value, limit: LIMIT, after: pages.after };
      const listed = await get("api/v1/rooms", query);
      if (pages.after && listed.rooms.length === 0) pages.after = "";
      const none = "No room has a socket in it.";
      rows(by("room-rows"), listed.rooms, (it) => JSON.stringify([namespace, it.name]), (it) => room(namespace, it), none);
      const cut = pages.seen(listed, listed.rooms);
      const silent = listed.silent?.length ? `no answer of ${listed.silent.join(", ")}` : "";
      by("room-note").textContent = [cut, silent].filter(Boolean).join("; ");
    } catch (problem) {
      by("room-note").textContent = String(problem);
    } finally {
      listing = null;
    }
  })();
  return listing;
}

const roomButtons = new Map();

function room(namespace, it) {
  const key = JSON.stringify([namespace, it.name]);
  if (!roomButtons.has(key)) {
    if (roomButtons.size > 500) roomButtons.clear();
    const watch = () => look("room", it.name, namespace);
    const end = () => sever({ namespace, rooms: [it.name] }, `everyone in the room “${it.name}” of ${namespace}`);
    roomButtons.set(key, el("td", { class: "tight" },
      el("button", { type: "button", "aria-label": `Watch room ${it.name}`, onclick: watch }, "Watch"),
      writes(el("button", { type: "button", class: "danger", "aria-label": `Disconnect room ${it.name}`, onclick: end },
        "Disconnect…")),
    ));
  }
  const on = Object.entries(it.nodes).map(([node, sockets]) => `${node}: ${count(sockets)}`);
  return [name(it.name), number(count(it.sockets)), td(on.join(", ")), roomButtons.get(key)];
}
