// The documents to look at, and what a person says of them.
// Input: the server's queue, ticks, verdicts. Output: labels to show, corrections to send.
// Invariant: a document is in the list or in the past, never in both; what undo brings back stands
// where it stood, with its ticks. Knows nothing of the editor and sends nothing.
import type { CorrectParams, ReviewLabel, ReviewRecord } from './protocol';

/** So many labels are listed, or all that are suggested where those are more. */
export const LISTED = 9;

/** A document of the list. Its identity is the object: the list never holds two of one document. */
export interface Entry {
  readonly record: ReviewRecord;
  /** Labels that are listed though they would not be, in the order they were looked for. */
  readonly added: string[];
  readonly ticks: Set<string>;
}

/** A document that has left the list. */
export interface Past {
  readonly entry: Entry;
  /** Its place in the list. */
  readonly place: number;
  /** The verdict's number in the journal; none where nothing was said. */
  readonly sequence: number | undefined;
}

/** The labels that a document shows: every suggestion, the next best, and those looked for. */
export function listed({ record, added }: Entry): ReviewLabel[] {
  const suggested = record.labels.filter((label) => label.suggested).length;
  const shown = record.labels.slice(0, Math.max(suggested, LISTED));
  const others = record.labels.slice(shown.length);
  const looked = added.flatMap((name) => others.filter(({ label }) => label === name));
  return [...shown, ...looked];
}

/** The labels that a document does not show. */
export function unlisted(entry: Entry): ReviewLabel[] {
  const shown = new Set(listed(entry));
  return entry.record.labels.filter((label) => !shown.has(label));
}

/** What is ticked fits, what is listed and not ticked does not; nothing without any label. */
export function correction(entry: Entry, ticks: ReadonlySet<string> = entry.ticks): CorrectParams | undefined {
  const names = listed(entry).map(({ label }) => label);
  if (names.length === 0) {
    return undefined;
  }
  const { text, format, uri, why } = entry.record;
  return {
    text,
    format,
    uri,
    // Of what chance brought it is estimated how often tags are right.
    source: why === 'random' ? 'sample' : 'review',
    accepted: names.filter((name) => ticks.has(name)),
    rejected: names.filter((name) => !ticks.has(name)),
  };
}

/** The list, and what has left it. */
export class Queue {
  #entries: Entry[] = [];
  #past: Past[] = [];

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** What undo would bring back. */
  get last(): Past | undefined {
    return this.#past.at(-1);
  }

  /** How many documents have a verdict. */
  get judged(): number {
    return this.#past.filter(({ sequence }) => sequence !== undefined).length;
  }

  /** What has left the list until now. */
  get past(): readonly Past[] {
    return [...this.#past];
  }

  /** Takes another list, but for documents without any label, an empty one for instance: there is
   *  nothing to say of them. What was ticked or looked for in documents that stay is kept. What has
   *  left the list since it was asked for, when `past` was the past, does not come back. */
  fill(answer: readonly ReviewRecord[], past: readonly Past[] = this.#past): void {
    const before = new Map(this.#entries.map((entry) => [entry.record.uri, entry]));
    const since = this.#past.filter((one) => !past.includes(one));
    const gone = new Set(since.map(({ entry }) => entry.record.uri));
    const records = answer.filter(({ uri }) => !gone.has(uri));
    const asking = records.filter(({ labels }) => labels.length > 0);
    this.#entries = asking.map((record) => {
      const known = before.get(record.uri);
      // Other words or labels are another question.
      return known && same(known.record, record) ? { ...known, record } : entry(record);
    });
    // Skipped documents that come again are no longer past.
    const uris = new Set(records.map(({ uri }) => uri));
    this.#past = this.#past.filter((past) => !uris.has(past.entry.record.uri));
  }

  tick(entry: Entry, label: string, fits: boolean): void {
    if (fits) {
      entry.ticks.add(label);
    } else {
      entry.ticks.delete(label);
    }
  }

  /** Lists a label that is not listed, ticked. */
  add(entry: Entry, label: string): void {
    entry.ticks.add(label);
    if (unlisted(entry).some((other) => other.label === label)) {
      entry.added.push(label);
    }
  }

  /** A document leaves the list, with its verdict's number or, skipped, without. Gives the one that
   *  stands in its place then, else the last. */
  leave(entry: Entry, sequence?: number): Entry | undefined {
    const place = this.#entries.indexOf(entry);
    if (place >= 0) {
      this.#entries.splice(place, 1);
      this.#past.push({ entry, place, sequence });
    }
    return this.#entries[place] ?? this.#entries.at(-1);
  }

  /** Brings back what left the list last. */
  undo(): Past | undefined {
    const past = this.#past.pop();
    if (past) {
      this.#entries.splice(past.place, 0, past.entry);
    }
    return past;
  }
}

function entry(record: ReviewRecord): Entry {
  const suggested = record.labels.filter((label) => label.suggested);
  return { record, added: [], ticks: new Set(suggested.map(({ label }) => label)) };
}

function same(one: ReviewRecord, other: ReviewRecord): boolean {
  const shape = ({ text, labels }: ReviewRecord) =>
    JSON.stringify([text, labels.map(({ label, suggested }) => [label, suggested])]);
  return shape(one) === shape(other);
}
