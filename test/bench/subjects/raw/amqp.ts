/**
 * amqplib by hand: no-delay, a window of confirmations, answers over direct reply-to on the channel that asks, requests
 * acknowledged once they are answered.
 */
import { type Channel, type ChannelModel, connect as open } from 'amqplib';
import type { Order, Receipt } from '../../order.js';
import type { BenchSubject, Call, SubjectOptions } from '../../subject.js';
import { Calls, envelope, failed } from './calls.js';

const EXCHANGE = 'amq.topic';
const REPLY_TO = 'amq.rabbitmq.reply-to';

export function rawAmqp({ url, channel: prefix }: SubjectOptions): BenchSubject {
  const orders = `${prefix}.orders`.replaceAll('/', '.');
  const fill = `${prefix}.fill`.replaceAll('/', '.');
  return {
    async stream({ delivery, window }, onOrder) {
      const safe = delivery === 'at-least-once';
      const reader = await (await connect(url)).createChannel();
      const { queue } = safe
        ? await reader.assertQueue(`${orders}.group`, {
            durable: true,
            arguments: { 'x-queue-type': 'quorum' },
          })
        : await reader.assertQueue('', { exclusive: true, autoDelete: true, durable: false });
      await reader.bindQueue(queue, EXCHANGE, orders);
      if (safe) await reader.prefetch(window);
      await reader.consume(
        queue,
        (message) => {
          if (message === null) throw new Error('the broker ended the subscription');
          onOrder(JSON.parse(message.content.toString()));
          if (safe) reader.ack(message);
        },
        { noAck: !safe },
      );
      if (safe) {
        const sender = await (await connect(url)).createConfirmChannel();
        const options = { persistent: true };
        return (order, confirmed) =>
          void sender.publish(EXCHANGE, orders, Buffer.from(JSON.stringify(order)), options, confirmed);
      }
      const sender = await (await connect(url)).createChannel();
      return (order, confirmed) => {
        sender.publish(EXCHANGE, orders, Buffer.from(JSON.stringify(order)));
        confirmed();
      };
    },

    async rpc({ inFlight }, answer) {
      await serve(await connect(url), fill, inFlight, answer);
      return caller(await connect(url), fill);
    },
  };
}

async function connect(url: string): Promise<ChannelModel> {
  const connection = await open(url, { noDelay: true });
  connection.on('error', failed);
  return connection;
}

async function serve(
  connection: ChannelModel,
  queue: string,
  prefetch: number,
  answer: (order: Order) => Receipt,
): Promise<void> {
  const channel: Channel = await connection.createChannel();
  await channel.assertQueue(queue, { exclusive: true, autoDelete: true, durable: false });
  await channel.prefetch(prefetch);
  await channel.consume(queue, (message) => {
    if (message === null) throw new Error('the broker ended the service');
    const { replyTo, correlationId } = message.properties;
    const { data } = JSON.parse(message.content.toString());
    channel.sendToQueue(replyTo, Buffer.from(envelope('', answer(data))), { correlationId });
    channel.ack(message);
  });
}

async function caller(connection: ChannelModel, queue: string): Promise<Call> {
  const channel = await connection.createChannel();
  const calls = new Calls();
  await channel.consume(
    REPLY_TO,
    (message) => {
      if (message === null) throw new Error('the broker ended the inbox');
      calls.end(message.properties.correlationId, JSON.parse(message.content.toString()).data);
    },
    { noAck: true },
  );
  // Nobody there is an error at once, not after the timeout.
  channel.on('return', () => failed(new Error(`nobody serves ${queue}`)));
  return (order) =>
    calls.begin((correlationId) => {
      channel.sendToQueue(queue, Buffer.from(envelope(REPLY_TO, order)), {
        correlationId,
        replyTo: REPLY_TO,
        mandatory: true,
      });
    });
}
