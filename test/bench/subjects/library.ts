/** This library, as its users write it. */
import { Node, rpc, topic } from '@commlib/core';
import { mqtt } from '@commlib/transport-mqtt';
import { orderSchema, receiptSchema } from '../order.js';
import type { BenchSubject } from '../subject.js';

export function librarySubject(url: string, channel: string, validated: boolean): BenchSubject {
  const orders = topic(`${channel}/orders`, orderSchema);
  const fill = rpc(`${channel}/fill`, { request: orderSchema, response: receiptSchema });
  const start = () =>
    new Node({
      transport: mqtt(url, { version: 5 }),
      validate: { inbound: validated, outbound: validated },
      onEvent: (event) => {
        if (event.type === 'status') return;
        console.error(event);
      },
    }).start();

  return {
    async stream(qos, onOrder) {
      const native = { mqtt: { qos } };
      const receiver = await start();
      await receiver.subscribe(orders, onOrder, { native });
      const publisher = (await start()).publisher(orders, { native });
      return (order, confirmed) => {
        publisher.publish(order).then(confirmed, confirmed);
      };
    },

    async rpc(answer) {
      await (await start()).serve(fill, answer);
      const client = (await start()).client(fill);
      return (order) => client.call(order);
    },
  };
}
