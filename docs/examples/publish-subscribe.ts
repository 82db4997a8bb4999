/** Publish and subscribe: a typed topic with a named parameter, received by a handler and by an async iterator. */
import { Node, topic } from '@commlib/core';
import { mqtt } from '@commlib/transport-mqtt';
import { z } from 'zod';

const temperature = topic('rooms/{room}/temperature', z.object({ celsius: z.number() }));

const node = await new Node({ transport: mqtt(process.argv[2] ?? 'mqtt://localhost:1883') }).start();

// A handler. The room is not given, so it hears every room.
await node.subscribe(temperature, ({ celsius }, { params }) => console.log(`${params.room}: ${celsius} °C`));

// An async iterator. It hears one room.
const kitchen = await node.subscribe(temperature, { params: { room: 'kitchen' } });

const publisher = node.publisher(temperature);
await publisher.publish({ celsius: 20.5 }, { params: { room: 'hall' } });
await publisher.publish({ celsius: 22 }, { params: { room: 'kitchen' } });

for await (const { data, address } of kitchen) {
  console.log(`from ${address}: ${data.celsius}`);
  break; // Leaving the loop ends the subscription.
}

await node.close();

/* prints:
hall: 20.5 °C
kitchen: 22 °C
from rooms/kitchen/temperature: 22
*/
