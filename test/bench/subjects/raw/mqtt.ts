/**
 * mqtt.js by hand, as well as we can: one standing inbox, answers told apart by the last level of their topic, no-delay,
 * as many unconfirmed messages as the broker allows, and the same bytes on the wire as the library writes.
 */
import mqtt, { type IClientOptions, type IClientPublishOptions, type MqttClient } from 'mqtt';
import type { Order, Receipt } from '../../order.js';
import type { BenchSubject, Call, SubjectOptions } from '../../subject.js';
import { Calls, envelope, failed } from './calls.js';

export function rawMqtt({ url, channel }: SubjectOptions): BenchSubject {
  const orders = `${channel}/orders`;
  const fill = `${channel}/fill`;
  return {
    async stream({ delivery, qos }, onOrder) {
      // At least once: a session that the broker keeps; mqtt.js acknowledges when the handler calls back.
      const session: IClientOptions =
        delivery === 'at-least-once'
          ? {
              clean: false,
              clientId: channel,
              properties: { sessionExpiryInterval: 3600, receiveMaximum: 1000 },
            }
          : {};
      const receiver = await connect(url, session);
      if (delivery === 'at-least-once') {
        receiver.handleMessage = (packet, acknowledge) => {
          onOrder(JSON.parse(packet.payload.toString()));
          acknowledge();
        };
      } else {
        receiver.on('message', (_topic, payload) => onOrder(JSON.parse(payload.toString())));
      }
      await receiver.subscribeAsync(orders, { qos });
      const sender = await connect(url);
      if (qos === 1) {
        const send = confirmedSender(sender);
        return (order, confirmed) => send(orders, JSON.stringify(order), confirmed);
      }
      const options: IClientPublishOptions = { qos: 0, retain: false };
      return (order, confirmed) => {
        // No callback: with one, mqtt.js adds a listener for each message while the socket is full.
        sender.publish(orders, JSON.stringify(order), options);
        confirmed();
      };
    },

    async rpc(_scenario, answer) {
      await serve(await connect(url), fill, answer);
      return caller(await connect(url), fill);
    },
  };
}

async function connect(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = mqtt.connect(url, {
    protocolVersion: 5,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    messageIdProvider: new mqtt.UniqueMessageIdProvider(),
    log: () => {},
    ...options,
  });
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve());
    client.once('error', reject);
  });
  if ('setNoDelay' in client.stream && typeof client.stream.setNoDelay === 'function') {
    client.stream.setNoDelay(true);
  }
  return client;
}

type Send = (topic: string, payload: string, done: (error?: unknown) => void) => void;

/** QoS 1, never more unconfirmed than the broker's receive maximum. */
function confirmedSender(client: MqttClient): Send {
  const allowed = client.serverProperties?.receiveMaximum ?? 65_535;
  const options: IClientPublishOptions = { qos: 1, retain: false };
  const waiting: Parameters<Send>[] = [];
  let next = 0;
  let unconfirmed = 0;
  const send: Send = (topic, payload, done) => {
    if (unconfirmed >= allowed) {
      waiting.push([topic, payload, done]);
      return;
    }
    unconfirmed++;
    client.publish(topic, payload, options, (error) => {
      unconfirmed--;
      done(error);
      const held = waiting[next];
      if (held === undefined) return;
      if (++next === waiting.length) {
        waiting.length = 0;
        next = 0;
      }
      send(...held);
    });
  };
  return send;
}

async function serve(client: MqttClient, topic: string, answer: (order: Order) => Receipt): Promise<void> {
  const send = confirmedSender(client);
  client.on('message', (_topic, payload) => {
    const { header, data } = JSON.parse(payload.toString());
    send(header.reply_to, envelope('', answer(data)), failed);
  });
  await client.subscribeAsync(topic, { qos: 1 });
}

async function caller(client: MqttClient, topic: string): Promise<Call> {
  const inbox = `rpc-${crypto.randomUUID().replaceAll('-', '')}/`;
  const calls = new Calls();
  client.on('message', (replyTopic, payload) =>
    calls.end(replyTopic.slice(inbox.length), JSON.parse(payload.toString()).data),
  );
  await client.subscribeAsync(`${inbox}+`, { qos: 1 });

  const send = confirmedSender(client);
  return (order) =>
    calls.begin((id, notSent) =>
      send(topic, envelope(inbox + id, order), (error) => {
        if (error) notSent(error);
      }),
    );
}
