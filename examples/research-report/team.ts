/** Who works on a report and with what: the agents and resources that the orchestrator is opened with. */
import type { AgentOptions, ResourceOptions } from '@taskmaster-ai/orchestrator';

/** Each agent is a lane: so many of its tasks are in progress at once. */
export const AGENTS = {
  /** Reads, parses and counts. */
  researcher: { concurrency: 8 },
  /** Finds out what a document says, and how documents belong together. */
  analyst: { concurrency: 8 },
  /** Judges what the analyst found. */
  reviewer: { concurrency: 2 },
  /** Puts everything on paper. */
  writer: { concurrency: 1 },
} satisfies Record<string, AgentOptions>;

/** Worker threads for what keeps a processor busy: the thread of the host has little to do meanwhile. */
export const THREADS = 2;

/** A task takes all that it needs at once, or waits without holding anything. */
export const RESOURCES = {
  /** Work that keeps a processor busy: what a thread executes, and what waits there so that it never runs dry. */
  cpu: 4 * THREADS,
  /** Files open at the same time. */
  io: 4,
  /** What parsing may use, in megabytes. */
  'memory.mb': 64,
} satisfies Record<string, ResourceOptions>;

/** The one lock: whoever holds it may write to the folder of the report. */
export const OUTPUT_LOCK = 'report';

/** A parsed document takes about twenty times its size. */
export function memoryFor(bytes: number): number {
  return Math.min(Math.ceil((bytes * 20) / 2 ** 20), RESOURCES['memory.mb']);
}

/** Milliseconds. A guess is enough: by it the policy `critical-path` starts long documents first. */
export function workFor(bytes: number): number {
  return 1 + bytes / 10_000;
}
