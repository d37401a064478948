// Requests to the API of this listener: the token, errors as the API words them, and answers that do not end.

const KEY = "sluice-token";

/** What the API answered instead of what was asked for. */
export class Problem extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `HTTP ${status}`);
    this.status = status;
    this.code = problem?.code ?? "";
    this.field = problem?.field;
  }

  toString() {
    const field = this.field ? ` (${this.field})` : "";
    return this.code ? `${this.code}${field}: ${this.message}` : this.message;
  }
}

let ask = null;

/** `asking(wrong)` gives a promise of a token; `wrong` says why the last one was none. */
export function onToken(asking) {
  ask = asking;
}

export const hasToken = () => sessionStorage.getItem(KEY) !== null;

export function forgetToken() {
  sessionStorage.removeItem(KEY);
}

let asked = null;

/** Several requests may be refused at once: their reader is asked once. */
async function renew(used, problem) {
  if (sessionStorage.getItem(KEY) !== used) return;
  asked ??= ask(used === null ? "" : problem.toString()).then((token) => {
    sessionStorage.setItem(KEY, token);
    asked = null;
  });
  await asked;
}

async function problemOf(response) {
  const body = await response.text();
  try {
    return new Problem(response.status, JSON.parse(body));
  } catch {
    return new Problem(response.status, null);
  }
}

/** An answer that is good; asks for the token where that is missing. Paths are relative, so a proxy may have a prefix. */
async function good(path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem(KEY);
    const headers = { ...options.headers };
    if (token !== null) headers.Authorization = `Bearer ${token}`;
    const response = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status !== 401) throw problem;
    await renew(token, problem);
  }
}

export async function get(path, query = {}) {
  return (await good(address(path, query))).json();
}

export async function post(path, body, query = {}) {
  const options = { method: "POST" };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  return (await good(address(path, query), options)).json();
}

function address(path, query) {
  const asked = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(asked).toString();
  return text ? `${path}?${text}` : path;
}

/** Calls back with each line of an answer, until it ends or `signal` ends it. */
async function lines(path, query, signal, opened, line) {
  const response = await good(address(path, query), { signal });
  opened();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const whole = (rest + value).split("\n");
    rest = whole.pop();
    whole.forEach(line);
  }
}

/** JSON, a line each; empty lines only say that the connection is there. */
export const records = (path, query, signal, opened, record) =>
  lines(path, query, signal, opened, (line) => line && record(JSON.parse(line)));

/** Server-sent events: fetched by hand, because an EventSource sends no token. */
export const moments = (path, signal, opened, moment) =>
  lines(path, {}, signal, opened, (line) => line.startsWith("data: ") && moment(JSON.parse(line.slice(6))));
