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

/**
 * Arguments in which the parameters of a name are required (`Open`: they were not given before), allowed, or, where the
 * name has none, refused. A name known only as a string may have some.
 */
export type WithParameters<
  Head extends unknown[],
  Options extends { readonly params?: unknown },
  Text extends string,
  Open extends boolean,
> = string extends Text
  ? [...Head, options?: Options]
  : HasParameters<Text> extends false
    ? [...Head, options?: Omit<Options, 'params'>]
    : Open extends true
      ? [...Head, options: Options & { readonly params: ParametersOf<Text> }]
      : [...Head, options?: Options];

/** Any parameters, for code that does not know the name. */
export type AnyParameters = Readonly<Record<string, string>>;

const PARAMETER = /^\{([A-Za-z_][A-Za-z0-9_]*)\}$/;
const IN_BRACES = /\{[^{}]*\}/;
const ALL_PARAMETERS = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Positions of the parameters among the levels of a name. A parameter is always a whole level. */
export function parameterLevels(name: Name): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  if (name.kind === 'commlib') return found;
  levelsOf(name).forEach((level, i) => {
    const parameter = PARAMETER.exec(level)?.[1];
    if (parameter === undefined) {
      if (IN_BRACES.test(level)) {
        throw new InvalidNameError(
          name.text,
          `${JSON.stringify(level)} is no parameter: that is a level of its own, letters, digits and _ in braces`,
        );
      }
      return;
    }
    if (found.has(parameter))
      throw new InvalidNameError(name.text, `the parameter ${parameter} occurs twice`);
    found.set(parameter, i);
  });
  return found;
}

/** A name with its parameters filled in. A value is one level: not empty, no separator, no wildcard, no NUL. */
export function fill(name: Name, values: AnyParameters): Name {
  return replaceParameters(name, (parameter) => {
    if (!Object.hasOwn(values, parameter) || values[parameter] === undefined)
      throw new InvalidNameError(name.text, `the parameter ${parameter} is missing`);
    return checkValue(name, parameter, values[parameter]);
  });
}

/** A filter that matches every value of the parameters that are not given. */
export function toFilter(name: Name, values: Partial<AnyParameters> = {}): Name {
  return replaceParameters(name, (parameter) => {
    const value = Object.hasOwn(values, parameter) ? values[parameter] : undefined;
    return value === undefined ? '+' : checkValue(name, parameter, value);
  });
}

/** All at once: a value that looks like a parameter is a value. */
function replaceParameters({ text, kind }: Name, value: (parameter: string) => string): Name {
  if (kind === 'commlib') return { text, kind };
  return { text: text.replace(ALL_PARAMETERS, (_, parameter: string) => value(parameter)), kind };
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
