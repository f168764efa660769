import { EXTENT_HEAD_BYTES, FIELD_BYTES, NO_EXTENT } from '../../../assembly/layout.js';
import type { SlotView } from '../../contract/slot-view.js';
import type { ShardContext } from '../context.js';

/** Where a response lies: in its slot, behind the request record, or in an extent. */
export interface Place {
  /** NO_EXTENT in the slot. */
  extent: number;
  /** Where the head ends and the body begins. */
  bodyStart: number;
  /** Behind the last byte that may be written. */
  limit: number;
}

/** Finds room for responses. Shard. */
export class Placement {
  readonly #context: ShardContext;

  constructor(context: ShardContext) {
    this.#context = context;
  }

  /** Behind the request record. There may be no room for the head: then `limit` lies in front of `bodyStart`. */
  inSlot(view: SlotView, headRoom: number): Place {
    const { record, data, end } = view;
    let bodyStart = data + headRoom;
    if (record === data) bodyStart += view.fieldCount * FIELD_BYTES + view.headBytes + view.bodyBytes;
    return { extent: NO_EXTENT, bodyStart, limit: end };
  }

  /** In an extent, which is this shard's until the slot is completed; nothing if none is free. */
  inExtent(headRoom: number, bodyBytes: number): Place | undefined {
    const { extents } = this.#context.side;
    const extent = extents.take(headRoom + bodyBytes);
    if (extent === NO_EXTENT) return undefined;
    const start = extents.start(extent);
    return { extent, bodyStart: start + headRoom, limit: start + extents.bytes(extent) };
  }

  /** Bytes of the largest body that an extent has room for. */
  mostBytes(headRoom: number): number {
    return this.#context.side.extents.mostBytes - Math.max(headRoom, EXTENT_HEAD_BYTES);
  }

  /** Gives back what nothing is sent from. */
  release({ extent }: Place): void {
    if (extent !== NO_EXTENT) this.#context.side.extents.give(extent);
  }
}
