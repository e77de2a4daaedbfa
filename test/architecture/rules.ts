/** What a layer may do. A layer is a folder of src; the longest folder that matches a file is its layer. */
export interface LayerRule {
  /** Folders of src that its files may import from, beside their own folder. */
  readonly imports: readonly string[];
  /** Folders of which only types may be taken (`import type`), although they are in `imports`. */
  readonly typesFrom?: readonly string[];
  /** Declares and imports types only. */
  readonly typesOnly?: boolean;
  /** No clock, no I/O, no promise, no randomness, no Node import. */
  readonly pure?: boolean;
  /** The packages it may import; any when absent. */
  readonly packages?: readonly string[];
  /** Each file opens with a block comment: what it is for, what it owns, who may call it. */
  readonly header?: boolean;
  /** Its folders are siblings that do not know each other. */
  readonly isolatedFolders?: boolean;
}

/** Files that may import more than their layer. */
export interface FileException {
  readonly file: string;
  readonly imports: readonly string[];
}

export interface Rules {
  readonly layers: Readonly<Record<string, LayerRule>>;
  readonly exceptions: readonly FileException[];
  /** The layers that a door (a file at the root of src) may open. */
  readonly doors: readonly string[];
  readonly fileLinesMax: number;
  readonly functionLinesMax: number;
}

/** One breach of a rule, at one place. */
export interface Breach {
  readonly rule: string;
  readonly file: string;
  readonly line: number;
  readonly message: string;
}
