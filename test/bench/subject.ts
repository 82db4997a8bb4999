/** What a subject of the measurement offers; both of its ends live in one process, on two connections. */
import type { Order, Receipt } from './order.js';

/**
 * Sends one message; `confirmed` is called when the subject holds it for sent: at QoS 0 when the bytes are handed over,
 * at QoS 1 when the broker has confirmed.
 */
export type Publish = (order: Order, confirmed: (error?: unknown) => void) => void;

export interface BenchSubject {
  /** Subscribes on one connection; resolves with the way to publish on the other. */
  stream(qos: 0 | 1, onOrder: (order: Order) => void): Promise<Publish>;
  /** Serves on one connection; resolves with the way to call on the other. Both ways at QoS 1. */
  rpc(answer: (order: Order) => Receipt): Promise<(order: Order) => Promise<Receipt>>;
}
