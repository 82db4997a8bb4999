/** Nodes for fault tests: quick to come back, and with everything they said. */
import { Node, type NodeEvent, type NodeOptions } from '@commlib/core';
import { type MqttOptions, mqtt } from '@commlib/transport-mqtt';
import { until } from '../../brokers/index.js';

/** A started node and its events so far. */
export interface Watched extends AsyncDisposable {
  readonly node: Node;
  readonly events: NodeEvent[];
  /** Waits for the next time the node is in this state, counted from `mark`. */
  reaches(state: Node['status']['state'], mark?: number): Promise<void>;
  /** Errors of events, as `type code`. */
  problems(): string[];
}

/** Starts a node; `await using` closes it. */
export async function watched(
  url: string,
  options: MqttOptions = {},
  nodeOptions: Partial<NodeOptions> = {},
): Promise<Watched> {
  const events: NodeEvent[] = [];
  const node = new Node({
    ...nodeOptions,
    transport: mqtt(url, { backoff: { minMs: 20, maxMs: 200 }, ...options }),
    onEvent: (event) => {
      events.push(event);
      nodeOptions.onEvent?.(event);
    },
  });
  await node.start({ timeoutMs: 10_000 });
  return {
    node,
    events,
    async reaches(state, mark = 0) {
      const there = () =>
        events.slice(mark).some((event) => event.type === 'status' && event.status.state === state);
      await until(there, { what: `the node is ${state}`, everyMs: 5 });
    },
    problems: () =>
      events.flatMap((event) =>
        event.type === 'dropped' || event.type === 'handler-error'
          ? [`${event.type} ${event.error.code}`]
          : [],
      ),
    [Symbol.asyncDispose]: () => node.close({ deadlineMs: 2_000 }),
  };
}
