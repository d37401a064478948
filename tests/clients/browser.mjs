// Chromium, driven over JSON lines: a command a line on stdin, an answer a line on stdout, one after the other.
//
//   → {"id":1,"do":"open","url":"http://…/"}
//   ← {"id":1,"ok":…}  or  {"id":1,"error":"why"}
//
// What goes wrong in a page is kept until `problems` asks for it: errors of scripts and of the console, violations of its
// Content-Security-Policy among them, and requests to any other origin than its own.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const executablePath = process.env.SLUICE_TEST_CHROMIUM ?? "/usr/bin/chromium";
// Tests run as root in containers, where Chromium's sandbox cannot be made; they open what they serve themselves.
const args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"];
const browser = await chromium.launch({ executablePath, args });

let page = null;
let problems = [];

const KINDS = { html: "text/html", js: "text/javascript", css: "text/css", svg: "image/svg+xml", png: "image/png" };

/** Serves the files of a folder, which is trusted. */
async function serve(folder) {
  const root = fileURLToPath(new URL(`./${folder}/`, import.meta.url));
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    // A browser asks for it by itself.
    if (pathname === "/favicon.ico") return void response.writeHead(204).end();
    try {
      const file = await readFile(root + (pathname === "/" ? "index.html" : pathname.slice(1)));
      response.setHeader("Content-Type", KINDS[pathname.split(".").at(-1)] ?? KINDS.html);
      response.end(file);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return `http://localhost:${server.address().port}`;
}

const commands = {
  /** Serves the files of a folder beside this one, at an origin that is another than any broker's. Its address. */
  serve: ({ folder }) => serve(folder),
  /** A new page of a browser without a past: `scheme` is dark or light, `width` and `height` those of its window. */
  async open({ url, scheme = "light", width = 1280, height = 900, anywhere = false }) {
    await page?.context().close();
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height } });
    page = await context.newPage();
    problems = [];
    const own = new URL(url).origin;
    page.on("console", (said) => said.type() === "error" && problems.push(`console: ${said.text()}`));
    page.on("pageerror", (error) => problems.push(`script: ${error.message}`));
    page.on("request", (request) => {
      const at = new URL(request.url());
      if (!anywhere && at.origin !== own && !["data:", "blob:"].includes(at.protocol)) problems.push(`request: ${at}`);
    });
    await page.goto(url);
  },
  async reload() {
    await page.reload();
  },
  /** The value of an expression in the page. */
  eval: ({ script }) => page.evaluate(script),
  /** Waits until an expression is true, and gives its value. */
  async until({ script, timeout }) {
    // Asked from outside: what would ask again inside the page is code from a text, which its policy may forbid.
    const end = Date.now() + timeout;
    for (;;) {
      // A page that is being loaded again has nothing to say.
      const value = await page.evaluate(script).catch((error) => {
        if (!error.message.includes("context was destroyed")) throw error;
      });
      if (value) return value;
      if (Date.now() > end) throw new Error(`not within ${timeout} ms`);
      await new Promise((later) => setTimeout(later, 50));
    }
  },
  click: ({ selector, timeout }) => page.click(selector, { timeout }),
  fill: ({ selector, text, timeout }) => page.fill(selector, text, { timeout }),
  select: ({ selector, text, timeout }) => page.selectOption(selector, text, { timeout }),
  press: ({ key }) => page.keyboard.press(key),
  scheme: ({ scheme }) => page.emulateMedia({ colorScheme: scheme }),
  size: ({ width, height }) => page.setViewportSize({ width, height }),
  shot: ({ path }) => page.screenshot({ path, fullPage: true }),
  problems: () => problems,
};

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

let last = Promise.resolve();
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line);
    last = last.then(async () => {
      try {
        say({ id: command.id, ok: (await commands[command.do](command)) ?? null });
      } catch (error) {
        say({ id: command.id, error: error.message });
      }
    });
  })
  .on("close", async () => {
    await browser.close();
    process.exit(0);
  });
