import { randomUUID } from 'node:crypto';
import { Node, type NodeEvent, type RPCClientOptions, type Transport } from '@commlib/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeOn } from '../brokers/describe-on.js';
import type { BrokerName } from '../brokers/index.js';
import { recordUse } from '../brokers/record.js';
import { describePeer } from './describe-peer.js';
import { checkTable } from './page.js';
import {
  type CommlibVersion,
  commlibVersions,
  type PeerRole,
  type PeerTransport,
  type PythonPeer,
  startPeer,
} from './python-peer.js';
import { type Findings, TableOfVersions } from './table.js';

/** What a row of the table works with: one version of commlib-py, our nodes, one broker. */
export interface Setting {
  readonly transport: PeerTransport;
  readonly version: CommlibVersion;
  readonly url: string;
  readonly node: Node;
  /** A second node of ours, with `compress: true`. */
  readonly zipped: Node;
  /** How our clients have to be made for its services. */
  readonly client: Pick<RPCClientOptions, 'body'>;
  /** What was dropped or failed on our side, of the endpoints under this name. */
  problems(name: string): readonly NodeEvent[];
  /** A name that nobody used before on this broker. Dots separate its levels. */
  name(text: string): string;
  /** A peer of that version. Resolves when it is ready. */
  peer(role: PeerRole, name: string, ...args: string[]): Promise<PythonPeer>;
  /** The same without waiting, for peers that never get ready. */
  begin(role: PeerRole, name: string, ...args: string[]): Promise<PythonPeer>;
}

/** One thing that is tried with every version. */
export interface Row {
  readonly text: string;
  readonly body: (setting: Setting) => Promise<void>;
}

/** Something a version of commlib-py cannot do by itself: why, and the run that shows it. */
export interface Cannot {
  readonly row: Row;
  readonly versions: readonly CommlibVersion[];
  readonly why: string;
  /** Fails when the version can do it after all. */
  readonly show: (setting: Setting) => Promise<void>;
}

export interface Interop {
  readonly transport: PeerTransport;
  /** As the page calls it. */
  readonly title: string;
  readonly broker: BrokerName;
  /** The broker's URL, with what it takes to end it. */
  start(): Promise<{ url: string; stop?(): Promise<void> }>;
  /** Our transport, set up for that version where that matters. */
  connect(url: string, version: CommlibVersion): Transport;
  /** How our clients have to be made for that version. Default: as usual. */
  client?(version: CommlibVersion): Pick<RPCClientOptions, 'body'>;
  readonly rows: readonly Row[];
  readonly cannot: readonly Cannot[];
}

/** Tests one transport with every version of commlib-py, prints the table, and holds the page `docs/interop.md` against it. */
export async function interop(spec: Interop): Promise<void> {
  const table = new TableOfVersions(spec.rows.map(({ text }) => text));
  for (const version of commlibVersions) {
    await describePeer(`commlib-py-${version}`, () => {
      describeOn(spec.broker, () => withVersion(spec, version, table));
    });
  }
  afterAll(() => table.print(`commlib-py over ${spec.title}`));
  test('docs/interop.md says the same', () => checkTable(spec.title, table));
}

function withVersion(spec: Interop, version: CommlibVersion, table: Findings): void {
  let broker: { url: string; stop?(): Promise<void> } | undefined;
  let node: Node | undefined;
  let zipped: Node | undefined;
  const problems: NodeEvent[] = [];
  const prefix = `v${version.replaceAll('.', '')}x${Math.random().toString(16).slice(2, 8)}`;

  beforeAll(async () => {
    broker = await spec.start();
    const onEvent = (event: NodeEvent) => void problems.push(event);
    node = await new Node({ transport: spec.connect(broker.url, version), onEvent }).start();
    zipped = await new Node({
      transport: spec.connect(broker.url, version),
      compress: true,
      onEvent,
    }).start();
    recordUse({ broker: 'commlib-py', version, source: 'PyPI' });
  });
  afterAll(async () => {
    await Promise.all([node?.close(), zipped?.close()]);
    await broker?.stop?.();
  });

  const setting = (): Setting => {
    if (!(broker && node && zipped)) throw new Error('the broker or a node did not start');
    const { url } = broker;
    const begin = (role: PeerRole, name: string, ...args: string[]) => {
      // Before 0.13.2 all Kafka subscribers are in one group, and each that joins stops the others for a while.
      const group = spec.transport === 'kafka' && !args.includes('--group') ? ['--group', randomUUID()] : [];
      return startPeer({
        version,
        transport: spec.transport,
        role,
        name,
        url,
        args: [...group, ...args],
      });
    };
    return {
      transport: spec.transport,
      version,
      url,
      node,
      zipped,
      client: spec.client?.(version) ?? {},
      problems: (name) => problems.filter((event) => 'endpoint' in event && event.endpoint.includes(name)),
      name: (text) => `${prefix}.${text}`,
      begin,
      async peer(role, name, ...args) {
        const peer = await begin(role, name, ...args);
        await peer.ready();
        return peer;
      },
    };
  };

  // Most of a row is waiting for Python: several at once take no longer than one.
  test.concurrent.for(spec.rows.map((row) => [row.text, row] as const))(
    '%s',
    { timeout: 120_000 },
    async ([text, row]) => {
      const cannot = spec.cannot.find((entry) => entry.row === row && entry.versions.includes(version));
      await table.find(text, version, async () => {
        await (cannot ? cannot.show : row.body)(setting());
        return cannot && `no: ${cannot.why}`;
      });
    },
  );

  test('nothing was dropped or failed on our side but what was asked to', () => {
    const unexpected = problems.filter(
      (event) => 'endpoint' in event && !event.endpoint.includes('.bad') && !event.endpoint.includes('/bad'),
    );
    expect(unexpected.map((event) => `${event.type} ${JSON.stringify(event)}`)).toEqual([]);
  });
}
