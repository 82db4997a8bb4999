import { redis } from '@commlib/transport-redis';
import { startRedis } from '../../brokers/index.js';
import { QUICK, type StageKind } from './stage.js';
import { stageOf } from './stage-of.js';

/** With an append-only file, without which a restarted Redis is empty. */
function onRedis(appendonly: true | 'always', name: string): StageKind {
  return {
    protocol: 'redis',
    broker: 'redis',
    name,
    async start() {
      const broker = await startRedis({ appendonly });
      return stageOf(broker, broker.url, (url, { watchful, maxBuffered }) =>
        redis(url, { backoff: QUICK, keepaliveMs: watchful ? 2_000 : undefined, maxBuffered }),
      );
    },
  };
}

export const redisAlways = onRedis('always', 'Redis, appendfsync always');
export const redisEverysec = onRedis(true, 'Redis, appendfsync everysec');
