/** A bot that counts what it does. */
import { Node, type NodeEvent } from '@commlib/core';
import { type CommandHandlers, HbotBridge } from '@commlib/hbot-protocol';
import { mqtt } from '@commlib/transport-mqtt';
import { until } from '../../brokers/index.js';

/** The eight commands, each with data that is good. */
export const goodData = {
  start: '{"log_level":"INFO","script":"s","conf":"c","is_quickstart":false}',
  stop: '{"skip_order_cancellation":false}',
  config: '{"params":[["a.b",1]]}',
  import: '{"strategy":"conf_1"}',
  status: '{"async_backend":false}',
  history: '{"days":1.5,"verbose":false,"precision":2,"async_backend":false}',
  'balance/limit': '{"exchange":"binance","asset":"BTC","amount":1.5}',
  'balance/paper': '{"asset":"BTC","amount":2}',
} as const;

/** Of each command a field that can be neither NaN nor an object. */
export const strictField = {
  start: 'log_level',
  stop: 'skip_order_cancellation',
  config: 'params',
  import: 'strategy',
  status: 'async_backend',
  history: 'precision',
  'balance/limit': 'exchange',
  'balance/paper': 'asset',
} as const;

/** Of each command a field that is a number, or a truth value that may be written as a text. */
export const numericField: Readonly<Partial<Record<keyof typeof goodData, string>>> = {
  start: 'is_quickstart',
  stop: 'skip_order_cancellation',
  status: 'async_backend',
  history: 'days',
  'balance/limit': 'amount',
  'balance/paper': 'amount',
};

export type Command = keyof typeof goodData;
export const allCommands = Object.keys(goodData) as readonly Command[];

/** What a bot or client has reported: `code` with the endpoint it was for. */
export function reports(events: readonly NodeEvent[]): string[] {
  return events.flatMap((event) =>
    event.type === 'dropped' || event.type === 'handler-error'
      ? [`${event.type} ${event.endpoint} ${event.error.code}`]
      : [],
  );
}

/** A running bot, what it executed, and what it reported. */
export interface CountingBot extends AsyncDisposable {
  readonly bridge: HbotBridge;
  readonly events: NodeEvent[];
  /** Commands and external events, in the order they ran. */
  readonly ran: string[];
  readonly errors: unknown[];
  /** Reports so far: as many as {@link reports} gives for all events. */
  reportCount(): number;
  /** Waits until there are so many reports, and gives them. */
  reported(count: number): Promise<string[]>;
}

/** Starts it as `hbot/b`. */
export async function startCountingBot(url: string): Promise<CountingBot> {
  const events: NodeEvent[] = [];
  const ran: string[] = [];
  const errors: unknown[] = [];
  const commands: CommandHandlers = Object.fromEntries(
    allCommands.map((command) => [
      command,
      () => {
        ran.push(command);
      },
    ]),
  );
  let count = 0;
  const onEvent = (event: NodeEvent) => {
    events.push(event);
    count += reports([event]).length;
  };
  const node = new Node({ transport: mqtt(url), onEvent });
  await node.start({ timeoutMs: 10_000 });
  const bridge = new HbotBridge({ id: 'b', node, commands, onError: (error) => errors.push(error) });
  bridge.onExternalEvent('*', ({ name }) => {
    ran.push(`event ${name}`);
  });
  await bridge.start();
  return {
    bridge,
    events,
    ran,
    errors,
    reportCount: () => count,
    async reported(wanted) {
      await until(() => count >= wanted, { what: `${wanted} reports`, everyMs: 2 });
      return reports(events);
    },
    async [Symbol.asyncDispose]() {
      await bridge.close();
      await node.close({ deadlineMs: 2_000 });
    },
  };
}
