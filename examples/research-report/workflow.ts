/**
 * The pipeline as a workflow:
 *
 *   for each document   read → parse → terms ─┐
 *   once, over all                            collect → index ──────────────── compare ─┐
 *   for each document                                     └ focus → analyse → review    │
 *                                                              (→ revise) → approve     │
 *   once, over all      prepare ───────────────────────── gather → record → compose ── write
 *
 * The handlers are glue: what they do is in the modules beside this one, none of which knows of a workflow.
 */
import { mkdir } from 'node:fs/promises';
import {
  type AnyTask,
  type Duration,
  defineWorkflow,
  type RunEvent,
  type RunOn,
  taskFor,
  workerHandlers,
} from '@taskmaster-ai/orchestrator';
import type { DocumentListing, FoundDocument } from './find-documents.ts';
import { isOutOfReach, isPassing, type ReadText } from './flaky-disk.ts';
import { researchInput } from './input.ts';
import { writeReport } from './report.ts';
import { reviewAnalysis } from './review.ts';
import { logUntil, recordOf } from './run-record.ts';
import { memoryFor, OUTPUT_LOCK, THREADS, workFor } from './team.ts';
import { corpusKeyTerms, indexFor } from './terms.ts';

export type ResearchPlan = {
  listing: DocumentListing;
  readText: ReadText;
  /** The wait before the second attempt at a document that could not be read. */
  retryDelay: Duration;
  /** Where everything is done that keeps a processor busy. */
  runOn: RunOn;
  /** The log of a run; the writer prints that of its own. */
  readLog: (runId: string) => AsyncIterable<RunEvent>;
};

const step = taskFor(researchInput);

/** Loaded by the threads, and not here. */
const textWork = workerHandlers<typeof import('./text-work.ts')>(new URL('./text-work.ts', import.meta.url), {
  threads: THREADS,
});

/** The tasks differ with the documents found, so the workflow is made anew for each listing. */
export function defineResearch(plan: ResearchPlan) {
  const { listing } = plan;
  const sources = listing.documents.map((document) => sourceTasks(document, plan));
  const corpus = corpusTasks(sources, plan);
  const opinions = sources.map((source) => opinionTasks(source, corpus, plan));
  // The return type is stated because the writer, which asks for the graph, is itself a part of it.
  const graph = (): readonly AnyTask[] => research.tasks;
  const research = defineWorkflow('research-report', {
    description: `Reports on ${listing.documents.length} documents`,
    input: researchInput,
    tasks: [
      ...sources.flatMap(({ read, parse, terms }) => [read, parse, terms]),
      ...Object.values(corpus),
      ...opinions.flatMap((opinion) => Object.values(opinion)),
      ...writingTasks(plan, corpus, opinions, graph),
    ],
  });
  return research;
}

type Source = ReturnType<typeof sourceTasks>;
type Corpus = ReturnType<typeof corpusTasks>;
type Opinion = ReturnType<typeof opinionTasks>;

/** The researcher: from a file to counted terms. */
function sourceTasks(document: FoundDocument, { readText, retryDelay, runOn }: ResearchPlan) {
  const { id, bytes } = document;
  const read = step(`read:${id}`, {
    agentAssigned: 'researcher',
    resourceRequirements: { io: 1 },
    timeout: '10s',
    retry: { maxAttempts: 4, delay: retryDelay, retryOn: ({ thrown }) => isPassing(thrown) },
    async run({ input, attempt, log }) {
      try {
        return { text: await readText(input.folder, document, attempt), unreadable: false };
      } catch (error) {
        // One file that is gone should not cost us the report: it is left out, and the report says so.
        if (!isOutOfReach(error)) throw error;
        log.warn('a document could not be read', { file: document.path });
        return { text: '', unreadable: true };
      }
    },
  });
  const parse = step(`parse:${id}`, {
    dependencies: { read },
    agentAssigned: 'researcher',
    estimatedDuration: workFor(bytes),
    resourceRequirements: { cpu: 1, 'memory.mb': memoryFor(bytes) },
    handler: textWork.parse,
    runOn,
  });
  const terms = step(`terms:${id}`, {
    dependencies: { parse },
    agentAssigned: 'researcher',
    estimatedDuration: workFor(bytes),
    resourceRequirements: { cpu: 1 },
    inputData: id,
    handler: textWork.terms,
    runOn,
  });
  return { document, read, parse, terms };
}

/** What has to wait for all documents. */
function corpusTasks(sources: readonly Source[], { runOn }: ResearchPlan) {
  const collect = step('collect', {
    description: 'The terms of all documents',
    dependencies: byId(sources.map(({ terms }) => terms)),
    agentAssigned: 'researcher',
    run: ({ dependencies }) => Object.values(dependencies),
  });
  const index = step('index', {
    description: 'How rare each term is, which words are phrases, which sentences are boilerplate',
    dependencies: { collect },
    agentAssigned: 'analyst',
    resourceRequirements: { cpu: 1 },
    handler: textWork.index,
    runOn,
  });
  const compare = step('compare', {
    description: 'Similar documents and the topics they form',
    dependencies: { collect, index },
    agentAssigned: 'analyst',
    // All of the work that is left at that point, done by one task: it should start before the many small ones.
    estimatedDuration: sources.reduce((sum, { document }) => sum + workFor(document.bytes), 0),
    resourceRequirements: { cpu: 1 },
    handler: textWork.compare,
    runOn,
  });
  return { collect, index, compare };
}

/** The analyst and the reviewer, who may ask for a second analysis. */
function opinionTasks(
  { document, read, parse, terms }: Source,
  { index }: Corpus,
  { runOn }: Pick<ResearchPlan, 'runOn'>,
) {
  const { id, bytes } = document;
  const focus = step(`focus:${id}`, {
    // The whole index would be sent to a thread once for each document.
    dependencies: { terms, index },
    agentAssigned: 'analyst',
    run: ({ dependencies: { terms, index } }) => indexFor(terms, index),
  });
  const analyse = step(`analyse:${id}`, {
    dependencies: { parse, terms, focus },
    agentAssigned: 'analyst',
    estimatedDuration: workFor(bytes),
    resourceRequirements: { cpu: 1 },
    inputData: document,
    handler: textWork.analyse,
    runOn,
  });
  const review = step(`review:${id}`, {
    dependencies: { analyse },
    agentAssigned: 'reviewer',
    run: ({ dependencies: { analyse } }) => reviewAnalysis(analyse),
  });
  const revise = step(`revise:${id}`, {
    dependencies: { parse, terms, focus, review },
    agentAssigned: 'analyst',
    resourceRequirements: { cpu: 1 },
    when: ({ dependencies: { review } }) => review.verdict === 'revise',
    inputData: document,
    handler: textWork.revise,
    runOn,
  });
  const approve = step(`approve:${id}`, {
    dependencies: { read, analyse, review, revise },
    agentAssigned: 'reviewer',
    run({ dependencies: { read, analyse, review, revise } }) {
      // Without a revision there is nothing new to judge.
      const [analysis, verdict] =
        revise === undefined ? [analyse, review] : [revise, reviewAnalysis(revise, 2)];
      return { analysis, review: verdict, unreadable: read.unreadable };
    },
  });
  return { focus, analyse, review, revise, approve };
}

/** The writer. Both tasks that touch the output hold its lock, so two runs never write at the same time. */
function writingTasks(
  { listing, readLog, runOn }: ResearchPlan,
  { index, compare }: Corpus,
  opinions: readonly Opinion[],
  graph: () => readonly AnyTask[],
) {
  const prepare = step('prepare', {
    description: 'Makes the folder of the report: if that cannot be, nobody should start to read',
    agentAssigned: 'writer',
    priority: 100,
    locks: [OUTPUT_LOCK],
    run: async ({ input }) => void (await mkdir(input.out, { recursive: true })),
  });
  const gather = step('gather', {
    description: 'What was approved of, and the terms that stand out in it',
    dependencies: byId(opinions.map(({ approve }) => approve)),
    agentAssigned: 'writer',
    run({ dependencies }) {
      const all = Object.values(dependencies);
      const approved = all.filter(({ unreadable }) => !unreadable);
      const analyses = approved.map(({ analysis }) => analysis);
      return {
        analyses,
        reviews: approved.map(({ review }) => review),
        corpusTerms: corpusKeyTerms(analyses),
        unreadable: all.filter(({ unreadable }) => unreadable).map(({ analysis }) => analysis.path),
      };
    },
  });
  const record = step('record', {
    description: 'What this run has done so far',
    dependencies: { gather, compare },
    agentAssigned: 'writer',
    run: async ({ runId, path }) => recordOf(graph(), await logUntil(readLog(runId), path)),
  });
  const compose = step('compose', {
    description: 'The text of the report',
    dependencies: { index, compare, gather, record },
    agentAssigned: 'writer',
    resourceRequirements: { cpu: 1 },
    inputData: listing,
    handler: textWork.compose,
    runOn,
  });
  const write = step('write', {
    description: 'report.md and report.json',
    dependencies: { prepare, compose },
    agentAssigned: 'writer',
    locks: [OUTPUT_LOCK],
    timeout: '30s',
    async run({ input, dependencies: { compose } }) {
      const { highlights, ...report } = compose;
      return { files: await writeReport(input.out, report), highlights };
    },
  });
  return [prepare, gather, record, compose, write] as const;
}

/** Dependencies by task id, for a task that waits for a whole row of equals. */
function byId<Each extends { readonly taskId: string }>(tasks: readonly Each[]): Record<string, Each> {
  return Object.fromEntries(tasks.map((task) => [task.taskId, task]));
}
