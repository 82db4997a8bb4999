/**
 * The Hummingbot remote-control protocol: topics, schemas, a client for one bot, discovery, the bot's side of the
 * bridge, and a simulated bot.
 *
 * @module
 */

export { HbotBridge } from './bridge/bridge.js';
export { type Clock, ManualClock, systemClock } from './bridge/clock.js';
export type { ExternalEventHandler, NamedExternalEvent } from './bridge/external-events.js';
export {
  type CommandHandler,
  type CommandHandlers,
  CommandRejected,
  type HandlerReply,
} from './bridge/handlers.js';
export type { BridgeConnection, BridgeGates, HbotBridgeOptions } from './bridge/options.js';
export { type BotPublishers, LOG_LEVELS, type LogOptions } from './bridge/publishers.js';
export { HbotClient } from './client/client.js';
export type { ConfigParam } from './client/commands.js';
export { HbotCommandError, HbotNoReplyError } from './client/errors.js';
export type {
  BalanceLimit,
  CommandOptions,
  HbotClientOptions,
  HistoryOptions,
  PaperBalance,
  StartStrategyOptions,
  StatusOptions,
  StopStrategyOptions,
} from './client/options.js';
export type { BotPresence, PresenceState } from './client/presence.js';
export type { CommandErrorReason } from './client/reasons.js';
export { isSecretKey, REDACTED, redact } from './client/redact.js';
export type { HbotStream, StreamHandler } from './client/stream.js';
export type { ScriptTopicOptions } from './client/topics.js';
export {
  type BotIdentity,
  DEFAULT_NAMESPACE,
  type Dialect,
  type Spelling,
  spellings,
} from './contracts/address.js';
export {
  commandContract,
  externalEventsContract,
  mlSignalContract,
  type StreamName,
  serviceContract,
  streamContract,
  streams,
} from './contracts/bot.js';
export { type DiscoveredBot, type DiscoverOptions, type Discovery, discover } from './discovery/discover.js';
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
export { SimulatedBot, type SimulatedBotOptions } from './simulator/bot.js';
export type { SimulatorProfile } from './simulator/profiles.js';
