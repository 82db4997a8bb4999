import type { Capabilities } from '@commlib/core';
import type { TestBench } from './bench.js';
import type { Lab } from './lab.js';

/** A capability that a property depends on. */
export interface Need {
  /** Why the transport lacks it; undefined when it has it. */
  missing(capabilities: Capabilities): string | undefined;
  /** Asks for it all the same: the transport and core must refuse with `UNSUPPORTED`. Absent where nothing can be asked for. */
  ask?(lab: Lab): Promise<void>;
}

/** What a property asks of its bench beyond connections. */
export type Control = 'cut' | 'hangUp' | 'block' | 'silence' | 'stranger';

/** One sentence of the contract, and the test of it. */
export interface Property {
  /** Never changes: `settle.nack`. */
  readonly id: string;
  /** The sentence it proves. */
  readonly promise: string;
  readonly needs?: readonly Need[];
  readonly controls?: readonly Control[];
  test(lab: Lab): Promise<void>;
}

/** Why a property is off for a transport on a bench; undefined when it is on. */
export function whyOff(property: Property, capabilities: Capabilities): string | undefined {
  for (const need of property.needs ?? []) {
    const why = need.missing(capabilities);
    if (why !== undefined) return why;
  }
  return undefined;
}

/** What the bench would have to be able to do. */
export function missingControl(property: Property, bench: TestBench): Control | undefined {
  return property.controls?.find((control) => bench[control] === undefined);
}
