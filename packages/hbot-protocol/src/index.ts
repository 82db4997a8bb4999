/**
 * The Hummingbot remote-control protocol: topics, schemas, a client for one bot, discovery, the bot's side of the
 * bridge, and a simulated bot.
 *
 * @module
 */
export {
  type CommandName,
  type CommandReply,
  type CommandRequest,
  commandNames,
  commands,
  type ServedReply,
  type ServedRequest,
  type Trade,
} from './schemas/commands/index.js';
export {
  type EventInput,
  type EventOf,
  event,
  type HbotEvent,
  isKnownEvent,
  type KnownEvent,
  type KnownEventType,
  knownEvent,
  readEvent,
  type UnknownEvent,
} from './schemas/events/index.js';
export { type FeeA, type FeeB, feeA, feeB } from './schemas/events/parts.js';
export {
  type ControllerPerformance,
  type Performance,
  type PerformanceInput,
  type PerformanceReport,
  performance,
  performanceReport,
} from './schemas/performance.js';
export {
  type ExternalEvent,
  type ExternalEventInput,
  externalEvent,
  type Heartbeat,
  heartbeat,
  heartbeatTime,
  type LogRecord,
  logRecord,
  type MLSignal,
  mlSignal,
  type Notification,
  notification,
  type StatusUpdate,
  statusUpdate,
} from './schemas/streams.js';
