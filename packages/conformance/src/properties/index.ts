import type { Property } from '../property.js';
import { calling } from './calling.js';
import { closing } from './closing.js';
import { connecting } from './connecting.js';
import { grouping } from './grouping.js';
import { losing } from './losing.js';
import { naming } from './naming.js';
import { options } from './options.js';
import { publishing } from './publishing.js';
import { retrying } from './retrying.js';
import { serving } from './serving.js';
import { settling } from './settling.js';
import { subscribing } from './subscribing.js';

/** Every property of the kit, in the order of the report. */
export const properties: readonly Property[] = [
  ...connecting,
  ...naming,
  ...publishing,
  ...subscribing,
  ...options,
  ...settling,
  ...grouping,
  ...retrying,
  ...calling,
  ...serving,
  ...losing,
  ...closing,
];

/** The ids of all properties, in the order of the report. */
export const propertyIds: readonly string[] = properties.map(({ id }) => id);
