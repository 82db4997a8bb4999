import { redis } from '@commlib/transport-redis';
import { afterAll, beforeAll } from 'vitest';
import { describeOn, type RedisServer, startRedis } from '../brokers/index.js';
import { conforms } from './conforms.js';
import { tcpBench } from './tcp-bench.js';

describeOn('redis', () => {
  let broker: RedisServer;
  beforeAll(async () => {
    broker = await startRedis();
  });
  afterAll(() => broker?.stop());

  conforms({
    column: 'Redis',
    place: 7,
    qualities: ['direct', 'faulty'],
    capabilities: redis('redis://broker').capabilities,
    create: (quality) =>
      tcpBench(broker.url, quality, (url, { maxBuffered }) =>
        // What a member that is gone had is given to another after this.
        redis(url, { maxBuffered, backoff: { minMs: 20, maxMs: 200 }, claimIdleMs: 1_500 }),
      ),
  });
});
