// Node's Socket.IO with the checks that Sluice's policies make, written by hand.
//
//     node server.mjs ws|uws|cluster [--checks]
//
// `ws` is the engine that it comes with, `uws` is uWebSockets.js, `cluster` is two workers with the cluster adapter.

import cluster from "node:cluster";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createAdapter, setupPrimary } from "@socket.io/cluster-adapter";
import { setupMaster, setupWorker } from "@socket.io/sticky";
import jwt from "jsonwebtoken";
import { Server } from "socket.io";

const [engine, ...flags] = process.argv.slice(2);
const CHECKS = flags.includes("--checks");
const SECRET = process.env.JWT_SECRET;
const WORKERS = 2;

// What a user may send at once, and every second: counted, and never reached.
const BURST = 1e6;
const RATE = 1e6;
const WINDOW = 100;
const LONGEST_TEXT = 32_000;
const LONGEST_ROOM = 64;

const ready = (port) => console.log(`ready {"listen":"127.0.0.1:${port}"}`);

// === the checks ===

const buckets = new Map();

function bucketOf(user) {
    let bucket = buckets.get(user);
    if (bucket === undefined) {
        bucket = { tokens: BURST, since: performance.now() };
        buckets.set(user, bucket);
    }
    return bucket;
}

function take(bucket) {
    const now = performance.now();
    bucket.tokens = Math.min(BURST, bucket.tokens + ((now - bucket.since) / 1000) * RATE);
    bucket.since = now;
    if (bucket.tokens < 1) {
        return { code: "rate_limited", retry_after_ms: Math.ceil(((1 - bucket.tokens) / RATE) * 1000) };
    }
    bucket.tokens -= 1;
}

const KEYS = ["from", "seq", "at", "room", "text"];
const ESCAPES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#x27;",
    "/": "&#x2F;",
    "\\": "&#x5C;",
    "`": "&#96;",
};
const SPECIAL = /[&<>"'/\\`]/;
const ALL_SPECIAL = /[&<>"'/\\`]/g;
const invalid = (path) => ({ code: "invalid_arguments", path });

/** What is wrong with a message; escapes its text. */
function validate(message) {
    if (typeof message !== "object" || message === null || Array.isArray(message)) return invalid("/0");
    for (const key in message) if (!KEYS.includes(key)) return invalid(`/0/${key}`);
    if (!Number.isInteger(message.from)) return invalid("/0/from");
    if (!Number.isInteger(message.seq)) return invalid("/0/seq");
    if (!Number.isInteger(message.at)) return invalid("/0/at");
    const { room, text } = message;
    if (typeof room !== "string" || room.length > LONGEST_ROOM) return invalid("/0/room");
    if (typeof text !== "string" || text.length === 0) return invalid("/0/text");
    if (SPECIAL.test(text)) message.text = text.replace(ALL_SPECIAL, (special) => ESCAPES[special]);
    if (message.text.length > LONGEST_TEXT) return invalid("/0/text");
}

/** The first at once, then the newest at the end of each window. */
function throttled(emit) {
    let timer;
    let newest;
    const tick = () => {
        timer = undefined;
        if (newest === undefined) return;
        emit(newest);
        newest = undefined;
        timer = setTimeout(tick, WINDOW);
    };
    return (value) => {
        if (timer !== undefined) {
            newest = value;
            return;
        }
        emit(value);
        timer = setTimeout(tick, WINDOW);
    };
}

// === the application ===

const OK = { ok: true };

/** To the others of a room. Of a room that the sender is not in, those are all: uWebSockets can publish to them natively. */
function tell(io, socket, message) {
    const { room } = message;
    const others = socket.rooms.has(room) ? socket.to(room) : io.to(room);
    others.emit("message", message);
}

function checked(io) {
    io.use((socket, next) => {
        jwt.verify(socket.handshake.auth.token ?? "", SECRET, { algorithms: ["HS256"] }, (error, claims) => {
            if (error) return next(new Error("token_invalid"));
            socket.data.user = claims.sub;
            next();
        });
    });
    io.on("connection", (socket) => {
        const bucket = bucketOf(socket.data.user);
        socket.on("join", (room, ack) => {
            const denial = take(bucket);
            if (denial) return ack({ error: denial });
            socket.join(room);
            ack(OK);
        });
        socket.on("save", (message, ack) => {
            const denial = take(bucket) ?? validate(message);
            ack(denial ? { error: denial } : OK);
        });
        socket.on("message", (message) => {
            const denial = take(bucket) ?? validate(message);
            if (denial) return socket.emit("error", denial);
            tell(io, socket, message);
        });
        const move = throttled((at) => socket.broadcast.emit("cursor", at));
        socket.on("cursor", (at) => {
            if (!take(bucket)) move(at);
        });
    });
}

function relay(io) {
    io.on("connection", (socket) => {
        socket.on("join", (room, ack) => {
            socket.join(room);
            ack(OK);
        });
        socket.on("save", (_message, ack) => ack(OK));
        socket.on("message", (message) => tell(io, socket, message));
    });
}

const application = CHECKS ? checked : relay;

// === the engines ===

const OPTIONS = { transports: ["websocket", "polling"] };

function onWs() {
    const server = createServer();
    application(new Server(server, OPTIONS));
    server.listen(0, "127.0.0.1", () => ready(server.address().port));
}

function onUws() {
    const { App, us_socket_local_port, us_listen_socket_close } = createRequire(import.meta.url)(
        "@trufflesuite/uws-js-unofficial",
    );
    const app = App();
    const io = new Server(OPTIONS);
    io.attachApp(app);
    application(io);
    app.listen("127.0.0.1", 0, (socket) => {
        if (!socket) throw new Error("no port");
        ready(us_socket_local_port(socket));
        process.on("SIGTERM", () => us_listen_socket_close(socket));
    });
}

function onCluster() {
    if (cluster.isPrimary) {
        const server = createServer();
        setupMaster(server, { loadBalancingMethod: "least-connection" });
        setupPrimary();
        // The first bytes of each connection are handed to its worker as a buffer.
        cluster.setupPrimary({ serialization: "advanced" });
        let online = 0;
        for (let worker = 0; worker < WORKERS; worker++) {
            cluster.fork().once("message", () => {
                online += 1;
                if (online === WORKERS) server.listen(0, "127.0.0.1", () => ready(server.address().port));
            });
        }
        return;
    }
    const io = new Server(createServer(), OPTIONS);
    io.adapter(createAdapter());
    setupWorker(io);
    application(io);
    process.send("online");
}

({ ws: onWs, uws: onUws, cluster: onCluster })[engine]();
