/*
 * The life of an extent: taken by a shard for a response or by the HTTP thread for a request body, written, passed on with
 * its slot, given back once its bytes are flushed, and reclaimed from a shard that exits at any step. Also covers waiting for an
 * extent.
 *
 * Owner words are authoritative; the bitmap only holds hints. Here each transfer of a request between threads is a single step;
 * slots.pml models the real steps. There are two requests, one per slot. Every run ends, so a thread that waits forever is an
 * invalid end state.
 *
 * EXTENTS  number of extents, all of one size class
 * RESERVED how many of them are reserved for responses
 * BODIES   1: each request has a body that needs an extent
 * ORDERED  1: both requests came over one connection, so their responses are sent in order
 * EXITS    how many times shards exit by themselves, at any step
 * GIVE_UPS 1: request 0 may time out or lose its client; 2: either request may
 * The other names in #ifdef are the mistakes listed in docs/model.md. Spin must find each of them.
 */
#ifndef EXTENTS
#define EXTENTS 1
#endif
#ifndef RESERVED
#define RESERVED 0
#endif
#ifndef BODIES
#define BODIES 0
#endif
#ifndef ORDERED
#define ORDERED 1
#endif
#ifndef EXITS
#define EXITS 1
#endif
#ifndef GIVE_UPS
#define GIVE_UPS 0
#endif
#define SHARDS 2
#define REQUESTS 2
#define NONE 9

/* Owner words of extents. */
#define FREE 0
#define HTTP 1
#define SHARD(s) (2 + (s))

/* Where a request is. */
#define AT_CLIENT 0
#define AT_HTTP 1
#define SUBMITTED 2
#define CLAIMED(s) (3 + (s))
#define COMPLETED(s) (5 + (s))
#define OVER 7

/* ── shared memory ─────────────────────────────────────────────────────────────────────────────────────────────────── */
byte owner[EXTENTS];
bool hint[EXTENTS];
byte bytes[EXTENTS]; /* whose bytes it contains: 1 + request for a body, 5 + request for a response */
byte place[REQUESTS];
byte body[REQUESTS];
byte note[REQUESTS]; /* the extent of the response */
bool wants[SHARDS];  /* the shard waits for an extent */

/* ── messages and events ───────────────────────────────────────────────────────────────────────────────────────────── */
bool told[SHARDS];    /* to the shard: an extent was given back */
bool abandon[SHARDS]; /* to the shard: no client waits for its request any more; lost if the shard exits */
bool exited[SHARDS];
bool spawn[SHARDS];
bool over;

byte exits = EXITS;
bool shown[SHARDS]; /* only for a mistake: the HTTP thread has seen an error of the shard, which may still run */
byte responses[REQUESTS];

#define BODY_OF(r) (1 + (r))
#define RESPONSE_OF(r) (5 + (r))

inline respond(r) {
  responses[r]++;
  assert(responses[r] == 1)
}

/* ── HTTP thread ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Tells every waiting shard, because one that is told may exit, or may no longer need an extent. */
inline tellWaiting() {
  if
  :: atomic { wants[0] -> wants[0] = false; told[0] = true }
  :: !wants[0]
  fi;
  if
  :: atomic { wants[1] -> wants[1] = false; told[1] = true }
  :: !wants[1]
  fi
}

/* extentGive: sets the owner word, then the hint, then tells the shards that wait. */
inline giveBack(e) {
  owner[e] = FREE;
  hint[e] = true;
  tellWaiting()
}

/* extentTake for a body. If no extent is free, the socket is not read; the HTTP thread tries again when a hint is set. */
inline takeForBody(r) {
  i = RESERVED;
  do
  :: i < EXTENTS && body[r] == NONE ->
    if
    :: hint[i] ->
      atomic {
        if
        :: owner[i] == FREE -> owner[i] = HTTP; body[r] = i
        :: else
        fi
      };
      if
      :: body[r] == i -> hint[i] = false
      :: else
      fi
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0;
  if
  :: body[r] != NONE ->
    atomic {
      bytes[body[r]] = BODY_OF(r);
      place[r] = SUBMITTED
    }
  :: else
  fi
}

inline giveBodyBack(r) {
  if
  :: body[r] != NONE ->
    assert(owner[body[r]] == HTTP && bytes[body[r]] == BODY_OF(r));
    giveBack(body[r]);
    body[r] = NONE
  :: else
  fi
}

/* takeOver: takes over the slot, and with it the extent of the response: SHARD(s) → HTTP. */
inline takeOver(r, s) {
  atomic {
    place[r] = AT_HTTP;
    i = note[r];
    if
    :: i != NONE ->
      assert(owner[i] == SHARD(s) && bytes[i] == RESPONSE_OF(r));
      owner[i] = HTTP
    :: else
    fi
  };
  giveBodyBack(r);
  if
  :: answered[r] ->
#ifndef LATE_COMPLETION_KEEPS
    if
    :: i != NONE -> giveBack(i)
    :: else
    fi;
#endif
    atomic {
      note[r] = NONE;
      place[r] = OVER
    }
  :: else ->
#ifdef FREE_BEFORE_FLUSH
    giveBack(i)
#else
    skip
#endif
  fi;
  i = 0
}

#define IS_NEXT(r) (r == 0 || !ORDERED || answered[0])

/* The kernel has taken the bytes. */
inline flush(r) {
  d_step {
    assert(note[r] == NONE || bytes[note[r]] == RESPONSE_OF(r));
    respond(r);
    answered[r] = true
  };
#ifndef FREE_BEFORE_FLUSH
  if
  :: note[r] != NONE -> giveBack(note[r])
  :: else
  fi;
#endif
  atomic {
    note[r] = NONE;
    place[r] = OVER
  }
}

/* A response that waits for an earlier one of its connection must not keep an extent that a shard waits for. */
inline copyOut(r) {
  assert(bytes[note[r]] == RESPONSE_OF(r));
  giveBack(note[r]);
  note[r] = NONE
}

/* Timeout or disconnected client: the request gets its response immediately, but a slot that was claimed stays with its shard. */
inline giveUp(r) {
  atomic {
    respond(r);
    answered[r] = true;
    if
    :: place[r] == SUBMITTED -> place[r] = AT_HTTP
    :: place[r] == CLAIMED(0) -> abandon[0] = true
    :: place[r] == CLAIMED(1) -> abandon[1] = true
    :: else
    fi
  };
  if
  :: place[r] == AT_HTTP ->
    giveBodyBack(r);
    place[r] = OVER
  :: else
  fi
}

inline takeBackRequest(r, s) {
  if
  :: place[r] == COMPLETED(s) -> takeOver(r, s)
  :: place[r] == CLAIMED(s) ->
    atomic {
      place[r] = AT_HTTP;
      note[r] = NONE;
      if
      :: !answered[r] -> respond(r); answered[r] = true
      :: else
      fi
    };
    giveBodyBack(r);
    place[r] = OVER
  :: else
  fi
}

/* extentReclaim: frees the extents that the exited shard owns, and sets the hints of all free extents. */
inline scan(s) {
  i = 0;
  do
  :: i < EXTENTS ->
    if
    :: owner[i] == SHARD(s) -> owner[i] = FREE
    :: else
    fi;
#ifndef POP_FIRST
    if
    :: owner[i] == FREE -> hint[i] = true
    :: else
    fi;
#else
    if
    :: owner[i] == FREE && popped == i + 1 -> hint[i] = true
    :: else
    fi;
#endif
    i++
  :: else -> break
  od;
  i = 0;
#ifndef RECLAIM_WITHOUT_TELLING
  tellWaiting()
#endif
}

inline takeBack(s) {
#ifdef SCAN_BEFORE_COMPLETIONS
  scan(s);
  takeBackRequest(0, s);
  takeBackRequest(1, s);
#else
  takeBackRequest(0, s);
  takeBackRequest(1, s);
  scan(s);
#endif
  atomic {
    exited[s] = false;
    shown[s] = false;
    wants[s] = false;
    told[s] = false;
    abandon[s] = false;
    spawn[s] = true
  }
}

#ifdef RECLAIM_BEFORE_EXIT
#define HAS_ENDED(s) (shown[s] || exited[s])
#else
#define HAS_ENDED(s) exited[s]
#endif
#define CAN_TAKE ((RESERVED < 1 && hint[0]) || (EXTENTS == 2 && hint[EXTENTS - 1]))

proctype http() {
  bool answered[REQUESTS];
  byte i;
#ifdef POP_FIRST
  byte popped;
#endif

  do
  :: place[0] == AT_CLIENT && !BODIES -> place[0] = SUBMITTED
  :: place[1] == AT_CLIENT && place[0] != AT_CLIENT && !BODIES -> place[1] = SUBMITTED
  :: place[0] == AT_CLIENT && BODIES && CAN_TAKE -> takeForBody(0)
  :: place[1] == AT_CLIENT && place[0] != AT_CLIENT && BODIES && CAN_TAKE -> takeForBody(1)
  :: place[0] == COMPLETED(0) -> takeOver(0, 0)
  :: place[0] == COMPLETED(1) -> takeOver(0, 1)
  :: place[1] == COMPLETED(0) -> takeOver(1, 0)
  :: place[1] == COMPLETED(1) -> takeOver(1, 1)
  :: place[0] == AT_HTTP && !answered[0] -> flush(0)
  :: place[1] == AT_HTTP && !answered[1] && IS_NEXT(1) -> flush(1)
#ifndef KEEP_OUT_OF_ORDER
  /* Modelled without a doorbell: after announcing that it waits, the shard has rung that of the HTTP thread. */
  :: place[1] == AT_HTTP && !answered[1] && !IS_NEXT(1) && note[1] != NONE && (wants[0] || wants[1]) -> copyOut(1)
#endif
#if GIVE_UPS > 0
  :: place[0] != AT_CLIENT && place[0] != AT_HTTP && !answered[0] -> giveUp(0)
#endif
#if GIVE_UPS > 1
  :: place[1] != AT_CLIENT && place[1] != AT_HTTP && !answered[1] && IS_NEXT(1) -> giveUp(1)
#endif
  :: HAS_ENDED(0) -> takeBack(0)
  :: HAS_ENDED(1) -> takeBack(1)
  :: place[0] == OVER && place[1] == OVER && !exited[0] && !exited[1] -> break
  od;
  over = true;
end:
  do
  :: HAS_ENDED(0) -> takeBack(0)
  :: HAS_ENDED(1) -> takeBack(1)
  od
}

/* ── shard ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#ifdef RECLAIM_BEFORE_EXIT
#define MAY_EXIT                                               \
  if                                                           \
  :: exits > 0 && !shown[me] -> exits--; shown[me] = true      \
  :: shown[me] -> goto exit                                    \
  :: true                                                      \
  fi
#else
#define MAY_EXIT                         \
  if                                     \
  :: exits > 0 -> exits--; goto exit     \
  :: true                                \
  fi
#endif

/* extentTake: reads a hint, exchanges the owner word, then clears the hint. If the exchange fails, the wrong hint stays. */
inline take() {
  i = 0;
  do
  :: i < EXTENTS && mine == NONE ->
    if
    :: hint[i] ->
#ifdef POP_FIRST
      atomic {
        MAY_EXIT;
        if
        :: hint[i] -> hint[i] = false; mine = i
        :: else
        fi
      };
      if
      :: mine == i ->
        atomic {
          MAY_EXIT;
          owner[i] = SHARD(me)
        }
      :: else
      fi
#else
#ifdef TAKE_BY_STORE
      if
      :: owner[i] == FREE -> owner[i] = SHARD(me); mine = i
      :: else
      fi;
#else
      atomic {
        MAY_EXIT;
        if
        :: owner[i] == FREE -> owner[i] = SHARD(me); mine = i
        :: else
        fi
      };
#endif
      if
      :: mine == i ->
        atomic {
          MAY_EXIT;
          hint[i] = false
        }
      :: else
      fi
#endif
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0
}

proctype shard(byte me) {
  byte r, i;
  byte mine = NONE;

begin:
end:
  do
  ::
    atomic {
      place[0] == SUBMITTED -> place[0] = CLAIMED(me);
      r = 0;
      break
    }
  ::
    atomic {
      place[1] == SUBMITTED -> place[1] = CLAIMED(me);
      r = 1;
      break
    }
  :: told[me] -> told[me] = false
  :: atomic { exits > 0 -> exits--; goto exit }
  od;
  /* The handler has settled. */
  do
  :: mine == NONE && !abandon[me] ->
    take();
    if
    :: mine == NONE ->
      atomic {
        MAY_EXIT;
        wants[me] = true
      };
#ifndef NO_LAST_LOOK
      take();
#endif
      if
      :: mine == NONE ->
        if
        :: told[me] -> told[me] = false
        :: abandon[me]
        :: atomic { exits > 0 -> exits--; goto exit }
        fi
      :: else
      fi
    :: else
    fi
  :: else -> break
  od;
#ifdef SHARD_GIVES_BACK
  if
  :: mine != NONE && abandon[me] ->
    owner[mine] = FREE;
    hint[mine] = true;
    mine = NONE
  :: else
  fi;
#endif
  /* A shard never gives back an extent itself: one that it does not need is passed on with the slot. */
  atomic {
    MAY_EXIT;
    assert(place[r] == CLAIMED(me));
    if
    :: mine != NONE ->
      assert(owner[mine] == SHARD(me));
      bytes[mine] = RESPONSE_OF(r)
    :: else
    fi;
    note[r] = mine
  };
  atomic {
    MAY_EXIT;
    assert(place[r] == CLAIMED(me));
    abandon[me] = false;
    place[r] = COMPLETED(me);
    r = 0;
    mine = NONE;
    goto begin
  };

exit:
  atomic {
    exited[me] = true;
    r = 0;
    i = 0;
    mine = NONE
  };
  atomic {
    spawn[me] -> spawn[me] = false;
    goto begin
  }
}

/* The final state: every request has had exactly one response, and every extent is free and can be found by its hint. */
#define IS_FREE(e) (owner[e] == FREE && hint[e])
active proctype account() {
  atomic {
    over && !exited[0] && !exited[1] ->
    assert(responses[0] == 1 && responses[1] == 1);
    assert(IS_FREE(0) && IS_FREE(EXTENTS - 1))
  }
}

init {
  atomic {
    hint[0] = true;
    hint[EXTENTS - 1] = true;
    body[0] = NONE;
    body[1] = NONE;
    note[0] = NONE;
    note[1] = NONE;
    run http();
    run shard(0);
    run shard(1)
  }
}
