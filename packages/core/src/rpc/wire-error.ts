/** The error field of an answer's header: ours, which Python peers ignore. */
import { CommlibError, type ServiceError, ValidationError } from '../errors.js';

export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly details?: unknown;
}

/** A caller learns more from the first issues than from a million of them. */
const MOST_ISSUES = 100;

/** What a caller is told of an error of ours. No stack and no cause: those are the service's own business. */
export function toWireError(error: CommlibError): WireError {
  const { code, message } = error;
  if (error instanceof ValidationError)
    return { code, message, details: { issues: error.issues.slice(0, MOST_ISSUES) } };
  return 'details' in error ? { code, message, details: error.details } : { code, message };
}

/** The error of an answer, when it has one of ours. */
export function readWireError(header: Readonly<Record<string, unknown>>): WireError | undefined {
  const { error } = header;
  if (typeof error !== 'object' || error === null) return undefined;
  const { code, message, details } = error as Readonly<Record<string, unknown>>;
  if (typeof code !== 'string') return undefined;
  return { code, message: typeof message === 'string' ? message : code, details };
}

/** True for a {@link ServiceError} of any copy of this library. */
export function isServiceError(value: unknown): value is ServiceError {
  return CommlibError.is(value) && value.name === 'ServiceError';
}
