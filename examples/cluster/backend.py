"""A back end in Python: it answers questions, takes orders from JetStream, and tells clients about them.

    NATS_URL=nats://127.0.0.1:4222 python backend.py        # needs nats-py

Start as many as you like: questions go to one of them, and so does each order.
"""

import asyncio
import json
import os
import signal

import nats
from nats.js.api import ConsumerConfig, StreamConfig

PRICES = {"tea": 3, "coffee": 4}

# The namespace `/` of the cluster `shop`. In a token, every byte but letters, digits, `_` and `-` is `=XX`.
EMIT = "sluice.shop.emit.=2F"


async def price(message):
    """`socket.emit("price", "tea", (answer) => …)`. Whatever is replied is the argument of the client's ack."""
    event = json.loads(message.data)
    item = event["arguments"][0]
    await message.respond(json.dumps({"item": item, "price": PRICES.get(item)}).encode())


async def take_orders(nc):
    """Orders that the broker has acknowledged to clients are in the stream; each is done at least once."""
    stream = nc.jetstream()
    await stream.add_stream(StreamConfig(name="SHOP", subjects=["shop.order"]))
    orders = await stream.pull_subscribe(
        "shop.order", durable="shop", stream="SHOP", config=ConsumerConfig(ack_wait=10)
    )
    while True:
        try:
            batch = await orders.fetch(50, timeout=30)
        except nats.errors.TimeoutError:
            continue
        for message in batch:
            event = json.loads(message.data)
            news = {
                # Who knows the event by its id sends nothing twice, though an order may come twice.
                "id": event["id"],
                "rooms": ["orders"],
                "event": "ordered",
                "args": [{"by": event["socket"], "item": event["arguments"][0]}],
            }
            try:
                # The reply says what became of it: a back end that does not ask is not told what was wrong.
                answer = json.loads((await nc.request(EMIT, json.dumps(news).encode(), timeout=5)).data)
            except nats.errors.Error as error:
                # No node is there, or NATS is away: once more, a little later.
                print("clients are not reached:", error, flush=True)
                await message.nak(delay=1)
                continue
            if "error" in answer:
                print("refused:", answer, flush=True)
            await message.ack()


async def main():
    # It finds NATS again, however long that takes.
    nc = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), max_reconnect_attempts=-1)
    await nc.subscribe("shop.price", queue="shop", cb=price)
    orders = asyncio.create_task(take_orders(nc))
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(ending, orders.cancel)
    await nc.flush()
    print("ready", flush=True)
    try:
        await orders
    except asyncio.CancelledError:
        # What has been asked is still answered.
        await nc.drain()


asyncio.run(main())
