/** What the handlers of the campaign do: the faults of the tests, behind a lock that the handler takes itself, and more. */
import { spawn } from 'node:child_process';
import { closeSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import * as faults from '../../support/handlers/faults.mjs';

const MIB = 1024 * 1024;

export const echo = faults.echo;

/** A tenth of a second of work for a processor. */
export const work = ({ inputData }) => {
  const until = performance.now() + (inputData?.ms ?? 100);
  let rounds = 0;
  while (performance.now() < until) rounds++;
  return rounds > 0;
};

const shapes = {
  ...faults,
  work,
  /** Ten seconds without giving the thread back. */
  loopOfTenSeconds: ({ inputData }) => {
    writeFileSync(inputData, 'begun');
    const until = performance.now() + 10_000;
    while (performance.now() < until);
  },
  /** Says which process this is, and waits to be killed. */
  tellsPid: ({ inputData }) => {
    writeFileSync(inputData, String(process.pid));
    return new Promise(() => {});
  },
  oomText: () => {
    let text = 'x';
    for (;;) text = Buffer.from(text + text).toString('latin1');
  },
  oomMap: () => {
    const map = new Map();
    for (let i = 0; ; i++) map.set(i, i);
  },
  oomViews: () => {
    const views = [];
    for (;;) views.push(new Uint8Array(1_000));
  },
  /** More than any machine has. */
  oneHugeBuffer: () => new ArrayBuffer(2 ** 43).byteLength,
  oneHugeText: () => 'x'.repeat(2 ** 31).length,

  // What a thread cannot contain, as far as we know.
  engineAbort: () => {
    setFlagsFromString('--allow-natives-syntax');
    return new Function('%AbortJS("the engine gives up")')();
  },
  nativeTrap: () => {
    setFlagsFromString('--allow-natives-syntax');
    return new Function('%SystemBreak()')();
  },
  closesDescriptors: () => {
    for (let fd = 3; fd < 64; fd++)
      try {
        closeSync(fd);
      } catch {}
    return sleep(2_000);
  },
  /** Leaves a process behind, and never ends. */
  leavesProcess: ({ inputData }) => {
    const child = spawn(process.execPath, ['--eval', 'setTimeout(() => {}, 60_000)'], {
      detached: true,
      stdio: 'ignore',
    });
    writeFileSync(inputData, String(child.pid));
    for (;;);
  },
  changesFlags: () => setFlagsFromString('--stack-size=500'),
  changesDirectory: () => process.chdir('/'),
  setsEnvironment: () => {
    process.env.TASKMASTER_CAMPAIGN = 'set by a handler';
  },
  manyBytes: ({ inputData }) => {
    const list = [];
    for (let mib = 0; mib < inputData; mib += 16) list.push(new Uint8Array(16 * MIB).fill(1));
    return list.length * 16;
  },
};

/** Executes a shape as it is. */
export const plain = ({ inputData: { shape, data }, signal, progress, log, heartbeat }) =>
  shapes[shape]({ inputData: data, signal, progress, log, heartbeat });

/** Executes a shape when it holds a lock of its own. */
export const locked = async ({ inputData: { shape, data }, signal, progress, log, heartbeat, locks }) => {
  await locks.acquire('nested');
  return shapes[shape]({ inputData: data, signal, progress, log, heartbeat });
};
