/**
 * Phrases that tell what a sentence does: defines its subject, digresses, asks for something.
 *
 * Edmundson (1969) called these cue words and kept a list of those that speak for a sentence and those
 * that speak against it. This is such a list for technical documents.
 */

/** What authors say about themselves or ask for, wherever it stands. */
const APPEALS = [
  'sponsor(?:s|ed|ing|ship)?',
  'tidelift|patreon|opencollective|backers',
  'donat(?:e|ion|ions)',
  'pull requests?',
  'star (?:this|the) (?:repo|project)|follow me',
  '(?:licensed|released) under|all rights reserved',
  'full-time open.source',
];

/** An instruction for the shell, or a line of code that stands where prose is expected. */
const COMMANDS = ['npm|npx|pnpm|yarn|bunx?|git|cd|curl', 'const|let|var|import|export'];
const INSTALLATIONS = ['npm (?:i|install)', 'yarn (?:add|global)', 'pnpm (?:add|i|install)', 'bun add'];

/** `Chalk is`, `this small library provides`. */
const SUBJECTS = [
  '@?[\\p{L}\\p{N}][\\p{L}\\p{N}@/._-]*',
  '(?:this|the) (?:\\S{1,30} )?(?:package|module|library|tool|plugin|project|utility|repository)',
  '(?:this|the) (?:\\S{1,30} )?(?:function|document|guide|page)',
];
const DEFINING_VERBS = [
  'is|are|was|can|aims|gives|makes|adds|uses|contains|describes|explains',
  'provides?|lets?|allows?|helps?|implements?|parses?|offers?|converts?|enables?|supports?',
];

const DIGRESSIONS = [
  'see|click|below|above|following|note that|for example|for instance|e\\.g\\.|i\\.e\\.',
  "please|thanks|README|deprecated|TODO|we're|I'm|I've|my",
];
const DIGRESSIVE_STARTS = [
  'note|or|and|but|also|then|however|otherwise|instead|if|here|there|since|as of',
  'you can also|by default|in this case|use |run |install|run:',
];
/** Sends the reader elsewhere. */
const POINTERS = [
  'see|check out|visit|read|view|head over|documentation|docs',
  'for (?:more|further|full|detailed)|more (?:information|details)',
];

const either = (...patterns: readonly string[]): string => `(?:${patterns.join('|')})`;

const APPEAL = new RegExp(`^please |\\b${either(...APPEALS)}\\b`, 'iu');
const COMMAND = new RegExp(`^(?:[$>] ?)?${either(...COMMANDS)} `, 'u');
const INSTALLATION = new RegExp(`\\b${either(...INSTALLATIONS)}\\b`, 'u');
const DEFINITION = new RegExp(`^${either(...SUBJECTS)} ${either(...DEFINING_VERBS)}\\b`, 'iu');
const DIGRESSION = new RegExp(`\\b${either(...DIGRESSIONS)}\\b|^${either(...DIGRESSIVE_STARTS)}\\b`, 'iu');
const POINTER = new RegExp(`^${either(...POINTERS)} `, 'iu');
/** `A parser for`, `Returns the`: the usual first sentence of a description. */
const STATEMENT = /^(?:an?|the) [\p{L}-]+|^[A-Z][a-z]+ (?:an?|the|your|all|any|if|whether) /u;
const LEANS_BACK =
  /^(?:it|this|that|these|those|they|he|she|such|both|which)\b(?! (?:package|module|library))/iu;

/** True for calls for money, contributions and attention. */
export function isAppeal(text: string): boolean {
  return APPEAL.test(text);
}

/** True for text that is a command or a line of code itself. */
export function isCommand(text: string): boolean {
  return COMMAND.test(text);
}

/** True for sentences that tell how to install something; to know that is no help in a summary. */
export function isInstallation(text: string): boolean {
  return INSTALLATION.test(text);
}

/** True for sentences that send the reader elsewhere: better than nothing, but no addition to a summary. */
export function isPointer(text: string): boolean {
  return POINTER.test(text);
}

/** From -1 (digresses) to 1 (defines the subject). */
export function cueOf(sentence: string): number {
  let cue = 0;
  if (DEFINITION.test(sentence)) cue += 1;
  else if (STATEMENT.test(sentence)) cue += 0.6;
  if (DIGRESSION.test(sentence) || isPointer(sentence)) cue -= 0.9;
  if (LEANS_BACK.test(sentence)) cue -= 0.6;
  if (sentence.endsWith('?')) cue -= 0.5;
  return Math.max(-1, Math.min(1, cue));
}
