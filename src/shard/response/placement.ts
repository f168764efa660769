import { EXTENT_HEAD_BYTES, FIELD_BYTES, NO_EXTENT } from '../../../assembly/layout.js';
import type { SlotView } from '../../contract/slot-view.js';
import type { ShardContext } from '../context.js';

/** Memory for a response: in its slot after the request record, or in an extent. */
export interface Place {
  /** NO_EXTENT if the response is in the slot. */
  extent: number;
  /** Address where the head ends and the body begins. */
  bodyStart: number;
  /** Address after the last byte that may be written. */
  limit: number;
}

/** Finds room for responses. Shard only. */
export class Placement {
  readonly #context: ShardContext;

  constructor(context: ShardContext) {
    this.#context = context;
  }

  /** Returns the rest of the slot. If it has no room for the head, `limit` is below `bodyStart`. */
  inSlot(view: SlotView, headRoom: number): Place {
    const { record, data, end } = view;
    let bodyStart = data + headRoom;
    if (record === data) bodyStart += view.fieldCount * FIELD_BYTES + view.headBytes + view.bodyBytes;
    return { extent: NO_EXTENT, bodyStart, limit: end };
  }

  /** Takes an extent, which the shard owns until the slot is completed. Returns `undefined` if none is free. */
  inExtent(headRoom: number, bodyBytes: number): Place | undefined {
    const { extents } = this.#context.side;
    const extent = extents.take(headRoom + bodyBytes);
    if (extent === NO_EXTENT) return undefined;
    const start = extents.start(extent);
    return { extent, bodyStart: start + headRoom, limit: start + extents.bytes(extent) };
  }

  /** Size of the largest body that fits into an extent, in bytes. */
  mostBytes(headRoom: number): number {
    return this.#context.side.extents.mostBytes - Math.max(headRoom, EXTENT_HEAD_BYTES);
  }

  /** Releases a place that is not used. */
  release({ extent }: Place): void {
    if (extent !== NO_EXTENT) this.#context.side.extents.give(extent);
  }
}
