// What the node is doing, as numbers of the moment and as charts of the last minutes.
import { Chart, SPAN, bytesStep, wholeSteps } from "./chart.js";
import { by, bytes, count, el, rate, seconds } from "./dom.js";

const charts = {
  connections: new Chart("Connections", "sockets", count, { step: wholeSteps, least: 4 }),
  traffic: new Chart("Traffic", "a second", rate, { step: wholeSteps, least: 4 }),
  latency: new Chart("Event latency", "from reading to handing over", seconds, { least: 4e-6 }),
  denials: new Chart("Denials", "a second, by policy", rate, { step: wholeSteps, least: 4 }),
  rooms: new Chart("Rooms", "with members here", count, { step: wholeSteps, least: 4 }),
  memory: new Chart("Memory", "resident", bytes, { step: bytesStep, least: 1 << 20 }),
};

/** So many policies have a line of their own. */
const MOST = 5;

let samples = [];
let before = null;

const tiles = new Map();

export function begin() {
  by("charts").replaceChildren(...Object.values(charts).map((chart) => chart.figure));
}

export function show(moment) {
  const at = Date.parse(moment.at);
  const { denials, most } = denied(moment, at);
  samples.push({
    at,
    connections: { connections: moment.connections },
    traffic: {
      events: moment.rates?.events_per_second ?? null,
      deliveries: moment.rates?.deliveries_per_second ?? null,
    },
    latency: { p50: moment.event_seconds.p50, p99: moment.event_seconds.p99 },
    denials,
    rooms: { rooms: moment.rooms },
    memory: { memory: moment.memory_bytes },
  });
  samples = samples.filter((sample) => at - sample.at <= SPAN);
  numbers(moment, denials);
  draw(at, most);
}

/** Denials a second since the last moment, by the names that the chart shows. */
function denied(moment, at) {
  const most = Object.entries(moment.denials).sort((a, b) => b[1] - a[1]).filter(([, total]) => total > 0);
  const names = most.slice(0, MOST).map(([policy]) => policy);
  const denials = {};
  if (before && at > before.at) {
    for (const [policy, total] of Object.entries(moment.denials)) {
      const name = label(names.includes(policy) || names.length < MOST ? policy : null);
      // A policy that was not there a second ago has denied all that since then, or was there under another start.
      const since = Math.max(0, total - (before.denials[policy] ?? 0));
      denials[name] = (denials[name] ?? 0) + (since * 1000) / (at - before.at);
    }
  }
  before = { at, denials: moment.denials };
  const shown = names.map(label);
  if (most.length > MOST) shown.push(label(null));
  return { denials, most: shown.length ? shown : [label("")] };
}

const label = (policy) => (policy === null ? "other policies" : policy === "" ? "broker" : policy);

function draw(now, most) {
  const of = (what, names) => {
    const values = samples.map((sample) => ({ at: sample.at, values: sample[what] }));
    charts[what].draw(values, names, now);
  };
  of("connections", ["connections"]);
  of("traffic", ["events", "deliveries"]);
  of("latency", ["p50", "p99"]);
  of("denials", most);
  of("rooms", ["rooms"]);
  of("memory", ["memory"]);
}

function numbers(moment, denials) {
  const denied = Object.values(denials).reduce((sum, it) => sum + it, 0);
  tile("connections", "Connections", count(moment.connections));
  tile("events", "Events/s", rate(moment.rates?.events_per_second));
  tile("deliveries", "Deliveries/s", rate(moment.rates?.deliveries_per_second));
  tile("p50", "Latency p50", seconds(moment.event_seconds.p50));
  tile("p99", "Latency p99", seconds(moment.event_seconds.p99));
  tile("denials", "Denials/s", rate(denied));
  tile("rooms", "Rooms", count(moment.rooms));
  tile("memory", "Memory", bytes(moment.memory_bytes));
}

function tile(key, title, text) {
  if (!tiles.has(key)) {
    const value = el("dd", { id: `tile-${key}` });
    tiles.set(key, value);
    by("tiles").append(el("div", {}, el("dt", {}, title), value));
  }
  tiles.get(key).textContent = text;
}
