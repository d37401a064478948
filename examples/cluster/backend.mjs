// A back end on Node: it answers questions, counts visits, and tells all clients what is popular.
//
//     npm ci && NATS_URL=nats://127.0.0.1:4222 node backend.mjs
//
// Start as many as you like: questions go to one of them, and so does each message.
import { connect } from "@nats-io/transport-node";

const stock = new Map([
  ["tea", 12],
  ["coffee", 0],
]);
const visits = new Map();

// The namespace `/` of the cluster `shop`. In a token, every byte but letters, digits, `_` and `-` is `=XX`.
const EMIT = "sluice.shop.emit.=2F";

// It finds NATS again, however long that takes.
const nats = await connect({ servers: process.env.NATS_URL ?? "nats://127.0.0.1:4222", maxReconnectAttempts: -1 });

// `socket.emit("stock", "tea", (answer) => …)`. Whatever is replied is the argument of the client's ack.
nats.subscribe("shop.stock", {
  queue: "shop",
  callback: (error, message) => {
    if (error) return console.error(error.message);
    const [item] = message.json().arguments;
    message.respond(JSON.stringify({ item, left: stock.get(item) ?? 0 }));
  },
});

// A message is a visit, or several where the route gathers them.
nats.subscribe("shop.visit", {
  queue: "shop",
  callback: async (error, message) => {
    if (error) return console.error(error.message);
    for (const { arguments: [item] } of [message.json()].flat()) visits.set(item, (visits.get(item) ?? 0) + 1);
    const [popular, count] = [...visits].sort(([, a], [, b]) => b - a)[0];
    try {
      // Everyone in the namespace, on whatever node. The reply says what became of it.
      const news = { event: "popular", args: [popular, count], volatile: true };
      const answer = (await nats.request(EMIT, JSON.stringify(news), { timeout: 5000 })).json();
      if (answer.error) console.error("refused:", answer);
    } catch (error) {
      console.error("nobody takes events for clients:", error.message);
    }
  },
});

await nats.flush();
console.log("ready");
// What has been asked is still answered.
for (const ending of ["SIGINT", "SIGTERM"]) process.once(ending, () => nats.drain());
