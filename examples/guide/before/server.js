// What is replaced: a Socket.IO server on Node, as many run it. `sluice.toml` beside this folder is the same without code.
//
//     npm ci && node before/server.js           # settings from .env, or from the environment
//
// With REDIS_URL several of them are one, by the Redis adapter. Without it this one is alone.
const path = require("node:path");
try {
  process.loadEnvFile(path.join(__dirname, "../.env"));
} catch {
  // Everything is in the environment.
}
const express = require("express");
const http = require("node:http");
const jwt = require("jsonwebtoken");
const throttle = require("lodash/throttle");
const validator = require("validator");
const { Server } = require("socket.io");

const app = express();
const server = http.createServer(app);
const io = new Server(server, {
  pingInterval: 10000,
  pingTimeout: 5000,
  maxHttpBufferSize: 1e6,
  transports: ["websocket"],
  perMessageDeflate: { threshold: 1024 },
  cors: {
    origin: process.env.CLIENT_URL || "http://localhost:3000",
    methods: ["GET", "POST"],
    credentials: true,
    allowedHeaders: ["Content-Type", "Authorization"],
  },
});

// === Several servers ===

if (process.env.REDIS_URL) {
  const { createAdapter } = require("@socket.io/redis-adapter");
  const { createClient } = require("redis");
  const pubClient = createClient({ url: process.env.REDIS_URL });
  const subClient = pubClient.duplicate();
  Promise.all([pubClient.connect(), subClient.connect()]).then(() => io.adapter(createAdapter(pubClient, subClient)));
}

// === Who are you? ===

function authenticate(socket, next) {
  const token = socket.handshake.auth.token;
  if (!token) return next(new Error("Authentication required"));
  try {
    socket.userId = jwt.verify(token, process.env.JWT_SECRET).userId;
    next();
  } catch {
    next(new Error("Invalid token"));
  }
}
io.use(authenticate);

// === How much? ===

const rateLimit = new Map();

function isAllowed(userId) {
  const now = Date.now();
  if (!rateLimit.has(userId)) rateLimit.set(userId, { count: 0, resetTime: now + 60000 });
  const limit = rateLimit.get(userId);
  if (now > limit.resetTime) {
    limit.count = 0;
    limit.resetTime = now + 60000;
  }
  if (limit.count >= 100) return false;
  limit.count++;
  return true;
}

// === Events ===

io.on("connection", (socket) => {
  console.log(`[${new Date().toISOString()}] Connection: ${socket.id}`);
  console.log(`Total connections: ${io.engine.clientsCount}`);

  socket.on("message", (data) => {
    if (!isAllowed(socket.userId)) return socket.emit("error", "Rate limit exceeded");
    if (!data || typeof data !== "string") return socket.emit("error", "Invalid message");
    const text = validator.escape(data);
    if (text.length > 500) return socket.emit("error", "Message too long");
    io.emit("message", { from: socket.userId, text, timestamp: new Date() });
  });

  // At most one in 100 ms, and the last one always.
  socket.on(
    "cursorMove",
    throttle((position) => socket.broadcast.emit("cursorMoved", position), 100),
  );

  // The client itself sees to it that these are rare.
  socket.on("typing", () => socket.broadcast.emit("typing"));
  socket.on("stopTyping", () => socket.broadcast.emit("stopTyping"));

  socket.on("join", (room) => socket.join(room));
  socket.on("leave", (room) => socket.leave(room));

  socket.on("error", (error) => {
    console.error("Socket error:", { socketId: socket.id, error: error.message, timestamp: new Date() });
  });
  socket.on("disconnect", () => {
    console.log(`[${new Date().toISOString()}] Disconnect: ${socket.id}`);
    console.log(`Total connections: ${io.engine.clientsCount}`);
  });
});

// A namespace whose messages leave together, all of 100 ms at once.
const feed = io.of("/feed");
feed.use(authenticate);
const messageBatch = [];
let batchTimer = null;
feed.on("connection", (socket) => {
  socket.on("message", (message) => {
    messageBatch.push(message);
    batchTimer ??= setTimeout(() => {
      feed.emit("messageBatch", messageBatch);
      messageBatch.length = 0;
      batchTimer = null;
    }, 100);
  });
});

// === What operators want to know ===

io.engine.on("connection_error", (err) => {
  console.error("Connection error:", { message: err.message, code: err.code, context: err.context, timestamp: new Date() });
});

app.get("/metrics", (req, res) => {
  res.json({ connections: io.engine.clientsCount, rooms: io.sockets.adapter.rooms.size, timestamp: new Date() });
});

setInterval(() => {
  const { rooms } = io.sockets.adapter;
  rooms.forEach((sockets, room) => {
    if (!io.sockets.sockets.has(room) && sockets.size === 0) rooms.delete(room);
  });
}, 60000);

server.listen(process.env.PORT || 5000, () => console.log(`Server running on port ${server.address().port}`));
