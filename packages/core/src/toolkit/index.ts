/** For authors of transports: what every protocol needs in the same way. */
export { milliseconds, positive, timerMs } from '../util/check.js';
export { Fifo } from '../util/fifo.js';
export { randomHex } from '../util/random.js';
export { textOf } from '../util/text-of.js';
export { within } from '../util/within.js';
export { abortable } from './abortable.js';
export { Flow, type FlowOptions } from './flow.js';
export { type ConnectionMeaning, networkMeaning } from './network-error.js';
export { Outbox, type OutboxOptions, type Outlet } from './outbox.js';
export { PassingMap } from './passing-map.js';
export type { TlsOptions } from './tls-options.js';
