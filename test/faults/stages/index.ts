/** Every broker that fault tests are played on. */
import { rabbitmq } from './amqp.js';
import { kafkaNode } from './kafka.js';
import { mosquitto, mosquittoShared, rabbitmqMqtt } from './mqtt.js';
import { redisAlways, redisEverysec } from './redis.js';
import type { StageKind } from './stage.js';

export type { Side, Stage, StageKind, StageTransport } from './stage.js';

export const stages = {
  mosquitto,
  mosquittoShared,
  rabbitmqMqtt,
  rabbitmq,
  redisAlways,
  redisEverysec,
  kafkaNode,
} as const satisfies Record<string, StageKind>;

/** One for each transport: what is shown once per transport is shown on these. */
export const oneOfEach: readonly StageKind[] = [
  stages.mosquitto,
  stages.rabbitmq,
  stages.redisEverysec,
  stages.kafkaNode,
];
