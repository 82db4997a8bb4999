import { amqp } from '@commlib/transport-amqp';
import { startRabbitmq } from '../../brokers/index.js';
import { QUICK, type StageKind } from './stage.js';
import { stageOf } from './stage-of.js';

export const rabbitmq: StageKind = {
  protocol: 'amqp',
  broker: 'rabbitmq',
  name: 'AMQP on RabbitMQ',
  async start() {
    const broker = await startRabbitmq({ own: true });
    const stage = await stageOf(broker, broker.url, (url, { watchful, maxBuffered }) =>
      amqp(url, { backoff: QUICK, heartbeatMs: watchful ? 1_000 : undefined, maxBuffered }),
    );
    return { ...stage, groupsSettleMs: 3_000 };
  },
};
