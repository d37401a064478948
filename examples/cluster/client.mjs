// A client on each of the nodes that are named, and what they see of each other and of the back ends:
//
//     node client.mjs http://127.0.0.1:3001 http://127.0.0.1:3002 http://127.0.0.1:3003
import { io } from "socket.io-client";

const urls = process.argv.slice(2);
if (urls.length === 0) urls.push("http://127.0.0.1:3001", "http://127.0.0.1:3002", "http://127.0.0.1:3003");
const say = (who, ...what) => console.log(`${who}:`, ...what);
const next = (socket, event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)));
const ask = (socket, ...args) => socket.timeout(5000).emitWithAck(...args);

// Nothing of this takes long, unless it fails.
const watchdog = setTimeout(() => {
  console.error("no answer");
  process.exit(1);
}, 20_000);

const clients = await Promise.all(
  urls.map(async (url, number) => {
    // Behind a load balancer that knows a session's node by a cookie, clients that begin with polling have to keep it.
    const socket = io(url, { forceNew: true, withCredentials: true });
    await next(socket, "connect");
    // The ack of a join means that events from every node arrive from now on.
    for (const room of ["tearoom", "orders"]) await ask(socket, "join", room);
    return { name: `client ${number + 1}`, socket };
  }),
);
const [first, ...others] = clients;

const heard = others.map(async ({ name, socket }) => say(name, "hears", (await next(socket, "message"))[1]));
await ask(first.socket, "message", "tearoom", "hello from node 1");
await Promise.all(heard);

say(first.name, "asks the back end in Python:", await ask(first.socket, "price", "tea"));
say(first.name, "asks the back end on Node:", await ask(first.socket, "stock", "tea"));

const told = clients.map(async ({ name, socket }) => say(name, "is told of the order of", (await next(socket, "ordered"))[0].item));
say(first.name, "orders, and it is stored:", await ask(first.socket, "order", "tea"));
await Promise.all(told);

const popular = clients.map(async ({ name, socket }) => say(name, "is told what is popular:", ...(await next(socket, "popular"))));
for (const { socket } of clients) socket.emit("visit", "tea");
await Promise.all(popular);

for (const { socket } of clients) socket.disconnect();
clearTimeout(watchdog);
