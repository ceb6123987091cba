// The records of `gliznet/*`, as docs/protocol.md describes them.
// Fields are only ever added there; those that this extension does not use are left out here.
import { NotificationType, RequestType } from 'vscode-languageclient/node';

export interface DocumentName {
  uri: string;
}

/** A label that fits a document. */
export interface Tag {
  label: string;
  /** From 0 to 1; null where the model could not score a label that a person accepted. */
  score: number | null;
  origin: 'model' | 'memory' | 'you';
  /** The document has it already, however it is spelt there. */
  present: boolean;
}

export interface TagsChanged {
  uri: string;
  version: number;
  tags: Tag[];
  model: string;
}

export interface TagResult {
  tags: Tag[];
  scores?: { label: string; score: number }[];
}

export interface Labelsets {
  labelsets: { name: string; path: string | null; labels: string[]; fault?: string }[];
  current: {
    name: string;
    labels: { name: string; description?: string }[];
    fault?: string;
    /** Nobody names labels yet. */
    unset?: boolean;
  };
}

export interface Status {
  version: string;
  pid: number;
  uptime: number;
  model: { state: 'loading' | 'ready' | 'failed'; name?: string; device?: string; fault?: string };
  clients: number;
  queue: number;
  background: number;
  cache: { hits: number; misses: number; entries: number; bytes: number } | null;
  journal: { corrections: number; fault?: string };
  memory: number | null;
}

/** A label of a document to look at. */
export interface ReviewLabel {
  label: string;
  score: number | null;
  /** It is suggested, or stands in the document already. */
  suggested: boolean;
}

/** A document to look at, its labels the best first. */
export interface ReviewRecord {
  uri: string;
  /** Its path below the folder. */
  name: string;
  title: string | null;
  format: string;
  text: string;
  why: 'unsure' | 'different' | 'random' | 'again';
  /** What was said of it before, where like documents were judged otherwise. */
  again?: { label: string; fits: boolean }[];
  labels: ReviewLabel[];
}

/** How often tags are right, from the judged documents that chance brought. */
export interface Accuracy {
  documents: number;
  right: number;
  range: [number, number];
}

export interface ReviewResult {
  queue: ReviewRecord[];
  /** How many documents nobody has judged yet. */
  open: number;
  accuracy: Accuracy | null;
  enough: boolean;
  faults?: string[];
}

export interface CorrectParams {
  text: string;
  format: string;
  uri: string;
  source: 'review' | 'sample';
  accepted: string[];
  rejected: string[];
}

export interface CorrectResult {
  /** The record's number in the journal. */
  sequence: number;
}

/** What the server's commands answer. */
export interface Verdict {
  applied: boolean;
  /** The document has no place for what was accepted. */
  unwritten?: boolean;
  accepted: string[];
  rejected: string[];
}

export const tagsChanged = new NotificationType<TagsChanged>('gliznet/tagsChanged');
export const tag = new RequestType<{ textDocument: DocumentName; all?: boolean }, TagResult, void>(
  'gliznet/tag',
);
export const labelsets = new RequestType<{ textDocument?: DocumentName }, Labelsets, void>(
  'gliznet/labelsets',
);
export const status = new RequestType<Record<string, never>, Status, void>('gliznet/status');
export const review = new RequestType<{ count?: number }, ReviewResult, void>('gliznet/review');
export const correct = new RequestType<CorrectParams, CorrectResult, void>('gliznet/correct');
