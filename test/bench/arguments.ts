/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';
import {
  full,
  isSubject,
  isTransport,
  peers,
  quick,
  type Scenario,
  type Size,
  type Subject,
  scenarios,
  subjects,
  type Transport,
  transports,
} from './scenarios.js';

export const help = `npm run bench -- [options]

  --transport <name> only this one, may be repeated: ${transports.join(', ')}
  --peers            also NestJS, Moleculer and commlib-py; installs them (outside of the repository)
  --quick            one short run of each: shows that it works, the figures mean nothing
  --json             the result as JSON on standard output
  --markdown         the result as the tables of docs/benchmarks.md
  --assert           exit code 1 when a target is missed
  --scenario <id>    only this one, may be repeated: ${scenarios.map(({ id }) => id).join(', ')}
  --subject <name>   beside raw only this one, may be repeated: ${subjects.join(', ')}
  --broker <id>      only this one, of MQTT: tuned, default
  --rounds <n>       runs of each subject, in turns (default ${full.rounds})
  --seconds <n>      length of one run (default ${full.runMs / 1000})
  --profile <folder> write a CPU profile of each process there
  --help
`;

export interface Options {
  readonly size: Size;
  readonly quick: boolean;
  readonly json: boolean;
  readonly markdown: boolean;
  readonly assert: boolean;
  readonly transports: readonly Transport[];
  readonly scenarios: readonly Scenario[];
  readonly subjects: readonly Subject[];
  readonly broker: string | undefined;
  readonly profile: string | undefined;
}

/** Throws for what it does not understand; `undefined` when only help is wanted. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      transport: { type: 'string', multiple: true },
      peers: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      assert: { type: 'boolean', default: false },
      scenario: { type: 'string', multiple: true },
      subject: { type: 'string', multiple: true },
      broker: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      profile: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const size = values.quick ? quick : full;
  return {
    size: {
      rounds: values.rounds === undefined ? size.rounds : positive('--rounds', values.rounds),
      runMs: values.seconds === undefined ? size.runMs : positive('--seconds', values.seconds) * 1000,
      settleMs: size.settleMs,
      warmUpMs: size.warmUpMs,
    },
    quick: values.quick,
    json: values.json,
    markdown: values.markdown,
    assert: values.assert,
    transports: values.transport?.map(transport) ?? transports,
    scenarios: values.scenario?.map(scenario) ?? scenarios,
    subjects: chosen(values.subject, values.peers),
    broker: values.broker,
    profile: values.profile,
  };
}

/** In the order of {@link subjects}, so that neighbours in the report are neighbours in time. */
function chosen(names: readonly string[] | undefined, withPeers: boolean): readonly Subject[] {
  const wanted = new Set<Subject>(['raw', ...(names?.map(subject) ?? [])]);
  return subjects.filter((name) => {
    const isPeer = peers.includes(name);
    if (names === undefined) return withPeers || !isPeer;
    return wanted.has(name) || (withPeers && isPeer);
  });
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${option} must be a number above 0, not ${text}`);
  return value;
}

function scenario(id: string): Scenario {
  const found = scenarios.find((one) => one.id === id);
  if (found === undefined) throw new Error(`no scenario ${id}`);
  return found;
}

function subject(name: string): Subject {
  if (!isSubject(name)) throw new Error(`no subject ${name}`);
  return name;
}

function transport(name: string): Transport {
  if (!isTransport(name)) throw new Error(`no transport ${name}`);
  return name;
}
