// The status page: what is told once a second is handed to those who show it.
import { askForToken, emitting } from "./actions.js";
import { forgetToken, get, hasToken, moments, onToken } from "./api.js";
import * as charts from "./charts.js";
import { by, el, forbid, lasting } from "./dom.js";
import * as tables from "./tables.js";
import { watch, watching } from "./watch.js";

/** How often rooms are asked for, in milliseconds: every node answers. */
const ROOMS = 5000;

/** How long after a failure it is tried again. */
const AGAIN = 2000;

let paused = false;

function show(moment) {
  if (paused) return;
  by("node").textContent = moment.node;
  by("about").textContent = `version ${moment.version}, up ${lasting(moment.uptime_seconds)}, `
    + `${moment.reactors} ${moment.reactors === 1 ? "reactor" : "reactors"}`;
  document.title = `${moment.ready ? "" : "⚠ "}${moment.node} – Sluice`;
  state(moment.ready ? "ready" : "not ready", moment.ready ? "good" : "bad");
  const reasons = moment.reasons.map((it) => `${it.code}${it.policy ? ` (${it.policy})` : ""}: ${it.message ?? ""}`);
  by("reasons").hidden = reasons.length === 0;
  if (by("reasons").dataset.text !== reasons.join("\n")) {
    by("reasons").dataset.text = reasons.join("\n");
    by("reasons").replaceChildren(...reasons.map((text) => el("li", {}, text)));
  }
  by("forget").hidden = !hasToken();
  tables.namespaces(moment.namespaces.map((it) => it.path));
  charts.show(moment);
  tables.nodes(moment.cluster, Date.parse(moment.at));
  tables.policies(moment.policies);
}

/** Told only when it is another: a reader's ears are not to hear it every second. */
function state(text, kind) {
  if (by("readiness").textContent === text) return;
  by("readiness").textContent = text;
  by("readiness").className = `pill ${kind}`;
}

function trouble(text) {
  by("trouble").hidden = text === "";
  if (by("trouble").textContent !== text) by("trouble").textContent = text;
}

const pause = (time) => new Promise((over) => setTimeout(over, time));

/** What the token may do, before anything is shown that could be pressed. */
async function scope() {
  const { name, scope } = await get("api/v1/token");
  const why = scope === "read" ? `The token “${name}” may look, and not change anything.` : "";
  forbid(why);
  by("scope").textContent = why;
  by("scope").hidden = why === "";
}

/** Goes on for as long as the page is there. */
async function follow() {
  for (;;) {
    try {
      await scope();
      await moments("api/v1/live", undefined, () => trouble(""), show);
      trouble("The node has ended the connection. Trying again…");
    } catch (problem) {
      trouble(`Nothing is heard of the node: ${problem}. Trying again…`);
    }
    state("out of reach", "bad");
    await pause(AGAIN);
  }
}

async function followRooms() {
  for (;;) {
    await pause(ROOMS);
    // Nobody looks at a page that is hidden.
    if (!paused && !document.hidden) await tables.rooms();
  }
}

/** As the system has it, until its reader chooses. */
function theme() {
  const root = document.documentElement;
  const chosen = localStorage.getItem("sluice-theme");
  if (chosen) root.dataset.theme = chosen;
  by("theme").addEventListener("click", () => {
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
    localStorage.setItem("sluice-theme", root.dataset.theme);
  });
}

theme();
onToken(askForToken);
charts.begin();
watching();
emitting();
tables.onLook((kind, name, namespace) => {
  void watch(kind, name, namespace);
  by("look").scrollIntoView();
  by("look-stop").focus({ preventScroll: true });
});
by("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  void tables.otherRooms();
});
by("pause").addEventListener("click", () => {
  paused = !paused;
  by("pause").setAttribute("aria-pressed", String(paused));
  by("pause").textContent = paused ? "Go on" : "Pause";
});
by("forget").addEventListener("click", () => {
  forgetToken();
  location.reload();
});
void follow();
void tables.rooms();
void followRooms();
