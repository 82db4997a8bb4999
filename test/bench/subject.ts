/** What a subject of the measurement offers; both of its ends live in one process, on two connections. */
import type { Order, Receipt } from './order.js';
import type { RpcScenario, StreamScenario } from './scenarios.js';

/**
 * Sends one message; `confirmed` is called when the subject holds it for sent: when the bytes are handed over, or where
 * the scenario asks for confirmations, when the broker has confirmed.
 */
export type Publish = (order: Order, confirmed: (error?: unknown) => void) => void;

export type Call = (order: Order) => Promise<Receipt>;

export interface BenchSubject {
  /** Subscribes on one connection; resolves with the way to publish on the other. */
  stream(scenario: StreamScenario, onOrder: (order: Order) => void): Promise<Publish>;
  /** Serves on one connection; resolves with the way to call on the other. */
  rpc(scenario: RpcScenario, answer: (order: Order) => Receipt): Promise<Call>;
}

/** How a subject is made. */
export interface SubjectOptions {
  readonly url: string;
  /** Topics and procedures of this process begin with it: letters, digits and `/`. */
  readonly channel: string;
}

/** How long a call may take, for all subjects that have such a limit. */
export const TIMEOUT_MS = 30_000;
