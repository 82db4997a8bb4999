import { redis } from '@commlib/transport-redis';
import { afterAll, beforeAll } from 'vitest';
import { describeOn, type RedisServer, startRedis } from '../brokers/index.js';
import { conforms } from './conforms.js';
import { tcpBench } from './tcp-bench.js';

describeOn('redis', () => {
  let broker: RedisServer;
  beforeAll(async () => {
    broker = await startRedis({ password: 'secret' });
  });
  afterAll(() => broker?.stop());

  const backoff = { minMs: 20, maxMs: 200 };
  conforms({
    column: 'Redis',
    place: 7,
    qualities: ['direct', 'faulty'],
    capabilities: redis('redis://broker').capabilities,
    create: (quality) =>
      tcpBench(
        broker.url,
        quality,
        // What a member that is gone had is given to another after this.
        (url, { maxBuffered }) => redis(url, { maxBuffered, backoff, claimIdleMs: 5_000 }),
        (url) => redis(url, { password: 'wrong', backoff }),
      ),
  });
});
