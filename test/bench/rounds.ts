/**
 * The rounds: every peer runs every workload once a round, in a process of its own that lives through all rounds.
 * The order is drawn anew each time. Workloads are the outer loop, so that a peer and the limit that it is compared
 * with are measured within a second of each other: the speed of a machine drifts.
 */
import type { PeerName } from './adapter.ts';
import type { Sample } from './measure.ts';
import { Peer } from './peer.ts';
import type { Verification } from './verify.ts';
import { seededRandom, type WorkloadName } from './workloads.ts';

export interface RoundsPlan {
  readonly peers: readonly PeerName[];
  readonly workloads: readonly WorkloadName[];
  readonly rounds: number;
  readonly say: (line: string) => void;
}

/** `samples.get(workload).get(peer)[round]` */
export type Samples = ReadonlyMap<WorkloadName, ReadonlyMap<PeerName, readonly Sample[]>>;
export type Verifications = ReadonlyMap<PeerName, ReadonlyMap<WorkloadName, Verification>>;

/** Until the compiler has settled: a peer that needs milliseconds a lap has few laps in a shorter time. */
const WARM_UP_MS = 1_500;
const SAMPLE_MS = 100;

/** One process per peer, thrown away: the checking tasks must not be what the timed code was compiled for. */
export async function verifyPeers(plan: RoundsPlan): Promise<Verifications> {
  const verifications = new Map<PeerName, ReadonlyMap<WorkloadName, Verification>>();
  for (const name of plan.peers) verifications.set(name, await verifyPeer(name, plan.workloads));
  return verifications;
}

async function verifyPeer(
  name: PeerName,
  workloads: readonly WorkloadName[],
): Promise<ReadonlyMap<WorkloadName, Verification>> {
  const proofs = new Map<WorkloadName, Verification>();
  const peer = new Peer(name);
  for (const workload of workloads) {
    try {
      proofs.set(workload, await peer.ask('verify', { workload }));
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error);
      proofs.set(workload, { faults: [fault], mostAtOnce: 0, inversions: 0 });
    }
  }
  await peer.stop();
  return proofs;
}

/** A peer that does not do the work has no time worth telling. */
export function soundPeers(verifications: Verifications): PeerName[] {
  const sound = [...verifications].filter(([, proofs]) =>
    [...proofs.values()].every(({ faults }) => faults.length === 0),
  );
  return sound.map(([name]) => name);
}

export async function playRounds(plan: RoundsPlan): Promise<Samples> {
  const peers = plan.peers.map((name) => new Peer(name));
  const samples = new Map(
    plan.workloads.map((workload) => [workload, new Map(plan.peers.map((name) => [name, [] as Sample[]]))]),
  );
  try {
    for (const peer of peers) {
      for (const workload of plan.workloads) await peer.ask('warmUp', { workload, minimumMs: WARM_UP_MS });
    }
    const random = seededRandom(Date.now());
    for (let round = 1; round <= plan.rounds; round++) {
      plan.say(`round ${round} of ${plan.rounds}`);
      for (const workload of shuffled(plan.workloads, random)) {
        for (const peer of shuffled(peers, random)) {
          const sample = await peer.ask('sample', { workload, minimumMs: SAMPLE_MS });
          samples.get(workload)?.get(peer.name)?.push(sample);
        }
      }
    }
  } finally {
    for (const peer of peers) await peer.stop();
  }
  return samples;
}

export function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}
