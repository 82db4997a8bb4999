/**
 * ioredis by hand: a connection for each blocking read, one reply list for all calls of a client, which expires when
 * nobody reads it. `pipelined`: commands of one turn leave together, and a blocking read takes all there is; otherwise one
 * command at a time is written and one element at a time is read.
 */
import { Redis } from 'ioredis';
import type { Order, Receipt } from '../../order.js';
import type { BenchSubject, Call, SubjectOptions } from '../../subject.js';
import { Calls, envelope, failed } from './calls.js';

const REPLIES_EXPIRE_S = 60;
const BLOCK_S = 5;
const BATCH = 200;

export function rawRedis({ url, channel }: SubjectOptions, pipelined: boolean): BenchSubject {
  const orders = `${channel}/orders`;
  const fill = `${channel}/fill`;
  const connect = (gather = pipelined) =>
    new Redis(url, {
      enableAutoPipelining: gather,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: null,
    }).on('error', failed);
  return {
    async stream({ delivery }, onOrder) {
      if (delivery === 'at-least-once') {
        await group(connect(false), connect(), orders, onOrder);
        const sender = connect();
        return (order, confirmed) => {
          sender.xadd(orders, '*', 'data', JSON.stringify(order)).then(() => confirmed(), confirmed);
        };
      }
      const reader = connect();
      reader.on('message', (_channel, text) => onOrder(JSON.parse(text)));
      await reader.subscribe(orders);
      const sender = connect();
      return (order, confirmed) => {
        sender.publish(orders, JSON.stringify(order)).catch(failed);
        confirmed();
      };
    },

    async rpc({ inFlight }, answer) {
      // Gathering waits for the end of the turn: nothing is won by it with one call at a time.
      const gather = pipelined && inFlight > 1;
      serve({ blocking: connect(false), replies: connect(gather), batch: pipelined }, fill, answer);
      return caller({ blocking: connect(false), requests: connect(gather), batch: pipelined }, fill);
    },
  };
}

/** One member of a durable group, which acknowledges what it has handled, all of one reading at once. */
async function group(
  reading: Redis,
  acknowledging: Redis,
  stream: string,
  onOrder: (order: Order) => void,
): Promise<void> {
  await acknowledging.xgroup('CREATE', stream, 'bench', '$', 'MKSTREAM');
  const read = async () => {
    for (;;) {
      const found: unknown = await reading.xreadgroup(
        'GROUP',
        'bench',
        'one',
        'COUNT',
        BATCH,
        'BLOCK',
        BLOCK_S * 1000,
        'STREAMS',
        stream,
        '>',
      );
      const ids: string[] = [];
      for (const [id, fields] of entriesOf(found)) {
        onOrder(JSON.parse(fields[1] ?? ''));
        ids.push(id);
      }
      if (ids.length > 0) acknowledging.xack(stream, 'bench', ...ids).catch(failed);
    }
  };
  read().catch(failed);
}

type Entry = [id: string, fields: string[]];

/** `[[stream, entries]]`, or nothing. */
function entriesOf(reply: unknown): Entry[] {
  if (!Array.isArray(reply)) return [];
  return reply[0][1];
}

interface Server {
  readonly blocking: Redis;
  readonly replies: Redis;
  readonly batch: boolean;
}

function serve({ blocking, replies, batch }: Server, list: string, answer: (order: Order) => Receipt): void {
  readList(blocking, list, batch, (text) => {
    const { header, data } = JSON.parse(text);
    replies.rpush(header.reply_to, envelope('', answer(data), header.correlation_id)).catch(failed);
    // A late answer would otherwise stay for ever.
    replies.expire(header.reply_to, REPLIES_EXPIRE_S).catch(failed);
  }).catch(failed);
}

interface Client {
  readonly blocking: Redis;
  readonly requests: Redis;
  readonly batch: boolean;
}

function caller({ blocking, requests, batch }: Client, list: string): Call {
  const inbox = `rpc-${crypto.randomUUID().replaceAll('-', '')}`;
  const calls = new Calls();
  readList(blocking, inbox, batch, (text) => {
    const { header, data } = JSON.parse(text);
    calls.end(header.correlation_id, data);
  }).catch(failed);
  return (order) =>
    calls.begin((id, notSent) => {
      requests.rpush(list, envelope(inbox, order, id)).catch(notSent);
    });
}

async function readList(redis: Redis, list: string, batch: boolean, take: (text: string) => void) {
  for (;;) {
    if (batch) {
      const found = await redis.blmpop(BLOCK_S, 1, list, 'LEFT', 'COUNT', BATCH);
      for (const text of found?.[1] ?? []) take(text);
    } else {
      const found = await redis.blpop(list, BLOCK_S);
      if (found !== null) take(found[1]);
    }
  }
}
