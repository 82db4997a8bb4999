/** Pages of the documentation as tests see them: code blocks in order, links, headings. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder of the repository. */
export const root = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');

/** A fenced block. */
export interface Block {
  /** The first word after the fence: `ts`, `sh`, `text`, … */
  readonly language: string;
  /** What follows it on that line: the file name of a `ts` block, how a `sh` block is run. */
  readonly info: string;
  readonly text: string;
  /** `docs/tutorial.md:12`, for messages. */
  readonly where: string;
}

/** The text of a page, by its path from the root of the repository. */
export function pageText(path: string): string {
  return readFileSync(`${root}/${path}`, 'utf8');
}

/** All fenced blocks of a page, those inside lists too. */
export function blocksOf(path: string): Block[] {
  const blocks: Block[] = [];
  const fence = /^( *)```([a-z]+)?(?: +([^\n`]*))?\n([\s\S]*?)^\1```$/gm;
  const text = pageText(path);
  for (const { 1: indent = '', 2: language = '', 3: info = '', 4: body = '', index } of text.matchAll(
    fence,
  )) {
    const line = text.slice(0, index).split('\n').length;
    blocks.push({
      language,
      info: info.trim(),
      text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      where: `${path}:${line}`,
    });
  }
  return blocks;
}

/** The text of a page without its fenced blocks. */
export function proseOf(path: string): string {
  return pageText(path).replaceAll(/^( *)```[\s\S]*?^\1```$/gm, '');
}

/** Targets of the links and images of a page, without those to other sites. */
export function linksOf(path: string): string[] {
  const prose = proseOf(path).replaceAll(/`[^`\n]*`/g, '');
  const inline = [...prose.matchAll(/\]\(<?([^)\s>]+)>?[^)]*\)/g)].map((match) => match[1] ?? '');
  const html = [...prose.matchAll(/(?:src|srcset|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
  return [...inline, ...html].filter((target) => !/^(https?:|mailto:)/.test(target));
}

/** The anchors that a page's headings get, as GitHub makes them. */
export function anchorsOf(path: string): Set<string> {
  const headings = [...proseOf(path).matchAll(/^#{1,6} +(.+)$/gm)].map((match) => match[1] ?? '');
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\- _]/gu, '')
        .trim()
        .replaceAll(' ', '-'),
    ),
  );
}
