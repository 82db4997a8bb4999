/** This library, as its users write it. The line of the transport is the only one that differs. */
import { Node, rpc, type Transport as TransportOf, topic } from '@commlib/core';
import { orderSchema, receiptSchema } from '../order.js';
import type { Transport } from '../scenarios.js';
import type { BenchSubject, SubjectOptions } from '../subject.js';

export async function librarySubject(
  transport: Transport,
  { url, channel }: SubjectOptions,
  validated: boolean,
): Promise<BenchSubject> {
  const connection = await connectionTo(transport, url);
  const start = () =>
    new Node({
      transport: connection(),
      validate: { inbound: validated, outbound: validated },
      onEvent: (event) => {
        if (event.type === 'status') return;
        console.error(event);
      },
    }).start();

  return {
    async stream({ delivery, qos, window }, onOrder) {
      const orders = topic(`${channel}/orders`, orderSchema, { delivery });
      const native = { mqtt: { qos } };
      const durable = delivery === 'at-least-once' ? { group: 'bench', maxInFlight: window } : {};
      const receiver = await start();
      await receiver.subscribe(orders, onOrder, { native, ...durable });
      const publisher = (await start()).publisher(orders, { native });
      return (order, confirmed) => {
        publisher.publish(order).then(confirmed, confirmed);
      };
    },

    async rpc({ inFlight }, answer) {
      const fill = rpc(`${channel}/fill`, { request: orderSchema, response: receiptSchema });
      // As many at once as are called: the default is 64.
      await (await start()).serve(fill, answer, { concurrency: Math.max(64, inFlight) });
      const client = (await start()).client(fill);
      return (order) => client.call(order);
    },
  };
}

/** Only the transport that is measured is loaded. */
async function connectionTo(transport: Transport, url: string): Promise<() => TransportOf> {
  switch (transport) {
    case 'mqtt': {
      const { mqtt } = await import('@commlib/transport-mqtt');
      return () => mqtt(url, { version: 5 });
    }
    case 'redis': {
      const { redis } = await import('@commlib/transport-redis');
      return () => redis(url);
    }
    case 'amqp': {
      const { amqp } = await import('@commlib/transport-amqp');
      return () => amqp(url);
    }
    case 'kafka': {
      const { kafka } = await import('@commlib/transport-kafka');
      return () => kafka(url);
    }
  }
}
