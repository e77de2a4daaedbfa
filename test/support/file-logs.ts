/** Logs of file stores with things in them that no store writes. */
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type EntryKind, encodeEntry } from '../../src/adapters/file/entries.ts';
import {
  EMPTY_END,
  FRAME_HEADER_BYTES,
  type Frame,
  saltOf,
  scanFrames,
  sealFrame,
} from '../../src/adapters/file/frame.ts';

/** The name of the newest segment in a folder. */
export function newestSegment(folder: string): string {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .sort()
    .at(-1) as string;
}

function saltIn(folder: string, file: string): number {
  const { id } = JSON.parse(readFileSync(join(folder, 'store.json'), 'utf8')) as { readonly id: string };
  return saltOf(id, file);
}

/** The frames of a segment. */
export function framesOf(folder: string, file = newestSegment(folder)): readonly Frame[] {
  return scanFrames(readFileSync(join(folder, file)), saltIn(folder, file)).frames;
}

/** Adds a frame with one entry behind the newest segment, with all the right checksums. */
export function forge(folder: string, kind: EntryKind, body: string): void {
  const file = newestSegment(folder);
  const end = framesOf(folder, file).at(-1)?.end ?? EMPTY_END;
  const frame = Buffer.concat([Buffer.alloc(FRAME_HEADER_BYTES), encodeEntry(kind, body)]);
  sealFrame(frame, end, end.offset, saltIn(folder, file));
  appendFileSync(join(folder, file), frame);
}

/** Puts the frames of the newest segment in another order. */
export function reorder(folder: string, order: (frames: readonly Buffer[]) => readonly Buffer[]): void {
  const path = join(folder, newestSegment(folder));
  const bytes = readFileSync(path);
  const frames = framesOf(folder).map(({ offset, end }) => bytes.subarray(offset, end.offset));
  writeFileSync(path, Buffer.concat(order(frames)));
}
