/**
 * What adapters say of the process that they are in, so that another process can tell whether it still lives.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** A process, as it is told to others. */
export interface ProcessMark {
  readonly pid: number;
  /** When the process was started, so that a later one with the same number is not taken for it; empty if unknown. */
  readonly started: string;
  readonly host: string;
  /** What numbers of processes are unique in: a boot of a machine, or a container in it; empty if unknown. */
  readonly machine: string;
}

/** What this process says of itself. */
export function thisProcess(): ProcessMark {
  return {
    pid: process.pid,
    started: startOf(process.pid) ?? '',
    host: hostname(),
    machine: machineId(),
  };
}

/** Whether a process of this machine is known to be gone; `false` also when nobody can tell. */
export function isKnownDead({ pid, started, host, machine }: ProcessMark): boolean {
  // Two machines, or containers, of which nothing is known are not the same for that.
  if (machine === '' || host !== hostname() || machine !== machineId()) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Whoever may not send it a signal still learns that it is there.
    return (error as NodeJS.ErrnoException).code !== 'EPERM';
  }
  const now = startOf(pid);
  return now !== undefined && started !== '' && now !== started;
}

/** When a process was started, where the system tells; a process that has ended and was not collected has no start. */
function startOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program comes before, in brackets, and may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'ended' : fields[19];
  } catch {
    return undefined;
  }
}

/** Which start of the machine this is; empty where the system does not tell. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

function machineId(): string {
  // These systems have no numbers of processes that mean something else in another container of the same name.
  if (process.platform === 'darwin' || process.platform === 'win32') return process.platform;
  const boot = bootId();
  try {
    return boot === '' ? '' : `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return '';
  }
}
