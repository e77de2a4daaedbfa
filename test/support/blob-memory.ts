import type { BlobRecord } from '@taskmaster-ai/orchestrator';
import { DurableMemory } from './durable-memory.ts';

// The memory store answers at once, and says so in its types; this one may take its time.
const Base: new () => Omit<DurableMemory, 'saveBlob' | 'loadBlob'> = DurableMemory;

/** A store in memory that tells of the blobs that are asked of it. */
export class BlobMemory extends Base {
  /** By stream and id. */
  readonly blobs = new Map<string, Uint8Array>();
  readonly asked: string[] = [];
  /** What comes before an answer: a wait, or an error. */
  before: (what: 'save' | 'load') => void | Promise<void> = () => {};

  async saveBlob({ stream, id, bytes }: BlobRecord): Promise<void> {
    this.asked.push('save');
    await this.before('save');
    this.blobs.set(`${stream} ${id}`, bytes.slice());
  }

  async loadBlob(stream: string, id: string): Promise<Uint8Array | undefined> {
    this.asked.push('load');
    await this.before('load');
    return this.blobs.get(`${stream} ${id}`)?.slice();
  }
}
