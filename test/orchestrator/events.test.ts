import {
  defineWorkflow,
  type ListenerFailed,
  type Logger,
  type RunEvent,
  task,
} from '@taskmaster-ai/orchestrator';
import { describe, expect, it } from 'vitest';
import { rejection } from '../support/errors.ts';
import { createGate, nextTurn } from '../support/gate.ts';
import { logOf } from '../support/run-log.ts';
import { openStill, openVirtual } from '../support/virtual-orchestrator.ts';

const pair = defineWorkflow('pair', {
  tasks: [
    task('a', { run: ({ clock }) => clock.sleep(10).then(() => 'A') }),
    task('b', { dependencies: ['a'], run: () => 'B' }),
  ],
});
const PAIR_TYPES = [
  'RunCreated',
  'RunStarted',
  'TaskStarted',
  'TaskCompleted',
  'TaskStarted',
  'TaskCompleted',
  'RunCompleted',
];

/** A logger that remembers. */
function rememberingLogger(lines: unknown[]): Logger {
  const keep = (fields: Readonly<Record<string, unknown>>, message: string) =>
    void lines.push([message, fields]);
  return { debug: keep, info: keep, warn: keep, error: keep };
}

describe('reading the events of a run', () => {
  it('gives them from seq 1 without a gap, stamped with the time of the clock, until the run ends', async () => {
    const { orchestrator } = await openVirtual();

    const run = await orchestrator.manageWorkflow(pair, { input: 7 });
    const events = await logOf(run);

    expect(events.map((event) => event.type)).toEqual(PAIR_TYPES);
    expect(events.map((event) => event.seq)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(events.map((event) => event.at)).toEqual([0, 0, 0, 10, 10, 10, 10]);
    expect(new Set(events.map((event) => event.runId))).toEqual(new Set([run.runId]));
    expect(events[0]).toMatchObject({ workflowId: 'pair', workflowVersion: 1, input: 7, priority: 0 });
    expect(events[3]).toMatchObject({ path: 'a', attempt: 1, output: 'A' });
  });

  it('gives them live: each is read before the next one happens', async () => {
    const { orchestrator, clock } = await openStill();
    const run = await orchestrator.manageWorkflow(pair);
    const reader = run.events();

    const first = [];
    for (let i = 0; i < 3; i++) first.push((await reader.next()).value?.type);
    const fourth = reader.next();
    let known = false;
    void fourth.then(() => {
      known = true;
    });
    await clock.advance(9);
    expect(known).toBe(false);
    await clock.advance(1);

    expect(first).toEqual(PAIR_TYPES.slice(0, 3));
    expect((await fourth).value?.type).toBe('TaskCompleted');
    await reader.return();
  });

  it('gives a reader that comes when the run has ended everything, twice too', async () => {
    const { orchestrator } = await openVirtual();
    const run = await orchestrator.manageWorkflow(pair);
    await run.result();

    expect((await logOf(run)).map((event) => event.type)).toEqual(PAIR_TYPES);
    expect((await logOf(run)).map((event) => event.type)).toEqual(PAIR_TYPES);
  });

  it('gives two readers the same, whatever their speed', async () => {
    const { orchestrator, clock } = await openVirtual();
    const run = await orchestrator.manageWorkflow(pair);
    const slow = async () => {
      const events: RunEvent[] = [];
      for await (const event of run.events()) {
        events.push(event);
        await clock.real(nextTurn());
      }
      return events;
    };

    const [one, two] = await Promise.all([logOf(run), slow()]);

    expect(one.map((event) => event.type)).toEqual(PAIR_TYPES);
    expect(two).toEqual(one);
  });

  it('a slow reader of a long run misses nothing and holds nobody up', async () => {
    const { orchestrator } = await openVirtual();
    // More events than one page of the log.
    const tasks = Array.from({ length: 600 }, (_, i) => task(`t${i}`, { run: () => i }));
    const run = await orchestrator.manageWorkflow(defineWorkflow('long', { tasks }));
    const reader = run.events();
    await reader.next();

    await run.result();

    let last = 1;
    for await (const event of reader) {
      expect(event.seq).toBe(last + 1);
      last = event.seq;
    }
    expect(last).toBe(2 + 2 * 600 + 1);
  });

  it('begins where it is told to', async () => {
    const { orchestrator } = await openVirtual();
    const run = await orchestrator.manageWorkflow(pair);
    await run.result();

    const seqs: number[] = [];
    for await (const event of run.events({ fromSeq: 6 })) seqs.push(event.seq);
    const beyond: number[] = [];
    for await (const event of run.events({ fromSeq: 100 })) beyond.push(event.seq);

    expect(seqs).toEqual([6, 7]);
    expect(beyond).toEqual([]);
    for (const fromSeq of [0, -1, 1.5, Number.NaN, '1' as unknown as number]) {
      expect(() => run.events({ fromSeq })).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }));
    }
  });

  it('a signal ends the reading, quietly, while it waits and before it began', async () => {
    const { orchestrator, clock } = await openStill();
    const run = await orchestrator.manageWorkflow(pair);
    const controller = new AbortController();
    const types: string[] = [];

    const reading = (async () => {
      for await (const event of run.events({ signal: controller.signal })) types.push(event.type);
    })();
    await clock.advance(5);
    controller.abort();
    await reading;

    expect(types).toEqual(PAIR_TYPES.slice(0, 3));
    const none: string[] = [];
    for await (const event of run.events({ signal: AbortSignal.abort() })) none.push(event.type);
    expect(none).toEqual([]);
    // The run does not mind.
    await clock.advance(10);
    expect(run.status).toBe('completed');
  });

  it('breaking out of the loop leaves nothing behind, and the run goes on', async () => {
    const { orchestrator, clock } = await openStill();
    const run = await orchestrator.manageWorkflow(pair);

    for await (const event of run.events()) if (event.type === 'TaskStarted') break;
    await clock.advance(10);

    expect(run.status).toBe('completed');
    expect((await logOf(run)).map((event) => event.type)).toEqual(PAIR_TYPES);
  });

  it('a reader that throws inside the loop fails itself only', async () => {
    const { orchestrator } = await openVirtual();
    const run = await orchestrator.manageWorkflow(pair);
    const reading = (async () => {
      for await (const event of run.events()) throw new Error(`no stomach for ${event.type}`);
    })();

    await expect(reading).rejects.toThrow('no stomach for RunCreated');
    expect((await run.result()).outputs).toEqual({ a: 'A', b: 'B' });
  });

  it('a reader cannot change what is in the log', async () => {
    const { orchestrator } = await openVirtual();
    const data = defineWorkflow('data', { tasks: [task('a', { run: () => ({ list: [1] }) })] });
    const run = await orchestrator.manageWorkflow(data);
    await run.result();

    for await (const event of run.events()) {
      if (event.type === 'TaskCompleted')
        expect(() => (event.output as { list: number[] }).list.push(2)).toThrow(TypeError);
    }

    expect((await run.result()).outputs.a).toEqual({ list: [1] });
  });

  it('refuses options that do not exist', async () => {
    const { orchestrator } = await openVirtual();
    const run = await orchestrator.manageWorkflow(pair);
    expect(() => run.events({ from: 1 } as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_UNKNOWN' }),
    );
  });
});

describe('listening', () => {
  it('a listener hears its type of all runs once it is durable, until it is taken away', async () => {
    const { orchestrator } = await openVirtual();
    const heard: string[] = [];
    const listen = ({ runId, path }: { runId: string; path: string }) => heard.push(`${runId}/${path}`);
    const stop = orchestrator.on('TaskCompleted', listen);
    // The same one twice counts once.
    orchestrator.on('TaskCompleted', listen);

    const one = await orchestrator.manageWorkflow(pair);
    const two = await orchestrator.manageWorkflow(pair);
    await Promise.all([one.result(), two.result()]);
    expect(heard.toSorted()).toEqual(
      [`${one.runId}/a`, `${one.runId}/b`, `${two.runId}/a`, `${two.runId}/b`].toSorted(),
    );

    stop();
    stop();
    await (await orchestrator.manageWorkflow(pair)).result();
    expect(heard).toHaveLength(4);
  });

  it('off takes a listener away, and passes over one that was never there', async () => {
    const { orchestrator } = await openVirtual();
    const heard: string[] = [];
    const listen = (event: RunEvent) => void heard.push(event.type);
    orchestrator.on('RunCompleted', listen);
    orchestrator.on('RunStarted', listen);

    orchestrator.off('RunCompleted', listen);
    orchestrator.off('RunFailed', listen);
    await (await orchestrator.manageWorkflow(pair)).result();

    expect(heard).toEqual(['RunStarted']);
  });

  it('a listener that takes itself away during an event does not keep others from hearing it', async () => {
    const { orchestrator } = await openVirtual();
    const heard: string[] = [];
    const stop = orchestrator.on('TaskCompleted', () => {
      heard.push('once');
      stop();
    });
    orchestrator.on('TaskCompleted', () => heard.push('always'));

    await (await orchestrator.manageWorkflow(pair)).result();

    expect(heard).toEqual(['once', 'always', 'always']);
  });

  it('a listener that throws is reported, and neither the run nor other listeners notice', async () => {
    const lines: unknown[] = [];
    const { orchestrator } = await openVirtual({ logger: rememberingLogger(lines) });
    const thrown = new Error('listener');
    const heard: string[] = [];
    const reports: ListenerFailed[] = [];
    orchestrator.on('ListenerFailed', (report) => reports.push(report));
    orchestrator.on('TaskStarted', () => {
      throw thrown;
    });
    orchestrator.on('TaskStarted', ({ path }) => heard.push(path));

    const run = await orchestrator.manageWorkflow(pair);

    expect((await run.result()).outputs).toEqual({ a: 'A', b: 'B' });
    expect(heard).toEqual(['a', 'b']);
    const report = { type: 'ListenerFailed', during: 'TaskStarted', thrown };
    expect(reports).toEqual([report, report]);
    expect(lines).toHaveLength(2);
    // A report about a listener is no event of the run.
    expect((await logOf(run)).map((event) => event.type)).toEqual(PAIR_TYPES);
  });

  it('an async listener that rejects is reported, and is no unhandled rejection', async () => {
    const { orchestrator } = await openVirtual();
    const unhandled: unknown[] = [];
    const listen = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', listen);
    const reported = createGate<ListenerFailed>();
    orchestrator.on('ListenerFailed', reported.open);
    const thrown = new Error('async listener');
    orchestrator.on('RunCompleted', (async () => {
      await nextTurn();
      throw thrown;
    }) as () => void);

    await (await orchestrator.manageWorkflow(pair)).result();

    expect(await reported.promise).toEqual({ type: 'ListenerFailed', during: 'RunCompleted', thrown });
    await nextTurn();
    process.off('unhandledRejection', listen);
    expect(unhandled).toEqual([]);
  });

  it('a listener, a monitor or a reader that writes on an event changes nothing, and is told so', async () => {
    const writes = (event: RunEvent) => {
      (event as { seq: number }).seq = 99;
    };
    const { orchestrator } = await openVirtual({ monitors: [{ observe: writes }] });
    const reports: ListenerFailed[] = [];
    orchestrator.on('ListenerFailed', (report) => reports.push(report));
    orchestrator.on('TaskStarted', writes);
    const run = await orchestrator.manageWorkflow(pair);
    await run.result();
    const read: number[] = [];
    for await (const event of run.events()) {
      expect(() => writes(event)).toThrow(TypeError);
      read.push(event.seq);
    }
    expect(read).toEqual(PAIR_TYPES.map((_, i) => i + 1));
    expect(reports.map(({ during, thrown }) => [during, thrown instanceof TypeError])).toEqual(
      expect.arrayContaining([
        ['monitor', true],
        ['TaskStarted', true],
      ]),
    );
  });

  it('a listener of ListenerFailed that throws itself ends there', async () => {
    const lines: unknown[] = [];
    const { orchestrator } = await openVirtual({ logger: rememberingLogger(lines) });
    orchestrator.on('ListenerFailed', () => {
      throw new Error('the reporter');
    });
    orchestrator.on('RunStarted', () => {
      throw new Error('the listener');
    });

    await (await orchestrator.manageWorkflow(pair)).result();

    expect(lines).toHaveLength(2);
  });

  it('a logger that throws while a fault is reported harms nobody', async () => {
    const bang = () => {
      throw new Error('logger');
    };
    const { orchestrator } = await openVirtual({
      logger: { debug: bang, info: bang, warn: bang, error: bang },
    });
    orchestrator.on('RunStarted', bang);

    expect((await (await orchestrator.manageWorkflow(pair)).result()).status).toBe('completed');
  });

  it('a listener can start another run', async () => {
    const { orchestrator } = await openVirtual();
    const started = createGate<string>();
    orchestrator.on('RunCompleted', ({ runId }) => {
      if (runId !== first.runId) return;
      void orchestrator.manageWorkflow(pair).then((next) => started.open(next.runId));
    });

    const first = await orchestrator.manageWorkflow(pair);
    const second = orchestrator.getRun(await started.promise);

    expect((await second.result()).status).toBe('completed');
  });

  it('refuses what is no function', async () => {
    const { orchestrator } = await openVirtual();
    expect(() => orchestrator.on('RunStarted', 'log' as never)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    );
  });
});

describe('monitors', () => {
  it('hear every event of every run in order, from the start or from when they are added', async () => {
    const all: RunEvent[] = [];
    const later: RunEvent[] = [];
    const { orchestrator } = await openVirtual({ monitors: [{ observe: (event) => all.push(event) }] });

    const one = await orchestrator.manageWorkflow(pair);
    await one.result();
    const stop = orchestrator.observe({ observe: (event) => later.push(event) });
    const two = await orchestrator.manageWorkflow(pair);
    await two.result();
    stop();
    const three = await orchestrator.manageWorkflow(pair);
    await three.result();

    const [first, second, third] = [await logOf(one), await logOf(two), await logOf(three)];
    expect(all).toEqual([...first, ...second, ...third]);
    expect(later).toEqual(second);
  });

  it('one that throws, rejects or never returns changes nothing', async () => {
    const reports: ListenerFailed[] = [];
    const { orchestrator } = await openVirtual({
      monitors: [
        {
          observe: () => {
            throw new Error('monitor');
          },
        },
        { observe: (() => Promise.reject(new Error('async monitor'))) as () => void },
        { observe: (() => new Promise(() => {})) as () => void },
      ],
    });
    orchestrator.on('ListenerFailed', (report) => reports.push(report));

    const run = await orchestrator.manageWorkflow(pair);
    await run.result();
    await nextTurn();

    expect((await logOf(run)).map((event) => event.type)).toEqual(PAIR_TYPES);
    expect(reports).toHaveLength(2 * PAIR_TYPES.length);
    expect(new Set(reports.map((report) => report.during))).toEqual(new Set(['monitor']));
  });

  it('one without observe is refused', async () => {
    const { Orchestrator } = await import('@taskmaster-ai/orchestrator');
    const error = await rejection(Orchestrator.open({ monitors: [{}] as never }));
    expect(error).toMatchObject({ code: 'OPTION_INVALID', details: { at: 'open/monitors/0' } });
  });
});
