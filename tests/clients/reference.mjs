// Node's own server, as the reference: what a client sees of it is what a client is to see of the broker.
import { createServer } from "node:http";
import { Server } from "socket.io";

/** Starts a server on a free port, and tells which. `options` are those of the official server. */
export async function serve(routes, options = {}) {
  const http = createServer();
  const server = new Server(http, { cors: { origin: "*" }, maxHttpBufferSize: 1e6, ...options });
  routes(server);
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  const { port } = http.address();
  servers.set(port, server);
  return port;
}

/** Ends a server in good order. */
export function close(port) {
  return servers.get(port).close();
}

const servers = new Map();

/** The ack that a client asked for, taken out of the arguments. */
const ack = (args) => (typeof args.at(-1) === "function" ? args.pop() : undefined);

/** The routes of a broker without a configuration. */
export function relay(server) {
  server.on("connection", (socket) => {
    socket.on("join", (room, done) => Promise.resolve(socket.join(room)).then(() => done?.({ ok: true })));
    socket.on("leave", (room, done) => Promise.resolve(socket.leave(room)).then(() => done?.({ ok: true })));
    socket.onAny((event, ...args) => {
      if (event === "join" || event === "leave") return;
      const done = ack(args);
      if (event.startsWith("all:")) server.emit(event, ...args);
      else if (event.startsWith("room:")) socket.to(args[0]).emit(event, ...args);
      else socket.broadcast.emit(event, ...args);
      done?.({ ok: true });
    });
  });
}

/** Whatever comes goes back to its sender, in `/` and `/custom`, as far as the policy `fixture-gate` lets it. */
export function echo(server) {
  const denial = (message) => ({ code: "closed", message, policy: "fixture-gate" });
  for (const namespace of ["/", "/custom"]) {
    server.of(namespace).use((socket, next) => {
      if (!socket.handshake.auth.deny) return next();
      const data = denial("The gate is closed");
      next(Object.assign(new Error(data.message), { data }));
    });
    server.of(namespace).on("connection", (socket) => {
      // What a packet that cannot be parsed makes of a socket.
      socket.on("error", () => {});
      socket.onAny((event, ...args) => {
        const done = ack(args);
        if (event === "bye") {
          socket.emit("error", denial("as asked"));
          return void socket.disconnect();
        }
        socket.emit(event, ...args);
        done?.({ ok: true });
      });
    });
  }
}
