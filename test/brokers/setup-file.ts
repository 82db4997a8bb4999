import { relative } from 'node:path';
import { expect } from 'vitest';
import { suiteVariable } from './record.js';

/** Runs in the process of every integration test file, before it: names the suite for the table of brokers. */
const path = expect.getState().testPath;
if (path !== undefined) process.env[suiteVariable] = relative(process.cwd(), path);
