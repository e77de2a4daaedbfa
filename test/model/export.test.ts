import { readFileSync } from 'node:fs';
import { defineWorkflow, task, Workflow, type WorkflowData } from '@taskmaster-ai/orchestrator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/model/compile.ts';
import { isSamePlan } from '../../src/model/same-plan.ts';
import { refusal } from '../support/errors.ts';
import { workflows } from '../support/random-workflows.ts';
import { openVirtual } from '../support/virtual-orchestrator.ts';

const schema = JSON.parse(
  readFileSync(new URL('../../docs/workflow.schema.json', import.meta.url), 'utf8'),
) as object;
const fits = new Ajv2020({ allowUnionTypes: true }).compile(schema);

/** What no JSON Schema can tell: how large a part is as a whole, normal forms, and what two parts say of each other. */
const BEYOND_SCHEMA = /NFC form|normalize|bytes|a second lock/;

const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    '',
    ' ',
    'a',
    'a/b',
    'x'.repeat(129),
    '\u0007',
    'a\nb',
    '\u00a0a',
    '5',
    '5 parsecs',
    '2m',
    '1h30m',
    'PT5S',
    '0ms',
  ),
  fc.constantFrom<unknown>(
    -1,
    0,
    0.5,
    1,
    2,
    101,
    1e6,
    1e6 + 1,
    1e9 + 1,
    2 ** 53,
    1e300,
    [],
    {},
    [[]],
    { a: 1 },
    [null],
  ),
  fc.constantFrom<unknown>('shared', 'exclusive', 'settled', 'completed', 'registered', 'continue', 'never'),
  fc.jsonValue({ maxDepth: 2 }),
);

/** A copy with one part, found by these numbers, that is another value, missing, or there beside the others. */
function changed(data: WorkflowData, numbers: Iterator<number>, value: unknown): unknown {
  const next = (below: number): number => (numbers.next().value as number) % below;
  const copy = JSON.parse(JSON.stringify(data)) as Record<string, unknown>;
  let part: Record<string, unknown> = copy;
  for (;;) {
    const keys = Object.keys(part);
    const key = keys[next(keys.length + 1)] ?? (next(2) === 0 ? 'extra' : 'tags');
    const inner = part[key];
    if (typeof inner === 'object' && inner !== null && !/inputData|metadata/.test(key) && next(4) > 0) {
      if (Object.keys(inner).length > 0) {
        part = inner as Record<string, unknown>;
        continue;
      }
    }
    if (next(5) === 0 && !Array.isArray(part)) delete part[key];
    else if (key !== 'extra' || !Array.isArray(part)) part[key] = value;
    return copy;
  }
}

function whyRefused(document: unknown): string | undefined {
  try {
    defineWorkflow(document as WorkflowData);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('a workflow as JSON', () => {
  it('is read back as the same version, and written again as the same text', () => {
    fc.assert(
      fc.property(workflows(), (data) => {
        const workflow = defineWorkflow(data);
        const text = JSON.stringify(workflow);
        const back = Workflow.fromJSON(text);

        expect(isSamePlan(compile(workflow), compile(back))).toBe(true);
        expect(JSON.stringify(back)).toBe(text);
        expect([back.description, back.tags, back.metadata]).toEqual([
          workflow.description,
          workflow.tags,
          workflow.metadata,
        ]);
      }),
    );
  });

  it('fits the published schema, given as it was and exported', () => {
    fc.assert(
      fc.property(workflows(), (data) => {
        expect(fits(data), JSON.stringify(fits.errors)).toBe(true);
        expect(fits(JSON.parse(JSON.stringify(defineWorkflow(data)))), JSON.stringify(fits.errors)).toBe(
          true,
        );
      }),
    );
  });

  it('what the schema lets pass and has a sound graph is defined, and what defineWorkflow refuses for its shape does not fit', () => {
    const one = { taskId: 'a', handler: 'h' };
    const good: WorkflowData = {
      $schema: './workflow.schema.json',
      name: 'w',
      tasks: [one, { taskId: 7, handler: 'h' }],
    };
    expect([fits(good), defineWorkflow(good).tasks.length]).toEqual([true, 2]);
    const bad: unknown[] = [
      { tasks: [] },
      { name: 'w' },
      { name: 'a/b', tasks: [] },
      { name: ' w', tasks: [] },
      { name: 'w', tasks: [], retries: 3 },
      { name: 'w', tasks: [], failurePolicy: 'never' },
      { name: 'w', tasks: [], concurrency: 0 },
      { name: 'w', tasks: [{ taskId: 'a' }] },
      { name: 'w', tasks: [{ ...one, priority: 'high' }] },
      { name: 'w', tasks: [{ ...one, timeout: 0 }] },
      { name: 'w', tasks: [{ ...one, dependencies: 'b' }] },
      { name: 'w', tasks: [{ ...one, dependencies: [{ taskId: 'b', when: 'done' }] }] },
      { name: 'w', tasks: [{ ...one, locks: [{ name: 'l', mode: 'both' }] }] },
      { name: 'w', tasks: [{ ...one, resourceRequirements: { cpu: 0 } }] },
      { name: 'w', tasks: [{ ...one, retry: { maxAttempts: 0 } }] },
      { name: 'w', tasks: [{ ...one, runOn: 'thread' }] },
      { name: 'w', tasks: [{ ...one, transfer: 'yes' }] },
      { name: 'w', tasks: [{ ...one, transfer: true, retry: {} }] },
      { name: 'w', tasks: [{ ...one, transfer: true, runOn: 'inline' }] },
    ];
    for (const data of bad) {
      expect(fits(data), JSON.stringify(data)).toBe(false);
      refusal(() => defineWorkflow(data as WorkflowData));
    }
  });

  it('the schema lets pass what import accepts and nothing else, whatever is changed at random in a document', () => {
    const seen = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(workflows(4), fc.infiniteStream(fc.nat(9_999)), odd, (data, numbers, value) => {
        const document = changed(data, numbers, value);
        const at = JSON.stringify(document);
        const refused = whyRefused(document);
        if (refused !== undefined && BEYOND_SCHEMA.test(refused)) return;
        seen[refused === undefined ? 'accepted' : 'refused'] += 1;
        expect(fits(document), `${at}\n${refused ?? ''}\n${JSON.stringify(fits.errors)}`).toBe(
          refused === undefined,
        );
      }),
      { numRuns: 2_000 },
    );
    expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(200);
  });

  it('tells tasks that joined from those that were listed, and runs as before', async () => {
    const { orchestrator } = await openVirtual({ handlers: { h: ({ taskId }) => taskId } });
    const a = task('a', { handler: 'h' });
    const workflow = defineWorkflow('w', { tasks: [task('b', { handler: 'h', dependencies: { a } })] });
    expect(workflow.toJSON()).toEqual({
      name: 'w',
      tasks: [{ taskId: 'b', handler: 'h', dependencies: ['a'] }],
      joined: [{ taskId: 'a', handler: 'h' }],
    });

    const run = await orchestrator.manageWorkflow(Workflow.fromJSON(JSON.stringify(workflow)));

    expect((await run.result()).outputs).toEqual({ b: 'b' });
  });

  it('refuses code and what JSON cannot tell, at its place', () => {
    const place = (options: object) =>
      refusal(() => defineWorkflow('w', { tasks: [task('a', { handler: 'h', ...options })] }).toJSON());
    const schemaOf = {
      '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => ({ value }) },
    };

    const inline = refusal(() => defineWorkflow('w', { tasks: [task('a', { run: () => 1 })] }).toJSON());
    expect([inline.code, inline.details.at]).toEqual(['EXPORT_IMPOSSIBLE', 'workflow "w" task "a"/run']);
    expect(place({ when: () => true })).toMatchObject({ code: 'EXPORT_IMPOSSIBLE' });
    expect(place({ retry: { retryOn: () => true } })).toMatchObject({ code: 'EXPORT_IMPOSSIBLE' });
    expect(refusal(() => defineWorkflow('w', { tasks: [], input: schemaOf }).toJSON()).code).toBe(
      'EXPORT_IMPOSSIBLE',
    );
    for (const value of [
      new Date(0),
      new Map(),
      Number.NaN,
      Number.POSITIVE_INFINITY,
      -0,
      5n,
      { x: undefined },
      [new Set()],
    ])
      expect(place({ inputData: { value } })).toMatchObject({
        code: 'VALUE_UNSERIALISABLE',
        details: { at: expect.stringMatching(/^workflow "w" task "a"\/inputData\/value/) },
      });
  });

  it('text that is no JSON is refused with its place', () => {
    const error = refusal(() => Workflow.fromJSON('{ "name": '));
    expect(error.code).toBe('DEFINITION_INVALID');
    expect(error.cause).toBeInstanceOf(SyntaxError);
  });
});
