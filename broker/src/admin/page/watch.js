// The live view of one socket, user or room: who that is, and what happens, as it happens.
import { sever } from "./actions.js";
import { get, records } from "./api.js";
import { Pages, by, clock, day, el, mayWrite, name, rows, td, writes } from "./dom.js";

/** So many lines are kept. */
const MOST = 500;

/** Sockets that are listed. */
const LIMIT = 100;

let ended = new AbortController();
let looked = null;
let looking = null;

const pages = new Pages("look-first", "look-next", () => who());

export function watching() {
  by("look-form").addEventListener("submit", (event) => {
    event.preventDefault();
    watch(by("look-kind").value, by("look-name").value, by("look-namespace").value);
  });
  by("look-stop").addEventListener("click", () => stop("stopped"));
  by("look-disconnect").addEventListener("click", () => {
    const { kind, name, namespace } = looked;
    const where = namespace || "/";
    const whom = { namespace: where, [`${kind}s`]: [name] };
    sever(whom, kind === "socket" ? `the socket “${name}”` : `all sockets of the ${kind} “${name}” in ${where}`);
  });
}

/** Begins to watch. */
export async function watch(kind, name, namespace) {
  stop("");
  looked = { kind, name, namespace };
  pages.after = "";
  by("look-cut").textContent = pages.seen({}, []);
  by("look-kind").value = kind;
  by("look-name").value = name;
  by("look-namespace").value = namespace;
  by("look-rows").replaceChildren();
  by("look-sockets").replaceChildren();
  by("look-found").hidden = false;
  by("look-stop").disabled = false;
  by("look-disconnect").disabled = !mayWrite();
  const now = (ended = new AbortController());
  try {
    const opened = () => {
      note(`watching ${kind} “${name}”`);
      void who();
    };
    await records("api/v1/watch", { [kind]: name, namespace }, now.signal, opened, happened);
    note("the node has ended it");
  } catch (problem) {
    if (!now.signal.aborted) note(String(problem));
  }
  if (ended === now) by("look-stop").disabled = true;
}

function stop(why) {
  ended.abort();
  clearTimeout(looking);
  looking = null;
  by("look-stop").disabled = true;
  note(why);
}

const note = (text) => (by("look-note").textContent = text);

/** Sockets of all nodes that are meant. */
async function who() {
  const asked = looked;
  const { kind, name, namespace } = asked;
  try {
    let found;
    if (kind === "socket") {
      found = await get(`api/v1/sockets/${encodeURIComponent(name)}`).then((it) => [it], gone);
    } else {
      const listed = await get("api/v1/sockets", { [kind]: name, namespace, limit: LIMIT, after: pages.after });
      if (looked !== asked) return;
      found = listed.sockets;
      if (pages.after && found.length === 0) pages.after = "";
      by("look-cut").textContent = pages.seen(listed, found);
    }
    // Somebody else is looked at meanwhile.
    if (looked !== asked) return;
    rows(by("look-sockets"), found, (it) => it.id, socket, "Nobody at the moment.");
  } catch (problem) {
    note(String(problem));
  }
}

/** A socket that is not there is an answer, and not an error. */
function gone(problem) {
  if (problem.status === 404) return [];
  throw problem;
}

const buttons = new Map();

function socket(it) {
  if (!buttons.has(it.id)) {
    if (buttons.size > 500) buttons.clear();
    const end = () => sever({ namespace: it.namespace, sockets: [it.id] }, `the socket “${it.id}”`);
    buttons.set(it.id, el("td", { class: "tight" },
      el("button", { type: "button", "aria-label": `Watch socket ${it.id}`,
        onclick: () => watch("socket", it.id, it.namespace) }, "Watch"),
      writes(el("button", { type: "button", class: "danger", "aria-label": `Disconnect socket ${it.id}`, onclick: end },
        "Disconnect…")),
    ));
  }
  return [name(it.id), td(it.user ?? "–"), buttons.get(it.id), td(day(it.since)), td(it.transport), td(it.address),
    td(it.node), td(it.rooms.join(", ") || "none")];
}

function happened(record) {
  const body = by("look-rows");
  if (record.dropped !== undefined) {
    const lost = `${record.dropped} lines are missing: more happened than could be shown`;
    body.prepend(el("tr", {}, td(""), td(""), td("–"), td(""), td(lost)));
    return;
  }
  if (record.what === "sent" && !by("look-sent").checked) return;
  const detail = record.event !== undefined ? `${record.event} ${JSON.stringify(record.args)}${attached(record)}`
    : record.room ?? record.reason ?? [record.transport, record.address].filter(Boolean).join(" from ");
  const user = record.user ? ` (${record.user})` : "";
  body.prepend(el("tr", {}, td(clock(record.at_ms, true)), td(record.socket + user), td(record.what),
    td(record.outcome ?? ""), el("td", { class: "name" }, detail)));
  while (body.children.length > MOST) body.lastChild.remove();
  // Who is there, or where, may be different now; many changes at once are one.
  if (["connected", "disconnected", "joined", "left"].includes(record.what) && looking === null) {
    looking = setTimeout(() => {
      looking = null;
      void who();
    }, 500);
  }
}

const attached = (record) => (record.attachments ? ` + ${record.attachments} attachments` : "");
