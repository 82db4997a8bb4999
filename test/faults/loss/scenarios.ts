/** What is shown of each broker. */
import { type StageKind, stages } from '../stages/index.js';

/** One run. */
export interface LossScenario {
  readonly name: string;
  readonly stage: StageKind;
  /** How the broker is ended. */
  readonly signal: 'SIGTERM' | 'SIGKILL';
}

/** Here nothing may be missing. */
export const lossless: readonly LossScenario[] = [
  { name: stages.mosquitto.name, stage: stages.mosquitto, signal: 'SIGTERM' },
  { name: stages.rabbitmqMqtt.name, stage: stages.rabbitmqMqtt, signal: 'SIGKILL' },
];

/** Here the broker is known to lose: how much is measured, and printed. */
export const lossy: readonly LossScenario[] = [
  { name: stages.mosquitto.name, stage: stages.mosquitto, signal: 'SIGKILL' },
];
