/** Drawings of a graph as text. Nodes have generated names, and ids stand in labels in which nothing has a meaning. */
import { checkChoice, checkKeys, checkRecord, invalidOption } from '../checks.ts';
import type { DrawOptions, GraphData, GraphEdge, TaskChangeKind } from './graph-data.ts';

const KEYS: ReadonlySet<string> = new Set(['direction', 'criticalPath']);

/** Fill and line of what a comparison found; dark enough on white, and told apart by the line too. */
const COLOURS: Readonly<Record<TaskChangeKind, { fill: string; line: string; dash?: string }>> = {
  added: { fill: '#d3f2d9', line: '#1a7f37' },
  removed: { fill: '#ffd7d5', line: '#cf222e', dash: '4 3' },
  changed: { fill: '#fff3c4', line: '#9a6700' },
  same: { fill: '#f6f8fa', line: '#57606a' },
};

/** The options of a drawing, checked. */
interface Drawing {
  readonly graph: GraphData;
  readonly isRight: boolean;
  readonly numberOf: ReadonlyMap<string, number>;
  readonly bold: ReadonlySet<string>;
  /** Whether an edge is on the critical path. */
  isBold(edge: GraphEdge): boolean;
}

/** @throws OrchestratorError `OPTION_INVALID`, `OPTION_UNKNOWN` */
export function checkDrawOptions(given: unknown): DrawOptions {
  const options = checkRecord(given, 'draw', 'an object of options such as { direction }');
  checkKeys(options, KEYS, 'draw');
  if (options.direction !== undefined) checkChoice(options.direction, 'draw/direction', ['down', 'right']);
  if (options.criticalPath !== undefined && typeof options.criticalPath !== 'boolean')
    throw invalidOption('draw/criticalPath', options.criticalPath, 'true or false');
  return options as DrawOptions;
}

function begin(graph: GraphData, { direction }: DrawOptions, critical: readonly string[]): Drawing {
  const after = new Map(critical.map((id, i) => [id, critical[i + 1]]));
  return {
    graph,
    isRight: direction === 'right',
    numberOf: new Map(graph.nodes.map(({ taskId }, i) => [taskId, i])),
    bold: new Set(critical),
    isBold: ({ from, to }) => after.get(from) === to,
  };
}

/** A Mermaid flowchart. */
export function drawMermaid(graph: GraphData, options: DrawOptions, critical: readonly string[]): string {
  const drawing = begin(graph, options, critical);
  const name = (id: string): string => `t${drawing.numberOf.get(id)}`;
  const lines = [`flowchart ${drawing.isRight ? 'LR' : 'TD'}`];
  for (const { taskId } of graph.nodes) lines.push(`  ${name(taskId)}["${mermaidText(taskId)}"]`);
  for (const edge of graph.edges) {
    const arrow = drawing.isBold(edge)
      ? '==>'
      : edge.on === 'settled' || edge.change === 'removed'
        ? '-.->'
        : '-->';
    lines.push(`  ${name(edge.from)} ${arrow} ${name(edge.to)}`);
  }
  graph.edges.forEach(({ change }, i) => {
    if (change === 'added' || change === 'removed')
      lines.push(`  linkStyle ${i} stroke:${COLOURS[change].line}`);
  });
  for (const kind of Object.keys(COLOURS) as TaskChangeKind[]) {
    const members = graph.nodes.filter(({ change }) => change === kind);
    if (members.length === 0) continue;
    const { fill, line, dash } = COLOURS[kind];
    const dashes = dash === undefined ? '' : `,stroke-dasharray:${dash}`;
    lines.push(`  classDef ${kind} fill:${fill},stroke:${line}${dashes}`);
    lines.push(`  class ${members.map(({ taskId }) => name(taskId)).join(',')} ${kind}`);
  }
  if (critical.length > 0)
    lines.push('  classDef critical stroke-width:3px', `  class ${critical.map(name).join(',')} critical`);
  return `${lines.join('\n')}\n`;
}

/**
 * Letters, digits and a few marks stay; everything else becomes a character code, as Mermaid writes them: quotes and
 * brackets end a label, `%%{` begins a directive, a backquote begins Markdown. Mermaid reads every label as Markdown, so a
 * mark also goes where it would begin a list (`1. parse`, `- parse`), a rule (`---`) or emphasis (`_parse_`).
 */
function mermaidText(text: string): string {
  return text.replaceAll(MERMAID_MARKS, (character) => `#${character.codePointAt(0)};`);
}

const MERMAID_MARKS =
  /[^\p{L}\p{N}\p{M} _.-]|^[.-]|[.-](?= |$)|(?<![\p{L}\p{N}\p{M}])_|_(?![\p{L}\p{N}\p{M}])/gu;

/** A digraph in the DOT language. */
export function drawDot(graph: GraphData, options: DrawOptions, critical: readonly string[]): string {
  const drawing = begin(graph, options, critical);
  const name = (id: string): string => `t${drawing.numberOf.get(id)}`;
  const lines = [
    'digraph workflow {',
    `  graph [rankdir=${drawing.isRight ? 'LR' : 'TB'}, label=${dotText(graph.name)}];`,
    '  node [shape=box, style="rounded,filled", fillcolor="#ffffff"];',
  ];
  for (const { taskId, change } of graph.nodes) {
    const attributes = [`label=${dotText(taskId)}`];
    if (change !== undefined)
      attributes.push(`fillcolor="${COLOURS[change].fill}"`, `color="${COLOURS[change].line}"`);
    if (change === 'removed') attributes.push('style="rounded,filled,dashed"');
    if (drawing.bold.has(taskId)) attributes.push('penwidth=3');
    lines.push(`  ${name(taskId)} [${attributes.join(', ')}];`);
  }
  for (const edge of graph.edges) {
    const attributes: string[] = [];
    if (edge.change === 'added' || edge.change === 'removed')
      attributes.push(`color="${COLOURS[edge.change].line}"`);
    if (edge.on === 'settled' || edge.change === 'removed') attributes.push('style=dashed');
    if (drawing.isBold(edge)) attributes.push('penwidth=3');
    const suffix = attributes.length === 0 ? '' : ` [${attributes.join(', ')}]`;
    lines.push(`  ${name(edge.from)} -> ${name(edge.to)}${suffix};`);
  }
  return `${lines.join('\n')}\n}\n`;
}

/** A quoted label: a backslash begins an escape and `&` an entity, and Graphviz reads both in labels. */
function dotText(text: string): string {
  const plain = text.replaceAll('&', '&amp;').replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  return `"${plain}"`;
}
