/** What is shown of each broker. */
import { type StageKind, stages } from '../stages/index.js';

/** One run. */
export interface LossScenario {
  readonly name: string;
  readonly stage: StageKind;
  /** How the broker is ended. */
  readonly signal: 'SIGTERM' | 'SIGKILL';
  /** Too like another to be run in CI as well. */
  readonly onlySoak?: boolean | undefined;
}

function scenario(stage: StageKind, signal: LossScenario['signal']): LossScenario {
  return { name: stage.name, stage, signal };
}

/** Here nothing may be missing. */
export const lossless: readonly LossScenario[] = [
  scenario(stages.mosquitto, 'SIGTERM'),
  scenario(stages.rabbitmqMqtt, 'SIGKILL'),
  scenario(stages.rabbitmq, 'SIGKILL'),
  { ...scenario(stages.redisAlways, 'SIGKILL'), onlySoak: true },
  scenario(stages.redisEverysec, 'SIGKILL'),
  scenario(stages.kafkaNode, 'SIGKILL'),
];

/** Here the broker is known to lose: how much is measured, and printed. */
export const lossy: readonly LossScenario[] = [
  scenario(stages.mosquitto, 'SIGKILL'),
  scenario(stages.mosquittoShared, 'SIGTERM'),
];
