/** Named parameters: `devices/{id}/state` is typed `{ id: string }`, filled in to send, read out of what arrives. */
import { InvalidNameError } from '../errors.js';
import { levelsOf, type Name } from './name.js';

/** The parameters a name has, as a type: `'devices/{id}/state'` gives `{ readonly id: string }`. */
export type ParametersOf<Text extends string> = string extends Text
  ? Readonly<Record<string, string>>
  : { readonly [K in ParameterNames<Text>]: string };

type ParameterNames<Text extends string> = Text extends `${string}{${infer P}}${infer Rest}`
  ? P | ParameterNames<Rest>
  : never;

/** True for `{}` types: a name without parameters. */
export type HasParameters<Text extends string> = string extends Text
  ? boolean
  : [ParameterNames<Text>] extends [never]
    ? false
    : true;

/** Any parameters, for code that does not know the name. */
export type AnyParameters = Readonly<Record<string, string>>;

const PARAMETER = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/;

/** Positions of the parameters among the levels of a name. A parameter is always a whole level. */
export function parameterLevels(name: Name): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  if (name.kind === 'commlib') return found;
  levelsOf(name).forEach((level, i) => {
    const match = PARAMETER.exec(level);
    if (match === null) {
      if (/\{[A-Za-z_][A-Za-z0-9_]*\}/.test(level)) {
        throw new InvalidNameError(
          name.text,
          `a parameter must be a level of its own, not part of ${JSON.stringify(level)}`,
        );
      }
      return;
    }
    const parameter = match[1] as string;
    if (found.has(parameter))
      throw new InvalidNameError(name.text, `the parameter ${parameter} occurs twice`);
    found.set(parameter, i);
  });
  return found;
}

/** A name with its parameters filled in. A value is one level: not empty, no separator, no wildcard, no NUL. */
export function fill(name: Name, values: AnyParameters): Name {
  let text = name.text;
  for (const parameter of parameterLevels(name).keys()) {
    if (!Object.hasOwn(values, parameter))
      throw new InvalidNameError(name.text, `the parameter ${parameter} is missing`);
    text = text.replace(`{${parameter}}`, () => checkValue(name, parameter, values[parameter]));
  }
  return { text, kind: name.kind };
}

/** A filter that matches every value of the parameters that are not given. */
export function toFilter(name: Name, values: Partial<AnyParameters> = {}): Name {
  let text = name.text;
  for (const parameter of parameterLevels(name).keys()) {
    const value = Object.hasOwn(values, parameter) ? values[parameter] : undefined;
    text = text.replace(`{${parameter}}`, () =>
      value === undefined ? '+' : checkValue(name, parameter, value),
    );
  }
  return { text, kind: name.kind };
}

/** The parameters of an inbound address, given its levels. */
export function extract(parameters: ReadonlyMap<string, number>, levels: readonly string[]): AnyParameters {
  const values: Record<string, string> = {};
  for (const [parameter, i] of parameters) values[parameter] = levels[i] ?? '';
  return values;
}

function checkValue(name: Name, parameter: string, value: unknown): string {
  const refuse = (reason: string) => new InvalidNameError(name.text, `the value of ${parameter} ${reason}`);
  if (typeof value !== 'string') throw refuse('is not a string');
  if (value === '') throw refuse('is empty');
  const bad = name.kind === 'literal' ? /[+#/\0]/.exec(value) : /[+#/.\0]/.exec(value);
  if (bad) throw refuse(`contains ${JSON.stringify(bad[0])}: ${JSON.stringify(value)}`);
  return value;
}
