import { describe } from 'vitest';
import { openPage } from './run-page.js';
import { runsThrough } from './runs-through.js';

describe('the tutorial does what it says', async () => {
  runsThrough('docs/tutorial.md', await openPage('docs/tutorial.md'));
});
