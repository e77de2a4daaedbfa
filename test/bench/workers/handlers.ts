/** What the threads of the bench execute: each function twice, as this package calls it and as tinypool does. */
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';
import type { HandlerContext } from '@taskmaster-ai/orchestrator';

/** Whether this is the process that asks: a child process of its own runs another file. */
const isHost = isMainThread && process.argv[1]?.endsWith('peer-process.ts') === true;

type Given = HandlerContext<unknown, unknown>;

/** Proves that the text was in the thread and came back: the last character is another one. */
export function answer({ inputData }: Given): string {
  return answerTo(inputData as string);
}

export function answerTo(text: string): string {
  if (isHost) throw new Error('what was to leave the host was executed in it');
  return `${text.slice(0, -1)}!`;
}

/** How many primes there are from `start` on, among so many numbers. */
export interface PrimeRange {
  readonly start: number;
  readonly length: number;
}

export function primes({ inputData }: Given): number {
  return countPrimes(inputData as PrimeRange);
}

/** By trial division, since it is to keep a processor busy. */
export function countPrimes({ start, length }: PrimeRange): number {
  let count = 0;
  for (let candidate = start; candidate < start + length; candidate++) if (isPrime(candidate)) count++;
  return count;
}

function isPrime(candidate: number): boolean {
  if (candidate < 2) return false;
  for (let divisor = 2; divisor * divisor <= candidate; divisor++)
    if (candidate % divisor === 0) return false;
  return true;
}
