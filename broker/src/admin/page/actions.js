// What operators do: each is confirmed first, and what the API says against it is shown where it was confirmed.
import { post } from "./api.js";
import { by, count } from "./dom.js";

let toast = null;

/** Says what was done, for a while. */
export function done(text) {
  by("done").textContent = text;
  by("done").hidden = false;
  clearTimeout(toast);
  toast = setTimeout(() => (by("done").hidden = true), 8000);
}

/**
 * Asks before something is done. `act` does it and gives a sentence; the dialog stays open while it fails. `more` is a
 * choice that is made with it.
 */
export function confirm({ title, text, detail, yes, more, act }) {
  const dialog = by("confirm-dialog");
  by("confirm-title").textContent = title;
  by("confirm-text").textContent = text;
  by("confirm-detail").textContent = detail ?? "";
  by("confirm-detail").hidden = detail === undefined;
  by("confirm-yes").textContent = yes;
  by("confirm-wrong").textContent = "";
  by("confirm-more").hidden = more === undefined;
  by("confirm-more").lastElementChild.textContent = more ?? "";
  by("confirm-check").checked = false;
  by("confirm-yes").disabled = false;
  by("confirm-no").onclick = () => dialog.close();
  by("confirm-form").onsubmit = async (event) => {
    event.preventDefault();
    by("confirm-yes").disabled = true;
    by("confirm-wrong").textContent = "";
    try {
      const said = await act(by("confirm-check").checked);
      dialog.close();
      done(said);
    } catch (problem) {
      by("confirm-wrong").textContent = String(problem);
      by("confirm-yes").disabled = false;
    }
  };
  dialog.showModal();
  by("confirm-no").focus();
}

/** Ends sockets: `whom` is what the API calls them, `words` what people do. */
export function sever(whom, words) {
  confirm({
    title: "Disconnect",
    text: `This ends ${words}, on all nodes. Official clients do not come back by themselves.`,
    more: "with everything else that these clients have on their connections",
    yes: "Disconnect",
    act: async (close) => {
      const ended = await post("api/v1/sockets/disconnect", { ...whom, close });
      return `${sockets(ended.sockets)} disconnected${silence(ended)}.`;
    },
  });
}

/** Takes an earlier generation of a policy back. */
export function roll(policy, past) {
  const [to] = past;
  const all = past.map((it) => `${it.generation}  version ${it.version}  ${it.digest}`);
  confirm({
    title: `Roll back ${policy}`,
    text: `Generation ${to.generation} (version ${to.version}) is to serve again on this node. There are:`,
    detail: all.join("\n"),
    yes: "Roll back",
    act: async () => {
      const path = `api/v1/policies/${encodeURIComponent(policy)}/rollback`;
      const changed = await post(path, undefined, { generation: to.generation });
      const lost = changed.persisted === false ? ", until the next start" : "";
      return `${policy} serves generation ${changed.generation}, version ${changed.version}${lost}.`;
    },
  });
}

export function emitting() {
  by("emit-form").addEventListener("submit", (event) => {
    event.preventDefault();
    by("emit-note").className = "bad-text";
    by("emit-note").textContent = "";
    let args;
    try {
      args = JSON.parse(by("emit-args").value);
      if (!Array.isArray(args)) throw new Error("expected an array, such as [\"text\", 1]");
    } catch (error) {
      by("emit-note").textContent = `Arguments: ${error.message}`;
      by("emit-args").focus();
      return;
    }
    const rooms = by("emit-rooms").value.split("\n").filter((room) => room !== "");
    const body = { namespace: by("emit-namespace").value, event: by("emit-event").value, args };
    if (rooms.length) body.rooms = rooms;
    confirm({
      title: `Emit “${body.event}”`,
      text: rooms.length ? "It goes to everyone in these rooms, on all nodes, past all policies:"
        : `It goes to EVERYONE in the namespace ${body.namespace}, on all nodes, past all policies:`,
      detail: JSON.stringify(body, null, 2),
      yes: "Emit",
      act: async () => {
        const emitted = await post("api/v1/emit", body);
        const text = `Emitted to ${sockets(emitted.deliveries)} of this node.`;
        by("emit-note").className = "";
        by("emit-note").textContent = text;
        return text;
      },
    });
  });
}

const sockets = (number) => `${count(number)} ${number === 1 ? "socket" : "sockets"}`;

const silence = (answer) => (answer.silent?.length ? `; no answer of ${answer.silent.join(", ")}` : "");

/** Asks for the token, until there is one. */
export function askForToken(wrong) {
  const dialog = by("token-dialog");
  by("token-wrong").textContent = wrong;
  return new Promise((answer) => {
    // Without a token there is nothing behind it.
    dialog.oncancel = (event) => event.preventDefault();
    by("token-form").onsubmit = (event) => {
      event.preventDefault();
      const token = by("token").value.trim();
      by("token").value = "";
      if (!token) return;
      dialog.close();
      answer(token);
    };
    if (!dialog.open) dialog.showModal();
    by("token").focus();
  });
}

