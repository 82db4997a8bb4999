/** What a burst calls: an echo, so that an answer tells whose it is. */
import { rpc } from '@commlib/core';
import { z } from 'zod';

const numbered = z.object({ nonce: z.string() });

/** Answers with the nonce it was given. */
export const echo = rpc('burst.echo', { request: numbered, response: numbered });
