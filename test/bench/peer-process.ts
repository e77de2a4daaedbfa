/**
 * The process of one peer. It is forked by `peer.ts`, loads one adapter, and then answers one request at a time. A process
 * of its own keeps a peer's compiled code, type feedback and garbage away from the others.
 */
import process from 'node:process';
import { type Adapter, loadAdapter, type PeerName } from './adapter.ts';
import { type Cold, measureCold } from './cold-start.ts';
import { type Footprint, measureFootprint } from './footprint.ts';
import { type Growth, type GrowthShape, measureGrowth } from './growth.ts';
import { openSubject, type Sample, type Subject, takeSample } from './measure.ts';
import type { DiskAsk, DiskSample, FlowsAsk, FlowsSample } from './stores/measure-flows.ts';
import type { Filled, StoredAsk, StoredSample } from './stores/measure-stored.ts';
import { type Verification, verify } from './verify.ts';
import type { LaneName } from './workers/lane.ts';
import type { LaneSample, MapAsk, TripsAsk } from './workers/measure-lane.ts';
import { WORKLOADS, type WorkloadName } from './workloads.ts';

/** What can be asked of a peer's process, and what comes back. */
export interface Requests {
  verify: { ask: { workload: WorkloadName }; answer: Verification };
  warmUp: { ask: { workload: WorkloadName; minimumMs: number }; answer: null };
  sample: { ask: { workload: WorkloadName; minimumMs: number }; answer: Sample };
  growth: { ask: { shape: GrowthShape; size: number }; answer: Growth };
  footprint: { ask: { size: number }; answer: Footprint };
  cold: { ask: Record<string, never>; answer: Cold };
  trips: { ask: TripsAsk; answer: LaneSample };
  map: { ask: MapAsk; answer: LaneSample };
  flows: { ask: FlowsAsk; answer: FlowsSample };
  disk: { ask: DiskAsk; answer: DiskSample };
  fill: { ask: StoredAsk; answer: Filled };
  leave: { ask: StoredAsk; answer: null };
  stored: { ask: StoredAsk; answer: StoredSample };
}

export type RequestKind = keyof Requests;
export type Reply<Value = unknown> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: string };

export interface Envelope {
  readonly kind: RequestKind;
  readonly ask: unknown;
}

type Handlers = {
  readonly [Kind in RequestKind]: (ask: Requests[Kind]['ask']) => Promise<Requests[Kind]['answer']>;
};

const peer = process.argv[2] as PeerName;
const lane = process.argv[2] as LaneName;
const subjects = new Map<WorkloadName, Subject>();
let loaded: Promise<Adapter> | undefined;

function adapter(): Promise<Adapter> {
  loaded ??= loadAdapter(peer);
  return loaded;
}

async function subject(workload: WorkloadName): Promise<Subject> {
  const opened = subjects.get(workload) ?? (await openSubject(await adapter(), WORKLOADS[workload]));
  subjects.set(workload, opened);
  return opened;
}

const handlers: Handlers = {
  verify: async ({ workload }) => verify(await adapter(), WORKLOADS[workload]),
  warmUp: async ({ workload, minimumMs }) => {
    await takeSample(await subject(workload), minimumMs);
    return null;
  },
  sample: async ({ workload, minimumMs }) => {
    const opened = await subject(workload);
    // The process slept while the others were measured; one run outside the clock brings its memory back into the caches.
    await takeSample(opened, 0);
    return takeSample(opened, minimumMs);
  },
  growth: async (ask) => measureGrowth(await adapter(), ask),
  footprint: async (ask) => measureFootprint(await adapter(), ask.size),
  // Not through adapter(): the import itself is what is timed.
  cold: () => measureCold(peer),
  // What the workers need is loaded in the processes of their lanes only.
  trips: async (ask) => (await import('./workers/measure-lane.ts')).measureTrips(lane, ask),
  map: async (ask) => (await import('./workers/measure-lane.ts')).measureMap(lane, ask),
  flows: async (ask) => (await import('./stores/measure-flows.ts')).measureFlows(ask),
  disk: async (ask) => (await import('./stores/measure-flows.ts')).measureDisk(ask),
  fill: async (ask) => (await import('./stores/measure-stored.ts')).fillStored(ask),
  leave: async (ask) => (await import('./stores/measure-stored.ts')).leaveUnfinished(ask),
  stored: async (ask) => (await import('./stores/measure-stored.ts')).measureStored(ask),
};

async function answer(envelope: Envelope): Promise<Reply> {
  try {
    // The kind and its ask come from one typed call in `peer.ts`; a message cannot carry that type.
    const handler = handlers[envelope.kind] as (ask: unknown) => Promise<unknown>;
    return { ok: true, value: await handler(envelope.ask) };
  } catch (error) {
    return { ok: false, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

process.on('message', (envelope: Envelope) => {
  void answer(envelope).then((reply) => process.send?.(reply));
});
