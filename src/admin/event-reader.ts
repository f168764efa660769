/* Reads Server-Sent Events from a response, since `EventSource` cannot send a token. Runs in browsers and in Node.js. */

/** The parts of `ReadableStreamDefaultReader` that are used. */
export interface ByteReader {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>;
}

export interface ReaderEvents {
  /** @param data as parsed from JSON */
  onEvent(name: string, data: unknown): void;
  /** Some bytes have arrived. */
  onBytes?(): void;
}

/** Reads events until the stream ends. Rejects if it breaks. */
export async function readEvents(reader: ByteReader, events: ReaderEvents): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    events.onBytes?.();
    const blocks = (rest + decoder.decode(value, { stream: true })).split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) dispatch(block, events);
  }
}

/** The admin listener writes each field once, and data in one line. */
function dispatch(block: string, events: ReaderEvents): void {
  const fields = new Map(
    block.split('\n').map((line) => {
      const colon = line.indexOf(': ');
      return [line.slice(0, colon), line.slice(colon + 2)] as const;
    }),
  );
  const [name, data] = [fields.get('event'), fields.get('data')];
  if (name !== undefined && data !== undefined) events.onEvent(name, JSON.parse(data));
}
